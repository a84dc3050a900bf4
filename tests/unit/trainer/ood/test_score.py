"""The distance to training images: what it is fitted to, and what the served graph makes of it."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from serving.contract import INPUT_NAME, OOD_OUTPUT_NAME, OUTPUT_NAME
from trainer.dataset.images import LabelledImages
from trainer.demo.phantoms import draw_phantom
from trainer.ood.appearance import full_fields
from trainer.ood.score import (
    FEATURE_LAYERS,
    OodScorer,
    fit_ood_scorer,
    with_ood_score,
)
from trainer.ood.synthetic_outliers import synthetic_outliers

Images = NDArray[np.float32]


def slices(count: int, seed: int) -> LabelledImages:
    rng = np.random.default_rng(seed)
    grey = np.stack([draw_phantom(rng, covid=bool(n % 2)).pixels for n in range(count)])
    small = grey.reshape(count, 64, grey.shape[1] // 64, 64, grey.shape[2] // 64).mean((2, 4))
    images = np.repeat(small[..., None] / 255, 3, axis=3).astype(np.float32)
    return LabelledImages(images, np.zeros(count, np.int64), tuple(map(str, range(count))))


TRAIN, VALIDATION, OTHERS = slices(80, 0), slices(40, 1), slices(40, 2)
FEW_TRAIN, FEW_VALIDATION = TRAIN.take(np.arange(8)), VALIDATION.take(np.arange(8))
"""Where it does not matter how well a fit tells images apart."""


@pytest.fixture(scope="module", params=[16, 29], ids=["a multiple of the grid", "none"])
def model(request: pytest.FixtureRequest) -> keras.Model:
    """As small as can be, with the layer that VGG16 is asked for, of this side."""
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3), name=INPUT_NAME)
    stride = {16: 4, 29: 2}[request.param]
    kernel = 64 - stride * (request.param - 1)
    maps = keras.layers.Conv2D(32, kernel, stride, activation="relu", name=FEATURE_LAYERS["vgg16"])(
        image
    )
    assert maps.shape[1] == request.param
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    classes = keras.layers.Dense(2, activation="softmax", name=OUTPUT_NAME)(pooled)
    return keras.Model(image, classes, name="vgg16")


@pytest.fixture(scope="module")
def fit(model: keras.Model) -> OodScorer:
    return fit_ood_scorer(model, TRAIN, VALIDATION)


def distances(model: keras.Model, fit: OodScorer, images: Images) -> NDArray[np.float32]:
    return np.asarray(with_ood_score(model, fit)(images)[OOD_OUTPUT_NAME])


def test_images_of_the_same_kind_are_near_and_others_far(model: keras.Model, fit: OodScorer):
    assert (distances(model, fit, OTHERS.images) < 1).mean() > 0.9
    assert distances(model, fit, OTHERS.images).dtype == np.float32
    assert (distances(model, fit, synthetic_outliers(OTHERS.images, seed=99)) > 1).mean() > 0.8
    blank = np.full((1, 64, 64, 3), 0.5, np.float32)
    assert (distances(model, fit, np.concatenate([blank, 1 - OTHERS.images])) > 1).mean() > 0.9


def test_the_same_slices_in_a_scanners_full_field_of_view_are_near(
    model: keras.Model, fit: OodScorer
):
    assert (distances(model, fit, full_fields(OTHERS.images, seed=99)) < 1).mean() > 0.8


def test_the_distance_is_0_at_a_typical_validation_image_and_1_at_the_boundary(
    model: keras.Model, fit: OodScorer
):
    found = distances(model, fit, VALIDATION.images)
    assert np.median(found) == pytest.approx(0, abs=0.01)
    assert fit.validation_false_positive_rate == pytest.approx((found > 1).mean())
    assert found.min() >= 0


def test_the_graph_computes_the_two_layers_that_were_fitted(model: keras.Model, fit: OodScorer):
    look = keras.Model(model.input, model.get_layer(fit.layer).output)
    maps = np.asarray(look(VALIDATION.images)).astype(np.float64)
    side = maps.shape[1]
    starts = [row * (side // 4) for row in range(4)]
    size = side - 3 * (side // 4)
    grid = [
        [maps[:, top : top + size, left : left + size].mean((1, 2)) for left in starts]
        for top in starts
    ]
    features = np.stack([np.stack(row, axis=1) for row in grid], axis=1).reshape(len(maps), -1)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    offsets = np.clip((features - fit.mean) / fit.deviation, -6, 6)
    hidden = np.maximum(offsets @ fit.hidden_weights + fit.hidden_bias, 0)
    expected = np.maximum(hidden @ fit.weights + fit.bias, 0)
    assert expected.max() > 0
    np.testing.assert_allclose(
        distances(model, fit, VALIDATION.images), expected, rtol=1e-3, atol=1e-4
    )


def test_a_fit_is_the_same_each_time(model: keras.Model):
    first, second = (fit_ood_scorer(model, FEW_TRAIN, FEW_VALIDATION) for _ in range(2))
    np.testing.assert_array_equal(first.hidden_weights, second.hidden_weights)


def test_a_fit_describes_itself(fit: OodScorer):
    assert fit.described == {
        "layer": FEATURE_LAYERS["vgg16"],
        "validation_false_positive_rate": fit.validation_false_positive_rate,
        "outlier_true_positive_rate": fit.outlier_true_positive_rate,
    }
    assert fit.outlier_true_positive_rate > 0.8


def test_the_probabilities_stay_as_they_were(model: keras.Model, fit: OodScorer):
    answered = with_ood_score(model, fit)(OTHERS.images)
    np.testing.assert_array_equal(answered[OUTPUT_NAME], model(OTHERS.images))


def test_a_black_image_has_a_distance(model: keras.Model, fit: OodScorer):
    assert np.isfinite(distances(model, fit, np.zeros((1, 64, 64, 3), np.float32))).all()


def test_a_network_that_sees_nothing_has_finite_distances(model: keras.Model):
    blind = keras.models.clone_model(model)
    blind.get_layer(FEATURE_LAYERS["vgg16"]).kernel.assign(
        np.zeros(model.get_layer(FEATURE_LAYERS["vgg16"]).kernel.shape)
    )
    known = fit_ood_scorer(blind, FEW_TRAIN, FEW_VALIDATION)
    assert np.isfinite(distances(blind, known, OTHERS.images)).all()


def test_one_training_image_more_than_none_is_enough(model: keras.Model):
    few = fit_ood_scorer(model, TRAIN.take(np.arange(2)), VALIDATION.take(np.arange(2)))
    assert np.isfinite(distances(model, few, OTHERS.images)).all()
