"""Variants for test-time augmentation are small, reproducible changes of the image."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from api.prediction.tta import varied

IMAGE = np.zeros((64, 64, 3), np.float32)
IMAGE[24:40, 24:40] = 0.5


@settings(deadline=None)
@given(st.integers(1, 32))
def test_variants_stay_close_to_the_image(count: int):
    variants = varied(IMAGE, count)
    assert variants.shape == (count, 64, 64, 3)
    assert variants.dtype == np.float32
    assert variants.min() >= 0
    assert variants.max() <= 1
    for variant in variants:
        y, x = (positions.mean() for positions in np.nonzero(variant[..., 0] > 0.25))
        assert abs(y - 31.5) < 4
        assert abs(x - 31.5) < 4
        assert not np.array_equal(variant, IMAGE)


def test_variants_are_reproducible_and_more_variants_extend_fewer():
    assert np.array_equal(varied(IMAGE, 8), varied(IMAGE, 8))
    assert np.array_equal(varied(IMAGE, 8), varied(IMAGE, 16)[:8])


def test_no_variant_is_mirrored():
    lopsided = IMAGE.copy()
    lopsided[:, :20] = 0.9
    for variant in varied(lopsided, 32):
        assert variant[:, :10].mean() > variant[:, -10:].mean()
