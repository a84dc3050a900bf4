"""Splits a dataset into three disjoint sets: training, validation and test.

If slices of one patient are on both sides, a random split measures memory as much as learning.
``groups`` keeps patients apart. ``blocks`` approximates it if the patients are unknown but
neighbouring file numbers are neighbouring slices. ``files`` takes a published split.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from serving.contract import CLASS_NAMES
from trainer.dataset.file_numbers import file_numbers, reject_mixed_schemes
from trainer.dataset.images import LabelledImages
from trainer.dataset.lists import find_listed, read_patients
from trainer.dataset.split_options import FOLDED_KINDS, SplitKind, SplitOptions
from trainer.errors import DatasetError

logger = logging.getLogger(__name__)

_BLOCKS_PER_CLASS: Final = 10
_MIN_GROUP_SHARE: Final = Fraction(1, 20)

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """The three sets. No image is in two of them."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    test_groups: NDArray[np.int64] | None = None
    """The patient number of each test image, int64 ``[N]``, if patients are known."""


def split_dataset(data: LabelledImages, options: SplitOptions) -> Split:
    """Split a dataset.

    Raises:
        DatasetError: the options do not fit the dataset, or a set would lack a class.
    """
    if options.fold and options.kind not in FOLDED_KINDS:
        raise DatasetError(
            f"--fold works with a split by {' or '.join(FOLDED_KINDS)}, not with {options.kind}"
        )
    groups = read_patients(data, options.groups_file) if options.groups_file else None
    train, validation, test = _SPLITTERS[options.kind](data, groups, options)
    for part, indices in (("training", train), ("validation", validation), ("test", test)):
        if len(np.unique(data.labels[indices])) < len(CLASS_NAMES):
            raise DatasetError(
                f"the {part} set of this {options.kind} split would not hold images of both"
                " classes; add images or choose another split or seed"
            )
    if groups is not None:
        _warn_of_shared_patients(groups, train, validation, test)
    return Split(
        data.take(train),
        data.take(validation),
        data.take(test),
        test_groups=None if groups is None else groups[test],
    )


def _warn_of_shared_patients(groups: NDArray[np.int64], *parts: Indices) -> None:
    seen = np.concatenate([np.unique(groups[part]) for part in parts])
    patients, counts = np.unique(seen, return_counts=True)
    shared = int((counts > 1).sum())
    if shared:
        logger.warning(
            "%d of %d patients are in several sets of the split, so the metrics partly measure"
            " memory; --split groups keeps them apart",
            shared,
            len(patients),
        )


_Groups = NDArray[np.int64] | None
_Parts = tuple[Indices, Indices, Indices]


def _split_random(data: LabelledImages, groups: _Groups, options: SplitOptions) -> _Parts:  # noqa: ARG001
    everything = np.arange(len(data))
    rest, test = _cut_random(data, everything, options.test_share, options.seed)
    train, validation = _cut_random(data, rest, options.validation_share, options.seed)
    return train, validation, test


