"""CT-like phantoms of an axial chest slice, drawn from a seed.

They look like what the service expects and show the pattern that it looks for, so that everything
can be tried without a patient's image. COVID phantoms have bilateral, peripheral ground-glass
opacities (Bernheim et al. 2020, doi 10.1148/radiol.2020200463). The others have plain lungs, or
opacities of another kind or in another place. So neither brightness nor the mere presence of an
opacity separates the classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

PHANTOM_SIZE: Final = 256
"""Height and width in pixels."""

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_MAX_OPACITIES: Final = 30
_VISIBLE: Final = 0.1

_AIR, _LUNG, _FAT, _SOFT_TISSUE, _BONE = 0.04, 0.2, 0.68, 0.82, 1.0


@dataclass
class Anatomy:
    """A thorax without disease: the image and the position of its lungs."""

    image: Image
    lungs: tuple[Mask, Mask]
    """Left and right half of the image."""
    hila: tuple[tuple[int, int], tuple[int, int]]
    """Where each lung's vessels enter, as x and y."""


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
    anatomy = _draw_anatomy(rng)
    clear = anatomy.image.copy()
    if covid:
        _add_peripheral_ground_glass(rng, anatomy)
    else:
        _OTHER_FINDINGS[rng.choice(len(_OTHER_FINDINGS), p=_OTHER_FINDING_SHARES)](rng, anatomy)
    return _acquire(rng, anatomy.image, anatomy.image > clear + _VISIBLE)


def _draw_anatomy(rng: np.random.Generator) -> Anatomy:
    image = np.full((PHANTOM_SIZE, PHANTOM_SIZE), _AIR, np.float32)
    centre = (128 + rng.integers(-4, 5), 130 + rng.integers(-4, 5))
    body_width, body_height = int(rng.integers(116, 127)), int(rng.integers(88, 107))
    _fill_ellipse(image, centre, (body_width, body_height), _FAT)
    rim = int(rng.integers(5, 11))
    _fill_ellipse(image, centre, (body_width - rim, body_height - rim), _SOFT_TISSUE)
    lungs, hila = _draw_lungs(rng, image, centre, body_width, body_height)
    _draw_heart(rng, image, centre)
    lungs = (lungs[0] & (image <= _LUNG), lungs[1] & (image <= _LUNG))
    _draw_bones(rng, image, centre, body_width - rim, body_height - rim)
    anatomy = Anatomy(image, lungs, hila)
    for lung, hilum in zip(anatomy.lungs, anatomy.hila, strict=True):
        _draw_vessels(rng, image, lung, hilum)
    return anatomy


def _draw_lungs(
    rng: np.random.Generator, image: Image, centre: tuple[int, int], width: int, height: int
) -> tuple[tuple[Mask, Mask], tuple[tuple[int, int], tuple[int, int]]]:
    lungs, hila = [], []
    for side in (-1, 1):
        offset = side * int(width * rng.uniform(0.41, 0.45))
        axes = (int(width * rng.uniform(0.34, 0.39)), int(height * rng.uniform(0.66, 0.78)))
        tilt = side * rng.uniform(4, 16)
        x, y = centre[0] + offset, centre[1] + int(rng.integers(-6, 3))
        canvas = np.zeros(image.shape, np.uint8)
        cv2.ellipse(canvas, (x, y), axes, tilt, 0, 360, 1, -1)
        lung = canvas.astype(bool)
        image[lung] = _LUNG
        lungs.append(lung)
        hila.append((x - side * int(axes[0] * 0.7), y + int(rng.integers(-6, 7))))
    return (lungs[0], lungs[1]), (hila[0], hila[1])


