"""Whether a process still answers its health check; what it answers does not matter.

A model server that loads models says NOT_SERVING, and is alive. One that is stopped (SIGSTOP), or
whose event loop hangs, keeps its connections and says nothing.
"""

import asyncio
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from serving import protocol

if TYPE_CHECKING:
    _Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]

_CHANNEL_OPTIONS: Final = (
    # A connection of its own, which needs no further descriptor while it lasts.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_FEWEST_CHECKS: Final = 3
"""That must fail: time passes for a gateway as well that was itself held up."""


class Trouble(enum.Enum):
    """Why a process that runs is of no use any more."""

    SILENT = "does not answer its health check any more"
    NEVER_ANSWERED = "has not answered its health check since it was started"
    NO_SOCKET = "has lost its socket"


@dataclass(frozen=True)
class HealthTiming:
    """How long a process may be silent, in seconds."""

    pause: float = 1.0
    """Between two checks."""
    deadline: float = 3.0
    """Of a check."""
    silence: float = 10.0
    """From the first check that fails until the process is given up."""
    start: float = 60.0
    """The same before it has answered for the first time."""


async def wait_for_trouble(socket: Path, timing: HealthTiming) -> Trouble:
    """Check a process's health until it is of no use any more.

    Args:
        socket: the Unix socket that it listens on, once it has started.
        timing: how long it may be silent.
    """
    async with grpc.aio.insecure_channel(f"unix:{socket}", options=_CHANNEL_OPTIONS) as channel:
        check: _Method = channel.unary_unary(protocol.CHECK_HEALTH)
        if not await _answers_within(check, timing):
            return Trouble.NEVER_ANSWERED
        return await _wait_after_start(check, socket, timing)


async def _answers_within(check: "_Method", timing: HealthTiming) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timing.start
    while loop.time() < deadline:
        if await _status(check, timing) is grpc.StatusCode.OK:
            return True
        await asyncio.sleep(timing.pause)
    return False


async def _wait_after_start(check: "_Method", socket: Path, timing: HealthTiming) -> Trouble:
    loop = asyncio.get_running_loop()
    silent_since, failures = loop.time(), 0
    while True:
        checked = loop.time()
        # UNAVAILABLE is no silence: this process may be the one that can open no connection.
        if await _status(check, timing) is not grpc.StatusCode.DEADLINE_EXCEEDED:
            failures = 0
        else:
            silent_since = checked if failures == 0 else silent_since
            failures += 1
            if loop.time() - silent_since >= timing.silence and failures >= _FEWEST_CHECKS:
                return Trouble.SILENT
        if not socket.exists():  # noqa: ASYNC240 - in the local folder of temporary files
            return Trouble.NO_SOCKET
        await asyncio.sleep(timing.pause)


async def _status(check: "_Method", timing: HealthTiming) -> grpc.StatusCode:
    try:
        await check(protocol.WHOLE_SERVER, timeout=timing.deadline)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
