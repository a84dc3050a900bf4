"""The progress of demo models in training, as the trainer reports it and the gateway shows it."""

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
