"""LitServe: a ``LitAPI`` with batched requests.

python benchmarks/peers/litserve_peer/serve.py --models DIR --port N
"""

import signal
import sys
from pathlib import Path

import litserve as ls
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import three_models


class ThreeModels(ls.LitAPI):
    """The models in one worker. LitServe's own ``batch`` stacks the images of a batch."""

    def __init__(self, models: Path, engine: str) -> None:
        # A batch closes this many seconds after the worker started to wait for it.
        super().__init__(max_batch_size=three_models.MAX_BATCH_SIZE, batch_timeout=0.01)
        self._directory = models
        self._engine = engine

    def setup(self, device: str) -> None:  # noqa: ARG002 - there is only the CPU
        """Load the models, in the worker's process."""
        self._models = three_models.load_models(self._directory, self._engine)

    def decode_request(self, request: Request) -> NDArray[np.float32]:
        """Read one upload. LitServe requires this annotation, and passes the request's form."""
        return three_models.preprocess(request["file"].file.read())

    def predict(self, x: NDArray[np.float32]) -> list[dict[str, float]]:
        """Run the models on a batch."""
        return three_models.classify(self._models, x)

    def encode_response(self, output: dict[str, float]) -> dict[str, float]:
        """Answer one request."""
        return output


def main() -> None:
    """Serve until SIGTERM."""
    parser = three_models.argument_parser(__doc__.partition("\n")[0])
    three_models.add_engine_option(parser)
    # One worker uses both cores and gets the largest batches. LitServe's documentation recommends
    # one worker per core, each with its own copy of the models.
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    # LitServe ends its processes on KeyboardInterrupt only.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = ls.LitServer(
        ThreeModels(arguments.models, arguments.engine),
        accelerator="cpu",
        workers_per_device=arguments.workers,
    )
    # As in LitServe's example of a production configuration.
    server.run(
        host="127.0.0.1", port=arguments.port, log_level="warning", generate_client_file=False
    )


if __name__ == "__main__":
    main()
