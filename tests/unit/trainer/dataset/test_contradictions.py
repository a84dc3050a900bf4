"""An image in two classes is mislabelled: exact copies are rejected, near copies reported."""

import dataclasses
import logging

import cv2
import numpy as np
import pytest

from tests.unit.trainer.dataset.test_leakage import draw
from trainer.dataset.contradictions import find_contradictions, reject_contradictions
from trainer.dataset.images import LabelledImages
from trainer.errors import DatasetError


def with_image(data: LabelledImages, index: int, image: np.ndarray) -> LabelledImages:
    images = data.images.copy()
    images[index] = image
    return dataclasses.replace(data, images=images)


def reencoded(image: np.ndarray) -> np.ndarray:
    encoded = cv2.imencode(".jpg", (image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(encoded[1], cv2.IMREAD_COLOR).astype(np.float32) / 255


# Images with an even index belong to the first class, those with an odd one to the second.
DATA = draw(20, 0, "image")


def test_equal_images_of_one_class_are_not_a_contradiction():
    found = find_contradictions(with_image(DATA, 4, DATA.images[6]))
    assert (found.exact, found.near, found.describe()) == ([], [], {})


def test_the_same_image_in_two_classes_is_rejected_by_name():
    found = find_contradictions(with_image(DATA, 5, DATA.images[6]))
    assert found.exact == [("image-6", "image-5")]
    with pytest.raises(DatasetError, match="in two classes: image-6 and image-5; remove it"):
        reject_contradictions(found)


def test_the_error_names_the_first_contradictions_and_counts_the_rest():
    data = DATA
    for index in range(0, 10, 2):
        data = with_image(data, index + 1, data.images[index])
    with pytest.raises(DatasetError, match="image-4 and image-5, and 2 more pairs; remove"):
        reject_contradictions(find_contradictions(data))


def test_a_reencoded_image_in_two_classes_is_reported_but_not_rejected(
    caplog: pytest.LogCaptureFixture,
):
    found = find_contradictions(with_image(DATA, 5, reencoded(DATA.images[6])))
    assert (found.exact, found.near) == ([], [("image-6", "image-5")])
    with caplog.at_level(logging.WARNING):
        reject_contradictions(found)
    assert "nearly equal images have different classes: image-6 and image-5" in caplog.text
    assert found.describe() == {
        "contradictions": {"exact": 0, "near": 1, "pairs": [["image-6", "image-5"]]}
    }


def test_uniform_images_are_not_nearly_equal():
    data = with_image(with_image(DATA, 4, np.zeros((64, 64, 3))), 5, np.full((64, 64, 3), 0.1))
    assert find_contradictions(data).near == []
