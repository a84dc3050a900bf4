"""Publishing valid and broken versions under load fails no request."""

import asyncio
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest

from api.settings import Settings
from serving.client import ModelServerClient, VersionState, encode_images
from serving.errors import ModelNotFoundError, ModelServerError
from tests.conformance.servables import Servables
from tests.integration.conftest import gateway
from tests.servers import ask, model_server
from tests.service_process import wait_until

SWAPS = 20
CALLERS = 4
IMAGES = encode_images(np.random.default_rng(0).random((1, 64, 64, 3), np.float32))


@dataclass
class Load:
    """The answers and failures that the callers have seen."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    """Answers of versions that were not the newest at any time during the call."""


@contextmanager
def load_on(address: str) -> Iterator[Load]:
    load, stop = Load(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(ask_until_stopped(address, load, stop)))
    thread.start()
    try:
        wait_until(lambda: sum(load.answers.values()) > 10 * CALLERS)
        yield load
        seen = sum(load.answers.values())
        wait_until(lambda: sum(load.answers.values()) > seen + 10 * CALLERS)
    finally:
        stop.set()
        thread.join(30)


async def ask_until_stopped(address: str, load: Load, stop: threading.Event) -> None:
    async def caller(client: ModelServerClient) -> None:
        while not stop.is_set():
            try:
                before = await newest(client)
                version = (await client.predict("vgg16", IMAGES, timeout_seconds=10)).version
                after = await newest(client)
            except ModelServerError as error:
                load.failures.append(repr(error))
                continue
            load.answers[version] += 1
            if not before <= version <= after:
                load.stale.append(f"{version}, while {before} to {after} were the newest")

    async with ModelServerClient(address) as client:
        await asyncio.gather(*(caller(client) for _ in range(CALLERS)))


async def newest(client: ModelServerClient) -> int:
    statuses = await client.version_statuses("vgg16", timeout_seconds=10)
    return max(s.version for s in statuses if s.is_available)


def states(address: str) -> dict[int, tuple[VersionState, str]]:
    try:
        found = ask(address, lambda c: c.version_statuses("vgg16", timeout_seconds=10))
    except ModelNotFoundError:
        return {}
    return {status.version: (status.state, status.error) for status in found}


def publish(saved_model: Path, models_dir: Path, version: int) -> None:
    draft = models_dir / "vgg16" / f".draft-{version}"
    shutil.copytree(saved_model, draft)
    draft.rename(models_dir / "vgg16" / str(version))


def test_twenty_new_versions_under_load_fail_no_request(
    tiny_volume: Path, tiny_saved_model: Path, prove: Callable[[str], None]
):
    with model_server(tiny_volume) as address:
        wait_until(lambda: states(address).get(1, (None,))[0] is VersionState.AVAILABLE)
        with load_on(address) as load:
            for version in range(2, SWAPS + 2):
                publish(tiny_saved_model, tiny_volume, version)
                wait_until(lambda v=version: states(address).get(v, (None,))[0] is not None)
                wait_until(lambda v=version: states(address)[v][0] is VersionState.AVAILABLE)
    assert load.failures == []
    assert load.stale == []
    assert load.answers.keys() == set(range(1, SWAPS + 2)), "each version has answered"
    prove(f"{SWAPS} versions published under load: {load.answers.total()} answers, 0 failed")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[Path], None]]:
    """For each defect of a version, a function that writes such a version to a path."""
    servables = Servables(tmp_path_factory.mktemp("servables"))

    def truncated(path: Path) -> None:
        servables.put("m", path)
        graph = path / "saved_model.pb"
        graph.write_bytes(graph.read_bytes()[:5000])

    return {
        "truncated graph": truncated,
        "no variables": lambda path: servables.put("no variables", path),
        "wrong signature": lambda path: servables.put("two", path),
        "wrong input shape": lambda path: servables.put("wrong size", path),
        "a plain file": lambda path: servables.put("plain file", path),
        "wrong tags": lambda path: servables.put("wrong tags", path),
        "empty": lambda path: servables.put("empty", path),
    }


def test_twenty_broken_versions_under_load_leave_the_valid_version_in_service(
    tiny_volume: Path,
    broken: dict[str, Callable[[Path], None]],
    prove: Callable[[str], None],
):
    kinds = [kind for _ in range(SWAPS) for kind in broken][:SWAPS]
    with model_server(tiny_volume) as address:
        wait_until(lambda: states(address).get(1, (None,))[0] is VersionState.AVAILABLE)
        with load_on(address) as load:
            for version, kind in enumerate(kinds, start=2):
                draft = tiny_volume / f".draft-{version}"
                broken[kind](draft)
                draft.rename(tiny_volume / "vgg16" / str(version))
                wait_until(lambda v=version: states(address).get(v, (None,))[0] is VersionState.END)
                assert states(address)[version][1], f"{kind}: no error is reported"
        settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
        with gateway(settings) as client:
            listed = listed_errors(client)
    assert load.failures == []
    assert set(load.answers) == {1}
    assert listed[1] is None
    reasons = {kind: listed[version] for version, kind in enumerate(kinds, start=2)}
    assert "as binary proto" in str(reasons["truncated graph"])
    assert "is not initialized" in str(reasons["no variables"])
    assert "inputs are a float32 [-1, 2], b int32 [-1]" in str(reasons["wrong signature"])
    assert "inputs are image float32 [-1, 32, 32, 3]" in str(reasons["wrong input shape"])
    assert "does not appear to contain a SavedModel" in str(reasons["a plain file"])
    assert "matching supplied tags" in str(reasons["wrong tags"])
    prove(f"{SWAPS} broken versions under load: {load.answers.total()} answers, 0 failed")


def listed_errors(client: httpx.Client) -> dict[int, str | None]:
    """The error of each version of vgg16 in `GET /models`."""
    (model,) = (m for m in client.get("/models").json()["models"] if m["name"] == "vgg16")
    assert model["serving_version"] == 1
    return {version["version"]: version["error"] for version in model["versions"]}
