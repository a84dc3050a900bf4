"""The out-of-distribution (OOD) score: how it is fitted and how the served graph computes it."""

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
"""For tests that do not depend on the quality of the fit."""


@pytest.fixture(
    scope="module", params=[16, 29], ids=["side divisible by the grid", "side not divisible"]
)
def model(request: pytest.FixtureRequest) -> keras.Model:
    """A minimal model with the feature layer of VGG16, whose maps have this side."""
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


def ood_scores(model: keras.Model, fit: OodScorer, images: Images) -> NDArray[np.float32]:
    return np.asarray(with_ood_score(model, fit)(images)[OOD_OUTPUT_NAME])


def test_most_similar_images_score_below_1_and_most_outliers_above(
    model: keras.Model, fit: OodScorer
):
    assert (ood_scores(model, fit, OTHERS.images) < 1).mean() > 0.9
    assert ood_scores(model, fit, OTHERS.images).dtype == np.float32
    assert (ood_scores(model, fit, synthetic_outliers(OTHERS.images, seed=99)) > 1).mean() > 0.8
    blank = np.full((1, 64, 64, 3), 0.5, np.float32)
    assert (ood_scores(model, fit, np.concatenate([blank, 1 - OTHERS.images])) > 1).mean() > 0.9


def test_most_slices_in_a_full_field_of_view_score_below_1(model: keras.Model, fit: OodScorer):
    assert (ood_scores(model, fit, full_fields(OTHERS.images, seed=99)) < 1).mean() > 0.8


def test_the_score_is_0_at_the_median_validation_image_and_1_at_the_boundary(
    model: keras.Model, fit: OodScorer
):
    found = ood_scores(model, fit, VALIDATION.images)
    assert np.median(found) == pytest.approx(0, abs=0.01)
    assert fit.validation_false_positive_rate == pytest.approx((found > 1).mean())
    assert found.min() >= 0


def test_the_graph_computes_the_two_layers_that_were_fitted(model: keras.Model, fit: OodScorer):
    feature_model = keras.Model(model.input, model.get_layer(fit.layer).output)
    maps = np.asarray(feature_model(VALIDATION.images)).astype(np.float64)
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
        ood_scores(model, fit, VALIDATION.images), expected, rtol=1e-3, atol=1e-4
    )


def test_fitting_is_reproducible(model: keras.Model):
    first, second = (fit_ood_scorer(model, FEW_TRAIN, FEW_VALIDATION) for _ in range(2))
    np.testing.assert_array_equal(first.hidden_weights, second.hidden_weights)


def test_the_description_of_a_fit_contains_its_layer_and_its_rates(fit: OodScorer):
    assert fit.described == {
        "layer": FEATURE_LAYERS["vgg16"],
        "validation_false_positive_rate": fit.validation_false_positive_rate,
        "outlier_true_positive_rate": fit.outlier_true_positive_rate,
    }
    assert fit.outlier_true_positive_rate > 0.8


def test_adding_the_score_does_not_change_the_probabilities(model: keras.Model, fit: OodScorer):
    answered = with_ood_score(model, fit)(OTHERS.images)
    np.testing.assert_array_equal(answered[OUTPUT_NAME], model(OTHERS.images))


def test_a_black_image_has_a_finite_score(model: keras.Model, fit: OodScorer):
    assert np.isfinite(ood_scores(model, fit, np.zeros((1, 64, 64, 3), np.float32))).all()


def test_a_model_whose_features_are_all_zero_has_finite_scores(model: keras.Model):
    zeroed = keras.models.clone_model(model)
    zeroed.get_layer(FEATURE_LAYERS["vgg16"]).kernel.assign(
        np.zeros(model.get_layer(FEATURE_LAYERS["vgg16"]).kernel.shape)
    )
    scorer = fit_ood_scorer(zeroed, FEW_TRAIN, FEW_VALIDATION)
    assert np.isfinite(ood_scores(zeroed, scorer, OTHERS.images)).all()


def test_two_training_images_are_enough(model: keras.Model):
    scorer = fit_ood_scorer(model, TRAIN.take(np.arange(2)), VALIDATION.take(np.arange(2)))
    assert np.isfinite(ood_scores(model, scorer, OTHERS.images)).all()
