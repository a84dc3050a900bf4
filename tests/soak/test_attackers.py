"""A regular client is answered during concurrent attacks of all kinds."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import httpx
import pytest

from api.http.access.api_keys import create_key
from api.http.access.key_file import change_key_file
from tests.processes import children, usage
from tests.service_process import running_service
from tests.soak.attacks import Attack, Target, attacks

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1500)]

CLIENT_INTERVAL_SECONDS = 0.2
ATTACK_PAUSE_SECONDS = 0.05
MAX_MEMORY_GROWTH = 1.10


@contextmanager
def under_attack(kinds: dict[str, Attack]) -> Iterator[Counter[tuple[str, object]]]:
    """Repeat every attack in its own thread; yields the counts of their results."""
    stop = threading.Event()
    results: Counter[tuple[str, object]] = Counter()

    def repeat(name: str, attack: Attack) -> None:
        while not stop.is_set():
            try:
                result = attack()
            except (httpx.TransportError, OSError) as error:
                result = type(error).__name__
            results[name, result] += 1
            stop.wait(ATTACK_PAUSE_SECONDS)

    with ThreadPoolExecutor(len(kinds)) as pool:
        attackers = [pool.submit(repeat, *kind) for kind in kinds.items()]
        try:
            yield results
        finally:
            stop.set()
            for attacker in attackers:
                attacker.result()


def send_requests(
    client: httpx.Client, image: bytes, *, seconds: float
) -> tuple[Counter[int], list[float]]:
    """Send five predictions a second, each with a health check; returns statuses and durations."""
    statuses: Counter[int] = Counter()
    durations: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        response = client.post("/predict?force=true", files={"file": ("a.png", image)})
        durations.append(time.monotonic() - started)
        statuses[response.status_code] += 1
        statuses[client.get("/healthz").status_code] += 1
        time.sleep(max(0.0, CLIENT_INTERVAL_SECONDS - (time.monotonic() - started)))
    return statuses, durations


def memory_mib(pid: int) -> float:
    """The resident memory of the service and all of its descendants."""
    pids, total = [pid], 0.0
    while pids:
        each = pids.pop()
        try:
            total += usage(each).memory_mib
        except (OSError, KeyError):
            continue  # The process has ended meanwhile.
        pids += children(each)
    return total


def p95(durations: list[float]) -> float:
    return quantiles(durations, n=20)[-1]


def test_a_regular_client_is_answered_during_attacks_of_every_kind(
    tiny_volume: Path,
    tmp_path: Path,
    phantom_png: bytes,
    soak: bool,
    prove: Callable[[str], None],
):
    attackers_key, attackers_record = create_key("a")
    clients_key, clients_record = create_key("b")
    change_key_file(tmp_path / "keys", lambda _: [attackers_record, clients_record])
    seconds = 600 if soak else 6
    service = running_service(tiny_volume, log=tmp_path / "log", api_keys_file=tmp_path / "keys")
    with (
        service as (process, address),
        httpx.Client(base_url=address, headers={"X-API-Key": clients_key}, timeout=30) as client,
    ):
        quiet, quiet_durations = send_requests(client, phantom_png, seconds=seconds / 10)
        assert set(quiet) == {200}
        kinds = attacks(Target(address, attackers_key, phantom_png), side=6000 if soak else 1000)
        with under_attack(kinds) as results:
            first, _ = send_requests(client, phantom_png, seconds=seconds / 10)
            before = memory_mib(process.pid)
            rest, durations = send_requests(client, phantom_png, seconds=seconds * 9 / 10)
            after = memory_mib(process.pid)
        assert set(first) | set(rest) == {200}, "no prediction or health check may be rejected"
        assert {name for name, _ in results} == set(kinds)
        errors = {result for _, result in results if isinstance(result, int) and result >= 500}
        assert errors <= {503, 504}, "an attack may be rejected as overload, but must not fail"
        if soak:
            assert after < MAX_MEMORY_GROWTH * before
        slower = p95(durations) / p95(quiet_durations)
        prove(
            f"attackers: {sum(results.values())} attacks of {len(kinds)} kinds; regular client:"
            f" {rest[200] // 2} of {rest[200] // 2} answered, p95 {slower:.1f} x quiet;"
            f" {before:.0f} MiB, then {after:.0f} MiB"
        )
