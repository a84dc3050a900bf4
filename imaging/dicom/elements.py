"""Reads numbers and words of a data set as real files write them.

pydicom rejects decimal commas, keeps an empty value if a list ends with a backslash, and converts
values of any length. Here values are read from their bytes, up to a limit.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from imaging.dicom.bounded_reader import MAX_VALUE_BYTES
from imaging.errors import UndecodableImageError

_BINARY_NUMBERS: Final = frozenset(
    {"US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "OW", "US or SS"}
)
_TEXT_NUMBERS: Final = frozenset(
    {
        *("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "NumberOfFrames"),
    }
)
_BLANK: Final = " \0\t\r\n"


def numbers(data_set: Dataset, keyword: str) -> list[float]:
    """The numbers of an element; NaN for each that is empty or cannot be parsed.

    Raises:
        DamagedImageError: the element is too long.
        Exception: one of ``DATA_SET_ERRORS``, if a binary number is truncated.
    """
    if keyword not in data_set:
        return []
    element: object = data_set.get_item(keyword)
    if not isinstance(element, RawDataElement):
        return [_number(each) for each in _values(data_set[keyword].value)]
    raw = element.value or b""
    if len(raw) > MAX_VALUE_BYTES:
        raise UndecodableImageError("the DICOM file has an element with too many values")
    if keyword in _TEXT_NUMBERS and element.VR not in _BINARY_NUMBERS:
        text = raw.decode("latin-1").strip(_BLANK)
        return [_number(each) for each in text.split("\\")] if text else []
    return [_number(each) for each in _values(data_set[keyword].value)]


def number(data_set: Dataset, keyword: str, *, default: float) -> float:
    """The first valid number of an element, or the default if the element has no values.

    Returns:
        NaN if the element has values, but none is a number.
    """
    found = numbers(data_set, keyword)
    if not found:
        return default
    return next((each for each in found if not math.isnan(each)), math.nan)


def word(data_set: Dataset, keyword: str) -> str:
    """The first value of an element with a defined term, in upper case and stripped."""
    if keyword not in data_set:
        return ""
    element: object = data_set.get_item(keyword)
    if isinstance(element, RawDataElement) and len(element.value or b"") > MAX_VALUE_BYTES:
        raise UndecodableImageError("the DICOM file has an element with too many values")
    values = [str(each).strip(_BLANK) for each in _values(data_set[keyword].value)]
    return values[0].upper() if values else ""


def _values(value: object) -> Iterable[object]:
    """The values of an element, however pydicom represents them."""
    if value is None or value == "":
        return ()
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return (value,)
    return value


def _number(value: object) -> float:
    try:
        if isinstance(value, str):
            return float(value.strip(_BLANK).replace(",", "."))
        return float(value) if isinstance(value, (int, float, Decimal)) else math.nan
    except (TypeError, ValueError, OverflowError):
        return math.nan
