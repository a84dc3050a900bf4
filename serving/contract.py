"""The contract: the models, their classes, and the signature with which they are served."""

from typing import Final, Literal

ModelName = Literal["vgg16", "resnet50", "xception"]
MODEL_NAMES: Final[tuple[ModelName, ...]] = ("vgg16", "resnet50", "xception")
"""The servables, in the order of results."""

ENSEMBLE_NAME: Final = "ensemble"
"""What answers and reports call the soft vote of the models."""

ClassName = Literal["COVID", "non-COVID"]
CLASS_NAMES: Final[tuple[ClassName, ClassName]] = ("COVID", "non-COVID")
"""The classes in the order of a model's output columns."""

POSITIVE_CLASS_INDEX: Final = 0
"""The column whose probability is compared with the operating point."""

POSITIVE_CLASS: Final = CLASS_NAMES[POSITIVE_CLASS_INDEX]
NEGATIVE_CLASS: Final = CLASS_NAMES[1 - POSITIVE_CLASS_INDEX]

SIGNATURE_NAME: Final = "serving_default"
INPUT_NAME: Final = "image"
"""float32 ``[N, 64, 64, 3]``, RGB, 0 to 1."""

OUTPUT_NAME: Final = "probabilities"
"""float32 ``[N, 2]``, rows sum to one, columns as in ``CLASS_NAMES``."""

OOD_OUTPUT_NAME: Final = "ood_score"
"""float32 ``[N]``, the out-of-distribution score: 0 for images like those that the model learned
from, above 1 for images that are too different. A model may lack this output."""

OLD_OOD_OUTPUT_NAME: Final = "feature_distance"
"""Its name in versions before 0.2."""

DEFAULT_OPERATING_POINT: Final = 0.5
"""The positive class is predicted at or above this probability."""
