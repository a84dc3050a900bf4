"""Appearance augmentation of training images, and synthetic outliers made from them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.ood.appearance import full_fields, other_windows, through_another_window
from trainer.ood.shapes import Superellipse, arc_cover
from trainer.ood.synthetic_outliers import synthetic_outliers

Images = NDArray[np.float32]
Make = Callable[[Images, int], Images]

RAMP = np.broadcast_to(
    np.linspace(0, 1, 64, dtype=np.float32)[None, None, :, None], (40, 64, 64, 3)
).copy()
MAKERS: list[Any] = [other_windows, full_fields, synthetic_outliers]


@pytest.mark.parametrize("make", MAKERS)
def test_generated_images_are_grey_keep_shape_and_range_and_are_reproducible(make: Make):
    made = make(RAMP, 1)
    assert made.shape == RAMP.shape
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.max() <= 1
    np.testing.assert_array_equal(made[..., 0], made[..., 2])
    np.testing.assert_array_equal(made, make(RAMP, 1))


@pytest.mark.parametrize("make", MAKERS)
def test_all_generated_images_differ(make: Make):
    made = np.concatenate([make(RAMP, 1), make(RAMP, 2)])
    assert len(np.unique(made.reshape(len(made), -1), axis=0)) == len(made)


def test_a_window_keeps_the_order_of_grey_levels():
    for seed in range(50):
        shown = through_another_window(RAMP[0], np.random.default_rng(seed))
        assert (np.diff(shown, axis=1) >= 0).all()
        assert np.ptp(shown) > 0.2


def test_a_full_field_of_view_is_darker_outside_the_body():
    white = np.ones((60, 64, 64, 3), np.float32)
    corners = full_fields(white, 0)[:, [0, 0], [0, 63], 0]
    middles = full_fields(white, 0)[:, 32, 32, 0]
    assert (middles[:, None] > corners).mean() > 0.9


def test_synthetic_outliers_differ_from_their_originals():
    differing = np.abs(synthetic_outliers(RAMP, 0) - RAMP).mean(axis=(1, 2, 3))
    assert differing.min() > 0.05


@given(
    st.floats(5, 30),
    st.floats(5, 30),
    st.floats(2, 4),
    st.floats(-3.2, 3.2),
)
def test_a_superellipse_covers_more_than_its_ellipse_and_less_than_its_rectangle(
    width: float, height: float, power: float, tilt: float
):
    cover = Superellipse((50, 50), (width, height), power, tilt).cover((100, 100))
    assert cover.dtype == np.float32
    # Between the inscribed ellipse and the circumscribed rectangle.
    assert 0.9 * np.pi * width * height < cover.sum() < 1.1 * 4 * width * height
    assert cover[50, 50] == 1


def test_a_superellipse_of_power_2_is_an_ellipse():
    cover = Superellipse((32, 32), (20, 10), 2).cover((64, 64))
    assert cover.sum() == pytest.approx(np.pi * 20 * 10, rel=0.02)
    assert cover[32, 50] == 1
    assert cover[50, 32] == 0


def test_an_arc_is_a_line_along_a_circle():
    cover = arc_cover((64, 64), (32, 32), 20)
    assert cover[32, 52] == 1
    assert cover[32, 32] == 0
    assert cover.sum() == pytest.approx(2 * np.pi * 20, rel=0.05)
