"""Django as in tutorials: ``model.predict`` on one model after another.

Served by gunicorn, the first WSGI server in Django's documentation.

    python benchmarks/peers/django_reference/serve.py --models DIR --port N --load once
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import three_models

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Replace this process by gunicorn, so that signals reach the server."""
    parser = three_models.argument_parser(__doc__.partition("\n")[0])
    parser.add_argument(
        "--load",
        choices=("each-request", "once"),
        default="once",
        help="load the models from disk in every request, or when the server starts",
    )
    arguments = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        f"--bind=127.0.0.1:{arguments.port}",
        # One worker uses both cores and one copy of the models. Threads let uploads overlap with
        # predictions. Keras does not document thread safety, but eight threads gave right answers.
        "--workers=1",
        "--threads=4",
        # Loading three models on a busy machine may take longer than the default of 30 seconds.
        "--timeout=120",
        # It would be created in the user's home directory.
        "--no-control-socket",
        f"--chdir={HERE}",
        "application:application",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE.parent),
        "PEER_MODELS": str(arguments.models.resolve()),
        "PEER_LOAD": arguments.load,
    }
    os.execve(sys.executable, command, environment)  # noqa: S606 - no outside input


if __name__ == "__main__":
    main()
