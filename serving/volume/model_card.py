"""The model card: information about a published version."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from serving.contract import DEFAULT_OPERATING_POINT
from serving.errors import VolumeError
from serving.volume.store import EXTRA_ASSETS
from system.regular_files import MAX_CONFIG_BYTES, read_regular_file

CARD_PATH: Final = Path(EXTRA_ASSETS) / "model_card.json"
"""The path of the card inside a version."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """How a version was made and how well it performs.

    After "Model Cards for Model Reporting" (Mitchell et al. 2019, arXiv 1810.03993).
    """

    name: str
    demo: bool
    """True if the model was trained on phantoms, so that it says nothing about patients."""
    created_at: str
    """ISO 8601, UTC."""
    metrics: dict[str, float]
    """On the held-out test set: ``accuracy``, ``sensitivity``, ``specificity``, ``auroc`` …"""
    dataset: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    intervals: dict[str, list[float]] = field(default_factory=dict)
    """The 95 % bootstrap interval of each metric: low, high."""
    temperature: float = 1.0
    """The divisor of the logits, applied in the graph."""
    uncalibrated_ece: float | None = None
    """Expected calibration error on the test set before temperature scaling."""
    operating_point: float = DEFAULT_OPERATING_POINT
    """Chosen on the validation set; the gateway has its own setting."""
    ood_score: dict[str, Any] = field(default_factory=dict)
    """How the out-of-distribution score was fitted; empty if the version has none."""
    rolled_back_to: int | None = None
    """The version whose content this one repeats; a number is never used twice."""
    gate: dict[str, Any] = field(default_factory=dict)
    """Reasons against publication, whether they were overruled, and the version that this one was
    compared with."""

    def write(self, version_dir: Path) -> None:
        """Write the card into a version directory."""
        path = version_dir / CARD_PATH
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n")

    @classmethod
    def read(cls, version_dir: Path) -> Self:
        """Read the card of a version.

        Fields from a newer trainer are ignored, so that an old gateway can still read the rest.

        Raises:
            VolumeError: there is no card, or it is not valid.
        """
        path = version_dir / CARD_PATH
        known = {f.name for f in dataclasses.fields(cls)}
        try:
            fields = json.loads(read_regular_file(path, max_bytes=MAX_CONFIG_BYTES))
            card = cls(**{key: value for key, value in fields.items() if key in known})
            card._check_types()
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise VolumeError(f"no readable model card in version {version_dir.name}") from error
        return card

    def _check_types(self) -> None:
        """Check the types of the fields that the gateway and a rollback use.

        Raises:
            TypeError: a field has the wrong type.
        """
        valid = (
            isinstance(self.name, str)
            and isinstance(self.demo, bool)
            and isinstance(self.created_at, str)
            and isinstance(self.metrics, dict)
            and all(isinstance(value, int | float) for value in self.metrics.values())
            and isinstance(self.rolled_back_to, int | None)
        )
        if not valid:
            raise TypeError("a field of the model card has the wrong type")
