"""Defaults of the demo, in a module that can be imported without TensorFlow."""

from pathlib import Path
from typing import Final

PHANTOMS_DIR: Final = Path("data/phantoms")
"""The folder that the phantoms are drawn into."""

DEFAULT_SEED: Final = 7
"""The random seed of phantoms, split and training."""
