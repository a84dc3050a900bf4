"""Limits for the size of an image, checked before decoding."""

from typing import Final

from imaging.errors import TooManyPixelsError

DEFAULT_MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 20_000
"""The longest width or height, in pixels."""


def check_size(width: int, height: int, *, max_pixels: int) -> None:
    """Check the size in a header against the limits.

    Raises:
        TooManyPixelsError: more than ``max_pixels``, or a side longer than ``MAX_SIDE``.
    """
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{width} x {height} pixels are more than the limit of {max_pixels}"
        )
    if max(width, height) > MAX_SIDE:
        raise TooManyPixelsError(
            f"{width} x {height} pixels: no side may be longer than {MAX_SIDE}"
        )
