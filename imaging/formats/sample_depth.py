"""PNG and TIFF files with 16-bit samples that use fewer bits.

Scanners produce 12 to 14 bits, and many programs store them in the lower bits of 16, or add 32,768
to signed values. Reduced to the upper eight bits, such an image would be black or nearly uniform.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.formats.image_format import ImageHeader, Pixels, SampleDepth, decode_eight_bits
from imaging.table_look_up import look_up

_BITS: Final = 16
_BYTE: Final = 8
_VALUES: Final = 1 << _BITS
_MIDDLE: Final = _VALUES // 2
_WHITE: Final = 255.0
_MIN_SIGNED: Final = -4_096
"""Hounsfield units begin at -1024, padding slightly below."""
_MAX_SIGNED_MINIMUM: Final = 1_024
"""If the lowest value is further above the middle, the image is neither signed nor shifted
unsigned."""
_MAX_SIGNED: Final = 16_383
_AIR: Final = -500
_TISSUE: Final = 100
_MARKED_SHARE: Final = 0.05
_OVERSHOOT: Final = 1 / 64
"""As a share of the range."""
_HINT_SLACK: Final = 2
"""In bits: a brightest value of a quarter of what a tag declares still agrees with the tag."""


def decode_used_bits(data: bytes, header: ImageHeader, *, scaled: bool = False) -> Pixels:
    """Decode a file, and scale 16-bit samples that fill fewer bits to the full range.

    Args:
        data: the file, complete.
        header: its header.
        scaled: whether the tag with the used bits describes, by its standard, samples that were
            scaled to 16 bits.

    Raises:
        DamagedImageError: OpenCV cannot decode the file.
    """
    found = _decode_narrow(data, header.depth, scaled=scaled) if header.depth.bits > _BYTE else None
    return decode_eight_bits(data, header) if found is None else found


def _decode_narrow(data: bytes, depth: SampleDepth, *, scaled: bool) -> Pixels | None:
    """None if the values fill their range, or cannot be decoded."""
    try:
        # Never IMREAD_COLOR_RGB: for a TIFF file it returns uninitialised memory.
        decoded = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR
        )
    except cv2.error:
        return None
    if decoded is None or decoded.dtype != np.uint16:
        return None
    deep = decoded.view(np.uint16)
    found = _table(deep, depth.announced_bits, scaled=scaled)
    if found is None:
        return None
    table, bits = found
    if depth.white_is_zero:
        table = np.uint8(_WHITE) - table
    bgr = look_up(deep, table)
    return Pixels(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), bits)


def _table(
    deep: NDArray[np.uint16], hint: int | None, *, scaled: bool
) -> tuple[NDArray[np.uint8], int] | None:
    """The table that maps each of the 65,536 values to 8 bits, and the number of bits in use."""
    counts = _counts(deep)
    used = np.flatnonzero(counts)
    low, high = _without_marks(used, counts)
    values = np.arange(_VALUES)
    if low < high < _MIDDLE and low < _MIDDLE + _MIN_SIGNED:
        bits = _bits_used(high)
        if hint is not None and bits <= hint <= min(bits + _HINT_SLACK, _BITS):
            bits = hint
        # Values exceed the tag's bits: a dark picture that correctly uses the full range.
        if bits == _BITS or (scaled and hint is not None and hint < bits):
            return None
        # Take the upper eight bits, as for 16-bit samples.
        shifted = values >> (bits - _BYTE) if bits > _BYTE else values << (_BYTE - bits)
        return np.minimum(shifted, _WHITE).astype(np.uint8), bits
    if _MIDDLE + _MIN_SIGNED <= low <= _MIDDLE + _MAX_SIGNED_MINIMUM:
        if low < high <= _MIDDLE + _MAX_SIGNED:
            return _stretched(values, low, high), (high - low).bit_length()
        return None
    signed = used.astype(np.uint16).view(np.int16)
    low, high = int(signed.min()), int(signed.max())
    if _MIN_SIGNED <= low <= _AIR and _TISSUE <= high <= _MAX_SIGNED:
        as_signed = values.astype(np.uint16).view(np.int16)
        return _stretched(as_signed, low, high), (high - low).bit_length()
    return None


def _bits_used(high: int) -> int:
    """The bits in use; values just above a power of two are rounding or overshoot."""
    bits = high.bit_length()
    power = 1 << (bits - 1)
    return bits - 1 if bits > _BYTE and high - power < power * _OVERSHOOT else bits


def _counts(deep: NDArray[np.uint16]) -> NDArray[np.float32]:
    """How often each value occurs."""
    counts = [
        cv2.calcHist([deep], [channel], None, [_VALUES], [0, _VALUES]) for channel in range(3)
    ]
    total: NDArray[np.float32] = np.sum(counts, axis=0).ravel()
    return total


def _without_marks(used: NDArray[np.int64], counts: NDArray[np.float32]) -> tuple[int, int]:
    """The lowest and the highest value, except for a few pure white marks and zero padding."""
    low, high = int(used[0]), int(used[-1])
    if len(used) > 1:
        marks = counts[-1] <= _MARKED_SHARE * counts.sum()
        if high == _VALUES - 1 and used[-2] <= _MAX_SIGNED and marks:
            high = int(used[-2])
        if low == 0 and used[1] >= _MIDDLE + _MIN_SIGNED:
            low = int(used[1])
    return low, high


def _stretched(values: NDArray[np.integer[Any]], low: int, high: int) -> NDArray[np.uint8]:
    shades = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    stretched: NDArray[np.uint8] = np.rint(_WHITE * shades).astype(np.uint8)
    return stretched
