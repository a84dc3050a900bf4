"""Batches contain every image at most once per epoch, in an order that the seed determines."""

import numpy as np
import pytest

from trainer.dataset.images import LabelledImages
from trainer.recipe import Recipe
from trainer.training.batches import steps_per_epoch, training_batches

COUNT = 22
PLAIN = Recipe(
    epochs=3,
    batch_size=4,
    flip_horizontal=False,
    flip_vertical=False,
    rotation_degrees=0,
    shift=0,
    zoom=0,
)
VARIED = Recipe(epochs=3, batch_size=4, gamma=0.5, mixup=0.3)


@pytest.fixture(scope="module")
def data() -> LabelledImages:
    """Images whose brightness encodes their number; odd numbers are in class 1."""
    brightness = np.linspace(0, 1, COUNT, dtype=np.float32)
    images = np.broadcast_to(brightness[:, None, None, None], (COUNT, 64, 64, 3)).copy()
    images[:, :32] *= 0.5
    return LabelledImages(images, np.arange(COUNT) % 2, tuple(map(str, range(COUNT))))


def batches(
    data: LabelledImages, recipe: Recipe, *, seed: int = 0, first_epoch: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    dataset = training_batches(data, recipe, seed=seed, first_epoch=first_epoch)
    return list(dataset.as_numpy_iterator())


def numbers(images: np.ndarray) -> list[int]:
    return [round(float(image[-1, 0, 0]) * (COUNT - 1)) for image in images]


def test_an_epoch_has_no_image_twice_and_no_partial_batch(data: LabelledImages):
    drawn = batches(data, PLAIN)
    assert steps_per_epoch(data, PLAIN) == 5
    assert len(drawn) == 3 * 5
    for epoch in range(3):
        seen = [
            number for images, _ in drawn[epoch * 5 : epoch * 5 + 5] for number in numbers(images)
        ]
        assert len(seen) == len(set(seen)) == 20


def test_each_epoch_has_another_order(data: LabelledImages):
    drawn = [numbers(images) for images, _ in batches(data, PLAIN)]
    assert drawn[:5] != drawn[5:10]


def test_labels_stay_with_their_images(data: LabelledImages):
    for images, labels in batches(data, PLAIN):
        assert labels.argmax(axis=1).tolist() == [number % 2 for number in numbers(images)]
        np.testing.assert_array_equal(labels.sum(axis=1), 1)


def test_the_seed_determines_order_and_augmentation(data: LabelledImages):
    once, again = batches(data, VARIED), batches(data, VARIED)
    other = batches(data, VARIED, seed=1)
    for (images, labels), (images_again, labels_again) in zip(once, again, strict=True):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
    assert not np.array_equal(once[0][0], other[0][0])


def test_a_resumed_training_gets_the_same_batches_as_an_uninterrupted_one(data: LabelledImages):
    whole = batches(data, VARIED)
    rest = batches(data, VARIED, first_epoch=2)
    assert len(rest) == 5
    for (images, labels), (images_again, labels_again) in zip(whole[10:], rest, strict=True):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
