"""A training run that takes seconds, with narrow networks and few images."""

from pathlib import Path
from typing import Any

import numpy as np

from serving import volume
from serving.contract import INPUT_NAME, OUTPUT_NAME
from serving.embedded.engine import Engine
from trainer.dataset.split_options import SplitOptions
from trainer.plan import Plan
from trainer.recipe import Recipe

QUICK = Recipe(
    weights="none",
    initialisation="zero-init-residual",
    epochs=3,
    batch_size=8,
    learning_rate=1e-3,
    epsilon=1e-7,
    plateau_patience=1,
    batch_norm_momentum=0.9,
    precise_batch_norm=True,
    mixed_precision="off",
)
"""With all that an epoch may leave to the next: moments, learning rate, random states."""


def plan(root: Path, dataset_dir: Path, **options: Any) -> Plan:
    defaults: dict[str, Any] = {
        "recipes": {"vgg16": QUICK},
        "split": SplitOptions(test_share=0.4),
        "models_dir": root / "models",
        "run_dir": root / "run",
        "seed": 3,
        # Three epochs teach a network little, which is not what these tests are about.
        "force": True,
    }
    return Plan(dataset_dir=dataset_dir, **{**defaults, **options})


def answers_of(root: Path, version: int = 1) -> np.ndarray:
    images = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
    loaded = Engine().load(volume.version_dir(root / "models", "vgg16", version))
    return loaded.infer({INPUT_NAME: images})[OUTPUT_NAME]
