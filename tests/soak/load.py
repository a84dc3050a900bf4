"""Callers that ask all the time, and check each answer as it comes."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from api.schemas.prediction import PredictionAnswer
from api.schemas.problem import Problem
from serving.contract import MODEL_NAMES
from tests.soak.known_answers import IMAGES, KnownNetworks

CALLERS = 4
PAUSE_SECONDS = 0.025
"""Between two requests of a caller: the load is constant, and leaves room on the machine."""

BETWEEN_FAULTS = "between two faults"

REJECTIONS = {503: "models-unavailable", 504: "models-late"}


@dataclass(frozen=True)
class Outcome:
    """How a request came out."""

    during: str
    """What was being done to the model server when it was sent, and when it was answered."""
    status: int
    models: int
    """How many answered."""
    ended: float
    seconds: float

    @property
    def kind(self) -> str:
        """The status, and whether a 200 is whole."""
        return "200 degraded" if self.models in range(1, len(MODEL_NAMES)) else str(self.status)


@dataclass
class Load:
    """What callers saw."""

    known: KnownNetworks
    during: str = BETWEEN_FAULTS
    outcomes: list[Outcome] = field(default_factory=list)
    versions: set[tuple[str, int]] = field(default_factory=set)
    """That have answered."""
    missing: list[str] = field(default_factory=list)
    """What was said of models that are missing in an answer of 200, and when."""

    def kinds(self, during: str) -> Counter[str]:
        """How requests came out during a fault."""
        return Counter(outcome.kind for outcome in self.outcomes if outcome.during == during)

    def first_full(self, since: int) -> Outcome | None:
        """The first answer of all models, of the outcomes from a number on."""
        return next((o for o in self.outcomes[since:] if o.models == len(MODEL_NAMES)), None)


@contextmanager
def load_on(gateway: str, known: KnownNetworks) -> Iterator[Load]:
    """Callers that ask a gateway until the end; what they find wrong is raised there."""
    load, stop = Load(known), threading.Event()
    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(_ask, gateway, load, i, stop) for i in range(CALLERS)]
        try:
            yield load
        finally:
            stop.set()
            for caller in callers:
                caller.result()


def _ask(gateway: str, load: Load, first_image: int, stop: threading.Event) -> None:
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
    """The answer is right, or a proper rejection; gives how many models it is of."""
    if response.status_code != 200:
        assert response.status_code in REJECTIONS, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"] == "1"
        problem = Problem.model_validate_json(response.text)
        assert problem.type == f"urn:covidscan:problem:{REJECTIONS[response.status_code]}"
        return 0
    answer = PredictionAnswer.model_validate_json(response.text)
    load.known.check(answer, image)
    versions = {model.name: model.version for model in answer.models if model.version is not None}
    for name, version in versions.items():
        assert version >= newest[name], "no version comes back once a newer one has answered"
    load.missing += [
        f"{load.during}: {model.name} {model.status} after {model.duration_seconds:.3f} s"
        for model in answer.models
        if model.version is None
    ]
    newest |= versions
    load.versions |= set(versions.items())
    return len(versions)
