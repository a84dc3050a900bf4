"""Checks the tensors of requests against a model's signature before they reach the engine."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving import tensors
from serving.contract import SIGNATURE_NAME
from serving.embedded.engine import LoadedModel, TensorSignature
from serving.embedded.errors import CallError, failed_precondition, invalid_argument
from serving.embedded.type_names import TYPE_NAMES
from serving.protos.predict_pb2 import PredictRequest
from serving.protos.tensor_pb2 import TensorProto


def check_signature_name(name: str) -> None:
    """Check that the default signature is requested; the engine supports no other.

    Raises:
        CallError: another one is requested.
    """
    if name not in ("", SIGNATURE_NAME):
        raise failed_precondition(f'Serving signature key "{name}" not found.')


def decode_inputs(model: LoadedModel, request: PredictRequest) -> dict[str, NDArray[Any]]:
    """Decode the arrays of a request, by the names of the model's inputs.

    Raises:
        CallError: names, dtypes or shapes do not match the signature. The messages are those of
            TensorFlow Serving, which does not check shapes.
    """
    expected = {signature.name for signature in model.inputs}
    given = set(request.inputs)
    if len(given) != len(expected):
        raise invalid_argument(
            f"input size does not match signature: {len(given)}!={len(expected)}"
            f" len({_set(given)}) != len({_set(expected)})."
            f" Sent extra: {_set(given - expected)}."
            f" Missing but required: {_set(expected - given)}."
        )
    for name in sorted(expected - given):
        feed = model.signatures.signature_def[SIGNATURE_NAME].inputs[name].name
        raise invalid_argument(
            f"Signature input alias: {name}(feed name: {feed}) not found in"
            " request and no default value provided. Inputs expected to be in the request"
            f" {_set(given)}, or default input alias set: "
        )
    return {
        signature.name: _decode_input(position, signature, request.inputs[signature.name])
        for position, signature in enumerate(model.inputs)
    }


def requested_outputs(model: LoadedModel, output_filter: Iterable[str]) -> list[str]:
    """The names of the outputs to return: those of the filter, or all.

    Raises:
        CallError: the filter has an unknown name, or a name twice.
    """
    names = [signature.name for signature in model.outputs]
    requested: list[str] = []
    for name in output_filter:
        if name not in names:
            raise invalid_argument(
                f"output tensor alias not found in signature: {name}"
                f" Outputs expected to be in the set {_set(names)}."
            )
        if name in requested:
            raise invalid_argument(f"duplicate output tensor alias: {name}")
        requested.append(name)
    return requested or names


def _decode_input(position: int, signature: TensorSignature, tensor: TensorProto) -> NDArray[Any]:
    # Check everything before decoding values: a message of a few bytes may declare gigabytes.
    try:
        shape = tensors.decode_shape(tensor.tensor_shape)
    except tensors.TensorError as error:
        raise _unreadable(signature) from error
    expected = tensors.data_type(signature.dtype)
    if tensor.dtype != expected:
        if tensor.dtype not in TYPE_NAMES or not _content_fits(tensor):
            raise _unreadable(signature)
        raise invalid_argument(
            f"Expects arg[{position}] to be {TYPE_NAMES[expected]}"
            f" but {TYPE_NAMES[tensor.dtype]} is provided"
        )
    if not signature.accepts(shape):
        raise invalid_argument(
            f"input {signature.name} has shape {list(shape)},"
            f" the signature takes {list(signature.shape)} and no empty dimension"
        )
    try:
        array = tensors.decode(tensor)
    except tensors.TensorError as error:
        raise _unreadable(signature) from error
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        # The engine's ReLU turns NaN into 0, and the result would look like any other.
        raise invalid_argument(f"input {signature.name} holds values that are not finite")
    return np.ascontiguousarray(array)


def _content_fits(tensor: TensorProto) -> bool:
    """Whether ``tensor_content`` has the length that type and shape require, if that is known."""
    try:
        return len(tensor.tensor_content) in {0, tensors.size_bytes(tensor)}
    except tensors.TensorError:
        # A type that is not supported here, such as strings.
        return True


def _unreadable(signature: TensorSignature) -> CallError:
    return invalid_argument(f"tensor parsing error: {signature.name}")


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
