"""Round shapes on a pixel grid, for augmented views and synthetic outliers."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Superellipse:
    """A rotated shape between ellipse and rectangle: ``|x/a|^p + |y/b|^p = 1``, in pixels.

    An ellipse has the power 2. Higher powers give squarer shapes.
    """

    centre: tuple[float, float]
    semi_axes: tuple[float, float]
    power: float
    tilt_radians: float = 0.0

    def coordinates(self, shape: tuple[int, int]) -> tuple[Plane, Plane]:
        """Return each pixel's x and y along the semi-axes, in units of them, each ``[H, W]``."""
        x, y = _offsets(shape, self.centre)
        cosine, sine = np.cos(self.tilt_radians), np.sin(self.tilt_radians)
        width, height = self.semi_axes
        along: Plane = ((x * cosine + y * sine) / width).astype(np.float32)
        across: Plane = ((y * cosine - x * sine) / height).astype(np.float32)
        return along, across

    def radius(self, shape: tuple[int, int]) -> Plane:
        """Return each pixel's relative distance from the centre, ``[H, W]``: 1 on the edge."""
        x, y = self.coordinates(shape)
        radius: Plane = (np.abs(x) ** self.power + np.abs(y) ** self.power) ** (1 / self.power)
        return radius

    def cover(self, shape: tuple[int, int]) -> Plane:
        """Return the approximate share of each pixel that lies inside, ``[H, W]``."""
        inside = (1 - self.radius(shape)) * np.float32(min(self.semi_axes)) + np.float32(0.5)
        return np.asarray(np.clip(inside, 0, 1))


def arc_cover(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Plane:
    """Return the approximate share of each pixel covered by a circle's one-pixel line."""
    x, y = _offsets(shape, centre)
    return np.asarray(np.clip(1 - np.abs(np.hypot(x, y) - np.float32(radius)), 0, 1))


def _offsets(shape: tuple[int, int], centre: tuple[float, float]) -> tuple[Plane, Plane]:
    rows, columns = _pixels(shape)
    return columns - np.float32(centre[0]), rows - np.float32(centre[1])


@cache
def _pixels(shape: tuple[int, int]) -> tuple[Plane, Plane]:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return rows, columns
