"""How to split a dataset, in a module that can be imported without pandas."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

DEFAULT_SEED: Final = 42
"""The random seed of split and training."""

SplitKind = Literal["random", "blocks", "groups", "files"]
"""By image, by blocks of neighbouring file numbers, by patient, or as file lists say."""

FOLDED_KINDS: Final[tuple[SplitKind, ...]] = ("blocks", "groups")
"""The kinds that have folds."""


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How to split."""

    kind: SplitKind = "random"
    seed: int = DEFAULT_SEED
    test_share: float = 0.2
    validation_share: float = 0.1
    """Share of what is left after the test set."""
    fold: int = 0
    """Which part of the dataset is the test set. The test sets of folds 0, 1, … share no image, so
    the runs of all folds together test as many such sets as fit into the dataset."""
    groups_file: Path | None = None
    """CSV with the columns ``file`` and ``patient``; files such as ``COVID/slice.png``."""
    train_files: Sequence[Path] = field(default_factory=tuple)
    """Text files with one image per line, such as ``COVID/slice.png``."""
    validation_files: Sequence[Path] = field(default_factory=tuple)
    """Without them, validation is drawn from the training set, by patients if known."""
    test_files: Sequence[Path] = field(default_factory=tuple)

    def describe(self) -> dict[str, Any]:
        """Return what a model card says about the split."""
        described: dict[str, Any] = {"kind": self.kind, "seed": self.seed}
        if self.kind != "files":
            described["test_share"] = self.test_share
        if self.kind in FOLDED_KINDS:
            described["fold"] = self.fold
        if not self.validation_files:
            described["validation_share"] = self.validation_share
        return described
