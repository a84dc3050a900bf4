"""Checks that file numbers put neighbouring slices side by side, as a split by blocks requires."""

import itertools
import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from trainer.errors import DatasetError

logger = logging.getLogger(__name__)

_NAMED_SCHEMES: Final = 4


def file_numbers(file: str) -> tuple[int, ...]:
    """Return the numbers in a file's path as a sort key, so that 10 comes after 9.

    Args:
        file: such as ``COVID/patient1/slice (10).png``.
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", _below_class(file)))


def reject_mixed_schemes(files: Sequence[str]) -> None:
    """Check that files of one source are not scattered among those of another.

    Sources number their files independently. If their numbers interleave, so do their files. Then a
    block holds some slices of many patients, and their other slices are in other blocks. Names with
    different counts of numbers have no common order at all. If one source follows another, a block
    still consists of neighbours, and a warning is logged.

    Args:
        files: of one class, in the order of their numbers.

    Raises:
        DatasetError: files with different naming schemes interleave, or cannot be compared.
    """
    schemes = [_scheme(file) for file in files]
    counts = Counter(schemes)
    if len(counts) == 1:
        return
    runs = 1 + sum(one != other for one, other in itertools.pairwise(schemes))
    examples = [
        f"{files[schemes.index(scheme)]} ({count})"
        for scheme, count in counts.most_common(_NAMED_SCHEMES)
    ]
    more = len(counts) - len(examples)
    named = ", ".join(examples) + (f" and {more} more" if more > 0 else "")
    lengths = {len(file_numbers(file)) for file in files}
    if runs == len(counts) and len(lengths) == 1:
        logger.warning(
            "files are named in %d ways: %s; if a patient has files of several of them, use"
            " --split groups",
            len(counts),
            named,
        )
        return
    raise DatasetError(
        f"files of {len(counts)} naming schemes are mixed: {named}; a split by blocks would put"
        " their patients on both sides. Use --split groups with --groups patients.csv, or train on"
        " one source at a time"
    )


def _scheme(file: str) -> str:
    """Return a name without its numbers, the same for ``Covid (12).png`` and ``Covid (7).png``."""
    # Dotted numbers count as one: DICOM identifiers differ in how many numbers they have.
    return re.sub(r"\d+(?:\.\d+)*", "#", _below_class(file))


def _below_class(file: str) -> str:
    path = PurePosixPath(file)
    # In 1.2.840.7 the last number is not an extension.
    if not path.suffix[1:].isdigit():
        path = path.with_suffix("")
    return "/".join(path.parts[1:] or path.parts)
