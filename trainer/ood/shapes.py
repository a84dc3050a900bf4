"""Round shapes on a grid of pixels, of which views and strangers of training images are made."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Superellipse:
    """Between an ellipse and a rectangle: ``|x/a|^p + |y/b|^p = 1``, turned; in pixels.

    An ellipse has the power 2; the higher it is, the squarer the shape.
    """

    centre: tuple[float, float]
    semi_axes: tuple[float, float]
    power: float
    tilt_radians: float = 0.0

    def coordinates(self, shape: tuple[int, int]) -> tuple[Plane, Plane]:
        """Each pixel's x and y along the semi-axes, as a share of them, each ``[H, W]``."""
        x, y = _offsets(shape, self.centre)
        cosine, sine = np.cos(self.tilt_radians), np.sin(self.tilt_radians)
        width, height = self.semi_axes
        along: Plane = ((x * cosine + y * sine) / width).astype(np.float32)
        across: Plane = ((y * cosine - x * sine) / height).astype(np.float32)
        return along, across

    def radius(self, shape: tuple[int, int]) -> Plane:
        """How far out each pixel lies, ``[H, W]``: 0 in the middle, 1 on the edge."""
        x, y = self.coordinates(shape)
        radius: Plane = (np.abs(x) ** self.power + np.abs(y) ** self.power) ** (1 / self.power)
        return radius

    def cover(self, shape: tuple[int, int]) -> Plane:
        """What share of each pixel lies inside, about, ``[H, W]``."""
        inside = (1 - self.radius(shape)) * np.float32(min(self.semi_axes)) + np.float32(0.5)
        return np.asarray(np.clip(inside, 0, 1))


def arc_cover(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Plane:
    """What share of each pixel a line of one pixel's width along a circle covers, about."""
    x, y = _offsets(shape, centre)
    return np.asarray(np.clip(1 - np.abs(np.hypot(x, y) - np.float32(radius)), 0, 1))


def _offsets(shape: tuple[int, int], centre: tuple[float, float]) -> tuple[Plane, Plane]:
    rows, columns = _pixels(shape)
    return columns - np.float32(centre[0]), rows - np.float32(centre[1])


@cache
def _pixels(shape: tuple[int, int]) -> tuple[Plane, Plane]:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return rows, columns
