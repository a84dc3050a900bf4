"""What every part agrees on: the models, their classes, and the signature they are served under."""

from typing import Final

MODEL_NAMES: Final = ("vgg16", "resnet50", "xception")
"""The servables, in the order in which answers list them."""

CLASS_NAMES: Final = ("COVID", "non-COVID")
"""The classes in the order of a model's output columns."""

POSITIVE_CLASS_INDEX: Final = 0
"""The column whose probability is held against the operating point."""

SIGNATURE_NAME: Final = "serving_default"
INPUT_NAME: Final = "image"
"""float32 ``[N, 64, 64, 3]``, RGB, 0 to 1."""

OUTPUT_NAME: Final = "probabilities"
"""float32 ``[N, 2]``, rows sum to one, columns as in ``CLASS_NAMES``."""

DISTANCE_OUTPUT_NAME: Final = "feature_distance"
"""float32 ``[N]``: how far the image is from those that the model learned from, as the model itself
sees them: 0 where they are, above 1 too far. A model may lack this output."""

DEFAULT_OPERATING_POINT: Final = 0.5
"""The positive class is predicted at this probability and above."""
