"""Asks the running gateway, or its model server, whether all is well.

Docker, Kubernetes and people ask this way, so that scheme, address and certificate are those of the
settings and stand nowhere else. Only the standard library is imported until a model server is to be
asked: a container does this every ten seconds.
"""

import http.client
import json
import re
import ssl
from pathlib import Path
from typing import Any, Final

from api.settings import Settings
from serving.deadlines import call_with_deadline
from serving.errors import TlsConfigError
from serving.regular_files import read_config_file, unreadable_reason

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


def check_gateway(settings: Settings, *, ready: bool, strict: bool, timeout_seconds: float) -> str:
    """Ask the gateway on this machine; returns a line that says what it answered.

    Args:
        settings: the ones that the gateway was started with.
        ready: ask whether predictions can be answered, not only whether the process is alive.
        strict: ready only if every model has an available version.
        timeout_seconds: for everything together.

    Raises:
        UnhealthyError: it is not well.
        TlsConfigError: its certificate cannot be read.
    """
    if settings.port == 0:
        raise UnhealthyError("COVIDSCAN_PORT is 0: name the port that the gateway took with --port")
    path = "/readyz" if ready else "/healthz"
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    scheme = "http" if settings.tls_certificate_file is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}{path}"
    connection = _connection(settings, host, timeout_seconds)
    target = f"{path}?strict=true" if ready and strict else path
    try:
        status, body = call_with_deadline(lambda: _get(connection, target), seconds=timeout_seconds)
    except ssl.SSLCertVerificationError as error:
        raise UnhealthyError(
            f"{url} shows another certificate than {settings.tls_certificate_file}"
            f" ({error.verify_message}): if it was renewed, restart the gateway"
        ) from error
    except TimeoutError as error:
        raise UnhealthyError(f"{url} did not answer within {timeout_seconds:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnhealthyError(f"{url} cannot be asked: {reason}") from error
    answer = _parse(body)
    said = _models_line(answer) if ready else ""
    if status != http.client.OK or not (answer.get("ready") if ready else answer.get("status")):
        raise UnhealthyError(f"{url} answered {status}{said}")
    return f"{url} answered {status}{said}"


async def check_model_server(settings: Settings, *, strict: bool, timeout_seconds: float) -> str:
    """Ask the model server which models have an available version.

    Args:
        settings: name the model server, and how many models must answer.
        strict: all of them must.
        timeout_seconds: for everything together.

    Raises:
        UnhealthyError: too few have one.
        TlsConfigError: keys or certificates for the connection cannot be read.
    """
    import asyncio  # noqa: PLC0415 - with gRPC and NumPy half a second, not needed for the gateway

    from api.model_server_credentials import model_server_credentials  # noqa: PLC0415
    from serving.client import ModelServerClient, VersionState  # noqa: PLC0415
    from serving.contract import MODEL_NAMES  # noqa: PLC0415
    from serving.errors import ModelServerError  # noqa: PLC0415

    address = settings.model_server
    if address is None:
        raise UnhealthyError(
            "COVIDSCAN_MODEL_SERVER is not set: the gateway's own model server is private;"
            " ask the gateway with --ready"
        )

    async def state(name: str) -> str:
        try:
            versions = await client.version_statuses(name, timeout_seconds=timeout_seconds)
        except ModelServerError as error:
            return str(error)
        if any(each.state is VersionState.AVAILABLE for each in versions):
            return "ok"
        return "no version is available"

    async with ModelServerClient(address, model_server_credentials(settings)) as client:
        states = await asyncio.gather(*map(state, MODEL_NAMES))
    needed = len(MODEL_NAMES) if strict else settings.quorum
    told = (
        zip(MODEL_NAMES, states, strict=True) if len(set(states)) > 1 else [("models", states[0])]
    )
    said = "; ".join(f"{name} {each}" for name, each in told)
    if states.count("ok") < needed:
        raise UnhealthyError(f"model server {address}: {said}")
    return f"model server {address}: {said}"


def _connection(
    settings: Settings, host: str, timeout_seconds: float
) -> http.client.HTTPConnection:
    certificate_file = settings.tls_certificate_file
    if certificate_file is None:
        return http.client.HTTPConnection(host, settings.port, timeout=timeout_seconds)
    # The certificate is for the name that clients use, not for this address. So its name is not
    # checked, but it must be the very one in the file, or one of the same authority where the file
    # has the chain: a renewal does not make a gateway unhealthy that still shows the old one.
    # For the same reason its dates do not count: restarting would not make it valid again.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=_read_certificates(certificate_file))
    return http.client.HTTPSConnection(
        host, settings.port, timeout=timeout_seconds, context=context
    )


def _read_certificates(file: Path) -> str:
    # Not by ``serving.tls``, which imports gRPC.
    try:
        text = read_config_file(file).decode("latin-1")
    except OSError as error:
        raise TlsConfigError(f"{file} cannot be read: {unreadable_reason(error)}") from error
    certificates = _CERTIFICATE.findall(text)
    if not certificates:
        raise TlsConfigError(f"{file} is not a certificate in PEM")
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


def _models_line(answer: dict[str, Any]) -> str:
    models = answer.get("models")
    if not isinstance(models, dict):
        return ""
    return ": " + ", ".join(f"{name} {state}" for name, state in models.items())
