"""The size of the models' input."""

from typing import Final

IMAGE_SIZE: Final = 64
"""Height and width, in pixels."""

CHANNELS: Final = 3
"""RGB."""
