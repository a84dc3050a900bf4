"""Draws an axial slice of a thorax without disease."""

from dataclasses import dataclass

import cv2
import numpy as np

from trainer.demo.drawing import (
    AIR,
    BONE,
    FAT,
    LUNG,
    PHANTOM_SIZE,
    SOFT_TISSUE,
    Image,
    Mask,
    fill_ellipse,
)


@dataclass
class Anatomy:
    """A thorax without disease: the image and the position of its lungs."""

    image: Image
    lungs: tuple[Mask, Mask]
    """Left and right half of the image."""
    hila: tuple[tuple[int, int], tuple[int, int]]
    """Where each lung's vessels enter, as x and y."""


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw one thorax."""
    image = np.full((PHANTOM_SIZE, PHANTOM_SIZE), AIR, np.float32)
    centre = (128 + rng.integers(-4, 5), 130 + rng.integers(-4, 5))
    body_width, body_height = int(rng.integers(116, 127)), int(rng.integers(88, 107))
    fill_ellipse(image, centre, (body_width, body_height), FAT)
    rim = int(rng.integers(5, 11))
    fill_ellipse(image, centre, (body_width - rim, body_height - rim), SOFT_TISSUE)
    lungs, hila = _draw_lungs(rng, image, centre, body_width, body_height)
    _draw_heart(rng, image, centre)
    lungs = (lungs[0] & (image <= LUNG), lungs[1] & (image <= LUNG))
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
        image[lung] = LUNG
        lungs.append(lung)
        hila.append((x - side * int(axes[0] * 0.7), y + int(rng.integers(-6, 7))))
    return (lungs[0], lungs[1]), (hila[0], hila[1])


def _draw_heart(rng: np.random.Generator, image: Image, centre: tuple[int, int]) -> None:
    at = (centre[0] + int(rng.integers(4, 19)), centre[1] - int(rng.integers(8, 23)))
    axes = (int(rng.integers(24, 39)), int(rng.integers(20, 33)))
    fill_ellipse(image, at, axes, SOFT_TISSUE + rng.uniform(0, 0.05), rng.uniform(-35, 35))
    aorta = (centre[0] + int(rng.integers(8, 15)), centre[1] + int(rng.integers(18, 29)))
    fill_ellipse(image, aorta, (9, 9), SOFT_TISSUE + rng.uniform(0, 0.08))


def _draw_bones(
    rng: np.random.Generator, image: Image, centre: tuple[int, int], width: int, height: int
) -> None:
    spine = (centre[0] + int(rng.integers(-2, 3)), centre[1] + int(height * 0.62))
    fill_ellipse(image, spine, (14, 12), BONE * rng.uniform(0.85, 1))
    fill_ellipse(image, (spine[0], spine[1] + 14), (5, 4), SOFT_TISSUE)
    fill_ellipse(image, (centre[0], centre[1] - int(height * 0.86)), (12, 4), BONE * 0.9)
    for angle in np.arange(15, 360, 30) + rng.uniform(-7, 7, 12):
        radians = np.deg2rad(angle)
        rib = (
            int(centre[0] + 0.95 * width * np.cos(radians)),
            int(centre[1] + 0.95 * height * np.sin(radians)),
        )
        axes = (int(rng.integers(8, 14)), int(rng.integers(2, 4)))
        fill_ellipse(image, rib, axes, BONE * rng.uniform(0.75, 1), angle + 90)


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
