"""The supervisor restarts a model server that cannot be started or reached."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from api.observability.log_format import LogFormat
from covidscan.service.model_server import watchdog
from covidscan.service.model_server.embedded_process import EmbeddedProcess
from covidscan.service.model_server.watchdog import HealthTiming
from serving.client import ModelServerClient
from serving.errors import ModelServerError
from serving.precision import Precision


async def test_a_failed_start_is_retried_and_shutdown_removes_the_process_and_its_folder(
    tiny_volume: Path, monkeypatch: pytest.MonkeyPatch
):
    start = EmbeddedProcess._start
    failures = [BlockingIOError(11, "no process available")] * 2

    async def failing_start(self: EmbeddedProcess) -> asyncio.subprocess.Process:
        if not self._process or not failures:
            return await start(self)
        raise failures.pop()

    monkeypatch.setattr(EmbeddedProcess, "_start", failing_start)
    async with EmbeddedProcess(tiny_volume, Precision.F32, LogFormat.AUTO) as embedded:
        first = embedded._process
        assert first is not None
        first.kill()
        async with asyncio.timeout(60):
            while embedded._process is first:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)
        assert failures == []
        assert embedded._process.returncode is None
        runtime_dir = embedded._folder.path
    assert embedded._process.returncode is not None
    assert not runtime_dir.exists()


def stop(embedded: EmbeddedProcess) -> None:
    """Make the process hang: it keeps its socket and connections but does not answer."""
    assert embedded._process is not None
    os.kill(embedded._process.pid, signal.SIGSTOP)


def clean_up(embedded: EmbeddedProcess) -> None:
    """Remove the folder of the socket, as a cleaner of temporary files does."""
    shutil.rmtree(embedded._folder.path)


@pytest.mark.parametrize("make_unreachable", [stop, clean_up])
async def test_an_unreachable_model_server_is_replaced_at_the_same_address(
    tiny_volume: Path,
    make_unreachable: Callable[[EmbeddedProcess], None],
    monkeypatch: pytest.MonkeyPatch,
):
    timing = HealthTiming(pause=0.1, deadline=1.0, silence=0)
    checks: list[grpc.StatusCode] = []
    status = watchdog._status

    async def counted(*arguments: Any) -> grpc.StatusCode:
        checks.append(await status(*arguments))
        return checks[-1]

    monkeypatch.setattr(watchdog, "_status", counted)
    async with (
        EmbeddedProcess(tiny_volume, Precision.F32, LogFormat.AUTO, timing) as embedded,
        ModelServerClient(embedded.address) as client,
        asyncio.timeout(120),
    ):
        await until_available(client)
        first, address = embedded._process, embedded.address
        seen = len(checks)
        while len(checks) < seen + 5:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)
        assert embedded._process is first
        make_unreachable(embedded)
        while embedded._process is first:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)
        assert embedded.address == address
        await until_available(client)


async def until_available(client: ModelServerClient) -> None:
    while True:
        with suppress(ModelServerError):
            if await client.has_available_version("vgg16", timeout_seconds=1):
                return
        await asyncio.sleep(0.05)
