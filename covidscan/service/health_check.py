"""Asks the running gateway whether all is well.

Docker, Kubernetes and people ask this way, so that scheme, address and certificate come from the
settings alone. A container does it every ten seconds, and also where it is short of CPU. So this
module imports little: Pydantic and the settings' own module take ten times as long as the question.
"""

import http.client
import json
import os
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from dotenv import dotenv_values

from serving.deadlines import call_with_deadline
from serving.files.regular_files import read_config_file, unreadable_reason

DEFAULT_TIMEOUT_SECONDS: Final = 3.0

_DEFAULT_HOST: Final = "127.0.0.1"
_DEFAULT_PORT: Final = "8000"
_MAX_BODY_BYTES: Final = 64 * 1024
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - replaced, not bound
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's ``X509_V_FLAG_NO_CHECK_TIME``, for which ``ssl`` has no name."""
_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.ASCII | re.DOTALL
)
"""In a PEM file, which may have its key and text beside it."""


class UnhealthyError(RuntimeError):
    """What was asked is not well, or did not answer; the message says which."""


@dataclass(frozen=True)
class GatewayAddress:
    """Where the gateway of this machine listens."""

    host: str
    port: int
    certificate_file: Path | None
    """With it the gateway speaks HTTPS."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], env_file: Path) -> Self:
        """Read what ``api.settings.Settings`` reads, from the same places, by the same rules.

        Raises:
            ValueError: the port is not a number.
        """
        given = {
            name.upper(): value
            for source in (dotenv_values(env_file), environment)
            for name, value in source.items()
            if value
        }
        certificate_file = given.get("COVIDSCAN_TLS_CERTIFICATE_FILE")
        return cls(
            given.get("COVIDSCAN_HOST", _DEFAULT_HOST),
            int(given.get("COVIDSCAN_PORT", _DEFAULT_PORT)),
            Path(certificate_file) if certificate_file else None,
        )

    @property
    def url(self) -> str:
        """For a request from this machine."""
        scheme = "http" if self.certificate_file is None else "https"
        host = f"[{self.own_host}]" if ":" in self.own_host else self.own_host
        return f"{scheme}://{host}:{self.port}"

    @property
    def own_host(self) -> str:
        """An address of this machine in place of "all of them"."""
        return _ANY_ADDRESS.get(self.host, self.host)


def check_gateway(
    address: GatewayAddress,
    *,
    ready: bool = False,
    strict: bool = False,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> str:
    """Ask the gateway on this machine; returns a line that says what it answered.

    Args:
        address: where it listens.
        ready: ask whether predictions can be answered, not only whether the process is alive.
        strict: ready only if every model has an available version.
        timeout_seconds: for everything together.

    Raises:
        UnhealthyError: it is not well, or its certificate cannot be read.
    """
    if address.port == 0:
        raise UnhealthyError("COVIDSCAN_PORT is 0: name the port that the gateway took with --port")
    path = "/readyz" if ready or strict else "/healthz"
    connection = _connection(address, timeout_seconds)
    url = address.url + path
    try:
        status, body = call_with_deadline(
            lambda: _get(connection, f"{path}?strict=true" if strict else path),
            seconds=timeout_seconds,
        )
    except ssl.SSLCertVerificationError as error:
        raise UnhealthyError(
            f"{url} shows another certificate than {address.certificate_file}"
            f" ({error.verify_message}): if it was renewed, restart the gateway"
        ) from error
    except TimeoutError as error:
        raise UnhealthyError(f"{url} did not answer within {timeout_seconds:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnhealthyError(f"{url} cannot be asked: {reason}") from error
    answer = _parse(body)
    said = f"{url} answered {status}{_models(answer)}"
    if status != http.client.OK or not (answer.get("ready") or answer.get("status") == "ok"):
        raise UnhealthyError(said)
    return said


def _connection(address: GatewayAddress, timeout_seconds: float) -> http.client.HTTPConnection:
    host, port = address.own_host, address.port
    if address.certificate_file is None:
        return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    # The certificate is for the name that clients use, not for this address. So its name is not
    # checked, but it must be the very one in the file, or one of the same authority where the file
    # has the chain: a renewal does not make a gateway unhealthy that still shows the old one.
    # For the same reason its dates do not count: restarting would not make it valid again.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=_read_certificates(address.certificate_file))
    return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)


def _read_certificates(file: Path) -> str:
    try:
        text = read_config_file(file).decode("latin-1")
    except OSError as error:
        raise UnhealthyError(f"{file} cannot be read: {unreadable_reason(error)}") from error
    certificates = _CERTIFICATE.findall(text)
    if not certificates:
        raise UnhealthyError(f"{file} is not a certificate in PEM")
    return "\n".join(certificates)


def _get(connection: http.client.HTTPConnection, target: str) -> tuple[int, bytes]:
    # http.client goes through no proxy that the environment names.
    try:
        connection.request("GET", target, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(_MAX_BODY_BYTES)
    finally:
        connection.close()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _models(answer: dict[str, Any]) -> str:
    models = answer.get("models")
    if not isinstance(models, dict):
        return ""
    return ": " + ", ".join(f"{name} {state}" for name, state in models.items())


def quick_check(options: list[str]) -> int | None:
    """``covidscan health`` without what the other commands need; returns the exit code.

    Args:
        options: of the command.

    Returns:
        None where only the whole command can tell: further options, or a setting that is wrong.
    """
    if not {"--ready", "--strict"}.issuperset(options):
        return None
    try:
        address = GatewayAddress.from_environment(os.environ, Path(".env"))
    except (ValueError, OSError):
        return None
    try:
        line = check_gateway(address, ready="--ready" in options, strict="--strict" in options)
    except UnhealthyError as error:
        sys.stderr.write(f"covidscan: {error}\n")
        return 1
    sys.stdout.write(f"{line}\n")
    return 0
