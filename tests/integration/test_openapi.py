"""The API's own document, taken at its word: schemathesis asks whatever it allows, and more."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from api.http.access.api_keys import create_key
from api.settings import Settings
from tests.integration.conftest import gateway
from tests.servers import model_server
from tests.service_process import wait_until

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


def run_schemathesis(client: httpx.Client, repository: Path, *options: str) -> str:
    """Every check there is; gives the summary's last lines."""
    result = subprocess.run(
        [
            SCHEMATHESIS,
            *("run", f"{client.base_url}/openapi.json", "--checks=all", "--seed=5", "--no-color"),
            *options,
        ],
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.integration.schemathesis_hooks",
            "PYTHONPATH": str(repository),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
    return next(line for line in result.stdout.splitlines() if "generated" in line)


@pytest.mark.parametrize("keys", [False, True], ids=["open", "keys"])
def test_schemathesis_finds_nothing(
    tiny_volume: Path, repository: Path, prove: Callable[[str], None], keys: bool
):
    key, record = create_key("schemathesis")
    with model_server(tiny_volume) as address:
        settings = Settings(
            _env_file=None,
            model_server=address,
            models_dir=tiny_volume,
            api_keys=str(record) if keys else None,
        )
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            options = [f"--header=Authorization: Bearer {key}"] if keys else []
            # Our hook leaves out bodies that the document forbids and Python alone can make.
            options.append("--suppress-health-check=filter_too_much")
            summary = run_schemathesis(client, repository, "--max-examples=120", *options)
    prove(f"schemathesis, all checks, {'with' if keys else 'without'} keys: {summary.strip()}")
