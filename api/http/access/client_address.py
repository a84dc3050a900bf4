"""The client address of a request that came through trusted proxies."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV6_HOST_BITS: Final = 64
_SCHEMES: Final = frozenset({"http", "https"})


def parse_address(text: str) -> Address | None:
    """Parse an IP address; None for anything else.

    An IPv4-mapped IPv6 address becomes the IPv4 address. The zone of an address, as in
    ``fe80::1%eth0``, is ignored.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def network_of(text: str) -> str:
    """The key for counting an address: for IPv6 its /64, because a host can use all of it."""
    address = parse_address(text)
    if address is None:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_HOST_BITS), strict=False))


def is_among(text: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks."""
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


class ClientAddressMiddleware:
    """Takes client and scheme from ``X-Forwarded-For`` and ``-Proto`` of trusted proxies.

    uvicorn's own middleware accepts any text as an address, which would then reach the log and the
    rate limits.

    Args:
        app: the wrapped ASGI application.
        trusted: networks of the proxies.
    """

    def __init__(self, app: ASGIApp, *, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (
            scope["type"] == "http"
            and scope["client"] is not None
            and is_among(scope["client"][0], self._trusted)
        ):
            forwarded = _values(scope, b"x-forwarded-for")
            scope["client"] = (self._client(scope["client"][0], forwarded), 0)
            scheme = _values(scope, b"x-forwarded-proto")
            if scheme and scheme[-1].lower() in _SCHEMES:
                scope["scheme"] = scheme[-1].lower()
        await self._app(scope, receive, send)

    def _client(self, peer: str, forwarded: Iterable[str]) -> str:
        """The last address that is not a trusted proxy; each proxy appends its client's address."""
        client = peer
        for value in reversed(list(forwarded)):
            address = parse_address(_without_port(value))
            if address is None:
                # Entries before this one do not come from a trusted proxy.
                return client
            client = str(address)
            if not is_among(client, self._trusted):
                return client
        return client


def _values(scope: Scope, name: bytes) -> list[str]:
    """The comma-separated values of all lines of a header."""
    return [
        value.strip()
        for header, line in scope["headers"]
        if header == name
        for value in line.decode("latin-1").split(",")
    ]


def _without_port(value: str) -> str:
    """The address of ``192.0.2.1:80``, ``[2001:db8::1]:80`` or either without its port."""
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0] if value.count(":") == 1 else value
