"""The supervisor of the embedded model server, when the machine itself is in trouble."""

import asyncio
from pathlib import Path

import pytest

from api.log_format import LogFormat
from covidscan.embedded_process import EmbeddedProcess
from serving.precision import Precision


def test_a_start_that_fails_is_tried_again_and_the_end_leaves_nothing(
    tiny_volume: Path, monkeypatch: pytest.MonkeyPatch
):
    start = EmbeddedProcess._start
    failures = [BlockingIOError(11, "no process to be had")] * 2

    async def failing_start(self: EmbeddedProcess) -> asyncio.subprocess.Process:
        if not self._process or not failures:
            return await start(self)
        raise failures.pop()

    monkeypatch.setattr(EmbeddedProcess, "_start", failing_start)

    async def main() -> Path:
        async with EmbeddedProcess(tiny_volume, Precision.F32, LogFormat.AUTO) as embedded:
            first = embedded._process
            assert first is not None
            first.kill()
            async with asyncio.timeout(20):
                while embedded._process is first:  # noqa: ASYNC110 - it offers nothing to wait for
                    await asyncio.sleep(0.05)
            assert failures == []
            assert embedded._process.returncode is None
            runtime_dir = embedded._runtime_dir
        assert embedded._process.returncode is not None
        return runtime_dir

    assert not asyncio.run(main()).exists()
