"""How large an image may be before it is decoded."""

from typing import Final

DEFAULT_MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 20_000
"""The longest width or height, in pixels."""
