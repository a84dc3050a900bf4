"""Schemathesis at length: three times as many requests as in the integration tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.schemathesis_run import summary_of_schemathesis

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("keys", [False, True], ids=["open", "keys"])
def test_schemathesis_finds_no_violation_at_length(
    tiny_volume: Path, soak: bool, prove: Callable[[str], None], keys: bool
):
    if not soak:
        pytest.skip("tests/integration/test_openapi.py is its short version")
    summary = summary_of_schemathesis(tiny_volume, keys=keys, max_examples=120)
    prove(f"schemathesis at length, {'with' if keys else 'without'} keys: {summary}")
