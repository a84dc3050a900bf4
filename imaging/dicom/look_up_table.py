"""Look-up tables of a DICOM file (PS3.3, C.11.1.1), with the errors of common writers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian

from imaging.dicom.elements import numbers
from imaging.errors import DamagedImageError, UndecodableImageError

_MAX_BITS: Final = 16
_VALUES: Final = 1 << _MAX_BITS
_MAX_DATA_BYTES: Final = 2 * _VALUES + 2
_MAX_MISSING: Final = 2
"""By how much the count in a descriptor may be too high."""

Table = NDArray[np.float64]


@dataclass(frozen=True)
class LookUpTable:
    """The entries, and the value that the first entry is for."""

    entries: NDArray[np.uint16]
    first: int

    def apply(self, values: NDArray[Any], *, low: float, high: float) -> Table:
        """Look up the entry of each value; values beyond the ends get the first or last entry.

        Args:
            values: any values.
            low: the lowest value of the frame.
            high: the highest value of the frame.
        """
        places = np.clip(values - self._first_for(low, high), 0, len(self.entries) - 1)
        found: Table = self.entries[places.astype(np.int64)].astype(np.float64)
        return found

    def shades(self, values: NDArray[Any], *, low: float, high: float) -> Table:
        """Look up the entry of each value, scaled to 0 to 1."""
        return self.apply(values, low=low, high=high) / ((1 << self._bits_reached()) - 1)

    def _first_for(self, low: float, high: float) -> int:
        # Writers omit the sign of the first value, or add one. The reading that overlaps the
        # frame's values is the right one.
        last = len(self.entries) - 1
        for first in (self.first, self.first - _VALUES, self.first + _VALUES):
            if first <= high and first + last >= low:
                return first
        return self.first

    def _bits_reached(self) -> int:
        """How many bits the entries use; writers declare 16 for 12-bit tables and vice versa."""
        return max(1, int(self.entries.max()).bit_length())


def read_table(item: Dataset, syntax: UID) -> LookUpTable | None:
    """Read the item of a modality or VOI look-up table sequence.

    Returns:
        None if the item has neither descriptor nor entries.

    Raises:
        DamagedImageError: one is missing, or they contradict each other.
        Exception: one of ``DATA_SET_ERRORS``, if an element is damaged.
    """
    descriptor = numbers(item, "LUTDescriptor")
    entries = _entries(item)
    if not descriptor and not entries:
        return None
    if len(descriptor) != 3 or not np.isfinite(descriptor).all() or not entries:  # noqa: PLR2004
        raise DamagedImageError("the DICOM file has an incomplete look-up table")
    count, first, bits = (int(each) for each in descriptor)
    # Some write counts above 32,767 with a sign; 65,536 does not fit and is written as 0.
    count = count % _VALUES or _VALUES
    if isinstance(entries, bytes):
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        # 8-bit entries may be packed two to a word.
        in_bytes = len(entries) < 2 * (count - _MAX_MISSING)
        dtype = np.dtype(np.uint8) if in_bytes else np.dtype(f"{order}u2")
        table = np.frombuffer(entries[: len(entries) // dtype.itemsize * dtype.itemsize], dtype)
    else:
        table = np.array([int(entry) % _VALUES for entry in entries], np.uint16)
    if len(table) < max(1, count - _MAX_MISSING) or not 1 <= bits <= _MAX_BITS:
        raise DamagedImageError("the DICOM file has an incomplete look-up table")
    return LookUpTable(table[:count].astype(np.uint16), first)


def _entries(item: Dataset) -> bytes | list[int]:
    if "LUTData" not in item:
        return b""
    element: object = item.get_item("LUTData")
    if isinstance(element, RawDataElement) and len(element.value or b"") > _MAX_DATA_BYTES:
        raise UndecodableImageError("the DICOM file has a look-up table that is too long")
    data = item["LUTData"].value
    if data is None or isinstance(data, bytes):
        return data or b""
    return list(data) if isinstance(data, Iterable) else [data]
