"""Tensors on the wire: what is encoded comes back, and what lies about itself is rejected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.protos.tensor_pb2 import DataType, TensorProto, TensorShapeProto
from serving.tensors import TensorError, decode, encode, shape_proto

DTYPES = st.sampled_from(["f4", "f8", "i4", "i8", "u1", "i2", "u2", "i1", "u4", "u8", "?", "f2"])


@given(DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0))))
def test_an_array_comes_back_as_it_was(array: np.ndarray):
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
    ids=["as many as the shape", "fewer repeat the last", "more are cut", "none are zeros"],
)
def test_values_in_the_typed_field_fill_the_shape(values: list[float], expected: list[float]):
    tensor = TensorProto(
        dtype=DataType.DT_FLOAT, tensor_shape=shape_proto((2, 2)), float_val=values
    )
    np.testing.assert_array_equal(decode(tensor).ravel(), np.array(expected, np.float32))


@pytest.mark.parametrize(("value", "expected"), [(300, 44), (-1, 255), (255, 255)])
def test_integers_that_do_not_fit_wrap_round(value: int, expected: int):
    tensor = TensorProto(dtype=DataType.DT_UINT8, tensor_shape=shape_proto((1,)), int_val=[value])
    assert decode(tensor).tolist() == [expected]


def test_half_values_are_bits():
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
        # The product of these sizes would take longer than the test may.
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
def test_a_tensor_that_cannot_be_is_rejected(tensor: TensorProto):
    with pytest.raises(TensorError):
        decode(tensor)


def test_an_array_without_a_data_type_is_rejected():
    with pytest.raises(TensorError):
        encode(np.array(["text"]))
