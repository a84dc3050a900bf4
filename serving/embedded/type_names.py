"""TensorFlow's names of tensor types, as used in its messages.

The numbers and names are from ``tensorflow/core/framework/types.proto``. A request may declare any
of these types; ``serving.tensors`` only decodes those that a model can take.
"""

from collections.abc import Mapping
from typing import Final

TYPE_NAMES: Final[Mapping[int, str]] = {
    1: "float",
    2: "double",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "half",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
    24: "float8_e5m2",
    25: "float8_e4m3fn",
    26: "float8_e4m3fnuz",
    27: "float8_e4m3b11fnuz",
    28: "float8_e5m2fnuz",
    29: "int4",
    30: "uint4",
}
