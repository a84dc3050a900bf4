"""Replicas are killed, restarted and replaced under load without a failed or degraded answer."""

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
class Deployment:
    """Replicas, and the load on them."""

    replicas: list[Replica]
    make_replica: Callable[[str], Replica]
    load: Load
    rng: random.Random

    def wait_for_answers(self, count: int = 30) -> None:
        """Wait for this many more answers."""
        seen = len(self.load.outcomes)
        wait_until(lambda: len(self.load.outcomes) >= seen + count)

    def start_incomplete(self, replica: Replica) -> None:
        """Start a replica with a late model, whose calls must go to other replicas for a while."""
        replica.start_incomplete(self.rng.choice(MODEL_NAMES), self.wait_for_answers)
        replica.wait_for_calls()


def kill(deployment: Deployment) -> None:
    """Its address stays in use for a while, as an orchestrator does not notice at once."""
    replica = deployment.rng.choice(deployment.replicas)
    replica.end(signal.SIGKILL)
    deployment.wait_for_answers()
    deployment.start_incomplete(replica)


def restart(deployment: Deployment) -> None:
    replica = deployment.rng.choice(deployment.replicas)
    replica.end(signal.SIGTERM)
    deployment.start_incomplete(replica)


def replace(deployment: Deployment) -> None:
    """Add a replica at the free address, then remove one of the others."""
    (free_host,) = {*HOSTS, ADDED_HOST} - {replica.host for replica in deployment.replicas}
    replica = deployment.make_replica(free_host)
    deployment.start_incomplete(replica)
    leaving = deployment.rng.choice(deployment.replicas)
    deployment.replicas.remove(leaving)
    leaving.end(signal.SIGTERM)
    deployment.replicas.append(replica)


CHANGES: dict[str, Callable[[Deployment], None]] = {
    "a replica killed": kill,
    "a replica restarted": restart,
    "a replica added and one removed": replace,
}


@contextmanager
def readiness_of(gateway: str) -> Iterator[Counter[int]]:
    """Poll strict readiness; yields the counts of its statuses."""
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
def test_every_answer_includes_all_models_while_replicas_are_killed_and_replaced(
    known: KnownNetworks, tmp_path: Path, soak: bool, prove: Callable[[str], None]
):
    if not soak:
        pytest.skip("tests/integration/test_replicas.py is its short version")
    port, metrics_port = free_port(), free_port()
    # All replicas, including added ones, must end after the load.
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
                # Otherwise a client that is delayed for 5 s would find its connection closed.
                idle_timeout_seconds=60,
            )
        )
        load = stack.enter_context(load_on(gateway, known))
        ready = stack.enter_context(readiness_of(gateway))
        deployment = Deployment(replicas, make_replica, load, random.Random(0))  # noqa: S311
        for replica in replicas:
            replica.wait_for_calls()
        end = time.monotonic() + SECONDS
        changes: Counter[str] = Counter()
        while time.monotonic() < end:
            for change in deployment.rng.sample(sorted(CHANGES), k=len(CHANGES)):
                # One at a time: with two attempts, a call survives the loss of only one replica.
                deployment.wait_for_answers()
                load.during = change
                CHANGES[change](deployment)
                changes[change] += 1
        deployment.wait_for_answers()
    kinds = Counter(outcome.kind for outcome in load.outcomes)
    summary = ", ".join(f"{count} times {change}" for change, count in changes.items())
    slowest = max(outcome.seconds for outcome in load.outcomes)
    prove(
        f"{summary}: answers {dict(kinds)}, strict readiness {dict(ready)}, slowest {slowest:.2f} s"
    )
    assert load.missing == []
    assert set(kinds) == {"200"}
    assert set(ready) == {200}
