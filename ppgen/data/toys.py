"""Toy densities in two dimensions, with exact log densities where these have a closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .bijections import Floats

Sampler = Callable[[int, np.random.Generator], Floats]
LogDensity = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Toy:
    """A toy density.

    Attributes:
        about: what it is.
        sample: (n, generator) -> (n, 2) points.
        exact: (n, 2) points -> (n,) log density in nats, or None where it has no closed form.
        entropy: in nats, where it is known.
    """

    about: str
    sample: Sampler
    exact: LogDensity | None = None
    entropy: float | None = None

    def log_density(self, x: Floats) -> Floats:
        """(n,) exact log densities in nats of (n, 2) points; InputError without a closed form."""
        if self.exact is None:
            raise InputError(f"{self.about}: its density has no closed form.")
        return self.exact(np.asarray(x, dtype=np.float64))


def _checkerboard(n: int, rng: np.random.Generator) -> Floats:
    """Uniform on the eight dark squares, of side 2, of a 4 x 4 board."""
    column = rng.integers(4, size=n)
    row = 2 * rng.integers(2, size=n) + column % 2
    return 2.0 * (np.stack([column, row], axis=1) + rng.random((n, 2))) - 4.0


def _checkerboard_log(x: Floats) -> Floats:
    square = np.floor((x + 4.0) / 2.0)
    dark = np.all((square >= 0) & (square < 4), axis=1) & (square.sum(axis=1) % 2 == 0)
    return np.where(dark, -math.log(32.0), -np.inf)


# The scale of the usual toy: radius 4 and deviation 1/2, over the square root of 2.
_EIGHT_SD = 0.5 / math.sqrt(2.0)
_EIGHTHS = np.arange(8) * math.pi / 4
_EIGHT = 4.0 / math.sqrt(2.0) * np.stack([np.cos(_EIGHTHS), np.sin(_EIGHTHS)], axis=1)
_GRID_SD = 0.05
_GRID = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 2.0)] * 2), axis=-1).reshape(-1, 2)


def _gaussians(centres: Floats, sd: float) -> tuple[Sampler, LogDensity]:
    """Equal round Gaussians: sum_k N(x; c_k, sd^2 I) / K."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        near = centres[rng.integers(len(centres), size=n)]
        return np.asarray(near + sd * rng.standard_normal((n, 2)))

    def log_density(x: Floats) -> Floats:
        squares = ((x[:, None, :] - centres) ** 2).sum(axis=2) / (2 * sd**2)
        nearest = squares.min(axis=1)
        total = np.exp(nearest[:, None] - squares).sum(axis=1)
        norm = math.log(2 * math.pi * sd**2 * len(centres))
        return np.asarray(np.log(total) - nearest - norm)

    return sample, log_density


def _two_moons(n: int, rng: np.random.Generator) -> Floats:
    upper = rng.random(n) < 0.5
    angle = math.pi * rng.random(n)
    x = np.where(upper, np.cos(angle), 1.0 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=1) + 0.1 * rng.standard_normal((n, 2))


_RADII = np.array([0.75, 1.5, 2.25, 3.0])
_RING_SD = 0.08


def _rings(n: int, rng: np.random.Generator) -> Floats:
    radius = _RADII[rng.integers(len(_RADII), size=n)]
    angle = 2 * math.pi * rng.random(n)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(radius[:, None] * circle + _RING_SD * rng.standard_normal((n, 2)))


def _rings_log(x: Floats) -> Floats:
    """Blurred circles: the mean over R of exp(-(r^2 + R^2) / 2s^2) I0(r R / s^2) / (2 pi s^2)."""
    from scipy.special import ive, logsumexp

    r = np.hypot(x[:, 0], x[:, 1])[:, None]
    terms = -((r - _RADII) ** 2) / (2 * _RING_SD**2) + np.log(ive(0, r * _RADII / _RING_SD**2))
    norm = math.log(2 * math.pi * _RING_SD**2 * len(_RADII))
    return np.asarray(logsumexp(terms, axis=1) - norm)


def _spirals(n: int, rng: np.random.Generator) -> Floats:
    angle = 3 * math.pi * np.sqrt(rng.random(n))
    arm = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    spiral = np.stack([-np.cos(angle), np.sin(angle)], axis=1) * (arm * angle / 3.0)[:, None]
    return np.asarray(spiral + 0.1 * rng.standard_normal((n, 2)))


_EIGHT_ENTROPY = 2.8316  # by quadrature; ln 8 + ln(2 pi e sd^2) = 2.8380 if they did not overlap
_GRID_ENTROPY = math.log(25) + math.log(2 * math.pi * math.e * _GRID_SD**2)

TOYS: dict[str, Toy] = {
    "checkerboard": Toy(
        "uniform on 8 squares of a 4 x 4 board", _checkerboard, _checkerboard_log, math.log(32)
    ),
    "8gaussians": Toy("8 Gaussians on a circle", *_gaussians(_EIGHT, _EIGHT_SD), _EIGHT_ENTROPY),
    "grid25": Toy("25 narrow Gaussians on a grid", *_gaussians(_GRID, _GRID_SD), _GRID_ENTROPY),
    "two_moons": Toy("two interleaved half circles with noise", _two_moons),
    "rings": Toy("4 circles with noise", _rings, _rings_log),
    "spirals": Toy("two spiral arms with noise", _spirals),
}
