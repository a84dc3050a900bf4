"""Appearance augmentation: training images as another workstation would show them.

A score fitted only to one hospital's screenshots finds every other hospital's images too different.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.ood.shapes import Plane, Superellipse, arc_cover

Images = NDArray[np.float32]


@dataclass(frozen=True)
class _Windows:
    """A kind of window: which levels become black and white, as a share of the displayed range."""

    share: float
    black: tuple[float, float]
    white: tuple[float, float]


_WINDOWS: Final = (
    _Windows(0.42, (-0.15, 0.15), (0.85, 1.15)),
    # Mediastinal windows: lungs are black.
    _Windows(0.23, (0.35, 0.7), (1.0, 1.6)),
    _Windows(0.17, (-0.05, 0.25), (1.15, 2.2)),
    # Bright displays: everything but the lungs is white.
    _Windows(0.18, (-0.4, 0.05), (0.6, 0.95)),
)
_MIN_WINDOW: Final = 0.3
_GAMMA: Final = 0.3
"""Exponents lie between ``exp(-0.3)`` and ``exp(0.3)``."""

_TURN_DEGREES: Final = 7.0
_SLANT: Final = 0.1
_ZOOM: Final = (0.9, 1.35)
"""Along each axis."""
_SHIFT: Final = 0.07
"""As a share of the side."""

_OPACITIES_SHARE: Final = 0.6
"""Share of the views with added opacities."""
_MAX_OPACITIES: Final = 4
_OPACITY: Final = (0.6, 0.95)
_OPACITY_SIZE: Final = (0.06, 0.35)
"""Semi-axes, as a share of the side."""

_BODY_WIDTH: Final = (0.62, 1.12)
"""As a share of the whole field; wide bodies are cut off at the sides."""
_BODY_HEIGHT: Final = (0.55, 1.15)
"""As a share of the body's width. Images cropped to the body fill a square after resizing."""
_SHOWN_BEFORE: Final = (0.68, 1.02)
"""How much of the body the training image shows, along each axis: screenshots are cropped."""
_WALL: Final = (0.65, 1.0)
_MAX_AIR: Final = 0.35
"""In a lung window of -600/1500, air is at 0.23."""
_BREASTS: Final = 0.35
_TABLE: Final = 0.7
"""Share of the views that have them."""


def other_windows(images: Images, seed: int) -> Images:
    """Return each image slightly rotated, stretched and shifted, and through another window.

    Some also get added opacities.

    Args:
        images: float32 ``[N, H, W, 3]``, 0 to 1, like the result.
        seed: the random seed of all variation.
    """
    rng = np.random.default_rng(seed)
    return np.stack(
        [through_another_window(_moved(_with_opacities(image, rng), rng), rng) for image in images]
    )


def full_fields(images: Images, seed: int) -> Images:
    """Return each image in a scanner's full field of view: a body in air, often on a table.

    Args:
        images: float32 ``[N, H, W, 3]``, 0 to 1, cropped to the lungs.
        seed: the random seed of all variation.
    """
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            through_another_window(in_full_field(_with_opacities(image, rng), rng), rng)
            for image in images
        ]
    )


def through_another_window(image: Images, rng: np.random.Generator) -> Images:
    """Return one image ``[H, W, 3]`` with other black and white levels and another gamma."""
    kind = _WINDOWS[rng.choice(len(_WINDOWS), p=[kind.share for kind in _WINDOWS])]
    black = rng.uniform(*kind.black)
    white = max(rng.uniform(*kind.white), black + _MIN_WINDOW)
    levels = np.clip((image - black) / (white - black), 0, 1)
    shown: Images = (levels ** np.exp(rng.uniform(-_GAMMA, _GAMMA))).astype(np.float32)
    return shown


