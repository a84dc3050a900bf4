"""Addresses, as they are counted."""

import ipaddress
from typing import Final

_IPV6_HOST_BITS: Final = 64


def network_of(address: str) -> str:
    """An address as it is counted: of IPv6 the network, as a host has as many as it likes."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_HOST_BITS), strict=False))
