"""Estimates the progress and the remaining time of training the demo models."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Final

from serving.training_progress import TrainingProgress

_COSTS: Final = {"vgg16": 1.0, "resnet50": 0.87, "xception": 0.95}
"""The training time of each CNN, relative to the others."""


def progress_of_all(
    names: Sequence[str],
    tell: Callable[[TrainingProgress], None],
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[str, float], None]:
    """Combine the progress of single CNNs into that of all.

    Args:
        names: the CNNs in training order.
        tell: called with the combined progress.
        clock: returns seconds, from any origin.

    Returns:
        A function to call with a CNN's name and the share of its work that is done, 0 to 1.
    """
    started = clock()
    ends = dict(zip(names, itertools.accumulate(_COSTS[name] for name in names), strict=True))
    total = max(ends.values())

    def report_one(name: str, share: float) -> None:
        left_of_it = (1 - share) * _COSTS[name]
        done = ends[name] - left_of_it
        if done > 0:
            seconds_per_cost = (clock() - started) / done
            tell(
                TrainingProgress(
                    done / total, seconds_per_cost * (total - done), seconds_per_cost * left_of_it
                )
            )

    return report_one
