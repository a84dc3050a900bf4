"""How far the training of the demo models is, and how long it will still take."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_COSTS: Final = {"vgg16": 1.0, "resnet50": 0.87, "xception": 0.95}
"""What each CNN takes of the time, relative to the others."""


@dataclass(frozen=True)
class DemoProgress:
    """How far it is."""

    share: float
    """Of all CNNs together, 0 to 1."""
    remaining_seconds: float
    """An estimate."""
    next_model_seconds: float
    """Until the CNN that is trained is published; an estimate."""


def progress_of_all(
    names: Sequence[str],
    tell: Callable[[DemoProgress], None],
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[str, float], None]:
    """Turn the progress of each CNN into that of all.

    Args:
        names: the CNNs, in the order in which they are trained.
        tell: is called with the progress of all.
        clock: seconds, from any beginning.

    Returns:
        What to call with a CNN's name and how far it is, 0 to 1.
    """
    started = clock()
    ends = dict(zip(names, itertools.accumulate(_COSTS[name] for name in names), strict=True))
    total = max(ends.values())

    def tell_of_one(name: str, share: float) -> None:
        left_of_it = (1 - share) * _COSTS[name]
        done = ends[name] - left_of_it
        if done > 0:
            seconds_a_cost = (clock() - started) / done
            tell(
                DemoProgress(
                    done / total, seconds_a_cost * (total - done), seconds_a_cost * left_of_it
                )
            )

    return tell_of_one
