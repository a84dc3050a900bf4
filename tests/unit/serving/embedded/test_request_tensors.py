"""Requests are checked against a signature: names, types, shapes and outputs."""

from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest

from serving import tensors
from serving.contract import INPUT_NAME, OUTPUT_NAME
from serving.embedded.engine import TensorSignature
from serving.embedded.errors import CallError
from serving.embedded.request_tensors import decode_inputs, requested_outputs
from serving.embedded.type_names import TYPE_NAMES
from serving.protos.predict_pb2 import PredictRequest
from serving.protos.tensor_pb2 import TensorProto

SHAPE = (1, 2)
SERVED_DTYPES = (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)


def model_with_input(dtype: Any) -> Any:
    """A model with one input of two numbers, and with two outputs."""
    return SimpleNamespace(
        inputs=[TensorSignature(INPUT_NAME, np.dtype(dtype), (-1, 2))],
        outputs=[
            TensorSignature(name, np.dtype(np.float32), (-1, 2)) for name in (OUTPUT_NAME, "other")
        ],
    )


def request_of(**tensor: Any) -> PredictRequest:
    proto = TensorProto(tensor_shape=tensors.shape_proto(SHAPE), **tensor)
    return PredictRequest(inputs={INPUT_NAME: proto})


def rejection_message(dtype: Any, request: PredictRequest) -> str:
    with pytest.raises(CallError) as caught:
        decode_inputs(model_with_input(dtype), request)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize("dtype", SERVED_DTYPES)
def test_a_wrong_type_is_rejected_with_tensorflows_names_of_types(dtype: Any):
    expected = tensors.data_type(dtype)
    for given in TYPE_NAMES.keys() - {expected}:
        assert rejection_message(dtype, request_of(dtype=given)) == (
            f"Expects arg[0] to be {TYPE_NAMES[expected]} but {TYPE_NAMES[given]} is provided"
        )


def test_a_string_tensor_with_values_is_rejected_as_a_wrong_type():
    # TensorProto.string_val, field 8, which our message definition lacks.
    request = request_of(dtype=7)
    request.inputs[INPUT_NAME].MergeFromString(bytes([8 << 3 | 2, 1]) + b"x")
    message = rejection_message(np.float32, request)
    assert message == "Expects arg[0] to be float but string is provided"


@pytest.mark.parametrize("given", [0, 31, 101, 107, 999, -1])
def test_an_unknown_type_is_rejected_as_a_parsing_error(given: int):
    assert (
        rejection_message(np.float32, request_of(dtype=given))
        == f"tensor parsing error: {INPUT_NAME}"
    )


def test_content_that_does_not_match_its_type_is_rejected_as_a_parsing_error():
    request = request_of(dtype=tensors.data_type(np.int32), tensor_content=b"12345")
    assert rejection_message(np.float32, request) == f"tensor parsing error: {INPUT_NAME}"


@pytest.mark.parametrize(
    ("output_filter", "message"),
    [
        ([OUTPUT_NAME, OUTPUT_NAME], f"duplicate output tensor alias: {OUTPUT_NAME}"),
        (["other", OUTPUT_NAME, "other"], "duplicate output tensor alias: other"),
        # Only the first error is reported.
        ([OUTPUT_NAME, OUTPUT_NAME, "nope"], f"duplicate output tensor alias: {OUTPUT_NAME}"),
        (["nope", "nope"], "output tensor alias not found in signature: nope Outputs expected"),
    ],
)
def test_an_output_filter_with_duplicate_or_unknown_names_is_rejected(
    output_filter: list[str], message: str
):
    with pytest.raises(CallError) as caught:
        requested_outputs(model_with_input(np.float32), output_filter)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.message.startswith(message)
