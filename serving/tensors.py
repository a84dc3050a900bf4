"""Converts NumPy arrays to and from ``TensorProto``, in both encodings of TensorFlow Serving."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from serving.protos.tensor_pb2 import DataType, TensorProto, TensorShapeProto

_DTYPES: Final[dict["DataType", tuple[np.dtype[Any], str]]] = {
    DataType.DT_FLOAT: (np.dtype("<f4"), "float_val"),
    DataType.DT_DOUBLE: (np.dtype("<f8"), "double_val"),
    DataType.DT_INT32: (np.dtype("<i4"), "int_val"),
    DataType.DT_UINT8: (np.dtype("u1"), "int_val"),
    DataType.DT_INT16: (np.dtype("<i2"), "int_val"),
    DataType.DT_UINT16: (np.dtype("<u2"), "int_val"),
    DataType.DT_INT8: (np.dtype("i1"), "int_val"),
    DataType.DT_INT64: (np.dtype("<i8"), "int64_val"),
    DataType.DT_UINT32: (np.dtype("<u4"), "uint32_val"),
    DataType.DT_UINT64: (np.dtype("<u8"), "uint64_val"),
    DataType.DT_BOOL: (np.dtype("?"), "bool_val"),
    DataType.DT_HALF: (np.dtype("<f2"), "half_val"),
}
_DATA_TYPES: Final = {dtype: data_type for data_type, (dtype, _) in _DTYPES.items()}

_MAX_RANK: Final = 254
"""TensorFlow's own limit; multiplying very many sizes would take hours."""

MAX_TENSOR_BYTES: Final = 64 * 1024 * 1024
"""A short message may declare a huge shape; nothing larger than this is ever allocated."""


class TensorError(ValueError):
    """The message does not contain the tensor that it declares."""


def encode(array: NDArray[Any]) -> TensorProto:
    """Encode an array as ``tensor_content``: little-endian, C order.

    Raises:
        TensorError: the dtype is not supported.
    """
    return TensorProto(
        dtype=data_type(array.dtype),
        tensor_shape=shape_proto(array.shape),
        tensor_content=np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes(),
    )


def encode_values(array: NDArray[Any]) -> TensorProto:
    """Encode an array in its typed repeated field, the default of TensorFlow Serving's answers.

    Raises:
        TensorError: the dtype is not supported.
    """
    tensor = TensorProto(dtype=data_type(array.dtype), tensor_shape=shape_proto(array.shape))
    _, value_field = _DTYPES[tensor.dtype]
    # half_val carries the 16 bits of each value as an integer.
    values = array.view(np.uint16) if array.dtype == np.float16 else array
    getattr(tensor, value_field).extend(values.ravel().tolist())
    return tensor


def decode(tensor: TensorProto) -> NDArray[Any]:
    """Decode a tensor from ``tensor_content`` or from its typed repeated field.

    The array may be a read-only view of the message's bytes. As in TensorFlow, if there are fewer
    values than the shape needs, the last one is repeated; extra values are dropped; no values mean
    zeros.

    Raises:
        TensorError: unknown dtype, unknown rank, an invalid or huge shape, or ``tensor_content`` of
            the wrong length.
    """
    dtype = dtype_of(tensor)
    shape = decode_shape(tensor.tensor_shape)
    count = math.prod(shape)
    declared_bytes = count * dtype.itemsize
    if declared_bytes > MAX_TENSOR_BYTES:
        raise TensorError(f"shape {list(shape)} is larger than {MAX_TENSOR_BYTES} bytes")
    if tensor.tensor_content:
        if len(tensor.tensor_content) != declared_bytes:
            raise TensorError(
                f"shape {list(shape)} needs {declared_bytes} bytes,"
                f" tensor_content has {len(tensor.tensor_content)}"
            )
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    _, value_field = _DTYPES[tensor.dtype]
    return _from_values(getattr(tensor, value_field), dtype, count).reshape(shape)


def dtype_of(tensor: TensorProto) -> np.dtype[Any]:
    """The NumPy dtype of a message.

    Raises:
        TensorError: the dtype is not supported.
    """
    if tensor.dtype not in _DTYPES:
        raise TensorError(f"dtype {tensor.dtype} is not supported")
    return _DTYPES[tensor.dtype][0]


def size_bytes(tensor: TensorProto) -> int:
    """The size of the array that ``decode`` would return, however short the message is.

    Raises:
        TensorError: unknown dtype or a shape that is not fully known.
    """
    return math.prod(decode_shape(tensor.tensor_shape)) * dtype_of(tensor).itemsize


def data_type(dtype: DTypeLike) -> "DataType":
    """The ``DataType`` of a NumPy dtype.

    Raises:
        TensorError: the dtype is not supported.
    """
    little_endian = np.dtype(dtype).newbyteorder("<")
    if little_endian not in _DATA_TYPES:
        raise TensorError(f"dtype {little_endian} has no tensor encoding")
    return _DATA_TYPES[little_endian]


def shape_proto(shape: tuple[int, ...]) -> TensorShapeProto:
    """A shape as a message; -1 means a dimension of any size."""
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])


def decode_shape(shape: TensorShapeProto) -> tuple[int, ...]:
    """A fully known shape.

    Raises:
        TensorError: the rank is unknown or too high, or a dimension is negative.
    """
    if len(shape.dim) > _MAX_RANK:
        raise TensorError(f"{len(shape.dim)} dimensions are more than {_MAX_RANK}")
    sizes = tuple(dim.size for dim in shape.dim)
    if shape.unknown_rank or any(size < 0 for size in sizes):
        raise TensorError("the tensor's shape is not fully known")
    return sizes


def _from_values(values: Any, dtype: np.dtype[Any], count: int) -> NDArray[Any]:  # noqa: ANN401
    # At most as many values as the shape needs.
    values = values[:count]
    if dtype == np.dtype("<f2"):
        # half_val carries the 16 bits of each value as an integer.
        given = np.fromiter((value & 0xFFFF for value in values), "<u2", len(values)).view(dtype)
    elif dtype.kind in "iu":
        # Read into a wider type first, so that values out of range wrap around as in TensorFlow.
        wide = np.uint64 if dtype == np.dtype("<u8") else np.int64
        given = np.array(values, wide).astype(dtype)
    else:
        given = np.array(values, dtype)
    if len(given) >= count:
        return given[:count]
    filled = np.full(count, given[-1] if len(given) else 0, dtype)
    filled[: len(given)] = given
    return filled
