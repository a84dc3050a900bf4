"""Checks that a version has the contract's signature before it replaces the serving one."""

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
    """The exact inputs of a model, and the outputs that it must have at least."""

    inputs: Sequence[TensorSignature]
    outputs: Sequence[TensorSignature]
    distributions: Sequence[str] = field(default_factory=tuple)
    """The outputs whose rows are probabilities that sum to one."""


EXPECTED_SIGNATURES: Final[Mapping[str, ModelSignature]] = dict.fromkeys(
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
"""The signatures that the contract requires of the three CNNs, by model name."""


def admit(model: LoadedModel, expected: ModelSignature) -> None:
    """Reject a model that does not have the expected signature.

    Raises:
        ModelLoadError: the tensors differ from the expected ones, or outputs that should be
            probabilities are not.
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
                f"{name} of a zero image is not a probability distribution: {rows[0].tolist()}",
            )


def _unfit(
    kind: str, found: Sequence[TensorSignature], expected: Sequence[TensorSignature]
) -> ModelLoadError:
    return ModelLoadError(
        Code.INVALID_ARGUMENT,
        f"signature mismatch: {kind} are {_listing(found)}, expected {_listing(expected)}",
    )


def _listing(tensors: Sequence[TensorSignature]) -> str:
    return ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in tensors)
