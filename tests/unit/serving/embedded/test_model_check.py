"""Only a model that fits the contract may replace a version in service."""

from typing import Any

import numpy as np
import pytest

from serving.contract import MODEL_NAMES
from serving.embedded.engine import TensorSignature
from serving.embedded.errors import ModelLoadError
from serving.embedded.model_check import EXPECTED_SIGNATURES, admit
from serving.protos.model_status_pb2 import Code

IMAGE = TensorSignature("image", np.dtype(np.float32), (-1, 64, 64, 3))
PROBABILITIES = TensorSignature("probabilities", np.dtype(np.float32), (-1, 2))
EXPECTED = EXPECTED_SIGNATURES["vgg16"]


class Model:
    """A loaded model with this signature and this answer to the warm-up."""

    def __init__(self, inputs: list[Any], outputs: list[Any], answer: list[float]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._answer = answer

    def warm_up(self) -> dict[str, np.ndarray]:
        return {"probabilities": np.array([self._answer], np.float32)}


def rejection_message(model: Model) -> str:
    with pytest.raises(ModelLoadError) as caught:
        admit(model, EXPECTED)  # type: ignore[arg-type]
    assert caught.value.code == Code.INVALID_ARGUMENT
    return str(caught.value)


def test_the_contract_has_a_signature_for_every_model():
    assert set(EXPECTED_SIGNATURES) == set(MODEL_NAMES)


def test_a_model_that_fits_is_admitted_even_with_further_outputs():
    features = TensorSignature("features", np.dtype(np.float32), (-1, 512))
    for outputs in ([PROBABILITIES], [features, PROBABILITIES]):
        admit(Model([IMAGE], outputs, [0.3, 0.7]), EXPECTED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "image",
    [
        TensorSignature("img", np.dtype(np.float32), (-1, 64, 64, 3)),
        TensorSignature("image", np.dtype(np.float64), (-1, 64, 64, 3)),
        TensorSignature("image", np.dtype(np.float32), (-1, 32, 32, 3)),
        TensorSignature("image", np.dtype(np.float32), (1, 64, 64, 3)),
    ],
    ids=["name", "dtype", "size", "fixed batch"],
)
def test_a_model_with_another_input_is_rejected(image: TensorSignature):
    reason = rejection_message(Model([image], [PROBABILITIES], [0.5, 0.5]))
    assert "inputs are" in reason
    assert "expected image float32 [-1, 64, 64, 3]" in reason


def test_a_model_with_another_output_is_rejected():
    three = TensorSignature("probabilities", np.dtype(np.float32), (-1, 3))
    assert "outputs are" in rejection_message(Model([IMAGE], [three], [0.2, 0.3, 0.5]))


@pytest.mark.parametrize("answer", [[np.nan, np.nan], [0.5, 0.6], [-0.5, 1.5]])
def test_a_model_whose_answer_is_not_a_distribution_is_rejected(answer: list[float]):
    assert "not a probability distribution" in rejection_message(
        Model([IMAGE], [PROBABILITIES], answer)
    )
