"""Numbers and words of a data set, as files really write them.

pydicom refuses a decimal comma and keeps an empty value where a list ends in a backslash; and it
converts a value of any length. Here a value is read from its bytes, with a bound.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from imaging.dicom.bounded_reader import MAX_VALUE_BYTES
from imaging.errors import DamagedImageError

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
    """An element's numbers; not a number where one is empty or cannot be read.

    Raises:
        DamagedImageError: the element is too long.
        Exception: one of ``DATA_SET_ERRORS``, where a binary number is cut.
    """
    if keyword not in data_set:
        return []
    element: object = data_set.get_item(keyword)
    if not isinstance(element, RawDataElement):
        return [_number(each) for each in _values(data_set[keyword].value)]
    raw = element.value or b""
    if len(raw) > MAX_VALUE_BYTES:
        raise DamagedImageError("the dicom file has an element with too many values")
    if keyword in _TEXT_NUMBERS and element.VR not in _BINARY_NUMBERS:
        text = raw.decode("latin-1").strip(_BLANK)
        return [_number(each) for each in text.split("\\")] if text else []
    return [_number(each) for each in _values(data_set[keyword].value)]


def number(data_set: Dataset, keyword: str, *, default: float) -> float:
    """The first number of an element that can be read, or the default where there is none at all.

    Returns:
        Not a number where there is something, and no number.
    """
    found = numbers(data_set, keyword)
    if not found:
        return default
    return next((each for each in found if not math.isnan(each)), math.nan)


def word(data_set: Dataset, keyword: str) -> str:
    """The first value of an element that holds a defined term: in capitals, without blanks."""
    if keyword not in data_set:
        return ""
    element: object = data_set.get_item(keyword)
    if isinstance(element, RawDataElement) and len(element.value or b"") > MAX_VALUE_BYTES:
        raise DamagedImageError("the dicom file has an element with too many values")
    values = [str(each).strip(_BLANK) for each in _values(data_set[keyword].value)]
    return values[0].upper() if values else ""


def _values(value: object) -> Iterable[object]:
    """One value, several or none, as pydicom gives them."""
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
