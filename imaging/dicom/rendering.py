"""From stored values to grey, as a viewer would show them.

Stored values have at most 16 bits. So each step is taken for every value that there may be, in one
table, and the frame is looked up in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from imaging.dicom.data_set import functional_group
from imaging.dicom.description import Window, WindowChoice, WindowSource
from imaging.dicom.elements import numbers
from imaging.dicom.header import DicomHeader
from imaging.dicom.look_up_table import read_table
from imaging.dicom.modality_values import ModalityValues, modality_values
from imaging.dicom.window import (
    LUNG,
    bounds,
    distance_to_lung,
    file_windows,
    function_of,
    overlaps,
    shows,
    window_shades,
)
from imaging.errors import DamagedImageError

_MAX_BITS: Final = 16
_VALUES: Final = 1 << _MAX_BITS
_WHITE: Final = 255.0
_BITS_OF_A_SCREEN: Final = 8
_SIGN: Final = np.uint16(1 << (_MAX_BITS - 1))
_SMALL_FRAME: Final = 1 << 16
"""In pixels: a histogram of 65,536 values costs more than to go over them."""
_MAX_TABLES: Final = 8
_TABLE: Final = Window(WindowSource.TABLE, None, None)

Table = NDArray[np.float64]
_Entry = TypeVar("_Entry", np.uint8, np.float32)


@dataclass(frozen=True)
class Rendering:
    """How a frame is shown."""

    codes: NDArray[np.uint16]
    """Where in the tables each of the frame's values is, ``[rows, columns]``."""
    values: Table
    """What a window is laid over: Hounsfield units, or the modality's own values."""
    shades: Table
    """How bright each value is, 0 to 1 and beyond."""
    padded: NDArray[np.bool_]
    """Which values are outside of what was scanned."""
    window: Window
    hounsfield: bool

    def grey(self) -> NDArray[np.uint8]:
        """The frame in 8-bit grey, black to white, ``[rows, columns]``."""
        # Outside of what was scanned a viewer is black, whatever the values there mean.
        shades = np.where(self.padded, 0, self.shades)
        table = np.rint(_WHITE * np.clip(shades, 0, 1)).astype(np.uint8)
        return _look_up(self.codes, table)

    def unwindowed(self) -> NDArray[np.float32]:
        """The frame before any window; padding has the lowest value of the frame."""
        values = self.values.copy()
        there = _there(self.codes) & ~self.padded
        if there.any():
            values[self.padded] = values[there].min()
        return _look_up(self.codes, values.astype(np.float32))


class _Shown(NamedTuple):
    """What a frame is shown through, its values, and how bright each is."""

    window: Window
    values: Table
    shades: Table


def render(
    stored: NDArray[np.integer[Any]],
    data_set: FileDataset,
    header: DicomHeader,
    index: int,
    choice: WindowChoice,
) -> Rendering:
    """Choose how a frame is shown.

    Args:
        stored: the frame's values, ``[rows, columns]``.
        data_set: the file's.
        header: the file's.
        index: of the frame, from 0 on.
        choice: what the grey values are to come from.

    Raises:
        DamagedImageError: a table, a slope or an intercept is not what it should be.
        Exception: one of ``DATA_SET_ERRORS``, where an element is damaged.
    """
    values = _all_values(header)
    codes = _codes(stored, header)
    padded = _is_padding(values, data_set)
    there = _there(codes) & ~padded
    group = functional_group(data_set, index, "FrameVOILUTSequence")
    # Of a damaged slope or window; what comes out is held against limits, or black or white.
    with np.errstate(over="ignore", invalid="ignore"):
        modality = modality_values(values, there, data_set, header, index)
        chooser = _Chooser(group, header, there)
        if header.modality == "CT" and not modality.hounsfield:
            shown = chooser.without_units(modality, values.astype(np.float64))
        else:
            shown = chooser.in_units(modality, choice)
    shades = 1 - shown.shades if header.inverted else shown.shades
    return Rendering(codes, shown.values, shades, padded, shown.window, modality.hounsfield)


