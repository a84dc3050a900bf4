"""The addresses of the replicas of a model server, looked up again from time to time."""

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from serving.errors import ModelDeadlineError, ModelServerUnavailableError

_LOOK_UP_SECONDS: Final = 10.0
"""Between two look-ups of a name: how long an added replica waits for its first call."""
_SOON_SECONDS: Final = 1.0
"""The same after a replica could not be reached."""

_NAME_AND_PORT: Final = re.compile(r"(dns:(///)?)?[^/]+:\d+", re.ASCII)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(name: str, port: int) -> Sequence[str]:
    """All addresses of a name, as gRPC has them.

    Raises:
        OSError: there is none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return sorted(
        {
            f"ipv6:[{a[0]}]:{port}" if family == socket.AF_INET6 else f"ipv4:{a[0]}:{port}"
            for family, _, _, _, a in found
        }
    )


class ReplicaAddresses:
    """Addresses behind a target, as ``COVIDSCAN_MODEL_SERVER`` names it.

    Args:
        target: ``host:port``, ``dns:///name:port``, ``unix:/path``, or several addresses:
            ``ipv4:host:port,host:port``.
        resolve: looks a name up.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        target: str,
        *,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host: str | None = None
        """With the port, where the target is a name."""
        self._resolve = resolve
        self._clock = clock
        self._known: Sequence[str] = ()
        self._looked_up = float("-inf")
        self._wait_seconds = _LOOK_UP_SECONDS
        self._looking: asyncio.Task[None] | None = None
        scheme, colon, rest = target.partition(":")
        if colon and scheme in ("ipv4", "ipv6"):
            self._known = [f"{scheme}:{address}" for address in rest.split(",")]
        elif colon and scheme == "unix":
            self._known = [target]
        elif not _NAME_AND_PORT.fullmatch(target):
            # No port, or another DNS server: that is for gRPC to look up, or to refuse.
            self._known = [target]
        else:
            self._set_name(target.removeprefix("dns:").removeprefix("///"))

    def _set_name(self, name_and_port: str) -> None:
        try:
            ipaddress.IPv4Address(name_and_port.rpartition(":")[0])
        except ValueError:
            self.host = name_and_port
        else:
            self._known = [f"ipv4:{name_and_port}"]

    async def get(self, timeout_seconds: float) -> Sequence[str]:
        """The addresses as far as they are known; waits only for the first look-up.

        Raises:
            ModelDeadlineError: the first look-up takes longer than that.
            ModelServerUnavailableError: there is none.
        """
        if self.host is None:
            return self._known
        if self._looking is None and self._clock() >= self._looked_up + self._wait_seconds:
            self._looking = asyncio.create_task(self._look_up(self.host), name="look up replicas")
        if not self._known and self._looking is not None:
            await asyncio.wait([self._looking], timeout=timeout_seconds)
        if not self._known:
            if self._looking is not None:
                raise ModelDeadlineError(f"DEADLINE_EXCEEDED: looking up {self.host}")
            raise ModelServerUnavailableError(f"UNAVAILABLE: {self.host} has no address")
        return self._known

    def look_again(self) -> None:
        """Look up soon: a replica has gone, and another may have taken its place."""
        self._wait_seconds = _SOON_SECONDS

    async def close(self) -> None:
        """Stop looking up."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_up(self, host: str) -> None:
        name, _, port = host.rpartition(":")
        try:
            self._known = await self._resolve(name.strip("[]"), int(port))
            self._wait_seconds = _LOOK_UP_SECONDS
        except OSError:
            # The replicas that are known are asked on.
            self._wait_seconds = _SOON_SECONDS
        finally:
            self._looked_up, self._looking = self._clock(), None