def _draw_heart(rng: np.random.Generator, image: Image, centre: tuple[int, int]) -> None:
    at = (centre[0] + int(rng.integers(4, 19)), centre[1] - int(rng.integers(8, 23)))
    axes = (int(rng.integers(24, 39)), int(rng.integers(20, 33)))
    _fill_ellipse(image, at, axes, _SOFT_TISSUE + rng.uniform(0, 0.05), rng.uniform(-35, 35))
    aorta = (centre[0] + int(rng.integers(8, 15)), centre[1] + int(rng.integers(18, 29)))
    _fill_ellipse(image, aorta, (9, 9), _SOFT_TISSUE + rng.uniform(0, 0.08))


def _draw_bones(
    rng: np.random.Generator, image: Image, centre: tuple[int, int], width: int, height: int
) -> None:
    spine = (centre[0] + int(rng.integers(-2, 3)), centre[1] + int(height * 0.62))
    _fill_ellipse(image, spine, (14, 12), _BONE * rng.uniform(0.85, 1))
    _fill_ellipse(image, (spine[0], spine[1] + 14), (5, 4), _SOFT_TISSUE)
    _fill_ellipse(image, (centre[0], centre[1] - int(height * 0.86)), (12, 4), _BONE * 0.9)
    for angle in np.arange(15, 360, 30) + rng.uniform(-7, 7, 12):
        radians = np.deg2rad(angle)
        rib = (
            int(centre[0] + 0.95 * width * np.cos(radians)),
            int(centre[1] + 0.95 * height * np.sin(radians)),
        )
        axes = (int(rng.integers(8, 14)), int(rng.integers(2, 4)))
        _fill_ellipse(image, rib, axes, _BONE * rng.uniform(0.75, 1), angle + 90)


def _draw_vessels(
    rng: np.random.Generator, image: Image, lung: Mask, hilum: tuple[int, int]
) -> None:
    canvas = np.zeros(image.shape, np.float32)
    away = -1 if hilum[0] < PHANTOM_SIZE / 2 else 1
    for angle in rng.uniform(-1.3, 1.3, int(rng.integers(4, 8))):
        heading = angle if away > 0 else np.pi - angle
        _grow_vessel(rng, canvas, hilum, heading, thickness=3)
    image[lung] = np.maximum(image[lung], canvas[lung])


def _grow_vessel(
    rng: np.random.Generator,
    canvas: Image,
    start: tuple[int, int],
    heading: float,
    *,
    thickness: int,
) -> None:
    length = rng.uniform(16, 34)
    end = (
        int(start[0] + length * np.cos(heading)),
        int(start[1] + length * np.sin(heading)),
    )
    brightness = 0.32 + 0.12 * thickness * rng.uniform(0.7, 1.1)
    cv2.line(canvas, start, end, brightness, thickness, cv2.LINE_AA)
    if thickness > 1:
        for turn in (rng.uniform(0.15, 0.6), -rng.uniform(0.15, 0.6)):
            _grow_vessel(rng, canvas, end, heading + turn, thickness=thickness - 1)


