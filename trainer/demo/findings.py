"""Draws findings into the lungs of a thorax: those of COVID-19, and others."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from trainer.demo.anatomy import Anatomy
from trainer.demo.drawing import (
    SOFT_TISSUE,
    Image,
    Mask,
    blur,
    depth_in_lung,
    fill_ellipse,
    pick_pixel,
    smooth_noise,
)

_MAX_OPACITIES: Final = 30
VISIBLE: Final = 0.1
"""Brighter by this much, a pixel belongs to the finding."""


def add_peripheral_ground_glass(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add opacities from the pleura inwards until they cover a share of each lung."""
    for lung in anatomy.lungs:
        rim = lung & (depth_in_lung(lung) < 0.35)
        clear = anatomy.image[lung]
        extent = rng.uniform(0.35, 0.65)
        for _ in range(_MAX_OPACITIES):
            _add_haze(
                rng,
                anatomy.image,
                lung,
                pick_pixel(rng, rim),
                radius=rng.uniform(14, 28),
                density=rng.uniform(0.5, 0.85),
                mottling=0.6,
            )
            if np.mean(anatomy.image[lung] > clear + VISIBLE) >= extent:
                break


def _add_nothing(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Plain lungs."""


def _add_consolidation(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add one dense area in one lung, as in lobar pneumonia."""
    lung = anatomy.lungs[rng.integers(2)]
    at, radius = pick_pixel(rng, lung), rng.uniform(22, 34)
    _add_haze(rng, anatomy.image, lung, at, radius=radius, density=rng.uniform(0.6, 0.9))


def _add_perihilar_haze(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add bilateral opacities around the hila, as in pulmonary oedema: dense like COVID's."""
    for lung, hilum in zip(anatomy.lungs, anatomy.hila, strict=True):
        for _ in range(int(rng.integers(2, 4))):
            at = (hilum[0] + int(rng.integers(-6, 7)), hilum[1] + int(rng.integers(-14, 15)))
            _add_haze(
                rng,
                anatomy.image,
                lung,
                at,
                radius=rng.uniform(10, 17),
                density=rng.uniform(0.4, 0.7),
            )


def _add_nodules(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add a few small, dense, sharply bounded nodules."""
    both = anatomy.lungs[0] | anatomy.lungs[1]
    for _ in range(int(rng.integers(1, 5))):
        canvas = np.zeros(anatomy.image.shape, np.uint8)
        cv2.circle(canvas, pick_pixel(rng, both), int(rng.integers(3, 8)), 1, -1)
        anatomy.image[canvas.astype(bool) & both] = SOFT_TISSUE * rng.uniform(0.8, 1)


def _add_effusion(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add fluid with a level in the lowest part of one or both lungs."""
    sides = [0, 1] if rng.random() < 0.4 else [int(rng.integers(2))]
    for side in sides:
        rows = np.nonzero(anatomy.lungs[side].any(axis=1))[0]
        level = int(rows[-1] - rng.uniform(0.12, 0.35) * len(rows))
        fluid = anatomy.lungs[side].copy()
        fluid[:level] = False
        anatomy.image[fluid] = SOFT_TISSUE * rng.uniform(0.8, 0.95)


OTHER_FINDINGS: Final[tuple[Callable[[np.random.Generator, Anatomy], None], ...]] = (
    _add_nothing,
    _add_consolidation,
    _add_perihilar_haze,
    _add_nodules,
    _add_effusion,
)
OTHER_FINDING_SHARES: Final = (0.3, 0.2, 0.12, 0.2, 0.18)


def _add_haze(
    rng: np.random.Generator,
    image: Image,
    lung: Mask,
    at: tuple[int, int],
    *,
    radius: float,
    density: float,
    mottling: float = 0.0,
) -> None:
    """Brighten an irregular area inside a lung. Vessels stay visible through it."""
    # Only in the lung's bounding box: most of the image lies outside it.
    left, top, width, height = cv2.boundingRect(lung.astype(np.uint8))
    box = (slice(top, top + height), slice(left, left + width))
    blob = np.zeros((height, width), np.float32)
    for _ in range(5):
        offset = rng.normal(0, radius * 0.4, 2)
        axes = rng.uniform(0.35, 0.8, 2) * radius
        fill_ellipse(
            blob,
            (int(at[0] - left + offset[0]), int(at[1] - top + offset[1])),
            (max(1, int(axes[0])), max(1, int(axes[1]))),
            1.0,
            rng.uniform(0, 180),
        )
    blob = blur(blob, radius * 0.14)
    if mottling:
        blob *= 1 + mottling * smooth_noise(rng, 7, blob.shape)
    # Denser tissue brightens less, so that haze is never brighter than a consolidation.
    headroom = np.clip(SOFT_TISSUE - image[box], 0, None)
    image[box] += headroom * np.clip(density * blob, 0, 0.95) * lung[box]
