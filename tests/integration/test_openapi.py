"""Schemathesis finds no response that the OpenAPI document does not allow."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.schemathesis_run import summary_of_schemathesis


@pytest.mark.parametrize("keys", [False, True], ids=["open", "keys"])
def test_schemathesis_finds_no_violation(
    tiny_volume: Path, prove: Callable[[str], None], keys: bool
):
    summary = summary_of_schemathesis(tiny_volume, keys=keys, max_examples=40)
    prove(f"schemathesis, all checks, {'with' if keys else 'without'} keys: {summary}")