def in_full_field(image: Images, rng: np.random.Generator) -> Images:
    """Return one image ``[H, W, 3]`` as the inside of a body that lies in a scanner."""
    height, width = shape = (image.shape[0], image.shape[1])
    half_width = width / 2 * rng.uniform(*_BODY_WIDTH)
    half_height = min(half_width * rng.uniform(*_BODY_HEIGHT), 1.03 * height / 2)
    body = Superellipse(
        (
            width / 2 + rng.uniform(-_SHIFT, _SHIFT) * width,
            height / 2 + rng.uniform(-0.7, 0.7) * max(0.0, height / 2 - half_height),
        ),
        (half_width, half_height),
        power=rng.uniform(2, 3),
        tilt_radians=np.deg2rad(rng.uniform(-_TURN_DEGREES, _TURN_DEGREES)),
    )
    outline = body.cover(shape)
    if rng.random() < _BREASTS:
        for side in (-1, 1):
            outline = np.maximum(outline, _breast(body, side, rng).cover(shape))
    air = rng.uniform(0, _MAX_AIR) if rng.random() < 2 / 3 else 0.0
    around = np.full(shape, air, np.float32)
    if rng.random() < _TABLE:
        around = np.maximum(around, _table(shape, body, rng))
    inside = _filled(image, body, rng) * outline[..., None]
    return np.asarray(inside + (around * (1 - outline))[..., None], np.float32)


def _with_opacities(image: Images, rng: np.random.Generator) -> Images:
    """Add consolidations or effusions: a filled lung is still a lung."""
    if rng.random() >= _OPACITIES_SHARE:
        return image
    height, width = shape = (image.shape[0], image.shape[1])
    for _ in range(rng.integers(1, _MAX_OPACITIES + 1)):
        opacity = Superellipse(
            (rng.uniform(0, width), rng.uniform(0, height)),
            (rng.uniform(*_OPACITY_SIZE) * width, rng.uniform(*_OPACITY_SIZE) * height),
            power=2,
            tilt_radians=rng.uniform(0, np.pi),
        )
        # Dense in the middle, with a soft edge.
        density = np.clip(2 * (1 - opacity.radius(shape)), 0, 1) * np.float32(
            rng.uniform(*_OPACITY)
        )
        image = np.maximum(image, density[..., None])
    return image


def _moved(image: Images, rng: np.random.Generator) -> Images:
    height, width = image.shape[:2]
    middle = np.array([width, height]) / 2
    turn = np.deg2rad(rng.uniform(-_TURN_DEGREES, _TURN_DEGREES))
    slant = rng.uniform(-_SLANT, _SLANT)
    linear = np.array([[np.cos(turn), slant - np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear *= rng.uniform(*_ZOOM, 2)
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * (width, height)
    matrix = np.column_stack([linear, middle - linear @ middle + shift])
    moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def _breast(body: Superellipse, side: int, rng: np.random.Generator) -> Superellipse:
    (x, y), (half_width, half_height) = body.centre, body.semi_axes
    return Superellipse(
        (
            x + side * half_width * rng.uniform(0.35, 0.6),
            y - half_height * rng.uniform(0.55, 0.9),
        ),
        (half_width * rng.uniform(0.25, 0.45), half_height * rng.uniform(0.3, 0.6)),
        power=2,
    )


def _table(shape: tuple[int, int], body: Superellipse, rng: np.random.Generator) -> Plane:
    """Draw one or two curved lines below the body."""
    x = body.centre[0]
    lowest = body.centre[1] + body.semi_axes[1] + rng.uniform(-1, 6)
    radius = rng.uniform(0.5, 2) * shape[1]
    lines = np.zeros(shape, np.float32)
    for below in (0.0, rng.uniform(2, 6))[: rng.integers(1, 3)]:
        line = arc_cover(shape, (x, lowest + below - radius), radius)
        line[: max(0, int(body.centre[1]))] = 0
        lines = np.maximum(lines, line * np.float32(rng.uniform(0.3, 1)))
    return lines


def _filled(image: Images, body: Superellipse, rng: np.random.Generator) -> Images:
    """Spread the training image over most of the body, with a wall of one grey level around it."""
    height, width = image.shape[:2]
    x, y = body.coordinates((height, width))
    share_x, share_y = rng.uniform(*_SHOWN_BEFORE), rng.uniform(*_SHOWN_BEFORE)
    lower = rng.uniform(-0.3, 0.6) * (1 - share_y)
    filled = cv2.remap(
        image,
        (x / share_x + 1) * np.float32((width - 1) / 2),
        ((y - lower) / share_y + 1) * np.float32((height - 1) / 2),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=[rng.uniform(*_WALL)] * 3,
    )
    return np.asarray(filled, np.float32)
