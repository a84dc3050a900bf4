"""Windows, and the brightness of values in them (PS3.3, C.11.2.1)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.dicom.description import Window, WindowSource
from imaging.dicom.elements import numbers, word
from imaging.dicom.modality_values import MAX_MODALITY_VALUE

LUNG: Final = Window(WindowSource.LUNG, -600.0, 1500.0)
"""In Hounsfield units."""

_MAX_WINDOWS: Final = 32
_NARROW: Final = 100
"""At this width or more, in units, the half unit that LINEAR removes at each end is irrelevant."""
_MIN_SPREAD: Final = 0.1
"""A window that shows the frame in less than a tenth of the grey range does not match its
values."""
_MIN_OVERLAP: Final = 0.75
"""The windows of a CT that is not in Hounsfield units may still be in Hounsfield units."""

Table = NDArray[np.float64]


def file_windows(group: Dataset) -> list[Window]:
    """The usable windows among a file's first ones, in order."""
    centers, widths = (numbers(group, name) for name in ("WindowCenter", "WindowWidth"))
    pairs = list(zip(centers, widths, strict=False))[:_MAX_WINDOWS]
    return [
        Window(WindowSource.FILE, center, width)
        for center, width in pairs
        # NaN fails the comparison.
        if abs(center) <= MAX_MODALITY_VALUE and 0 < width <= MAX_MODALITY_VALUE
    ]


def distance_to_lung(window: Window) -> float:
    """The distance of the centre from that of the lung window."""
    return abs(bounds(window)[0] - bounds(LUNG)[0])


def window_shades(
    values: Table, window: Window, *, function: str = "LINEAR_EXACT", step: float = 1
) -> Table:
    """The brightness of each value; 0 is black, 1 is white, and values may be beyond.

    Args:
        values: in the window's units.
        window: not a look-up table.
        function: the VOI LUT function; unknown ones count as LINEAR.
        step: the difference between two adjacent stored values, in the window's units.
    """
    match function:
        case "LINEAR_EXACT":
            return _linear_exact(values, window)
        case "SIGMOID":
            return _sigmoid(values, window)
        case _:
            return _linear(values, window, step)


def function_of(group: Dataset) -> str:
    """The VOI LUT function that a file names."""
    return word(group, "VOILUTFunction") or "LINEAR"


def is_visible(shades: Table, present: NDArray[np.bool_]) -> bool:
    """Whether the frame is visible; a uniform frame always is.

    Args:
        shades: the brightness of each possible value.
        present: which of them occur in the frame.
    """
    found = np.clip(shades[present], 0, 1)
    return np.count_nonzero(present) <= 1 or float(found.max() - found.min()) >= _MIN_SPREAD


def overlaps(window: Window, low: float, high: float) -> bool:
    """Whether a window overlaps the range of the frame's values."""
    center, width = bounds(window)
    overlap = min(high, center + width / 2) - max(low, center - width / 2)
    return overlap >= _MIN_OVERLAP * width


def bounds(window: Window) -> tuple[float, float]:
    """Centre and width.

    Raises:
        ValueError: the window is a look-up table.
    """
    if window.center is None or window.width is None:
        raise ValueError("a look-up table has no window")
    return window.center, window.width


def _linear(values: Table, window: Window, step: float) -> Table:
    """PS3.3, C.11.2.1.2.1, with its half and whole units in steps of stored values."""
    center, width = bounds(window)
    unit = step if step < 1 and width < _NARROW else 1.0
    if width <= unit:
        return (values > center - 0.5 * unit).astype(np.float64)
    return (values - (center - 0.5 * unit)) / (width - unit) + 0.5


def _linear_exact(values: Table, window: Window) -> Table:
    """PS3.3, C.11.2.1.3.2."""
    center, width = bounds(window)
    if width == 0:
        return np.zeros(len(values))
    return (values - center) / width + 0.5


def _sigmoid(values: Table, window: Window) -> Table:
    """PS3.3, C.11.2.1.3.1."""
    center, width = bounds(window)
    # Beyond this the exponential overflows; the shade is black in any case.
    return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, None, 500)))
