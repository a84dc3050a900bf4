"""Synthetic outliers: images that are not chest images, made of training images, shapes and noise.

A boundary needs examples on its other side (outlier exposure, Hendrycks et al. 2019, arXiv
1812.04606). These need no collection of other pictures: an image with the grey levels, textures and
outlines of training images, but without their anatomy, is closer to them than any photograph (after
CutPaste, Li et al. 2021, arXiv 2104.04015).
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.ood.appearance import in_full_field, through_another_window
from trainer.ood.shapes import Plane, Superellipse

Images = NDArray[np.float32]

_IN_A_BODY: Final = 0.35
_OUTLINED: Final = 0.4
"""Share of those with a chest's outline, and of those with another outline."""
_RIMMED: Final = 0.5
"""Share among those with another outline."""
_MAX_DARK: Final = 0.35
_MAX_SPOTS: Final = 6
_TILES: Final = (2, 4, 8)
"""Tiles along each side."""


def synthetic_outliers(images: Images, seed: int) -> Images:
    """Return one outlier per image, made of parts of it, of shapes or of noise.

    Args:
        images: float32 ``[N, H, W, 3]``, 0 to 1, like the result.
        seed: the random seed of all variation.
    """
    rng = np.random.default_rng(seed)
    return np.stack([_outlier(image, rng) for image in images])


def _outlier(image: Images, rng: np.random.Generator) -> Images:
    content = _CONTENTS[rng.choice(len(_CONTENTS), p=_SHARES)](image[..., 0], rng)
    content = _with_spots(np.clip(content, 0, 1), rng)
    kind = rng.random()
    if _IN_A_BODY <= kind < _IN_A_BODY + _OUTLINED:
        content = _outlined(content, rng)
    picture = np.repeat(content[..., None], 3, axis=2)
    if kind < _IN_A_BODY:
        # So that the outline alone does not separate chest images from outliers.
        picture = in_full_field(picture, rng)
    return through_another_window(picture, rng)


def _plain(plane: Plane, rng: np.random.Generator) -> Plane:
    return np.full(plane.shape, rng.uniform(), np.float32)


def _noise(plane: Plane, rng: np.random.Generator) -> Plane:
    """Return noise of all scales, the finer the weaker, from white noise to clouds."""
    noise = np.zeros(plane.shape, np.float32)
    fall = rng.uniform(0, 1.5)
    for octave in range(1, 7):
        cells = rng.normal(size=(2**octave, 2**octave)).astype(np.float32)
        scale = cv2.resize(cells, plane.shape[::-1], interpolation=cv2.INTER_CUBIC)
        noise += np.float32(2 ** (-fall * octave)) * np.asarray(scale, np.float32)
    noise = (noise - noise.min()) / np.ptp(noise)
    contrast = np.float32(rng.uniform())
    return np.asarray(np.float32(rng.uniform()) + contrast * (noise - np.float32(0.5)))


def _leaves(plane: Plane, rng: np.random.Generator) -> Plane:
    """Return shapes that occlude one another, as in photographs ("dead leaves")."""
    side = min(plane.shape)
    covered = _plain(plane, rng)
    for _ in range(rng.integers(4, 40)):
        # Smaller ones are more frequent.
        size = side * min(0.5, 0.06 / max(rng.uniform(), 0.05))
        leaf = _shape(rng, plane, middle=rng.uniform(-0.5, 0.5, 2), size=(size / 3, size))
        cover = leaf.cover(plane.shape)
        covered = covered * (1 - cover) + np.float32(rng.uniform()) * cover
    return covered


def _shuffled_tiles(plane: Plane, rng: np.random.Generator) -> Plane:
    count = int(rng.choice(_TILES))
    tiles = [tile for row in np.split(plane, count, 0) for tile in np.split(row, count, 1)]
    order = rng.permutation(len(tiles)).reshape(count, count)
    return np.concatenate([np.concatenate([tiles[i] for i in row], 1) for row in order], 0)


def _enlarged_part(plane: Plane, rng: np.random.Generator) -> Plane:
    height, width = plane.shape
    share = rng.uniform(0.2, 0.5)
    rows, columns = int(share * height), int(share * width)
    top, left = rng.integers(height - rows), rng.integers(width - columns)
    part = plane[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _inverted(plane: Plane, _rng: np.random.Generator) -> Plane:
    return 1 - plane


_SHARES: Final = (0.1, 0.25, 0.1, 0.2, 0.2, 0.15)
_CONTENTS: Final[tuple[Callable[[Plane, np.random.Generator], Plane], ...]] = (
    _plain,
    _noise,
    _leaves,
    _shuffled_tiles,
    _enlarged_part,
    _inverted,
)


def _with_spots(plane: Plane, rng: np.random.Generator) -> Plane:
    for _ in range(rng.integers(_MAX_SPOTS + 1)):
        side = min(plane.shape)
        spot = _shape(rng, plane, middle=rng.uniform(-0.38, 0.38, 2), size=(side / 32, side / 4))
        cover = spot.cover(plane.shape)
        plane = plane * (1 - cover) + np.float32(rng.uniform()) * cover
    return plane


def _outlined(plane: Plane, rng: np.random.Generator) -> Plane:
    side = min(plane.shape)
    middle = rng.uniform(-0.08, 0.08, 2)
    body = _shape(rng, plane, middle=middle, size=(0.16 * side, 0.53 * side))
    cover = body.cover(plane.shape)
    if rng.random() < _RIMMED:
        inner = 1 - rng.uniform(0.03, 0.3)
        rim = np.clip((body.radius(plane.shape) - inner) * 20, 0, 1)
        plane = plane * (1 - rim) + np.float32(rng.uniform(0.3, 1)) * rim
    dark = rng.choice((0.0, rng.uniform(0, _MAX_DARK)))
    around = rng.choice((dark, 1.0, rng.uniform()), p=(0.6, 0.2, 0.2))
    return plane * cover + np.float32(around) * (1 - cover)


def _shape(
    rng: np.random.Generator,
    plane: Plane,
    middle: NDArray[np.float64],
    size: tuple[float, float],
) -> Superellipse:
    """Return a random shape; ``middle`` is its offset from the centre, as a share of the side."""
    height, width = plane.shape
    return Superellipse(
        (width * (0.5 + middle[0]), height * (0.5 + middle[1])),
        (rng.uniform(*size), rng.uniform(*size)),
        power=rng.uniform(1.7, 4),
        tilt_radians=rng.uniform(0, np.pi),
    )
