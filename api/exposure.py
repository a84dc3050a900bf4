"""Whether an address can be reached from other machines."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host. Any name but localhost counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def published_host(publish: str) -> str:
    """The host of Docker's ``[host:]port``; without a host Docker publishes on all interfaces.

    >>> published_host("127.0.0.1:8000"), published_host("8000"), published_host("[::1]:8000")
    ('127.0.0.1', '0.0.0.0', '[::1]')
    """
    return publish.rpartition(":")[0] or "0.0.0.0"  # noqa: S104 - names it, does not bind it
