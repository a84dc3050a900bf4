"""From stored values to grey, as a viewer would show them.

Stored values have at most 16 bits. So each step is taken for every value that there may be, in one
table, and the frame is looked up in it.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ExplicitVRBigEndian

from serving.dicom.data_set import functional_group
from serving.dicom.description import Window, WindowChoice, WindowSource
from serving.dicom.header import DicomHeader
from serving.errors import DamagedImageError

LUNG: Final = Window(WindowSource.LUNG, -600.0, 1500.0)
"""In Hounsfield units."""

_MOST_BITS: Final = 16
_VALUES: Final = 1 << _MOST_BITS
_WHITE: Final = 255.0
_BITS_OF_A_SCREEN: Final = 8
_SIGN: Final = np.uint16(1 << (_MOST_BITS - 1))
_LARGEST: Final = 1e9
"""No unit of any modality goes further."""

Table = NDArray[np.float64]
_Entry = TypeVar("_Entry", np.uint8, np.float32)


def render(
    stored: NDArray[np.integer[Any]],
    data_set: FileDataset,
    header: DicomHeader,
    index: int,
    choice: WindowChoice,
) -> tuple[NDArray[np.uint8], Window]:
    """Bring a frame to 8-bit grey, black to white.

    Args:
        stored: the frame's values, ``[rows, columns]``.
        data_set: the file's.
        header: the file's.
        index: of the frame, from 0 on.
        choice: what the grey values are to come from.

    Returns:
        uint8 ``[rows, columns]``, and where they came from.

    Raises:
        DamagedImageError: a table or a window is not what it should be.
        Exception: one of ``DATA_SET_ERRORS``, where an element is damaged.
    """
    values = _all_values(header)
    codes = _codes(stored, header)
    padded = _is_padding(values, data_set)
    group = functional_group(data_set, index, "FrameVOILUTSequence")
    # Of a damaged slope or window; what comes out is held against limits, or black or white.
    with np.errstate(over="ignore", invalid="ignore"):
        modality = _modality_values(values, data_set, header, index)
        window = _chosen_window(group, header, choice) or _range(modality, header, codes, padded)
        shades = _shades(modality, window, group, header)
    if header.inverted:
        shades = 1 - shades
    # Outside of what was scanned a viewer is black, whatever the values there mean.
    shades[padded] = 0
    table = np.rint(_WHITE * np.clip(shades, 0, 1)).astype(np.uint8)
    return _look_up(codes, table), window


def unwindowed(
    stored: NDArray[np.integer[Any]],
    data_set: FileDataset,
    header: DicomHeader,
    index: int,
) -> NDArray[np.float32]:
    """What a window is laid over: Hounsfield units in a CT, stored values in a radiograph.

    Padding has the lowest value of the frame.

    Args:
        stored: the frame's values, ``[rows, columns]``.
        data_set: the file's.
        header: the file's.
        index: of the frame, from 0 on.

    Raises:
        DamagedImageError: a table, slope or intercept is not what it should be.
        Exception: one of ``DATA_SET_ERRORS``, where an element is damaged.
    """
    values = _all_values(header)
    codes = _codes(stored, header)
    modality = _modality_values(values, data_set, header, index)
    padded = _is_padding(values, data_set)
    there = _there(codes) & ~padded
    if there.any():
        modality[padded] = modality[there].min()
    return _look_up(codes, modality.astype(np.float32))


def _all_values(header: DicomHeader) -> NDArray[np.int64]:
    """Every value that may be stored, from the lowest on."""
    lowest = -_VALUES // 2 if header.signed else 0
    return np.arange(lowest, lowest + _VALUES)


def _codes(stored: NDArray[np.integer[Any]], header: DicomHeader) -> NDArray[np.uint16]:
    """Where in a table that begins with the lowest value each value stands."""
    if header.signed:
        return stored.astype(np.int16, copy=False).view(np.uint16) ^ _SIGN
    return stored.astype(np.uint16, copy=False)


def _is_padding(values: NDArray[np.int64], data_set: Dataset) -> NDArray[np.bool_]:
    padding = data_set.get("PixelPaddingValue")
    if padding is None:
        return np.zeros(len(values), np.bool_)
    limit = data_set.get("PixelPaddingRangeLimit")
    # Some files have a negative one without its sign.
    ends = (int(padding), int(padding if limit is None else limit))
    low, high = sorted((end - values[0]) % _VALUES + values[0] for end in ends)
    return np.asarray((values >= low) & (values <= high))


def _modality_values(
    values: NDArray[np.int64], data_set: Dataset, header: DicomHeader, index: int
) -> Table:
    """PS3.3, C.11.1: look-up table, or slope and intercept."""
    if data_set.get("ModalityLUTSequence"):
        return _mapped(values, data_set.ModalityLUTSequence[0], header)[0]
    group = functional_group(data_set, index, "PixelValueTransformationSequence")
    slope, intercept = (
        float(default if group.get(name) is None else group[name].value)
        for name, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    modality: Table = values * slope + intercept
    # A NaN fails the comparison and so is refused as well.
    if not (np.abs(modality) <= _LARGEST).all():
        raise DamagedImageError("the dicom file's slope or intercept is out of proportion")
    return modality


def _chosen_window(group: Dataset, header: DicomHeader, choice: WindowChoice) -> Window | None:
    """What a CT has, or a radiograph brings with it."""
    if header.modality == "CT" and choice is WindowChoice.LUNG:
        return LUNG
    if group.get("VOILUTSequence"):
        return Window(WindowSource.TABLE, None, None)
    windows = _windows(group)
    if header.modality == "CT":
        return min(windows, key=_distance_to_lung, default=LUNG)
    return windows[0] if windows else None


def _distance_to_lung(window: Window) -> float:
    return abs(_bounds(window)[0] - _bounds(LUNG)[0])


def _shades(modality: Table, window: Window, group: Dataset, header: DicomHeader) -> Table:
    """How bright each value is, 0 to 1 and beyond; where MONOCHROME1, how dark."""
    match window.source:
        case WindowSource.TABLE:
            entries, bits = _mapped(np.rint(modality), group.VOILUTSequence[0], header)
            return entries / ((1 << bits) - 1)
        case WindowSource.FILE:
            function = str(group.get("VOILUTFunction") or "LINEAR")
            return _FUNCTIONS.get(function, _linear)(modality, window)
        case WindowSource.LUNG:
            return _linear(modality, window)
        case WindowSource.RANGE:
            return _linear_exact(modality, window)


def _windows(group: Dataset) -> list[Window]:
    centers, widths = (_numbers(group.get(name)) for name in ("WindowCenter", "WindowWidth"))
    return [
        Window(WindowSource.FILE, center, width)
        for center, width in zip(centers, widths, strict=False)
        if abs(center) <= _LARGEST and 0 < width <= _LARGEST
    ]


def _numbers(value: str | float | Sequence[float] | None) -> list[float]:
    """One number, several or none, as pydicom gives them; an empty element is an empty text."""
    if value is None or value == "":
        return []
    return [float(each) for each in (value if isinstance(value, Sequence) else [value])]


def _linear(modality: Table, window: Window) -> Table:
    """PS3.3, C.11.2.1.2.1."""
    center, width = _bounds(window)
    if width <= 1:
        return (modality > center - 0.5).astype(np.float64)
    return (modality - (center - 0.5)) / (width - 1) + 0.5


def _linear_exact(modality: Table, window: Window) -> Table:
    """PS3.3, C.11.2.1.3.2."""
    center, width = _bounds(window)
    if width == 0:
        return np.zeros(len(modality))
    return (modality - center) / width + 0.5


def _sigmoid(modality: Table, window: Window) -> Table:
    """PS3.3, C.11.2.1.3.1."""
    center, width = _bounds(window)
    # Beyond this the exponential overflows, and the shade is black all the same.
    return 1 / (1 + np.exp(np.clip(-4 * (modality - center) / width, None, 500)))


_FUNCTIONS: Final = {"LINEAR": _linear, "LINEAR_EXACT": _linear_exact, "SIGMOID": _sigmoid}


def _bounds(window: Window) -> tuple[float, float]:
    if window.center is None or window.width is None:
        raise ValueError("a look-up table has no window")
    return window.center, window.width


def _mapped(values: NDArray[Any], item: Dataset, header: DicomHeader) -> tuple[Table, int]:
    """Each value's entry in a look-up table, and how many bits entries have (PS3.3, C.11.1.1)."""
    order = ">" if header.transfer_syntax == ExplicitVRBigEndian else "<"
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count or _VALUES
    data = item.LUTData
    if isinstance(data, bytes):
        # Entries of 8 bits may lie two in a word.
        dtype = np.uint8 if len(data) < 2 * count else np.dtype(f"{order}u2")
        entries = np.frombuffer(data, dtype)
    else:
        entries = np.atleast_1d(np.asarray(data))
    if len(entries) < count or not 1 <= bits <= _MOST_BITS:
        raise DamagedImageError("the dicom file has a look-up table that is cut off")
    places = np.clip(values - first, 0, count - 1).astype(np.int64)
    return entries[places].astype(np.float64), bits


def _range(
    modality: Table, header: DicomHeader, codes: NDArray[np.uint16], padded: NDArray[np.bool_]
) -> Window:
    if header.bits_stored == _BITS_OF_A_SCREEN and not header.signed:
        # What a screen capture shows is what it holds.
        seen = modality[: 1 << _BITS_OF_A_SCREEN]
    else:
        seen = modality[_there(codes) & ~padded]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    return Window(WindowSource.RANGE, (low + high) / 2, high - low)


def _there(codes: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which values the frame has."""
    return np.asarray(cv2.calcHist([codes], [0], None, [_VALUES], [0, _VALUES]).ravel() > 0)


def _look_up(codes: NDArray[np.uint16], table: NDArray[_Entry]) -> NDArray[_Entry]:
    # Row by row: NumPy makes eight bytes of each index.
    found = np.empty(codes.shape, table.dtype)
    for row, code in zip(found, codes, strict=True):
        np.take(table, code, out=row)
    return found
