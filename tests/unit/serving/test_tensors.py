"""Tensors on the wire: arrays survive a round trip, and inconsistent tensors are rejected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.protos.tensor_pb2 import DataType, TensorProto, TensorShapeProto
from serving.tensors import TensorError, decode, encode, shape_proto

DTYPES = st.sampled_from(["f4", "f8", "i4", "i8", "u1", "i2", "u2", "i1", "u4", "u8", "?", "f2"])


@given(DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0))))
def test_an_array_is_unchanged_after_encoding_and_decoding(array: np.ndarray):
    decoded = decode(encode(array))
    assert (decoded.dtype, decoded.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(decoded, array)


def test_the_byte_order_on_the_wire_is_little_endian():
    assert encode(np.array([1], ">i4")).tensor_content == b"\x01\0\0\0"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([1, 2], [1, 2, 2, 2]),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4]),
        ([], [0, 0, 0, 0]),
    ],
    ids=["exact count", "too few repeat the last", "too many are dropped", "none become zeros"],
)
def test_values_in_the_typed_field_fill_the_shape(values: list[float], expected: list[float]):
    tensor = TensorProto(
        dtype=DataType.DT_FLOAT, tensor_shape=shape_proto((2, 2)), float_val=values
    )
    np.testing.assert_array_equal(decode(tensor).ravel(), np.array(expected, np.float32))


@pytest.mark.parametrize(("value", "expected"), [(300, 44), (-1, 255), (255, 255)])
def test_integers_out_of_range_wrap_around(value: int, expected: int):
    tensor = TensorProto(dtype=DataType.DT_UINT8, tensor_shape=shape_proto((1,)), int_val=[value])
    assert decode(tensor).tolist() == [expected]


def test_half_values_are_read_as_raw_bits():
    tensor = TensorProto(dtype=DataType.DT_HALF, tensor_shape=shape_proto((1,)), half_val=[0x3C00])
    np.testing.assert_array_equal(decode(tensor), np.array([1], np.float16))


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(dtype=DataType.DT_INVALID),
        TensorProto(dtype=DataType.DT_STRING),
        TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=TensorShapeProto(unknown_rank=True)),
        TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=shape_proto((-1, 2))),
        TensorProto(
            dtype=DataType.DT_FLOAT, tensor_shape=shape_proto((2,)), tensor_content=b"\0" * 7
        ),
        TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=shape_proto((1 << 40,)), float_val=[1]),
        # Multiplying these sizes would exceed the time limit of the test.
        TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=shape_proto((1 << 62,) * 300_000)),
    ],
    ids=[
        "no dtype",
        "strings",
        "unknown rank",
        "negative size",
        "wrong length",
        "huge shape",
        "very many dimensions",
    ],
)
def test_an_invalid_tensor_is_rejected(tensor: TensorProto):
    with pytest.raises(TensorError):
        decode(tensor)


def test_an_array_of_strings_is_rejected():
    with pytest.raises(TensorError):
        encode(np.array(["text"]))
