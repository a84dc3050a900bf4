"""Runs schemathesis against a service over tiny models."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from api.http.access.api_keys import create_key
from api.settings import Settings
from tests.integration.conftest import gateway
from tests.servers import model_server
from tests.service_process import wait_until

_SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
_REPOSITORY = Path(__file__).parents[1]


def summary_of_schemathesis(models_dir: Path, *, keys: bool, max_examples: int) -> str:
    """Check the responses to generated requests against the OpenAPI document, with every check.

    Args:
        models_dir: a volume of tiny models.
        keys: whether the service requires an API key.
        max_examples: the most requests for each operation and phase.

    Returns:
        The line of the summary that says how many requests there were.
    """
    key, record = create_key("schemathesis")
    with model_server(models_dir) as address:
        settings = Settings(
            _env_file=None,
            model_server=address,
            models_dir=models_dir,
            api_keys=str(record) if keys else None,
        )
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            options = [f"--header=Authorization: Bearer {key}"] if keys else []
            return _run(client, f"--max-examples={max_examples}", *options)


def _run(client: httpx.Client, *options: str) -> str:
    result = subprocess.run(
        [
            _SCHEMATHESIS,
            *("run", f"{client.base_url}/openapi.json", "--checks=all", "--seed=5", "--no-color"),
            # Our hook skips bodies that violate the document only in Python.
            "--suppress-health-check=filter_too_much",
            *options,
        ],
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
            "PYTHONPATH": str(_REPOSITORY),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
    return next(line for line in result.stdout.splitlines() if "generated" in line).strip()
