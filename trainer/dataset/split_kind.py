"""The kinds of split, in a module that can be imported without pandas."""

from typing import Literal

SplitKind = Literal["random", "blocks", "groups", "files"]
"""By image, by blocks of neighbouring file numbers, by patient, or as file lists say."""
