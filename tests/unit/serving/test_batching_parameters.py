"""Batching parameters: the file format, defaults and checks of TensorFlow Serving."""

from pathlib import Path

import pytest

from serving.batching_parameters import (
    BatchingParameters,
    parse_batching_parameters,
    read_batching_parameters,
)
from serving.errors import BatchingParametersError


def test_omitted_fields_have_tensorflow_servings_defaults():
    parameters = parse_batching_parameters("")
    assert (parameters.max_batch_size, parameters.max_enqueued_batches) == (1000, 10)
    assert parameters.num_batch_threads >= 1
    assert parameters.allowed_batch_sizes == ()


def test_every_field_of_the_file_is_read():
    assert parse_batching_parameters(
        """
        max_batch_size { value: 8 }
        batch_timeout_micros { value: 1000 }
        max_enqueued_batches { value: 7 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "pool" }
        allowed_batch_sizes: 2
        allowed_batch_sizes: 4
        pad_variable_length_inputs: true
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 4 }
        """
    ) == BatchingParameters(8, 7, 3, (2, 4), 4)


def test_max_execution_batch_size_is_ignored_without_large_batch_splitting():
    text = "max_execution_batch_size { value: 4 }"
    assert parse_batching_parameters(text).max_execution_batch_size is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("max_batch { value: 8 }", 'no field named "max_batch"'),
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        ("num_batch_threads { value: -1 }", "num_batch_threads must be positive"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches must be positive"),
        ("allowed_batch_sizes: 4 allowed_batch_sizes: 2", "monotonically increasing"),
        ("allowed_batch_sizes: 0 allowed_batch_sizes: 1000", "must be positive"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "last entry was 4; expected 8"),
    ],
)
def test_invalid_parameters_are_rejected(text: str, reason: str):
    with pytest.raises(BatchingParametersError, match=reason):
        parse_batching_parameters(text)


def test_an_unreadable_file_raises_a_batching_parameters_error(tmp_path: Path):
    with pytest.raises(BatchingParametersError, match="cannot be read"):
        read_batching_parameters(tmp_path / "batching.config")
