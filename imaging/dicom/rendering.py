"""Renders stored values to grey levels, as a viewer would.

Stored values have at most 16 bits. So each step is computed once for every possible value, in a
table, and then applied to the frame by look-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from imaging.dicom.data_set import functional_group
from imaging.dicom.description import Window, WindowChoice, WindowSource
from imaging.dicom.elements import numbers
from imaging.dicom.header import DicomHeader
from imaging.dicom.look_up_table import read_table
from imaging.dicom.modality_values import ModalityValues, modality_values, value_range
from imaging.dicom.window import (
    LUNG,
    bounds,
    distance_to_lung,
    file_windows,
    function_of,
    is_visible,
    overlaps,
    window_shades,
)
from imaging.errors import DamagedImageError
from imaging.table_look_up import look_up

_MAX_BITS: Final = 16
_VALUES: Final = 1 << _MAX_BITS
_WHITE: Final = 255.0
_BITS_OF_A_SCREEN: Final = 8
_SIGN: Final = np.uint16(1 << (_MAX_BITS - 1))
_SMALL_FRAME: Final = 1 << 16
"""In pixels; for smaller frames, a histogram of 65,536 values is slower than a direct pass."""
_MAX_TABLES: Final = 8
_TABLE: Final = Window(WindowSource.TABLE, None, None)

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Rendering:
    """A rendered frame."""

    codes: NDArray[np.uint16]
    """The index of each pixel's value in the tables, ``[rows, columns]``."""
    values: Table
    """The values before windowing: Hounsfield units, or other modality values."""
    shades: Table
    """The brightness of each value; 0 to 1 is black to white, values beyond are clipped."""
    padded: NDArray[np.bool_]
    """Which values are padding."""
    window: Window
    hounsfield: bool

    def grey(self) -> NDArray[np.uint8]:
        """The frame in 8-bit grey, black to white, ``[rows, columns]``."""
        # Viewers show padding as black, whatever its value means.
        shades = np.where(self.padded, 0, self.shades)
        table = np.rint(_WHITE * np.clip(shades, 0, 1)).astype(np.uint8)
        return look_up(self.codes, table)

    def unwindowed(self) -> NDArray[np.float32]:
        """The frame before windowing; padding gets the lowest value of the frame."""
        values = self.values.copy()
        present = _present_values(self.codes) & ~self.padded
        if present.any():
            values[self.padded] = values[present].min()
        return look_up(self.codes, values.astype(np.float32))


class _Windowed(NamedTuple):
    """A window, with the values it applies to and their brightness."""

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
    """Choose the window and render a frame.

    Args:
        stored: the frame's values, ``[rows, columns]``.
        data_set: the file's.
        header: the file's.
        index: of the frame, starting at 0.
        choice: which window or table to use.

    Raises:
        DamagedImageError: a table, slope or intercept is not valid.
        Exception: one of ``DATA_SET_ERRORS``, if an element is damaged.
    """
    values = _all_values(header)
    codes = _codes(stored, header)
    padded = _is_padding(values, data_set)
    present = _present_values(codes) & ~padded
    group = functional_group(data_set, index, "FrameVOILUTSequence")
    # A damaged slope or window may overflow; results are checked against limits, or clipped.
    with np.errstate(over="ignore", invalid="ignore"):
        modality = modality_values(values, present, data_set, header, index)
        chooser = _WindowChooser(group, header, present)
        if header.modality == "CT" and not modality.hounsfield:
            windowed = chooser.without_units(modality, values.astype(np.float64))
        else:
            windowed = chooser.in_units(modality, choice)
    shades = 1 - windowed.shades if header.inverted else windowed.shades
    return Rendering(codes, windowed.values, shades, padded, windowed.window, modality.hounsfield)


