"""Replicas that are killed, added and restarted under load cost no caller an answer."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving.contract import MODEL_NAMES
from tests.servers import free_port
from tests.service_process import running_service, wait_until
from tests.soak.known_answers import KnownNetworks
from tests.soak.load import Load, load_on
from tests.soak.replicas import Replica

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
ADDED_HOST = "127.0.0.4"

SECONDS = 60


@dataclass(frozen=True)
class Scene:
    """Replicas under load."""

    replicas: list[Replica]
    make_replica: Callable[[str], Replica]
    load: Load
    rng: random.Random

    def wait_for_answers(self, count: int = 30) -> None:
        """So many more are given."""
        seen = len(self.load.outcomes)
        wait_until(lambda: len(self.load.outcomes) >= seen + count)

    def start_incomplete(self, replica: Replica) -> None:
        """One model comes late, so that for a while calls about it must go elsewhere."""
        replica.start_incomplete(self.rng.choice(MODEL_NAMES), self.wait_for_answers)
        replica.wait_for_calls()


def kill(scene: Scene) -> None:
    """Its name stays for a while, as no orchestrator knows at once."""
    replica = scene.rng.choice(scene.replicas)
    replica.end(signal.SIGKILL)
    scene.wait_for_answers()
    scene.start_incomplete(replica)


def restart(scene: Scene) -> None:
    replica = scene.rng.choice(scene.replicas)
    replica.end(signal.SIGTERM)
    scene.start_incomplete(replica)


def add(scene: Scene) -> None:
    """And take one of the others away in its place."""
    (free_host,) = {*HOSTS, ADDED_HOST} - {replica.host for replica in scene.replicas}
    replica = scene.make_replica(free_host)
    scene.start_incomplete(replica)
    leaving = scene.rng.choice(scene.replicas)
    scene.replicas.remove(leaving)
    leaving.end(signal.SIGTERM)
    scene.replicas.append(replica)


CHANGES: dict[str, Callable[[Scene], None]] = {
    "a replica killed": kill,
    "a replica restarted": restart,
    "a replica added and one removed": add,
}


@contextmanager
def readiness_of(gateway: str) -> Iterator[Counter[int]]:
    """How often which status of strict readiness was seen."""
    seen: Counter[int] = Counter()
    stop = threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=gateway) as client:
            while not stop.wait(0.1):
                seen[client.get("/readyz?strict=true").status_code] += 1

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield seen
        finally:
            stop.set()
            watching.result()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_replicas_come_and_go_and_every_answer_is_of_all_models(
    known: KnownNetworks, tmp_path: Path, soak: bool, prove: Callable[[str], None]
):
    if not soak:
        pytest.skip("its short form is tests/integration/test_replicas.py")
    port, metrics_port = free_port(), free_port()
    # Replicas end after the load has, whenever they were added.
    with ExitStack() as processes, ExitStack() as stack:
        log = processes.enter_context((tmp_path / "model-servers.log").open("w"))

        def make_replica(host: str) -> Replica:
            folder = tmp_path / f"models-{time.monotonic_ns()}"
            replica = Replica(
                host, port=port, metrics_port=metrics_port, known=known, folder=folder, log=log
            )
            processes.callback(replica.end, signal.SIGKILL)
            return replica

        replicas = [make_replica(host) for host in HOSTS]
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.wait_until_served()
        gateway_log = tmp_path / "gateway.log"
        _, gateway = stack.enter_context(
            running_service(
                tmp_path / "cards",
                log=gateway_log,
                model_server="ipv4:" + ",".join(f"{host}:{port}" for host in (*HOSTS, ADDED_HOST)),
                max_groups=6,
                # Or a caller that the machine holds up for 5 s would meet with a closed connection.
                idle_timeout_seconds=60,
            )
        )
        load = stack.enter_context(load_on(gateway, known))
        ready = stack.enter_context(readiness_of(gateway))
        scene = Scene(replicas, make_replica, load, random.Random(0))  # noqa: S311
        for replica in replicas:
            replica.wait_for_calls()
        end = time.monotonic() + SECONDS
        changes: Counter[str] = Counter()
        while time.monotonic() < end:
            for change in scene.rng.sample(sorted(CHANGES), k=len(CHANGES)):
                # One at a time: a call has two attempts, and so outlives the loss of one replica.
                scene.wait_for_answers()
                load.during = change
                CHANGES[change](scene)
                changes[change] += 1
        scene.wait_for_answers()
    kinds = Counter(outcome.kind for outcome in load.outcomes)
    told = ", ".join(f"{count} times {change}" for change, count in changes.items())
    slowest = max(outcome.seconds for outcome in load.outcomes)
    prove(f"{told}: answers {dict(kinds)}, strict readiness {dict(ready)}, slowest {slowest:.2f} s")
    assert load.missing == []
    assert set(kinds) == {"200"}
    assert set(ready) == {200}
