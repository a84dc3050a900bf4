"""Two BentoML services, as its documentation of adaptive batching has it.

A batchable API takes a list and answers with one; a wrapper takes single requests and calls it.
"""

from pathlib import Path

import bentoml
import numpy as np
import three_models
from pydantic import BaseModel


class _Arguments(BaseModel):
    models: Path
    engine: str


_arguments = bentoml.use_arguments(_Arguments)


# One worker uses both cores, and its batches are the largest. After as many requests, or seconds,
# as runner_connection says, BentoML 1.4.40 closes its connections to this service with the requests
# that are under way on them, which then fail (its issue 5540); by default after 100 requests.
@bentoml.service(workers=1, runner_connection={"max_requests": 10**9, "max_age": 1e9})
class ThreeModels:
    """The models, in a process of their own."""

    def __init__(self) -> None:
        self._models = three_models.load_models(_arguments.models, _arguments.engine)

    @bentoml.api(
        batchable=True,
        max_batch_size=three_models.MAX_BATCH_SIZE,
        # Not a wait but a bound: BentoML refuses what it expects to answer later than this. The
        # documentation's 1000 ms are less than Keras takes for a full batch on two cores.
        max_latency_ms=10_000,
    )
    def classify(self, images: np.ndarray) -> list[dict[str, float]]:
        """Ask the models about a batch."""
        return three_models.classify(self._models, images)


# As many threads as requests that may meet in a batch, and as many again to wait for the next one.
@bentoml.service(workers=1, threads=2 * three_models.MAX_BATCH_SIZE)
class Uploads:
    """The wrapper: reads uploads."""

    models = bentoml.depends(ThreeModels)

    @bentoml.api
    def predict(self, file: Path) -> dict[str, float]:
        """Answer one upload with each model's probability of COVID."""
        image = three_models.preprocess(file.read_bytes())
        return self.models.classify(image[np.newaxis])[0]
