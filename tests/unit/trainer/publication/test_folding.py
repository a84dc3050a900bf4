"""Batch normalisation is folded into the preceding layers, and nothing else changes."""

import keras
import numpy as np
import pytest

from serving.contract import MODEL_NAMES
from trainer.architectures import build
from trainer.publication.folding import fold_batch_normalisation
from trainer.recipe import Recipe

IMAGES = np.random.default_rng(0).random((4, 64, 64, 3), np.float32)


def normalisations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]


def trained(model: keras.Model) -> keras.Model:
    """The model, with statistics in its normalisations as training would leave them."""
    rng = np.random.default_rng(1)
    for layer in normalisations(model):
        low, high = rng.uniform(0.5, 1, 2), rng.uniform(1, 1.5, 2)
        for variable, minimum, maximum in zip(
            (layer.gamma, layer.moving_variance), low, high, strict=True
        ):
            if variable is not None:
                variable.assign(rng.uniform(minimum, maximum, variable.shape))
        for variable in (layer.beta, layer.moving_mean):
            if variable is not None:
                variable.assign(rng.normal(0, 0.1, variable.shape))
    return model


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_each_folded_cnn_answers_as_before_and_keeps_only_the_heads_normalisations(name: str):
    model = trained(build(name, Recipe(weights="none")))
    weights = [weight.copy() for weight in model.get_weights()]
    folded = fold_batch_normalisation(model)
    np.testing.assert_allclose(np.asarray(folded(IMAGES)), np.asarray(model(IMAGES)), atol=1e-5)
    assert len(normalisations(folded)) == 2
    assert [layer.name for layer in folded.layers] == [layer.name for layer in model.layers]
    for before, after in zip(weights, model.get_weights(), strict=True):
        assert (before == after).all()


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}], ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["Conv2D", "SeparableConv2D"])
def test_layers_are_folded_with_and_without_scale_shift_and_bias(
    options: dict[str, bool], bias: bool, kind: str
):
    image = keras.Input((8, 8, 3))
    maps = getattr(keras.layers, kind)(5, 3, use_bias=bias)(image)
    model = trained(
        keras.Model(image, keras.layers.BatchNormalization(**options)(maps), name="any")
    )
    if bias:
        model.layers[1].bias.assign(np.arange(5))
    folded = fold_batch_normalisation(model)
    assert normalisations(folded) == []
    pixels = IMAGES[:, :8, :8]
    np.testing.assert_allclose(np.asarray(folded(pixels)), np.asarray(model(pixels)), atol=1e-5)


def test_a_normalisation_whose_input_is_used_elsewhere_is_kept():
    image = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(5, 3)(image)
    normalised = keras.layers.BatchNormalization()(maps)
    model = trained(keras.Model(image, keras.layers.Add()([maps, normalised])))
    assert len(normalisations(fold_batch_normalisation(model))) == 1


def test_a_normalisation_after_an_activation_is_kept():
    image = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(5, 3, activation="relu")(image)
    model = trained(keras.Model(image, keras.layers.BatchNormalization()(maps)))
    assert len(normalisations(fold_batch_normalisation(model))) == 1
