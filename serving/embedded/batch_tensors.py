"""Joins the tensors of several requests into one batch, and splits its outputs again."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.batching_parameters import BatchingParameters
from serving.embedded.errors import failed_precondition, invalid_argument

Tensors = dict[str, NDArray[Any]]


def count_rows(inputs: Tensors, batching: BatchingParameters) -> int:
    """The number of rows of a request: the size of the first dimension, the same for all tensors.

    Raises:
        CallError: the sizes differ, or there are more rows than a batch may have.
    """
    if any(array.ndim == 0 for array in inputs.values()):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    counts = {array.shape[0] for array in inputs.values()}
    if len(counts) != 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    rows = int(counts.pop())
    if rows > batching.max_batch_size:
        raise invalid_argument(
            f"Task size {rows} is larger than maximum input batch size {batching.max_batch_size}"
        )
    return rows


BatchKey = tuple[object, ...]


def batch_key(inputs: Tensors) -> BatchKey:
    """Requests with the same key can share a batch: their tensors differ only in the rows."""
    return tuple((name, array.dtype, array.shape[1:]) for name, array in sorted(inputs.items()))


def infer_together(
    infer: Callable[[Tensors], Tensors],
    requests: Sequence[Tensors],
    batching: BatchingParameters,
) -> list[Tensors]:
    """Answer requests with the same batch key with as few runs as the parameters allow.

    Raises:
        CallError: an output does not have a row for each row of the input.
        InferenceError: the engine failed.
    """
    rows = [len(next(iter(inputs.values()))) for inputs in requests]
    joined = {
        name: np.concatenate([inputs[name] for inputs in requests])
        if len(requests) > 1
        else requests[0][name]
        for name in requests[0]
    }
    pieces = [_infer_padded(infer, piece, batching) for piece in _pieces(joined, batching)]
    outputs = {
        name: np.concatenate([piece[name] for piece in pieces]) if len(pieces) > 1 else array
        for name, array in pieces[0].items()
    }
    ends = np.cumsum(rows)
    return [
        {name: array[end - count : end] for name, array in outputs.items()}
        for end, count in zip(ends, rows, strict=True)
    ]


def _pieces(joined: Tensors, batching: BatchingParameters) -> Iterator[Tensors]:
    total = len(next(iter(joined.values())))
    step = batching.max_execution_batch_size or total
    for start in range(0, total, step):
        yield {name: array[start : start + step] for name, array in joined.items()}


def _infer_padded(
    infer: Callable[[Tensors], Tensors], inputs: Tensors, batching: BatchingParameters
) -> Tensors:
    rows = len(next(iter(inputs.values())))
    size = next((size for size in batching.allowed_batch_sizes if size >= rows), rows)
    outputs = infer({name: _pad(array, size) for name, array in inputs.items()})
    if any(array.ndim == 0 or len(array) != size for array in outputs.values()):
        raise failed_precondition(
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension"
            " sizes of the input tensors"
        )
    return {name: array[:rows] for name, array in outputs.items()}


def _pad(array: NDArray[Any], size: int) -> NDArray[Any]:
    # Pad with an existing row, as TensorFlow Serving does: zeros could be special to a model.
    return (
        np.concatenate([array, np.repeat(array[:1], size - len(array), axis=0)])
        if (size > len(array))
        else array
    )
