"""Attackers of every kind at once, and a polite client beside them that is answered."""

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

POLITE_PAUSE_SECONDS = 0.2
ATTACK_PAUSE_SECONDS = 0.05
GROWTH = 1.10


@contextmanager
def under_attack(kinds: dict[str, Attack]) -> Iterator[Counter[tuple[str, object]]]:
    """Every attack in a thread of its own, again and again; counts how each ends."""
    stop = threading.Event()
    ends: Counter[tuple[str, object]] = Counter()

    def go_on(name: str, attack: Attack) -> None:
        while not stop.is_set():
            try:
                end = attack()
            except (httpx.TransportError, OSError) as error:
                end = type(error).__name__
            ends[name, end] += 1
            stop.wait(ATTACK_PAUSE_SECONDS)

    with ThreadPoolExecutor(len(kinds)) as pool:
        attacking = [pool.submit(go_on, *kind) for kind in kinds.items()]
        try:
            yield ends
        finally:
            stop.set()
            for attacker in attacking:
                attacker.result()


def ask(client: httpx.Client, image: bytes, *, seconds: float) -> tuple[Counter[int], list[float]]:
    """Five questions a second, one after the other; how they ended, and how long each took."""
    statuses: Counter[int] = Counter()
    durations: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        response = client.post("/predict?force=true", files={"file": ("a.png", image)})
        durations.append(time.monotonic() - started)
        statuses[response.status_code] += 1
        statuses[client.get("/healthz").status_code] += 1
        time.sleep(max(0.0, POLITE_PAUSE_SECONDS - (time.monotonic() - started)))
    return statuses, durations


def memory_mib(pid: int) -> float:
    """Of the service and all that it has started, now."""
    pids, found = [pid], 0.0
    while pids:
        each = pids.pop()
        try:
            found += usage(each).memory_mib
        except (OSError, KeyError):
            continue  # It has ended meanwhile.
        pids += children(each)
    return found


def p95(durations: list[float]) -> float:
    return quantiles(durations, n=20)[-1]


def test_a_polite_client_is_answered_beside_attackers_of_every_kind(
    tiny_volume: Path,
    tmp_path: Path,
    phantom_png: bytes,
    soak: bool,
    prove: Callable[[str], None],
):
    (attacker, attackers_record), (polite, polite_record) = create_key("a"), create_key("b")
    change_key_file(tmp_path / "keys", lambda _: [attackers_record, polite_record])
    seconds = 600 if soak else 6
    service = running_service(tiny_volume, log=tmp_path / "log", api_keys_file=tmp_path / "keys")
    with (
        service as (process, address),
        httpx.Client(base_url=address, headers={"X-API-Key": polite}, timeout=30) as client,
    ):
        quiet, quiet_durations = ask(client, phantom_png, seconds=seconds / 10)
        assert set(quiet) == {200}
        kinds = attacks(Target(address, attacker, phantom_png), side=6000 if soak else 1000)
        with under_attack(kinds) as ends:
            first, _ = ask(client, phantom_png, seconds=seconds / 10)
            before = memory_mib(process.pid)
            rest, durations = ask(client, phantom_png, seconds=seconds * 9 / 10)
            after = memory_mib(process.pid)
        assert set(first) | set(rest) == {200}, "no question, and no health check, is rejected"
        assert {name for name, _ in ends} == set(kinds)
        faults = {end for _, end in ends if isinstance(end, int) and end >= 500}
        assert faults <= {503, 504}, "what is too much is rejected, and nothing fails"
        if soak:
            assert after < GROWTH * before
        slower = p95(durations) / p95(quiet_durations)
        prove(
            f"attackers: {sum(ends.values())} attacks of {len(kinds)} kinds; polite client:"
            f" {rest[200] // 2} of {rest[200] // 2} answered, p95 {slower:.1f} x quiet;"
            f" {before:.0f} MiB, then {after:.0f} MiB"
        )
