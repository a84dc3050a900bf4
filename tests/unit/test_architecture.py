"""Importing the gateway and its clients loads neither TensorFlow nor an inference engine."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "openvino", "pandas", "sklearn", "tensorflow_serving")


@pytest.mark.parametrize(
    "modules",
    ["api.app, api.settings", "serving.client", "covidscan.main", "covidscan.service.service"],
)
def test_importing_these_modules_loads_no_heavy_library(repository: Path, modules: str):
    program = (
        f"import sys, {modules};"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stdout)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=repository
    )
    assert loaded.stdout.strip() == "[]"
