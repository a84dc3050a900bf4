"""The addresses of the replicas of a model server, with periodic name look-ups."""

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from serving.errors import ModelDeadlineError, ModelServerUnavailableError

_LOOK_UP_SECONDS: Final = 10.0
"""The interval between look-ups of a name; a new replica waits this long for its first call."""
_LOOK_UP_AGAIN_SECONDS: Final = 1.0
"""The interval after a replica could not be reached."""

_NAME_AND_PORT: Final = re.compile(r"(dns:(///)?)?[^/]+:\d+", re.ASCII)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(name: str, port: int) -> Sequence[str]:
    """Look up all addresses of a name, in gRPC's notation.

    Raises:
        OSError: the name has no address.
    """
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return sorted(
        {
            f"ipv6:[{a[0]}]:{port}" if family == socket.AF_INET6 else f"ipv4:{a[0]}:{port}"
            for family, _, _, _, a in found
        }
    )


class ReplicaAddresses:
    """The addresses behind a target, as in ``COVIDSCAN_MODEL_SERVER``.

    Args:
        target: ``host:port``, ``dns:///name:port``, ``unix:/path``, or several addresses:
            ``ipv4:host:port,host:port``.
        resolve: looks a name up.
        clock: returns the time in seconds, from any starting point.
    """

    def __init__(
        self,
        target: str,
        *,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host: str | None = None
        """``name:port`` if the target is a name, otherwise None."""
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
            # No port, or another DNS server: gRPC looks it up or rejects it.
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
        """The known addresses; waits only for the first look-up.

        Raises:
            ModelDeadlineError: the first look-up takes longer than the timeout.
            ModelServerUnavailableError: there is no address.
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

    def refresh_soon(self) -> None:
        """Look up again soon, because a replica is gone and another may have replaced it."""
        self._wait_seconds = _LOOK_UP_AGAIN_SECONDS

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
            # The known replicas stay in use.
            self._wait_seconds = _LOOK_UP_AGAIN_SECONDS
        finally:
            self._looked_up, self._looking = self._clock(), None
