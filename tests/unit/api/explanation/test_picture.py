"""Relevance maps are drawn as heatmaps over the image."""

import cv2
import numpy as np

from api.explanation.picture import heatmap, overlaid, png

VALUES = np.zeros((8, 8))
VALUES[1, 1], VALUES[6, 6] = 0.2, -0.2


def test_positive_relevance_is_red_and_negative_relevance_is_blue():
    rgba = heatmap(VALUES, scale=0.2, width=80, height=160)
    assert rgba.shape == (160, 80, 4)
    red, _, blue, alpha = rgba[30, 15]
    assert (red > 200, blue < 100, alpha > 150) == (True, True, True)
    red, _, blue, alpha = rgba[130, 65]
    assert (red < 100, blue > 150, alpha > 150) == (True, True, True)


def test_an_empty_map_leaves_the_image_unchanged():
    rgba = heatmap(np.zeros((8, 8)), scale=0.05, width=16, height=16)
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    assert (overlaid(picture, rgba) == picture).all()


def test_lower_relevance_is_more_transparent():
    strong, weak = (heatmap(VALUES * factor, scale=0.2, width=64, height=64) for factor in (1, 0.3))
    assert strong[12, 12, 3] > 2 * weak[12, 12, 3] > 0


def test_a_png_preserves_the_colours():
    rgba = heatmap(VALUES, scale=0.2, width=32, height=32)
    read = cv2.imdecode(np.frombuffer(png(rgba), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA) == rgba).all()
    rgb = rgba[..., :3].copy()
    read = cv2.imdecode(np.frombuffer(png(rgb), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (cv2.cvtColor(read, cv2.COLOR_BGR2RGB) == rgb).all()
