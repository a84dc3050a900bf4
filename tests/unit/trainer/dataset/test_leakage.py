"""Leakage in a split: duplicates across its parts, and the scores of trivial classifiers."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from trainer.dataset.images import LabelledImages
from trainer.dataset.leakage import report_leakage
from trainer.dataset.split import Split


def draw(count: int, seed: int, name: str) -> LabelledImages:
    """Smooth grey images that all differ."""
    noise = np.random.default_rng(seed).random((count, 8, 8), np.float32)
    grey = np.stack([cv2.resize(each, (64, 64), interpolation=cv2.INTER_CUBIC) for each in noise])
    images = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=-1)
    return LabelledImages(
        images, np.arange(count) % 2, tuple(f"{name}-{index}" for index in range(count))
    )


@pytest.fixture
def clean() -> Split:
    return Split(draw(30, 0, "train"), draw(6, 1, "validation"), draw(10, 2, "test"))


def with_test_images(split: Split, images: np.ndarray, labels: np.ndarray | None = None) -> Split:
    test = dataclasses.replace(
        split.test, images=images, labels=split.test.labels if labels is None else labels
    )
    return dataclasses.replace(split, test=test)


def test_different_images_are_not_duplicates(clean: Split):
    report = report_leakage(clean)
    assert [found.parts for found in report.duplicates] == [
        ("train", "validation"),
        ("train", "test"),
        ("validation", "test"),
    ]
    assert not any(found.exact or found.near for found in report.duplicates)


def test_an_image_in_two_parts_is_an_exact_duplicate(clean: Split):
    images = clean.test.images.copy()
    images[3] = clean.train.images[7]
    report = report_leakage(with_test_images(clean, images))
    assert [found.exact for found in report.duplicates] == [[], [("train-7", "test-3")], []]


def test_an_image_with_slightly_changed_grey_levels_is_a_near_duplicate(clean: Split):
    images = clean.test.images.copy()
    images[3] = np.clip(clean.validation.images[2] * 0.97 + 0.01, 0, 1)
    report = report_leakage(with_test_images(clean, images))
    assert [found.exact for found in report.duplicates] == [[], [], []]
    assert [found.near for found in report.duplicates] == [[], [], [("validation-2", "test-3")]]


def test_an_image_with_a_little_noise_is_a_near_duplicate(clean: Split):
    images = clean.test.images.copy()
    noise = np.random.default_rng(3).normal(0, 0.06, (64, 64, 1))
    images[3] = np.clip(clean.train.images[7] + noise, 0, 1)
    report = report_leakage(with_test_images(clean, images))
    assert [found.exact for found in report.duplicates] == [[], [], []]
    assert [found.near for found in report.duplicates] == [[], [("train-7", "test-3")], []]


def test_exact_duplicates_are_not_counted_as_near_duplicates(clean: Split):
    images = clean.test.images.copy()
    images[3] = clean.train.images[7]
    images[4] = np.clip(clean.train.images[8] * 0.97 + 0.01, 0, 1)
    found = report_leakage(with_test_images(clean, images)).duplicates[1]
    assert found.exact == [("train-7", "test-3")]
    assert found.near == [("train-8", "test-4")]


def test_the_nearest_neighbour_is_always_right_if_the_test_part_copies_training(clean: Split):
    images, labels = clean.train.images[:10], clean.train.labels[:10]
    copied = with_test_images(clean, images, labels)
    assert report_leakage(copied).nearest_neighbour_accuracy == 1
    swapped = with_test_images(clean, images, 1 - labels)
    assert report_leakage(swapped).nearest_neighbour_accuracy == 0


def test_the_histogram_is_always_right_if_grey_levels_alone_separate_the_classes(clean: Split):
    rng = np.random.default_rng(4)

    def windowed(data: LabelledImages) -> LabelledImages:
        """The same images with shuffled pixels, those of one class a little brighter."""
        pixels = data.images.reshape(len(data), -1, 3)
        shuffled = np.stack([each[rng.permutation(len(each))] for each in pixels])
        brighter = 0.5 + 0.2 * data.labels[:, None, None] + 0.1 * (shuffled - 0.5)
        return dataclasses.replace(data, images=brighter.reshape(data.images.shape))

    split = Split(windowed(clean.train), clean.validation, windowed(clean.test))
    assert report_leakage(split).histogram_accuracy == 1


def test_an_uninformative_histogram_is_no_better_than_chance(clean: Split):
    same = np.broadcast_to(clean.train.images[:1], clean.train.images.shape)
    split = dataclasses.replace(clean, train=dataclasses.replace(clean.train, images=same))
    assert report_leakage(split).histogram_accuracy == pytest.approx(0.5)


def test_majority_accuracy_applies_the_majority_class_of_training_to_the_test_part(clean: Split):
    labels = np.zeros(30, np.int64)
    labels[0] = 1
    test_labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
    split = Split(
        dataclasses.replace(clean.train, labels=labels),
        clean.validation,
        dataclasses.replace(clean.test, labels=test_labels),
    )
    assert report_leakage(split).majority_accuracy == pytest.approx(0.3)


def test_a_split_leaks_if_a_model_is_hardly_better_than_the_nearest_neighbour(clean: Split):
    report = dataclasses.replace(report_leakage(clean), nearest_neighbour_accuracy=0.9)
    assert report.leaks(0.94)
    assert not report.leaks(0.96)


def test_grey_levels_suffice_if_a_model_is_hardly_better_than_the_histogram(clean: Split):
    report = dataclasses.replace(report_leakage(clean), histogram_accuracy=0.8)
    assert report.grey_levels_suffice(0.84)
    assert not report.grey_levels_suffice(0.86)


def test_the_report_can_be_written_as_json(clean: Split):
    described = json.loads(json.dumps(report_leakage(clean).describe()))
    assert described["duplicates"][1]["parts"] == ["train", "test"]


def test_the_written_report_counts_all_pairs_and_lists_the_first_twenty(clean: Split):
    images = np.repeat(clean.train.images[:1], 30, axis=0)
    images[:4] = np.clip(images[:4] * 0.97 + 0.01, 0, 1)
    test_labels = (np.arange(30) >= 9).astype(np.int64)
    test = LabelledImages(images, test_labels, tuple(f"copy-{each}" for each in range(30)))
    labels = (np.arange(30) > 0).astype(np.int64)
    train = dataclasses.replace(clean.train, labels=labels)
    report = report_leakage(Split(train, clean.validation, test))
    described = json.loads(json.dumps(report.describe()))
    found = described["duplicates"][1]
    assert (found["exact"], found["near"]) == (26, 4)
    assert found["pairs"] == [["train-0", f"copy-{each}"] for each in range(4, 24)]
    assert described["duplicates"][0] == {
        "parts": ["train", "validation"],
        "exact": 0,
        "near": 0,
        "pairs": [],
    }
    # The neighbour of every copy is a COVID image, but most training images are not.
    accuracies = (described["nearest_neighbour_accuracy"], described["majority_accuracy"])
    assert accuracies == (0.3, 0.7)
