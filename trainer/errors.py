"""The exceptions of the trainer. Each message is one line that says what to do."""


class TrainerError(Exception):
    """Base class of all exceptions of ``trainer``."""


class DatasetError(TrainerError):
    """The dataset cannot be used for training."""


class RecipeError(TrainerError):
    """The recipe is invalid, or cannot be used on this machine."""


class RunError(TrainerError):
    """The folder of a training run cannot be used."""


class TrainingError(TrainerError):
    """Training did not produce a model that may be published."""


class ExportError(TrainerError):
    """The exported graph gives other answers than the trained model."""
