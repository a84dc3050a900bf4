"""Demo models that are being trained beside the gateway: how far they are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is."""

    share: float
    """Of all models together, 0 to 1."""
    remaining_seconds: float
    """Until every model is published; an estimate."""
    next_model_seconds: float
    """Until the next model is published; an estimate."""


class ModelTraining:
    """A training and what became of it; whoever trains sets both."""

    def __init__(self) -> None:
        self.progress: TrainingProgress | None = None
        """While it goes on."""
        self.failed = False
        """Whether it ended before every model was published. The log says why."""
