"""The shapes of sprites, as signed distances d to their edge: negative inside.

A pixel at p is covered by

    clip(1/2 - r d(R(-a)(p - c) / r) / w, 0, 1)

with c the centre of the sprite, a its orientation, r the radius of the circle around it, and w the
width of a pixel. The shapes lie in the unit circle and touch it. v points up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]

RADIUS = 0.25  # of the circle around a sprite of scale 1, as a share of the image's width

_HEART_SIDE = 1.1204  # of the square within the heart
_HEART_RISE = 0.1858  # of the heart's centre above the square's, in sides


def cover(shape: int, placed: NDArray[np.float64], size: int) -> Plane:
    """(n, size, size) shares from 0 to 1 of each pixel that a sprite covers.

    Args:
        shape: its number in `SHAPES`.
        placed: (n, 4) scale, orientation, x and y, as `sprites.VALUES` has them.
        size: height and width in pixels.
    """
    scale, angle, x, y = placed.astype(np.float32).T[:, :, None, None]
    pixels = (np.arange(size, dtype=np.float32) + 0.5) / size
    radius = RADIUS * scale
    right, up = (pixels[None, None, :] - x) / radius, (y - pixels[None, :, None]) / radius
    u = np.cos(angle) * right + np.sin(angle) * up
    v = np.cos(angle) * up - np.sin(angle) * right
    distance = radius * _DISTANCES[shape](u, v)
    return np.asarray(np.clip(0.5 - distance * size, 0, 1))


def _square(u: Plane, v: Plane, half: float = math.sqrt(0.5)) -> Plane:
    across, along = np.abs(u) - half, np.abs(v) - half
    outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
    return outside + np.minimum(np.maximum(across, along), 0)


def _ellipse(u: Plane, v: Plane) -> Plane:
    """Twice as wide as high: q = |(u, 2 v)| is 1 on the edge, d = (q - 1) / |grad q| near it."""
    q = np.maximum(np.hypot(u, 2 * v), 1e-6)
    slope = np.maximum(np.hypot(u, 4 * v), 1e-6) / q
    return (q - 1) / slope


def _heart(u: Plane, v: Plane) -> Plane:
    """A square on its corner, and a disc on each of its upper sides."""
    lifted = v + _HEART_RISE * _HEART_SIDE
    tilted = _square(
        math.sqrt(0.5) * (u + lifted), math.sqrt(0.5) * (lifted - u), half=_HEART_SIDE / 2
    )
    middle = _HEART_SIDE * math.sqrt(0.125)
    discs = np.hypot(np.abs(u) - middle, lifted - middle) - _HEART_SIDE / 2
    return np.asarray(np.minimum(tilted, discs))


_DISTANCES: tuple[Callable[[Plane, Plane], Plane], ...] = (_square, _ellipse, _heart)
SHAPES = ("square", "ellipse", "heart")
