"""Whether file numbers put neighbouring slices side by side, as a split by blocks supposes."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from trainer.errors import DatasetError

_NAMED_SCHEMES: Final = 4


def file_numbers(file: str) -> tuple[int, ...]:
    """The numbers in a file's name and in those of its folders, so that 10 comes after 9.

    Args:
        file: as in ``COVID/patient1/slice (10).png``.
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", _below_class(file)))


def refuse_mixed_schemes(files: Sequence[str]) -> None:
    """See that files of one source are not scattered among those of another.

    Two sources number their files independently. Where their numbers interleave, so do their files,
    and a block then holds some slices of many patients, the rest of which are in other blocks.

    Args:
        files: of one class, in the order of their numbers.

    Raises:
        DatasetError: differently named files interleave.
    """
    schemes = [_scheme(file) for file in files]
    counts = Counter(schemes)
    runs = 1 + sum(one != other for one, other in zip(schemes, schemes[1:], strict=False))
    if runs <= len(counts):
        return
    examples = [
        f"{files[schemes.index(scheme)]} ({count})"
        for scheme, count in counts.most_common(_NAMED_SCHEMES)
    ]
    more = len(counts) - len(examples)
    raise DatasetError(
        f"files of {len(counts)} naming schemes are mixed: {', '.join(examples)}"
        + (f" and {more} more" if more > 0 else "")
        + "; a split by blocks would put their patients on both sides. Use --split groups with"
        " --groups patients.csv, or train on one source at a time"
    )


def _scheme(file: str) -> str:
    """A name without its numbers: ``Covid (12).png`` and ``Covid (7).png`` are of one scheme."""
    return re.sub(r"\d+", "#", _below_class(file))


def _below_class(file: str) -> str:
    parts = PurePosixPath(file).with_suffix("").parts
    return "/".join(parts[1:] or parts)
