"""Checks the health of the running gateway.

For Docker, Kubernetes and people. Scheme, address and certificate come from the settings alone. A
container runs this check every ten seconds, even when it is short of CPU. So this module imports
little: importing Pydantic and the settings module takes ten times as long as the check.
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

from system.deadlines import call_with_deadline
from system.regular_files import read_config_file, unreadable_reason

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
"""Matches a certificate in a PEM file, which may also hold its key and text."""


class UnhealthyError(RuntimeError):
    """The server is unhealthy, or did not answer; the message says which."""


@dataclass(frozen=True)
class GatewayAddress:
    """Where the gateway on this machine listens."""

    host: str
    port: int
    certificate_file: Path | None
    """If set, the gateway speaks HTTPS."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], env_file: Path) -> Self:
        """Read the same sources as ``api.settings.Settings``, by the same rules.

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
        """The base URL for requests from this machine."""
        scheme = "http" if self.certificate_file is None else "https"
        host = f"[{self.own_host}]" if ":" in self.own_host else self.own_host
        return f"{scheme}://{host}:{self.port}"

    @property
    def own_host(self) -> str:
        """The host, or the loopback address if the host means all addresses."""
        return _ANY_ADDRESS.get(self.host, self.host)


def check_gateway(
    address: GatewayAddress,
    *,
    ready: bool = False,
    strict: bool = False,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> str:
    """Check the gateway on this machine; return a line that describes its answer.

    Args:
        address: where it listens.
        ready: check whether predictions can be answered, not only whether the process is alive.
        strict: ready only if every model has an available version.
        timeout_seconds: for the whole check.

    Raises:
        UnhealthyError: the gateway is unhealthy, or its certificate cannot be read.
    """
    if address.port == 0:
        raise UnhealthyError("COVIDSCAN_PORT is 0: give the gateway's actual port with --port")
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
            f"{url} presents another certificate than {address.certificate_file}"
            f" ({error.verify_message}): if it was renewed, restart the gateway"
        ) from error
    except TimeoutError as error:
        raise UnhealthyError(f"{url} did not answer within {timeout_seconds:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnhealthyError(f"{url} cannot be reached: {reason}") from error
    answer = _parse(body)
    line = f"{url} answered {status}{_models(answer)}"
    if status != http.client.OK or not (answer.get("ready") or answer.get("status") == "ok"):
        raise UnhealthyError(line)
    return line


def _connection(address: GatewayAddress, timeout_seconds: float) -> http.client.HTTPConnection:
    host, port = address.own_host, address.port
    if address.certificate_file is None:
        return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    # The certificate is issued for the name that clients use, not for this address. So the name is
    # not checked, but the certificate must be the one in the file, or have the same authority if
    # the file holds the chain: a gateway that still presents the old certificate after a renewal
    # stays healthy. Its dates are not checked either: a restart would not make it valid again.
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
    # http.client ignores proxies set in the environment.
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
    """Run ``covidscan health`` without the imports of the other commands; return the exit code.

    Args:
        options: the options of the command.

    Returns:
        None if the full command is needed: other options are given, or a setting is invalid.
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
