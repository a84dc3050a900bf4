"""Whether file numbers put neighbouring slices side by side, as a split by blocks supposes."""

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
    """The numbers in a file's name and in those of its folders, so that 10 comes after 9.

    Args:
        file: as in ``COVID/patient1/slice (10).png``.
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", _below_class(file)))


def refuse_mixed_schemes(files: Sequence[str]) -> None:
    """See that files of one source are not scattered among those of another.

    Sources number their files independently. Where their numbers interleave, so do their files, and
    a block then holds some slices of many patients, the rest of which are in other blocks. Names
    with differently many numbers have no common order at all. Where one of several sources follows
    another, a block is still of neighbours, and a warning is logged.

    Args:
        files: of one class, in the order of their numbers.

    Raises:
        DatasetError: differently named files interleave, or cannot be compared.
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
    """A name without its numbers: ``Covid (12).png`` and ``Covid (7).png`` are of one scheme."""
    # Numbers with dots count as one: identifiers of DICOM differ in how many they have.
    return re.sub(r"\d+(?:\.\d+)*", "#", _below_class(file))


def _below_class(file: str) -> str:
    path = PurePosixPath(file)
    # In 1.2.840.7 the last number is no extension.
    if not path.suffix[1:].isdigit():
        path = path.with_suffix("")
    return "/".join(path.parts[1:] or path.parts)
