"""Checks the Host header: there must be exactly one, and it must name this gateway.

This prevents DNS rebinding. A page of another site could let its own name resolve to 127.0.0.1
after it was loaded. The browser would then treat page and gateway as one site, and the page could
use a gateway without API keys on the visitor's own machine.
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
    """Rejects requests without a Host header, with several, or with one that is not allowed.

    Health checks may name any host: load balancers and orchestrators use whatever address they
    know.

    Args:
        app: the wrapped ASGI application.
        settings: list the allowed hosts.
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
            raise InvalidHostError("the Host header is not a host with an optional port")
        if scope["path"] not in OPEN_PATHS and not _is_allowed(match["name"], self._allowed):
            raise InvalidHostError(
                "the Host header does not name this service; use one of its host names, or have"
                " this one added to COVIDSCAN_ALLOWED_HOSTS"
            )


def _allowed_hosts(settings: Settings) -> Sequence[str]:
    """The allowed names.

    By default any name is allowed if other machines can reach the gateway, or if it requires API
    keys: a browser sends a stored key only to the host that it was stored for.
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
    """Whether an attacker cannot make the name resolve to this machine.

    True for IP addresses, for localhost, and for names without a dot, such as those of services in
    a Compose network: nobody can register them.
    """
    if "." not in name or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
