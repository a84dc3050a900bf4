"""Ray Serve: a deployment with requests batched by ``@serve.batch``.

python benchmarks/peers/ray_serve_peer/serve.py --models DIR --port N
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Ray reads these when it is imported, and passes them to its processes.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] = "1"

import numpy as np
import ray
import three_models
from numpy.typing import NDArray
from ray import serve
from starlette.requests import Request

PEERS = Path(__file__).resolve().parents[1]
CORES = 2


# One replica uses both cores and gets the largest batches. It accepts the next batch while one is
# computed. Ray's default of 5 concurrent requests would limit batches to that size.
@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=2 * three_models.MAX_BATCH_SIZE,
    ray_actor_options={"num_cpus": CORES},
)
class ThreeModels:
    """The models, in one replica."""

    def __init__(self, models: Path, engine: str) -> None:
        self._models = three_models.load_models(models, engine)

    async def __call__(self, request: Request) -> dict[str, float]:
        """Answer one upload with each model's probability of COVID."""
        async with request.form() as form:
            data = await form["file"].read()
        return await self.classify(three_models.preprocess(data))

    @serve.batch(max_batch_size=three_models.MAX_BATCH_SIZE, batch_wait_timeout_s=0.01)
    async def classify(self, images: list[NDArray[np.float32]]) -> list[dict[str, float]]:
        """Run the models on a batch, in a thread, while the next uploads are read."""
        return await asyncio.to_thread(three_models.classify, self._models, np.stack(images))


def main() -> None:
    """Serve until SIGTERM."""
    parser = three_models.argument_parser(__doc__.partition("\n")[0])
    three_models.add_engine_option(parser)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(PEERS)
    ray.init(num_cpus=CORES, include_dashboard=False)
    # Set only now, because Ray sets its own handler, which leaves its processes behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": arguments.port})
        application = ThreeModels.bind(arguments.models.resolve(), arguments.engine)
        serve.run(application, route_prefix="/predict")
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