def _add_peripheral_ground_glass(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add opacities from the pleura inwards until they cover a share of each lung."""
    for lung in anatomy.lungs:
        rim = lung & (_depth(lung) < 0.35)
        clear = anatomy.image[lung]
        extent = rng.uniform(0.35, 0.65)
        for _ in range(_MAX_OPACITIES):
            _add_haze(
                rng,
                anatomy.image,
                lung,
                _pick(rng, rim),
                radius=rng.uniform(14, 28),
                density=rng.uniform(0.5, 0.85),
                mottling=0.6,
            )
            if np.mean(anatomy.image[lung] > clear + _VISIBLE) >= extent:
                break


def _add_nothing(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Plain lungs."""


def _add_consolidation(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add one dense area in one lung, as in lobar pneumonia."""
    lung = anatomy.lungs[rng.integers(2)]
    at, radius = _pick(rng, lung), rng.uniform(22, 34)
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
        cv2.circle(canvas, _pick(rng, both), int(rng.integers(3, 8)), 1, -1)
        anatomy.image[canvas.astype(bool) & both] = _SOFT_TISSUE * rng.uniform(0.8, 1)


def _add_effusion(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Add fluid with a level in the lowest part of one or both lungs."""
    sides = [0, 1] if rng.random() < 0.4 else [int(rng.integers(2))]
    for side in sides:
        rows = np.nonzero(anatomy.lungs[side].any(axis=1))[0]
        level = int(rows[-1] - rng.uniform(0.12, 0.35) * len(rows))
        fluid = anatomy.lungs[side].copy()
        fluid[:level] = False
        anatomy.image[fluid] = _SOFT_TISSUE * rng.uniform(0.8, 0.95)


_OTHER_FINDINGS: Final[tuple[Callable[[np.random.Generator, Anatomy], None], ...]] = (
    _add_nothing,
    _add_consolidation,
    _add_perihilar_haze,
    _add_nodules,
    _add_effusion,
)
_OTHER_FINDING_SHARES: Final = (0.3, 0.2, 0.12, 0.2, 0.18)


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
        _fill_ellipse(
            blob,
            (int(at[0] - left + offset[0]), int(at[1] - top + offset[1])),
            (max(1, int(axes[0])), max(1, int(axes[1]))),
            1.0,
            rng.uniform(0, 180),
        )
    blob = _blur(blob, radius * 0.14)
    if mottling:
        blob *= 1 + mottling * _smooth_noise(rng, 7, blob.shape)
    # Denser tissue brightens less, so that haze is never brighter than a consolidation.
    headroom = np.clip(_SOFT_TISSUE - image[box], 0, None)
    image[box] += headroom * np.clip(density * blob, 0, 0.95) * lung[box]


def _acquire(rng: np.random.Generator, image: Image, finding: Mask) -> Phantom:
    """Apply the effects of scanner, position and window to the anatomy."""
    uneven = image * (1 + 0.05 * _smooth_noise(rng, 48, image.shape))
    matrix = cv2.getRotationMatrix2D((128, 128), rng.uniform(-8, 8), rng.uniform(0.92, 1.12))
    placing = matrix + [[0, 0, rng.uniform(-6, 6)]] * 2
    placed = cv2.warpAffine(uneven, placing, uneven.shape, borderValue=_AIR)
    marked = cv2.warpAffine(finding.astype(np.uint8), placing, finding.shape)
    sharpness, noise = rng.uniform(0.6, 1.2), rng.uniform(0.01, 0.035)
    noisy = _blur(placed, sharpness) + noise * rng.standard_normal(uneven.shape, np.float32)
    windowed = (noisy - rng.uniform(-0.03, 0.04)) * rng.uniform(0.85, 1.15)
    return Phantom((np.clip(windowed, 0, 1) * 255).astype(np.uint8), marked.astype(np.bool_))


def _fill_ellipse(
    image: Image,
    centre: tuple[int, int],
    axes: tuple[int, int],
    value: float,
    angle: float = 0,
) -> None:
    cv2.ellipse(
        image, (int(centre[0]), int(centre[1])), axes, float(angle), 0, 360, float(value), -1
    )


def _depth(lung: Mask) -> Image:
    """Return each pixel's depth in its lung: 0 at the pleura, 1 at the deepest point."""
    distance = cv2.distanceTransform(lung.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance / max(float(distance.max()), 1.0), np.float32)


def _pick(rng: np.random.Generator, mask: Mask) -> tuple[int, int]:
    """Return a random pixel of a mask, as x and y."""
    rows, columns = np.nonzero(mask)
    index = int(rng.integers(len(rows)))
    return int(columns[index]), int(rows[index])


def _blur(image: NDArray[Any], sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def _smooth_noise(rng: np.random.Generator, scale: int, shape: tuple[int, ...]) -> Image:
    """Return noise of about unit variance that varies over ``scale`` pixels."""
    height, width = shape
    noise = rng.standard_normal((height // scale + 1, width // scale + 1), np.float32)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
