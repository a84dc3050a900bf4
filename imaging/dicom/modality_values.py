"""Converts stored values to modality values (PS3.3, C.11.1), and detects Hounsfield units."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.dicom.data_set import functional_group
from imaging.dicom.elements import number, word
from imaging.dicom.header import DicomHeader
from imaging.dicom.look_up_table import read_table
from imaging.errors import DamagedImageError

MAX_MODALITY_VALUE: Final = 1e9
"""Beyond the range of every modality's unit."""
_SCREEN_BITS: Final = 8
_CT_UNITS: Final = frozenset(
    {
        *("", "HU", "HU_MOD", "US", "UNSPECIFIED"),
        *("HOUNSFIELD", "HOUNSFIELD UNIT", "HOUNSFIELD UNITS"),
    }
)
"""The rescale types of a CT in Hounsfield units, and what writers put instead of a defined term;
``US`` means unspecified, not unsigned."""
_LUNG_HU: Final = -300
"""Every chest CT has darker values: lung, or the air around the patient."""
_TISSUE_HU: Final = -650
"""Every chest CT has brighter values; eight bits with an intercept of -1024 end at -769."""
_CAPTURE_RANGE: Final = 180
"""Air beside the patient spans less than this; a screen capture spans more."""
_AIR_INTERCEPT: Final = -500
_SCREEN_RANGE_HU: Final = 900
"""The range that 8-bit values must span to be Hounsfield units."""

Table = NDArray[np.float64]


@dataclass(frozen=True)
class ModalityValues:
    """The modality value of each possible stored value."""

    table: Table
    step: float
    """The difference between two adjacent stored values."""
    hounsfield: bool


def modality_values(
    values: NDArray[np.int64],
    present: NDArray[np.bool_],
    data_set: Dataset,
    header: DicomHeader,
    index: int,
) -> ModalityValues:
    """Apply the modality look-up table, or slope and intercept.

    Args:
        values: every possible stored value.
        present: which of them occur in the frame, except padding.
        data_set: the file's.
        header: the file's.
        index: of the frame, starting at 0.

    Raises:
        DamagedImageError: a table, slope or intercept is not valid.
        Exception: one of ``DATA_SET_ERRORS``, if an element is damaged.
    """
    group = functional_group(data_set, index, "PixelValueTransformationSequence")
    rescaled = "RescaleSlope" in group or "RescaleIntercept" in group
    low, high = value_range(values, present)
    for item in (data_set.get("ModalityLUTSequence") or ())[:1]:
        try:
            table = read_table(item, header.transfer_syntax)
        except DamagedImageError:
            if not rescaled:
                raise
            continue
        if table is not None:
            mapped = table.apply(values, low=low, high=high)
            units = word(item, "ModalityLUTType")
            return ModalityValues(
                mapped, 1, _is_hounsfield(header, units, value_range(mapped, present), intercept=0)
            )
    # A slope of zero would make every image uniform.
    slope = number(group, "RescaleSlope", default=1) or 1.0
    intercept = number(group, "RescaleIntercept", default=0)
    modality: Table = values * slope + intercept
    # NaN fails the comparison and is therefore rejected too.
    if not (np.abs(modality) <= MAX_MODALITY_VALUE).all():
        raise DamagedImageError("the DICOM file's slope or intercept is out of range")
    units = word(group, "RescaleType")
    hounsfield = _is_hounsfield(header, units, value_range(modality, present), intercept=intercept)
    return ModalityValues(modality, abs(slope), hounsfield)


def _is_hounsfield(
    header: DicomHeader, units: str, ends: tuple[float, float], *, intercept: float
) -> bool:
    """Whether header and values both indicate Hounsfield units; secondary captures often do not."""
    low, high = ends
    if header.modality != "CT" or units not in _CT_UNITS:
        return False
    if high <= _TISSUE_HU and high - low >= _CAPTURE_RANGE:
        return False
    if header.bits_stored <= _SCREEN_BITS:
        return low <= _LUNG_HU and high - low >= _SCREEN_RANGE_HU
    # Unsigned values need an intercept to be below water; signed ones may be stored directly.
    return intercept <= _AIR_INTERCEPT or low <= _LUNG_HU


def value_range(
    table: NDArray[np.int64] | Table, present: NDArray[np.bool_]
) -> tuple[float, float]:
    """The lowest and the highest value that occurs in the frame; (0, 0) if it is all padding.

    Args:
        table: the value of each possible stored value.
        present: which of the possible stored values occur in the frame, except padding.
    """
    values = table[present]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
