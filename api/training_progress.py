"""Progress of demo models that are trained while the gateway runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training run."""

    share: float
    """The completed share of all models together, 0 to 1."""
    remaining_seconds: float
    """Estimated time until every model is published."""
    next_model_seconds: float
    """Estimated time until the next model is published."""


class ModelTraining:
    """The state of a training run; the code that trains sets both fields."""

    def __init__(self) -> None:
        self.progress: TrainingProgress | None = None
        """None unless the training is running."""
        self.failed = False
        """Whether the training ended before every model was published. The log says why."""
