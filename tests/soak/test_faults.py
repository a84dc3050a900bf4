"""Whatever happens to the model server, callers get right answers, or prompt rejections."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.contract import MODEL_NAMES
from tests.processes import is_alive, model_servers_of, usage
from tests.service_process import running_service, wait_until
from tests.soak.known_answers import KnownNetworks, KnownVolume
from tests.soak.load import BETWEEN_FAULTS, Load, load_on
from tests.soak.model_server_process import ModelServerProcess

MODEL_TIMEOUT_SECONDS = 1
REQUEST_TIMEOUT_SECONDS = 2
MARGIN_SECONDS = 1
"""For what is not the gateway's: callers and servers share the machine's cores."""

RECOVERY_SECONDS = 2

MEMORY_MARGIN_MIB = 16
"""What callers, deadlines and connections that come and go leave with the allocator, after each
fault was there once. 64 KiB kept for each call that fails would be far above."""
FILES_MARGIN = 4
"""A connection that is just being made."""


@dataclass(frozen=True)
class Scene:
    """What faults are injected into."""

    server: ModelServerProcess
    volume: KnownVolume
    load: Load
    rng: random.Random

    def wait_until_served(self) -> None:
        """The newest version of each model is."""
        for name, version in self.volume.newest.items():
            wait_until(lambda n=name, v=version: self.server.is_available(n, v))

    def wait_until_seen(self, kind: str) -> None:
        """A caller gets such an outcome now."""
        seen = self.load.kinds(self.load.during)[kind]
        wait_until(lambda: self.load.kinds(self.load.during)[kind] > seen)


def kill(scene: Scene) -> None:
    scene.server.end(signal.SIGKILL)
    scene.wait_until_seen("503")
    time.sleep(scene.rng.uniform(0, 1))
    scene.server.start()
    scene.wait_until_served()


def hang(scene: Scene) -> None:
    """For longer than the model timeout, as that is when the answer is 504."""
    scene.server.send(signal.SIGSTOP)
    scene.wait_until_seen("504")
    time.sleep(scene.rng.uniform(0, 1))
    scene.server.send(signal.SIGCONT)


def slow_down(scene: Scene) -> None:
    """It runs for a tenth of the time, so that a call takes a few hundred milliseconds."""
    for _ in range(scene.rng.randrange(8, 16)):
        scene.server.send(signal.SIGSTOP)
        time.sleep(0.27)
        scene.server.send(signal.SIGCONT)
        time.sleep(0.03)


def restart(scene: Scene) -> None:
    assert scene.server.end(signal.SIGTERM) == 0
    scene.server.start()
    scene.wait_until_served()


def restart_with_a_late_model(scene: Scene) -> None:
    late = scene.rng.choice(MODEL_NAMES)
    model_dir = scene.volume.models_dir / late
    away = model_dir.with_name(f".{late}")
    assert scene.server.end(signal.SIGTERM) == 0
    model_dir.rename(away)
    scene.server.start()
    scene.wait_until_seen("200 degraded")
    away.rename(model_dir)
    scene.wait_until_served()


def swap(scene: Scene) -> None:
    for name in scene.rng.sample(MODEL_NAMES, k=len(MODEL_NAMES)):
        version = scene.volume.publish(name)
        wait_until(lambda n=name, v=version: (n, v) in scene.load.versions)


FAULTS: dict[str, Callable[[Scene], None]] = {
    "kill -9": kill,
    "a hang": hang,
    "slowness": slow_down,
    "a restart": restart,
    "a restart with a late model": restart_with_a_late_model,
    "new versions": swap,
}


@pytest.fixture
def volume(known: KnownNetworks, tmp_path: Path) -> KnownVolume:
    return KnownVolume(tmp_path / "models", known)


@pytest.fixture
def server(volume: KnownVolume, tmp_path: Path) -> Iterator[ModelServerProcess]:
    with (tmp_path / "model-server.log").open("w") as log:
        server = ModelServerProcess(volume.models_dir, f"unix:{tmp_path / 's'}", log)
        yield server
        server.end(signal.SIGKILL)


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_no_fault_of_the_model_server_makes_an_answer_wrong_or_late(
    known: KnownNetworks,
    volume: KnownVolume,
    server: ModelServerProcess,
    soak: bool,
    prove: Callable[[str], None],
):
    recoveries: dict[str, list[float]] = {fault: [] for fault in FAULTS}
    service = running_service(
        volume.models_dir,
        log=volume.models_dir.with_name("gateway.log"),
        model_server=server.address,
        model_timeout_seconds=MODEL_TIMEOUT_SECONDS,
        request_timeout_seconds=REQUEST_TIMEOUT_SECONDS,
    )
    with service as (process, address):
        with load_on(address, known) as load:
            scene = Scene(server, volume, load, random.Random(0))  # noqa: S311
            wait_until(lambda: load.first_full(0) is not None)
            end = time.monotonic() + (600 if soak else 20)
            inject_each(scene, recoveries)
            before = usage(process.pid)
            while time.monotonic() < end:
                inject_each(scene, recoveries)
            after = usage(process.pid)
        assert model_servers_of(process.pid) == [], "a model server that is named is not started"
        process.terminate()
        assert process.wait(10) == 0
    assert server.end(signal.SIGTERM) == 0
    assert not any(is_alive(pid) for pid in [process.pid, *server.pids])

    slowest = max(outcome.seconds for outcome in load.outcomes)
    assert slowest < REQUEST_TIMEOUT_SECONDS + MARGIN_SECONDS
    assert load.versions == {(n, v + 1) for n in MODEL_NAMES for v in range(volume.newest[n])}
    assert set(load.kinds("new versions")) == {"200"}, "whoever swaps versions fails nobody"
    assert max(max(seconds) for seconds in recoveries.values()) < RECOVERY_SECONDS
    assert after.memory_mib - before.memory_mib < MEMORY_MARGIN_MIB
    assert after.open_files <= before.open_files + FILES_MARGIN
    prove(f"{len(load.outcomes)} requests during faults, no answer wrong, slowest {slowest:.2f} s")
    prove(f"  {BETWEEN_FAULTS}: {counted(load, BETWEEN_FAULTS)}")
    for fault, seconds in recoveries.items():
        prove(
            f"  {fault}, {len(seconds)} times: {counted(load, fault)};"
            f" all models back after {max(seconds):.2f} s at most"
        )
    prove(f"  gateway: {before}, {after}")


def inject_each(scene: Scene, recoveries: dict[str, list[float]]) -> None:
    """Each fault once, in an order that differs from time to time."""
    for fault in scene.rng.sample(sorted(FAULTS), k=len(FAULTS)):
        scene.load.during = fault
        FAULTS[fault](scene)
        recoveries[fault].append(seconds_to_recover(scene.load))


def seconds_to_recover(load: Load) -> float:
    """From now, when the model server is back, to the first answer of all models."""
    back, seen = time.monotonic(), len(load.outcomes)
    wait_until(lambda: load.first_full(seen) is not None)
    first = load.first_full(seen)
    assert first is not None
    return first.ended - back


def counted(load: Load, fault: str) -> str:
    return ", ".join(f"{count} of {kind}" for kind, count in sorted(load.kinds(fault).items()))
