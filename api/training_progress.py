"""Progress of demo models that are trained while the gateway runs."""

from serving.training_progress import TrainingProgress


class ModelTraining:
    """The state of a training run; the code that trains sets both fields."""

    def __init__(self) -> None:
        self.progress: TrainingProgress | None = None
        """None unless the training is running."""
        self.failed = False
        """Whether the training ended before every model was published. The log says why."""
