"""Two BentoML services, as in BentoML's documentation of adaptive batching.

A batchable API takes a list and returns a list. A wrapper takes single requests and calls it.
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


# One worker uses both cores and gets the largest batches. After the number of requests or seconds
# in runner_connection, BentoML 1.4.40 closes its connections to this service. Requests in flight on
# them then fail (its issue 5540). By default that happens after 100 requests.
@bentoml.service(workers=1, runner_connection={"max_requests": 10**9, "max_age": 1e9})
class ThreeModels:
    """The models, in a separate process."""

    def __init__(self) -> None:
        self._models = three_models.load_models(_arguments.models, _arguments.engine)

    @bentoml.api(
        batchable=True,
        max_batch_size=three_models.MAX_BATCH_SIZE,
        # A limit rather than a wait: BentoML rejects what it expects to answer later than this.
        # Keras needs more than the documentation's 1000 ms for a full batch on two cores.
        max_latency_ms=10_000,
    )
    def classify(self, images: np.ndarray) -> list[dict[str, float]]:
        """Run the models on a batch."""
        return three_models.classify(self._models, images)


# One thread for each request of a batch, and as many that wait for the next batch.
@bentoml.service(workers=1, threads=2 * three_models.MAX_BATCH_SIZE)
class Uploads:
    """The wrapper: reads uploads."""

    models = bentoml.depends(ThreeModels)

    @bentoml.api
    def predict(self, file: Path) -> dict[str, float]:
        """Answer one upload with each model's probability of COVID."""
        image = three_models.preprocess(file.read_bytes())
        return self.models.classify(image[np.newaxis])[0]