class _Chooser:
    """Finds what a frame can be shown through.

    Args:
        group: where the file's windows and tables are.
        header: the file's.
        there: which of all values the frame has.
    """

    def __init__(self, group: Dataset, header: DicomHeader, there: NDArray[np.bool_]) -> None:
        self._group = group
        self._header = header
        self._there = there

    def in_units(self, modality: ModalityValues, choice: WindowChoice) -> _Shown:
        """What a CT in Hounsfield units has, or a radiograph brings with it."""
        if modality.hounsfield and choice is WindowChoice.LUNG:
            return self._lung(modality.table)
        windows = file_windows(self._group)
        if modality.hounsfield:
            windows.sort(key=distance_to_lung)
        shown = self._through_table(modality, windows) or self._through_window(modality, windows)
        if shown is not None:
            return shown
        return self._lung(modality.table) if modality.hounsfield else self._all_of(modality.table)

    def without_units(self, modality: ModalityValues, stored: Table) -> _Shown:
        """What a CT has that is not in Hounsfield units: a lung window would only pretend."""
        # A rescaling may be left over from the slice that a screen was captured of.
        for values in (modality, ModalityValues(stored, 1, hounsfield=False)):
            low, high = self._ends(values.table)
            windows = [each for each in file_windows(self._group) if overlaps(each, low, high)]
            shown = self._through_table(values, windows) or self._through_window(values, windows)
            if shown is not None:
                return shown
        return self._all_of(stored)

    def _through_table(self, modality: ModalityValues, windows: Sequence[Window]) -> _Shown | None:
        low, high = self._ends(modality.table)
        broken: DamagedImageError | None = None
        for item in (self._group.get("VOILUTSequence") or ())[:_MAX_TABLES]:
            try:
                table = read_table(item, self._header.transfer_syntax)
            except DamagedImageError as error:
                broken = broken or error
                continue
            if table is None:
                continue
            shades = table.shades(np.rint(modality.table), low=np.rint(low), high=np.rint(high))
            if shows(shades, self._there):
                return _Shown(_TABLE, modality.table, shades)
        # Beside a window or another table that can be used, a broken one counts for nothing.
        if broken is not None and not windows:
            raise broken
        return None

    def _through_window(self, modality: ModalityValues, windows: Sequence[Window]) -> _Shown | None:
        function = function_of(self._group)
        for window in windows:
            if bounds(window)[1] < min(modality.step, 1):
                # It has room for no value: all would be black or white.
                continue
            shades = window_shades(modality.table, window, function=function, step=modality.step)
            if shows(shades, self._there):
                return _Shown(window, modality.table, shades)
        return None

    @staticmethod
    def _lung(values: Table) -> _Shown:
        return _Shown(LUNG, values, window_shades(values, LUNG, function="LINEAR"))

    def _all_of(self, values: Table) -> _Shown:
        """From the lowest to the highest value; what a screen shows is what it holds."""
        low, high = self._ends(values)
        if self._header.bits_stored == _BITS_OF_A_SCREEN and not self._header.signed:
            screen = values[: 1 << _BITS_OF_A_SCREEN]
            low, high = float(screen.min()), float(screen.max())
        window = Window(WindowSource.RANGE, (low + high) / 2, high - low)
        return _Shown(window, values, window_shades(values, window))

    def _ends(self, values: Table) -> tuple[float, float]:
        seen = values[self._there]
        return (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)


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
    padding = numbers(data_set, "PixelPaddingValue")
    if not padding:
        return np.zeros(len(values), np.bool_)
    limit = numbers(data_set, "PixelPaddingRangeLimit") or padding
    # Some files have a negative one without its sign.
    ends = (int(padding[0]), int(limit[0]))
    low, high = sorted((end - values[0]) % _VALUES + values[0] for end in ends)
    return np.asarray((values >= low) & (values <= high))


def _there(codes: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which values the frame has."""
    if codes.size > _SMALL_FRAME:
        return np.asarray(cv2.calcHist([codes], [0], None, [_VALUES], [0, _VALUES]).ravel() > 0)
    there = np.zeros(_VALUES, np.bool_)
    there[codes.ravel()] = True
    return there


def _look_up(codes: NDArray[np.uint16], table: NDArray[_Entry]) -> NDArray[_Entry]:
    # Row by row: NumPy makes eight bytes of each index.
    found = np.empty(codes.shape, table.dtype)
    for row, code in zip(found, codes, strict=True):
        np.take(table, code, out=row)
    return found
