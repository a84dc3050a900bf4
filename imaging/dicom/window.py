"""Windows, and how bright each value is through them (PS3.3, C.11.2.1)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.dicom.description import Window, WindowSource
from imaging.dicom.elements import numbers, word

LUNG: Final = Window(WindowSource.LUNG, -600.0, 1500.0)
"""In Hounsfield units."""

_LARGEST: Final = 1e9
"""No unit of any modality goes further."""
_MAX_WINDOWS: Final = 32
_NARROW: Final = 100
"""From this width on, in units, the half unit that LINEAR takes off at either end is no matter."""
_MIN_SPREAD: Final = 0.1
"""A window that shows the frame in less than a tenth of the greys is not meant for its values."""
_MIN_OVERLAP: Final = 0.75
"""A CT that is not in Hounsfield units may still have windows that are."""

Table = NDArray[np.float64]


def file_windows(group: Dataset) -> list[Window]:
    """The windows that can be used of a file's first ones, in its order."""
    centers, widths = (numbers(group, name) for name in ("WindowCenter", "WindowWidth"))
    pairs = list(zip(centers, widths, strict=False))[:_MAX_WINDOWS]
    return [
        Window(WindowSource.FILE, center, width)
        for center, width in pairs
        # A number that cannot be read fails the comparison.
        if abs(center) <= _LARGEST and 0 < width <= _LARGEST
    ]


def distance_to_lung(window: Window) -> float:
    """How far the centre is from the lung window's."""
    return abs(bounds(window)[0] - bounds(LUNG)[0])


def window_shades(
    values: Table, window: Window, *, function: str = "LINEAR_EXACT", step: float = 1
) -> Table:
    """How bright each value is, 0 to 1 and beyond.

    Args:
        values: in the window's units.
        window: one that is no look-up table.
        function: the VOI LUT function, LINEAR where it is none that is known.
        step: from one stored value to the next, in the window's units.
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


def shows(shades: Table, there: NDArray[np.bool_]) -> bool:
    """Whether the frame can be seen; of one value all over it always can."""
    seen = np.clip(shades[there], 0, 1)
    return np.count_nonzero(there) <= 1 or float(seen.max() - seen.min()) >= _MIN_SPREAD


def overlaps(window: Window, low: float, high: float) -> bool:
    """Whether a window lies where the frame's values do."""
    center, width = bounds(window)
    overlap = min(high, center + width / 2) - max(low, center - width / 2)
    return overlap >= _MIN_OVERLAP * width


def bounds(window: Window) -> tuple[float, float]:
    """Centre and width.

    Raises:
        ValueError: it is a look-up table.
    """
    if window.center is None or window.width is None:
        raise ValueError("a look-up table has no window")
    return window.center, window.width


def _linear(values: Table, window: Window, step: float) -> Table:
    """PS3.3, C.11.2.1.2.1, whose half and whole units are those of stored values."""
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
    # Beyond this the exponential overflows, and the shade is black all the same.
    return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, None, 500)))
