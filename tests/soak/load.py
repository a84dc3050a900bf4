"""Clients that send requests continuously and check each response."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from api.schemas.prediction import PredictionResponse
from api.schemas.problem import Problem
from serving.contract import MODEL_NAMES
from tests.soak.known_answers import IMAGES, KnownNetworks

CLIENTS = 4
PAUSE_SECONDS = 0.025
"""Between two requests of a client: the load is constant and leaves the machine some capacity."""

BETWEEN_FAULTS = "between two faults"

REJECTIONS = {503: "models-unavailable", 504: "models-timeout"}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request."""

    during: str
    """The fault that was being injected both when it was sent and when it was answered."""
    status: int
    models: int
    """How many of them answered."""
    ended: float
    seconds: float

    @property
    def kind(self) -> str:
        """The status, and for 200 whether the answer is degraded."""
        return "200 degraded" if self.models in range(1, len(MODEL_NAMES)) else str(self.status)


@dataclass
class Load:
    """The outcomes that the clients saw."""

    known: KnownNetworks
    during: str = BETWEEN_FAULTS
    outcomes: list[Outcome] = field(default_factory=list)
    versions: set[tuple[str, int]] = field(default_factory=set)
    """The versions that have answered."""
    missing: list[str] = field(default_factory=list)
    """The models that did not contribute to a response of 200, with fault, status and duration."""

    def kinds(self, during: str) -> Counter[str]:
        """Count the outcomes during a fault."""
        return Counter(outcome.kind for outcome in self.outcomes if outcome.during == during)

    def first_full(self, since: int) -> Outcome | None:
        """The first outcome with answers of all models, from this index on."""
        return next((o for o in self.outcomes[since:] if o.models == len(MODEL_NAMES)), None)


@contextmanager
def load_on(gateway: str, known: KnownNetworks) -> Iterator[Load]:
    """Run clients against a gateway; their failed checks are raised at the end."""
    load, stop = Load(known), threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(_send_requests, gateway, load, i, stop) for i in range(CLIENTS)]
        try:
            yield load
        finally:
            stop.set()
            for client in clients:
                client.result()


def _send_requests(gateway: str, load: Load, first_image: int, stop: threading.Event) -> None:
    newest = dict.fromkeys(MODEL_NAMES, 0)
    with httpx.Client(base_url=gateway, timeout=30) as client:
        for number in itertools.count(first_image):
            image = number % IMAGES
            during, started = load.during, time.monotonic()
            files = {"file": (f"{image}.png", load.known.images[image])}
            response = client.post("/predict", params={"force": "true"}, files=files)
            ended = time.monotonic()
            models = _check(response, load, image, newest)
            if load.during != during:
                during = BETWEEN_FAULTS
            load.outcomes.append(
                Outcome(during, response.status_code, models, ended, ended - started)
            )
            if stop.wait(PAUSE_SECONDS):
                return


def _check(response: httpx.Response, load: Load, image: int, newest: dict[str, int]) -> int:
    """Check that a response is right, or a proper rejection; returns how many models answered."""
    if response.status_code != 200:
        assert response.status_code in REJECTIONS, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"] == "1"
        problem = Problem.model_validate_json(response.text)
        assert problem.type == f"urn:covidscan:problem:{REJECTIONS[response.status_code]}"
        return 0
    answer = PredictionResponse.model_validate_json(response.text)
    load.known.check(answer, image)
    versions = {model.name: model.version for model in answer.models if model.version is not None}
    for name, version in versions.items():
        assert version >= newest[name], "no older version may answer after a newer one"
    load.missing += [
        f"{load.during}: {model.name} {model.status} after {model.duration_seconds:.3f} s"
        for model in answer.models
        if model.version is None
    ]
    newest |= versions
    load.versions |= set(versions.items())
    return len(versions)
