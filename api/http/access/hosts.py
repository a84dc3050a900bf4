"""The host that a request is for: there is exactly one, and it is one of the gateway's names.

Without this a page of another site could reach a gateway without API keys on the reader's own
machine: its name is made to resolve to 127.0.0.1 once the page is loaded (DNS rebinding), and the
browser takes gateway and page for one site.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.access.open_paths import OPEN_PATHS
from api.http.errors import InvalidHostError
from api.http.problems import problem_response
from api.settings import Settings

_HOST: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?", re.ASCII
)
_ANY: Final = "*"


class HostMiddleware:
    """Refuses requests that name no host, several, or one that is not allowed.

    Health checks may name any host: they come by whatever address their machine knows.

    Args:
        app: what answers the request.
        settings: name the allowed hosts.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._allowed = _allowed_hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except InvalidHostError as error:
                await problem_response(error, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if not hosts and scope["http_version"] != "1.1":
            return
        if len(hosts) != 1:
            raise InvalidHostError("send exactly one Host header")
        match = _HOST.fullmatch(hosts[0])
        if match is None:
            raise InvalidHostError("the Host header is not a host and a port")
        if scope["path"] not in OPEN_PATHS and not _is_allowed(match["name"], self._allowed):
            raise InvalidHostError(
                "the Host header names none of this service's hosts; use one of them, or have this"
                " one added to COVIDSCAN_ALLOWED_HOSTS"
            )


def _allowed_hosts(settings: Settings) -> Sequence[str]:
    """Names that are allowed.

    By default all where other machines reach the gateway, and where it asks for a key: a browser
    shows a stored key to the host alone that it was stored for.
    """
    if settings.allowed_hosts:
        return [host.strip("[]").lower() for host in settings.allowed_hosts]
    return [_ANY] if settings.is_exposed or settings.has_api_keys else []


def _is_allowed(name: str, allowed: Sequence[str]) -> bool:
    name = name.strip("[]").lower().removesuffix(".")
    if _ANY in allowed or name in allowed or _cannot_be_rebound(name):
        return True
    return any(each.startswith("*.") and name.endswith(each[1:]) for each in allowed)


def _cannot_be_rebound(name: str) -> bool:
    """Whether no stranger can make the name resolve to this machine.

    That is so of addresses, of localhost, and of names without a dot, such as a service's in a
    Compose network, which nobody can register.
    """
    if "." not in name or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
