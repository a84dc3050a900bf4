"""A process is alive if it answers its health check, with whatever status."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from covidscan.service.model_server.watchdog import HealthTiming, Trouble, wait_for_trouble

pytestmark = pytest.mark.timeout(120)

LONG_DEADLINE = HealthTiming(pause=0.01, deadline=30, silence=0, start=60)
"""Three failed checks are trouble; the deadline is long enough for a busy machine."""
SHORT_DEADLINE = HealthTiming(pause=0.01, deadline=0.1, silence=0, start=60)
NOT_SERVING = b"\x08\x02"


class HealthStandIn:
    """Answers health checks with a given status code, or not at all."""

    def __init__(self) -> None:
        self.checks = 0
        self.checked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.code = grpc.StatusCode.OK

    async def check(self, _: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
        self.checks += 1
        self.checked.set()
        await self.answers.wait()
        if self.code is not grpc.StatusCode.OK:
            await context.abort(self.code)
        return NOT_SERVING

    async def wait_for_checks(self, count: int) -> None:
        until = self.checks + count
        while self.checks < until:
            self.checked.clear()
            await self.checked.wait()


@asynccontextmanager
async def listening(socket: Path) -> AsyncIterator[HealthStandIn]:
    stand_in = HealthStandIn()
    server = grpc.aio.server()
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(stand_in.check)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),)
    )
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield stand_in
    finally:
        stand_in.answers.set()
        await server.stop(0)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE]
)
async def test_a_server_that_answers_is_alive_whatever_its_status(
    tmp_path: Path, code: grpc.StatusCode
):
    async with listening(tmp_path / "s") as server:
        waiting = asyncio.create_task(wait_for_trouble(tmp_path / "s", LONG_DEADLINE))
        await server.wait_for_checks(1)
        server.code = code
        await server.wait_for_checks(20)
        assert not waiting.done()
        waiting.cancel()


async def test_a_server_that_stops_answering_is_in_trouble(tmp_path: Path):
    async with listening(tmp_path / "s") as server:
        waiting = asyncio.create_task(wait_for_trouble(tmp_path / "s", SHORT_DEADLINE))
        await server.wait_for_checks(2)
        server.answers.clear()
        assert await waiting is Trouble.SILENT


async def test_a_server_that_misses_two_checks_is_not_in_trouble(tmp_path: Path):
    timing = HealthTiming(pause=0.01, deadline=0.3, silence=0, start=60)
    async with listening(tmp_path / "s") as server:
        waiting = asyncio.create_task(wait_for_trouble(tmp_path / "s", timing))
        await server.wait_for_checks(2)
        server.answers.clear()
        # Two checks have failed when the third starts, which is answered.
        await server.wait_for_checks(3)
        server.answers.set()
        await server.wait_for_checks(5)
        assert not waiting.done()
        waiting.cancel()


async def test_a_server_that_never_answers_is_in_trouble_after_its_start_timeout(tmp_path: Path):
    timing = HealthTiming(pause=0.01, start=0.3)
    assert await wait_for_trouble(tmp_path / "s", timing) is Trouble.NEVER_ANSWERED


async def test_a_server_whose_socket_was_removed_is_in_trouble(tmp_path: Path):
    async with listening(tmp_path / "s") as server:
        waiting = asyncio.create_task(wait_for_trouble(tmp_path / "s", LONG_DEADLINE))
        await server.wait_for_checks(2)
        (tmp_path / "s").unlink()
        assert await waiting is Trouble.NO_SOCKET
