"""Maps every pixel through a table, with little memory."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Entry = TypeVar("_Entry", np.uint8, np.float32)


def look_up(values: NDArray[np.uint16], table: NDArray[_Entry]) -> NDArray[_Entry]:
    """Return the table's entry for each value.

    Args:
        values: uint16, of any shape with at least one axis.
        table: ``[65536]``, an entry for every possible value.
    """
    # Row by row, because NumPy converts each index to eight bytes.
    found = np.empty(values.shape, table.dtype)
    for row, indices in zip(found, values, strict=True):
        np.take(table, indices, out=row)
    return found
