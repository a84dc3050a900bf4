"""A picture in two classes has a wrong label: equal ones are rejected, nearly equal ones named."""

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


def saved_again(image: np.ndarray) -> np.ndarray:
    encoded = cv2.imencode(".jpg", (image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(encoded[1], cv2.IMREAD_COLOR).astype(np.float32) / 255


# Even images are of the first class, odd ones of the second.
DATA = draw(20, 0, "image")


def test_a_dataset_without_contradictions_has_none():
    found = find_contradictions(with_image(DATA, 4, DATA.images[6]))
    assert (found.exact, found.near, found.describe()) == ([], [], {})


def test_the_same_picture_in_two_classes_is_rejected_by_name():
    found = find_contradictions(with_image(DATA, 5, DATA.images[6]))
    assert found.exact == [("image-6", "image-5")]
    with pytest.raises(DatasetError, match="in two classes: image-6 and image-5; remove it"):
        reject_contradictions(found)


def test_many_are_counted_and_the_first_named():
    data = DATA
    for index in range(0, 10, 2):
        data = with_image(data, index + 1, data.images[index])
    with pytest.raises(DatasetError, match="image-4 and image-5, and 2 more pairs; remove"):
        reject_contradictions(find_contradictions(data))


def test_a_picture_that_was_saved_again_is_named_and_not_rejected(caplog: pytest.LogCaptureFixture):
    found = find_contradictions(with_image(DATA, 5, saved_again(DATA.images[6])))
    assert (found.exact, found.near) == ([], [("image-6", "image-5")])
    with caplog.at_level(logging.WARNING):
        reject_contradictions(found)
    assert "nearly equal images have different classes: image-6 and image-5" in caplog.text
    assert found.describe() == {
        "contradictions": {"exact": 0, "near": 1, "pairs": [["image-6", "image-5"]]}
    }


def test_images_of_one_grey_level_are_no_neighbours():
    data = with_image(with_image(DATA, 4, np.zeros((64, 64, 3))), 5, np.full((64, 64, 3), 0.1))
    assert find_contradictions(data).near == []
