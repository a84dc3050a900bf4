"""The plan of a training run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainer.dataset.split_options import DEFAULT_SEED, SplitOptions
from trainer.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to train, on what, and when to publish it."""

    dataset_dir: Path
    """Images in the layout ``COVID/``, ``non-COVID/``."""
    models_dir: Path
    """The versioned volume."""
    recipes: Mapping[str, Recipe]
    """The recipe of each CNN to train."""
    split: SplitOptions = field(default_factory=SplitOptions)
    seed: int = DEFAULT_SEED
    """The random seed of training."""
    weights_dir: Path | None = None
    """Folder of the ImageNet weights. Without it, they are downloaded."""
    run_dir: Path | None = None
    """Folder for checkpoints, artefacts and report. Without it, a new folder under ``runs/``."""
    resume: bool = False
    keep_run: bool = True
    """Whether to write checkpoints, artefacts and the report. Without them, a run cannot be
    resumed, and only its published versions remain."""
    min_sensitivity: float | None = None
    """The required sensitivity of the operating point."""
    min_accuracy: float | None = None
    """The required accuracy on the test set. Models below it are not published."""
    publish: bool = True
    """Whether to publish models at all. Cross-validation only measures them."""
    force: bool = False
    """Publish despite objections."""
    demo: bool = False
    """Whether the images are phantoms."""
    on_progress: Callable[[str, float], None] | None = None
    """Called with a CNN's name and the share of its work that is done, 0 to 1."""
