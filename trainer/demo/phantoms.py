"""CT-like phantoms of an axial chest slice, drawn from a seed.

They look like what the service expects and show the pattern that it looks for, so that everything
can be tried without a patient's image. COVID phantoms have bilateral, peripheral ground-glass
opacities (Bernheim et al. 2020, doi 10.1148/radiol.2020200463). The others have plain lungs, or
opacities of another kind or in another place. So neither brightness nor the mere presence of an
opacity separates the classes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.demo.anatomy import draw_anatomy
from trainer.demo.drawing import AIR, Image, Mask, blur, smooth_noise
from trainer.demo.findings import (
    OTHER_FINDING_SHARES,
    OTHER_FINDINGS,
    VISIBLE,
    add_peripheral_ground_glass,
)


@dataclass(frozen=True)
class Phantom:
    """A drawn slice."""

    pixels: NDArray[np.uint8]
    """``[256, 256]``, grey."""
    finding: Mask
    """Where it is brighter than without its finding, ``[256, 256]``."""


def draw_phantom(rng: np.random.Generator, *, covid: bool) -> Phantom:
    """Draw one slice.

    Args:
        rng: the source of all variation.
        covid: whether to draw the pattern of COVID-19.
    """
    anatomy = draw_anatomy(rng)
    clear = anatomy.image.copy()
    if covid:
        add_peripheral_ground_glass(rng, anatomy)
    else:
        OTHER_FINDINGS[rng.choice(len(OTHER_FINDINGS), p=OTHER_FINDING_SHARES)](rng, anatomy)
    return _acquire(rng, anatomy.image, anatomy.image > clear + VISIBLE)


def _acquire(rng: np.random.Generator, image: Image, finding: Mask) -> Phantom:
    """Apply the effects of scanner, position and window to the anatomy."""
    uneven = image * (1 + 0.05 * smooth_noise(rng, 48, image.shape))
    matrix = cv2.getRotationMatrix2D((128, 128), rng.uniform(-8, 8), rng.uniform(0.92, 1.12))
    placing = matrix + [[0, 0, rng.uniform(-6, 6)]] * 2
    placed = cv2.warpAffine(uneven, placing, uneven.shape, borderValue=AIR)
    marked = cv2.warpAffine(finding.astype(np.uint8), placing, finding.shape)
    sharpness, noise = rng.uniform(0.6, 1.2), rng.uniform(0.01, 0.035)
    noisy = blur(placed, sharpness) + noise * rng.standard_normal(uneven.shape, np.float32)
    windowed = (noisy - rng.uniform(-0.03, 0.04)) * rng.uniform(0.85, 1.15)
    return Phantom((np.clip(windowed, 0, 1) * 255).astype(np.uint8), marked.astype(np.bool_))