class _WindowChooser:
    """Chooses the window or look-up table of a frame.

    Args:
        group: the data set with the windows and tables.
        header: the file's.
        present: which of all values occur in the frame, except padding.
    """

    def __init__(self, group: Dataset, header: DicomHeader, present: NDArray[np.bool_]) -> None:
        self._group = group
        self._header = header
        self._present = present

    def in_units(self, modality: ModalityValues, choice: WindowChoice) -> _Windowed:
        """Choose for a CT in Hounsfield units, or for a radiograph."""
        if modality.hounsfield and choice is WindowChoice.LUNG:
            return self._lung(modality.table)
        windows = file_windows(self._group)
        if modality.hounsfield:
            windows.sort(key=distance_to_lung)
        windowed = self._through_table(modality, windows) or self._through_window(modality, windows)
        if windowed is not None:
            return windowed
        return self._lung(modality.table) if modality.hounsfield else self._all_of(modality.table)

    def without_units(self, modality: ModalityValues, stored: Table) -> _Windowed:
        """Choose for a CT that is not in Hounsfield units, where a lung window would be wrong."""
        # The rescaling may be left over from the slice that was captured from a screen.
        for values in (modality, ModalityValues(stored, 1, hounsfield=False)):
            low, high = value_range(values.table, self._present)
            windows = [each for each in file_windows(self._group) if overlaps(each, low, high)]
            windowed = self._through_table(values, windows) or self._through_window(values, windows)
            if windowed is not None:
                return windowed
        return self._all_of(stored)

    def _through_table(
        self, modality: ModalityValues, windows: Sequence[Window]
    ) -> _Windowed | None:
        low, high = value_range(modality.table, self._present)
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
            if is_visible(shades, self._present):
                return _Windowed(_TABLE, modality.table, shades)
        # A broken table is ignored if there is a usable window or table.
        if broken is not None and not windows:
            raise broken
        return None

    def _through_window(
        self, modality: ModalityValues, windows: Sequence[Window]
    ) -> _Windowed | None:
        function = function_of(self._group)
        for window in windows:
            if bounds(window)[1] < min(modality.step, 1):
                # Narrower than one value: everything would be black or white.
                continue
            shades = window_shades(modality.table, window, function=function, step=modality.step)
            if is_visible(shades, self._present):
                return _Windowed(window, modality.table, shades)
        return None

    @staticmethod
    def _lung(values: Table) -> _Windowed:
        return _Windowed(LUNG, values, window_shades(values, LUNG, function="LINEAR"))

    def _all_of(self, values: Table) -> _Windowed:
        """Use the full range of values; for unsigned 8-bit data, 0 to 255 as on a screen."""
        low, high = value_range(values, self._present)
        if self._header.bits_stored == _BITS_OF_A_SCREEN and not self._header.signed:
            screen = values[: 1 << _BITS_OF_A_SCREEN]
            low, high = float(screen.min()), float(screen.max())
        window = Window(WindowSource.RANGE, (low + high) / 2, high - low)
        return _Windowed(window, values, window_shades(values, window))


def _all_values(header: DicomHeader) -> NDArray[np.int64]:
    """Every possible stored value, in ascending order."""
    lowest = -_VALUES // 2 if header.signed else 0
    return np.arange(lowest, lowest + _VALUES)


def _codes(stored: NDArray[np.integer[Any]], header: DicomHeader) -> NDArray[np.uint16]:
    """The index of each value in a table that starts with the lowest value."""
    if header.signed:
        return stored.astype(np.int16, copy=False).view(np.uint16) ^ _SIGN
    return stored.astype(np.uint16, copy=False)


def _is_padding(values: NDArray[np.int64], data_set: Dataset) -> NDArray[np.bool_]:
    padding = numbers(data_set, "PixelPaddingValue")
    if not padding:
        return np.zeros(len(values), np.bool_)
    limit = numbers(data_set, "PixelPaddingRangeLimit") or padding
    # Some files have a negative padding value without its sign.
    ends = (int(padding[0]), int(limit[0]))
    low, high = sorted((end - values[0]) % _VALUES + values[0] for end in ends)
    return np.asarray((values >= low) & (values <= high))


def _present_values(codes: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which values occur in the frame."""
    if codes.size > _SMALL_FRAME:
        return np.asarray(cv2.calcHist([codes], [0], None, [_VALUES], [0, _VALUES]).ravel() > 0)
    present = np.zeros(_VALUES, np.bool_)
    present[codes.ravel()] = True
    return present
