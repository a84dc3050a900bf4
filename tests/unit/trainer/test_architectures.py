"""The three CNNs have the architectures that their names promise."""

import functools
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import layers

from serving.contract import INPUT_NAME, MODEL_NAMES, OUTPUT_NAME
from trainer.architectures import build, standardise
from trainer.recipe import Recipe

FROM_SCRATCH = Recipe(weights="none", initialisation="zero-init-residual", batch_norm_momentum=0.9)
BACKBONE_PARAMETERS = {"vgg16": 14_714_688, "resnet50": 23_587_712, "xception": 20_861_480}
HEAD = [
    layers.GlobalAveragePooling2D,
    layers.BatchNormalization,
    layers.Dropout,
    layers.Dense,
    layers.BatchNormalization,
    layers.Dropout,
    layers.Dense,
]


@functools.cache
def built(name: str) -> keras.Model:
    """A model that several tests share and none changes."""
    return build(name, FROM_SCRATCH)


@pytest.fixture(scope="module", autouse=True)
def _clear_model_cache() -> Iterator[None]:
    yield
    built.cache_clear()


@pytest.fixture(params=MODEL_NAMES)
def model(request: pytest.FixtureRequest) -> keras.Model:
    return built(request.param)


def test_a_model_maps_images_to_probabilities(model: keras.Model):
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    probabilities = np.asarray(model(images))
    assert (probabilities.shape, probabilities.dtype) == ((2, 2), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (model.layers[0].name, model.layers[-1].name) == (INPUT_NAME, OUTPUT_NAME)


def test_the_adapter_precedes_the_backbone_and_the_head_follows_it(model: keras.Model):
    adapter = model.layers[1]
    assert isinstance(adapter, layers.Conv2D)
    assert (adapter.filters, adapter.kernel_size, adapter.padding) == (3, (3, 3), "same")
    head = model.layers[-len(HEAD) :]
    assert [type(layer) for layer in head] == HEAD
    assert [layer.rate for layer in head if isinstance(layer, layers.Dropout)] == [0.5, 0.5]
    assert [layer.units for layer in head if isinstance(layer, layers.Dense)] == [256, 2]


def test_the_backbone_has_as_many_parameters_as_the_published_one(model: keras.Model):
    backbone = model.layers[2 : -len(HEAD)]
    assert sum(layer.count_params() for layer in backbone) == BACKBONE_PARAMETERS[model.name]


def test_every_batch_normalisation_has_the_momentum_of_the_recipe(model: keras.Model):
    momenta = {
        layer.momentum for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    }
    assert momenta == {0.9}


@pytest.mark.parametrize(("name", "branches"), [("resnet50", 16), ("xception", 12), ("vgg16", 0)])
def test_residual_branches_start_with_a_gamma_of_zero(name: str, branches: int):
    zero_gammas = [
        layer.name
        for layer in built(name).layers
        if isinstance(layer, layers.BatchNormalization) and not layer.gamma.numpy().any()
    ]
    assert len(zero_gammas) == branches


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_an_untrained_model_gives_each_class_a_probability_of_one_half(name: str):
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    np.testing.assert_array_equal(built(name)(images), np.full((2, 2), 0.5))


def test_the_adapter_can_be_initialised_to_standardise_the_images():
    images = np.random.default_rng(0).normal(0.3, 0.2, (8, 64, 64, 3)).astype(np.float32)
    model = build("vgg16", FROM_SCRATCH)
    standardise(model, images)
    adapted = np.asarray(model.get_layer("adapter")(images))
    np.testing.assert_allclose((adapted.mean(), adapted.std()), (0, 1), atol=1e-3)
    expected = (images - images.mean()) / images.std()
    np.testing.assert_allclose(adapted, expected, atol=1e-4)
