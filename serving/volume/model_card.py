"""The model card: what a published version knows about itself."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from serving.contract import DEFAULT_OPERATING_POINT
from serving.errors import VolumeError
from serving.files.regular_files import MAX_CONFIG_BYTES, read_regular_file

CARD_PATH: Final = Path("assets.extra") / "model_card.json"
"""Where the card lies inside a version; TensorFlow Serving ignores ``assets.extra``."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a version was made from and how good it is.

    After "Model Cards for Model Reporting" (Mitchell et al. 2019, arXiv 1810.03993).
    """

    name: str
    demo: bool
    """True where the model learned from phantoms and says nothing about patients."""
    created_at: str
    """ISO 8601, UTC."""
    metrics: dict[str, float]
    """On the held-out test set: ``accuracy``, ``sensitivity``, ``specificity``, ``auroc`` …"""
    dataset: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    intervals: dict[str, list[float]] = field(default_factory=dict)
    """Of each metric the bootstrap 95 % interval: low, high."""
    temperature: float = 1.0
    """By which the logits are divided in the graph."""
    uncalibrated_ece: float | None = None
    """Expected calibration error on the test set before that."""
    operating_point: float = DEFAULT_OPERATING_POINT
    """Chosen on validation; the gateway's setting is its own."""
    ood_score: dict[str, Any] = field(default_factory=dict)
    """How the distance to the training images was fitted; empty where the version has none."""
    rolled_back_to: int | None = None
    """The version that this one repeats, as a number is never used twice."""
    gate: dict[str, Any] = field(default_factory=dict)
    """What spoke against publication, whether that was overruled, and with which version this one
    was compared."""

    def write(self, version_dir: Path) -> None:
        """Write the card into a version directory."""
        path = version_dir / CARD_PATH
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n")

    @classmethod
    def read(cls, version_dir: Path) -> Self:
        """Read the card of a version.

        Fields that a newer trainer added are passed over, so that an old gateway still reads the
        rest.

        Raises:
            VolumeError: there is no card, or it is not one.
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
        """Check what the gateway tells of a card, and what a rollback goes by.

        Raises:
            TypeError: a field is not what it must be.
        """
        sound = (
            isinstance(self.name, str)
            and isinstance(self.demo, bool)
            and isinstance(self.created_at, str)
            and isinstance(self.metrics, dict)
            and all(isinstance(value, int | float) for value in self.metrics.values())
            and isinstance(self.rolled_back_to, int | None)
        )
        if not sound:
            raise TypeError("a field of the model card has the wrong type")
