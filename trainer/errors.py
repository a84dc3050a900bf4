"""Every exception of the trainer; each message is one line that says what to do."""


class TrainerError(Exception):
    """The base of all exceptions of ``trainer``."""


class DatasetError(TrainerError):
    """The folder of images is not one that can be trained on."""


class RecipeError(TrainerError):
    """The recipe is not one, or not for this machine."""


class RunError(TrainerError):
    """The folder of a training run cannot be used."""


class TrainingError(TrainerError):
    """Training did not lead to a model that may be published."""


class ExportError(TrainerError):
    """The exported graph does not answer as the trained model does."""
