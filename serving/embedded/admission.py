"""What a version must be before it may replace one that serves: of the signature agreed upon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving.contract import CLASS_NAMES, INPUT_NAME, MODEL_NAMES, OUTPUT_NAME
from serving.embedded.engine import LoadedModel, TensorSignature
from serving.embedded.errors import ModelLoadError
from serving.probabilities import are_distributions
from serving.protos.model_status_pb2 import Code


@dataclass(frozen=True)
class ModelSignature:
    """The inputs of a model, all of them, and the outputs that it has among others."""

    inputs: Sequence[TensorSignature]
    outputs: Sequence[TensorSignature]
    distributions: Sequence[str] = field(default_factory=tuple)
    """Of the outputs, those whose rows are probabilities that sum to one."""


CONTRACT: Final[Mapping[str, ModelSignature]] = dict.fromkeys(
    MODEL_NAMES,
    ModelSignature(
        inputs=[
            TensorSignature(
                INPUT_NAME, np.dtype(np.float32), (-1, IMAGE_SIZE, IMAGE_SIZE, CHANNELS)
            )
        ],
        outputs=[TensorSignature(OUTPUT_NAME, np.dtype(np.float32), (-1, len(CLASS_NAMES)))],
        distributions=[OUTPUT_NAME],
    ),
)
"""The signature of the three CNNs, by the name of the model."""


def admit(model: LoadedModel, expected: ModelSignature) -> None:
    """Refuse a model that callers could not use.

    Raises:
        ModelLoadError: its tensors are not those expected, or what should be probabilities is not.
    """
    if list(model.inputs) != list(expected.inputs):
        raise _unfit("inputs", model.inputs, expected.inputs)
    if not all(output in model.outputs for output in expected.outputs):
        raise _unfit("outputs", model.outputs, expected.outputs)
    answers = model.warm_up()
    for name in expected.distributions:
        rows = answers[name]
        if not are_distributions(rows):
            raise ModelLoadError(
                Code.INVALID_ARGUMENT,
                f"{name} of an image of zeros is no probability distribution: {rows[0].tolist()}",
            )


def _unfit(
    kind: str, found: Sequence[TensorSignature], expected: Sequence[TensorSignature]
) -> ModelLoadError:
    return ModelLoadError(
        Code.INVALID_ARGUMENT,
        f"the signature does not fit: {kind} are {_listing(found)}, expected {_listing(expected)}",
    )


def _listing(tensors: Sequence[TensorSignature]) -> str:
    return ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in tensors)