def _split_blocks(data: LabelledImages, groups: _Groups, options: SplitOptions) -> _Parts:  # noqa: ARG001
    """Deal ten contiguous blocks of file numbers per class out to the parts."""
    rng = np.random.default_rng(options.seed)
    test_blocks = max(1, round(options.test_share * _BLOCKS_PER_CLASS))
    left = _BLOCKS_PER_CLASS - test_blocks
    validation_blocks = max(1, round(options.validation_share * left))
    if test_blocks + validation_blocks >= _BLOCKS_PER_CLASS:
        raise DatasetError(
            f"of {_BLOCKS_PER_CLASS} blocks none would be left for training; choose a smaller"
            " --test-share or --validation-share"
        )
    _check_fold(options.fold, _BLOCKS_PER_CLASS // test_blocks)
    dealt: list[list[Indices]] = [[], [], []]
    for label in range(len(CLASS_NAMES)):
        members = sorted(
            np.flatnonzero(data.labels == label), key=lambda index: file_numbers(data.files[index])
        )
        if len(members) < _BLOCKS_PER_CLASS:
            raise DatasetError(
                f"{len(members)} images of {CLASS_NAMES[label]} are too few for"
                f" {_BLOCKS_PER_CLASS} blocks; choose another split"
            )
        reject_mixed_schemes([data.files[index] for index in members])
        blocks = np.array_split(np.array(members), _BLOCKS_PER_CLASS)
        order = np.roll(rng.permutation(_BLOCKS_PER_CLASS), -options.fold * test_blocks)
        for place, block in enumerate(order):
            part = 2 if place < test_blocks else 1 if place < test_blocks + validation_blocks else 0
            dealt[part].append(blocks[block])
    train, validation, test = (np.concatenate(part) for part in dealt)
    return train, validation, test


def _split_groups(data: LabelledImages, groups: _Groups, options: SplitOptions) -> _Parts:
    if groups is None:
        raise DatasetError("a split by groups needs --groups, a CSV of file and patient")
    everything = np.arange(len(data))
    seed = options.seed
    rest, test = _cut_groups(
        data, everything, groups, options.test_share, seed=seed, fold=options.fold
    )
    train, validation = _cut_groups(data, rest, groups, options.validation_share, seed=seed)
    return train, validation, test


def _split_files(data: LabelledImages, groups: _Groups, options: SplitOptions) -> _Parts:
    if not options.train_files or not options.test_files:
        raise DatasetError("a split by files needs --train-files and --test-files")
    train = find_listed(data, options.train_files)
    test = find_listed(data, options.test_files)
    if options.validation_files:
        validation = find_listed(data, options.validation_files)
    elif groups is None:
        train, validation = _cut_random(data, train, options.validation_share, options.seed)
    else:
        train, validation = _cut_groups(
            data, train, groups, options.validation_share, seed=options.seed
        )
    numbers, counts = np.unique(np.concatenate([train, validation, test]), return_counts=True)
    if (counts > 1).any():
        raise DatasetError(f"{data.files[numbers[counts > 1][0]]} is listed twice in the split")
    return train, validation, test


_SPLITTERS: Final[dict[SplitKind, Callable[[LabelledImages, _Groups, SplitOptions], _Parts]]] = {
    "random": _split_random,
    "blocks": _split_blocks,
    "groups": _split_groups,
    "files": _split_files,
}


def _cut_random(
    data: LabelledImages, among: Indices, share: float, seed: int
) -> tuple[Indices, Indices]:
    """Cut at random. Both pieces keep the class shares of the whole."""
    try:
        rest, taken = train_test_split(
            among, test_size=share, random_state=seed, stratify=data.labels[among]
        )
    except ValueError as error:
        raise DatasetError(f"too few images to split in three: {error}") from error
    return rest, taken


def _cut_groups(
    data: LabelledImages,
    among: Indices,
    groups: NDArray[np.int64],
    share: float,
    *,
    seed: int,
    fold: int = 0,
) -> tuple[Indices, Indices]:
    """Cut between groups, with class shares as close to the whole's as the groups allow."""
    cut = max(_MIN_GROUP_SHARE, Fraction(share).limit_denominator(_MIN_GROUP_SHARE.denominator))
    _check_fold(fold, cut.denominator // cut.numerator)
    folds = StratifiedGroupKFold(cut.denominator, shuffle=True, random_state=seed)
    try:
        pieces = list(folds.split(among, data.labels[among], groups[among]))
    except ValueError as error:
        raise DatasetError(f"too few patients to split in three: {error}") from error
    first = fold * cut.numerator
    taken = np.sort(np.concatenate([piece for _, piece in pieces[first : first + cut.numerator]]))
    return np.delete(among, taken), among[taken]


def _check_fold(fold: int, folds: int) -> None:
    if fold >= folds:
        raise DatasetError(
            f"--fold {fold}: with test sets of this size there are only folds 0 to {folds - 1}"
        )
