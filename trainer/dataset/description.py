"""Describes a dataset and its split for reports and model cards."""

from typing import Any

from trainer.dataset.images import LabelledImages
from trainer.dataset.leakage import LeakageReport
from trainer.dataset.split import Split
from trainer.dataset.split_options import SplitOptions


def describe_dataset(
    data: LabelledImages, options: SplitOptions, split: Split, leakage: LeakageReport
) -> dict[str, Any]:
    """Return size, fingerprint, split and leakage of a dataset as JSON values."""
    return {
        "images": len(data),
        "sha256": data.fingerprint(),
        "split": {
            **options.describe(),
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "leakage": leakage.describe(),
    }
