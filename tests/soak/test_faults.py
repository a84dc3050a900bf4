"""During faults of the model server, clients get right answers or prompt rejections."""

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
"""For delays outside the gateway: clients and servers share the cores of the machine."""

RECOVERY_SECONDS = 2

MEMORY_MARGIN_MIB = 16
"""For what requests, deadlines and connections leave in the allocator after each fault occurred
once. A leak of 64 KiB for each failed call would be far above."""
FILES_MARGIN = 4
"""For connections that are just being opened."""


@dataclass(frozen=True)
class Target:
    """What faults are injected into, and the load on it."""

    server: ModelServerProcess
    volume: KnownVolume
    load: Load
    rng: random.Random

    def wait_until_served(self) -> None:
        """Wait until the newest version of each model is available."""
        for name, version in self.volume.newest.items():
            wait_until(lambda n=name, v=version: self.server.is_available(n, v))

    def wait_until_seen(self, kind: str) -> None:
        """Wait until a client gets another outcome of this kind."""
        seen = self.load.kinds(self.load.during)[kind]
        wait_until(lambda: self.load.kinds(self.load.during)[kind] > seen)


def kill(target: Target) -> None:
    target.server.end(signal.SIGKILL)
    target.wait_until_seen("503")
    time.sleep(target.rng.uniform(0, 1))
    target.server.start()
    target.wait_until_served()


def hang(target: Target) -> None:
    """Hang for longer than the model timeout, until requests get 504."""
    target.server.send(signal.SIGSTOP)
    target.wait_until_seen("504")
    time.sleep(target.rng.uniform(0, 1))
    target.server.send(signal.SIGCONT)


def slow_down(target: Target) -> None:
    """Let it run for a tenth of the time, so that a call takes a few hundred milliseconds."""
    for _ in range(target.rng.randrange(8, 16)):
        target.server.send(signal.SIGSTOP)
        time.sleep(0.27)
        target.server.send(signal.SIGCONT)
        time.sleep(0.03)


def restart(target: Target) -> None:
    assert target.server.end(signal.SIGTERM) == 0
    target.server.start()
    target.wait_until_served()


def restart_with_a_late_model(target: Target) -> None:
    late = target.rng.choice(MODEL_NAMES)
    model_dir = target.volume.models_dir / late
    hidden_dir = model_dir.with_name(f".{late}")
    assert target.server.end(signal.SIGTERM) == 0
    model_dir.rename(hidden_dir)
    target.server.start()
    target.wait_until_seen("200 degraded")
    hidden_dir.rename(model_dir)
    target.wait_until_served()


def publish_versions(target: Target) -> None:
    for name in target.rng.sample(MODEL_NAMES, k=len(MODEL_NAMES)):
        version = target.volume.publish(name)
        wait_until(lambda n=name, v=version: (n, v) in target.load.versions)


FAULTS: dict[str, Callable[[Target], None]] = {
    "kill -9": kill,
    "a hang": hang,
    "slowness": slow_down,
    "a restart": restart,
    "a restart with a late model": restart_with_a_late_model,
    "new versions": publish_versions,
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
def test_answers_are_right_and_in_time_during_faults_of_the_model_server(
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
            target = Target(server, volume, load, random.Random(0))  # noqa: S311
            wait_until(lambda: load.first_full(0) is not None)
            end = time.monotonic() + (600 if soak else 20)
            inject_each(target, recoveries)
            before = usage(process.pid)
            while time.monotonic() < end:
                inject_each(target, recoveries)
            after = usage(process.pid)
        assert model_servers_of(process.pid) == [], (
            "with an external model server, no embedded one may be started"
        )
        process.terminate()
        assert process.wait(10) == 0
    assert server.end(signal.SIGTERM) == 0
    assert not any(is_alive(pid) for pid in [process.pid, *server.pids])

    slowest = max(outcome.seconds for outcome in load.outcomes)
    assert slowest < REQUEST_TIMEOUT_SECONDS + MARGIN_SECONDS
    assert load.versions == {(n, v + 1) for n in MODEL_NAMES for v in range(volume.newest[n])}
    assert set(load.kinds("new versions")) == {"200"}, (
        "a change of versions must not make a request fail"
    )
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


def inject_each(target: Target, recoveries: dict[str, list[float]]) -> None:
    """Inject each fault once, in random order."""
    for fault in target.rng.sample(sorted(FAULTS), k=len(FAULTS)):
        target.load.during = fault
        FAULTS[fault](target)
        recoveries[fault].append(seconds_to_recover(target.load))


def seconds_to_recover(load: Load) -> float:
    """Measure the time until the first answer of all models; the model server is already back."""
    back, seen = time.monotonic(), len(load.outcomes)
    wait_until(lambda: load.first_full(seen) is not None)
    first = load.first_full(seen)
    assert first is not None
    return first.ended - back


def counted(load: Load, fault: str) -> str:
    return ", ".join(f"{count} of {kind}" for kind, count in sorted(load.kinds(fault).items()))
