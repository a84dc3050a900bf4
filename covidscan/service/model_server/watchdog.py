"""Checks whether a process still answers its health check, whatever the answer is.

A model server that is loading models answers NOT_SERVING, and is alive. One that is stopped
(SIGSTOP), or whose event loop hangs, keeps its connections open and does not answer.
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
    # A separate connection, which needs no new descriptor while it lasts.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_MIN_FAILED_CHECKS: Final = 3
"""A gateway that was itself held up must not blame the process for the time that passed."""


class Trouble(enum.Enum):
    """Why a running process must be replaced."""

    SILENT = "does not answer its health check any more"
    NEVER_ANSWERED = "has not answered its health check since it was started"
    NO_SOCKET = "has lost its socket"


@dataclass(frozen=True)
class HealthTiming:
    """How long a process may stay silent, in seconds."""

    pause: float = 1.0
    """Between two checks."""
    deadline: float = 3.0
    """For one check."""
    silence: float = 10.0
    """From the first failed check until the process is given up."""
    start: float = 60.0
    """The same, until it has answered for the first time."""


async def wait_for_trouble(socket: Path, timing: HealthTiming) -> Trouble:
    """Check a process's health until it must be replaced.

    Args:
        socket: the Unix socket that it listens on once it has started.
        timing: how long it may stay silent.
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
        # UNAVAILABLE does not count as silence: this process may be the one without descriptors.
        if await _status(check, timing) is not grpc.StatusCode.DEADLINE_EXCEEDED:
            failures = 0
        else:
            silent_since = checked if failures == 0 else silent_since
            failures += 1
            if loop.time() - silent_since >= timing.silence and failures >= _MIN_FAILED_CHECKS:
                return Trouble.SILENT
        if not socket.exists():  # noqa: ASYNC240 - in the local temporary folder
            return Trouble.NO_SOCKET
        await asyncio.sleep(timing.pause)


async def _status(check: "_Method", timing: HealthTiming) -> grpc.StatusCode:
    try:
        await check(protocol.WHOLE_SERVER, timeout=timing.deadline)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
