"""A recipe: everything that decides how a model is trained."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from trainer.architectures import Weights


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far training images are varied, anew in every epoch."""

    flip: bool = True
    """Left to right: the lungs' findings may be on either side."""
    rotation_degrees: float = 0.0
    """At most, to either side."""
    shift: float = 0.0
    """At most, as a share of height and width."""
    zoom: float = 0.0
    """At most, as a share, in and out."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Adam with a warm-up and a cosine decay; the epoch that validates best is kept."""

    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 1e-3
    """At the end of the warm-up."""
    warmup_share: float = 0.1
    """Share of all steps over which the learning rate rises."""
    batch_norm_momentum: float = 0.9
    weights: Weights = "none"
    augmentation: Augmentation = Augmentation(rotation_degrees=10, shift=0.05, zoom=0.1)

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON values, for the model card."""
        return dataclasses.asdict(self)
