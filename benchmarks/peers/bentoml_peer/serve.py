"""BentoML: runs ``bentoml serve`` on the services in ``service.py``.

python benchmarks/peers/bentoml_peer/serve.py --models DIR --port N
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import three_models

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Replace this process by ``bentoml serve``, so that signals reach the server."""
    parser = three_models.argument_parser(__doc__.partition("\n")[0])
    three_models.add_engine_option(parser)
    arguments = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "service:Uploads",
        "--host=127.0.0.1",
        f"--port={arguments.port}",
        f"--working-dir={HERE}",
        f"--arg=models={arguments.models.resolve()}",
        f"--arg=engine={arguments.engine}",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE.parent),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    os.execve(sys.executable, command, environment)  # noqa: S606 - no outside input


if __name__ == "__main__":
    main()
