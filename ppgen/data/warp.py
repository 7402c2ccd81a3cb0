"""The map of one continuous column: z = (g(v) - shift) / scale, with its derivative (see
`codec`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .schema import DISCRETE, Column

Floats = NDArray[np.float64]
_EDGE = 1e-9  # values on the edge of an interval stand this far inside, as a share of its length


@dataclass(frozen=True)
class Warp:
    """One continuous column's map.

    Attributes:
        column: what is mapped.
        shift, scale: m and s of the standardisation; 0 and 1 for none.
        cut: where a circle is opened.
    """

    column: Column
    shift: float = 0.0
    scale: float = 1.0
    cut: float = 0.0

    @classmethod
    def fit(
        cls, column: Column, values: NDArray[Any], weights: Floats | None, *, standardise: bool
    ) -> Warp:
        """The map of these values; `standardise` gives z mean 0 and variance 1."""
        known = ~np.isnan(values)
        numbers = values[known].astype(np.float64)
        warp = cls(column, cut=_largest_gap(numbers, column.period) if column.period else 0.0)
        if not standardise:
            return warp
        z, _ = warp.forward(numbers, 0.5)
        shares = None if weights is None else weights[known]
        shift = float(np.average(z, weights=shares))
        scale = float(np.sqrt(np.average((z - shift) ** 2, weights=shares)))
        return cls(column, shift, scale if scale > 0 else 1.0, warp.cut)

    @property
    def noisy(self) -> bool:
        """Whether the column's cells are filled with noise."""
        return self.column.width is not None or self.column.kind in ("count", *DISCRETE)

    @property
    def identity(self) -> bool:
        return self.column.kind == "real" and not self.noisy and self.shift == 0 and self.scale == 1

    @property
    def _bounds(self) -> tuple[float, float] | None:
        """Ends of the interval that g maps to the line, if it is one."""
        kind = self.column.kind
        if kind == "interval":
            assert self.column.lower is not None  # the schema has checked it
            assert self.column.upper is not None
            return self.column.lower, self.column.upper
        if kind == "circular":
            return 0.0, float(self.column.period or 0.0)
        return (0.0, float(len(self.column.levels))) if kind in DISCRETE else None

    def forward(self, values: Floats, places: Floats | float) -> tuple[Floats, Floats]:
        """z and log |dz/dv| of the values; 0 where missing, -inf for a level (-2) that the fit
        never saw."""
        v = self._filled(values, places)
        bounds = self._bounds
        if bounds is not None:
            lower, upper = bounds
            length = upper - lower
            share = np.clip((v - lower) / length, _EDGE, 1 - _EDGE)
            g = np.log(share) - np.log1p(-share)
            log_slope = -np.log(share) - np.log1p(-share) - np.log(length)
        elif self.column.kind in ("positive", "count"):
            g = np.log(v)
            log_slope = -g
        else:
            g, log_slope = v, np.zeros_like(v)
        log_slope = np.where(np.isnan(values), 0.0, log_slope - np.log(self.scale))
        if self.column.kind in DISCRETE:
            log_slope[values == -2] = -np.inf
        return (g - self.shift) / self.scale, log_slope

    def inverse(self, z: NDArray[Any]) -> Floats:
        """Values of z, on their grid and inside their bounds; level numbers for a discrete
        column."""
        g = z.astype(np.float64) * self.scale + self.shift
        column, bounds = self.column, self._bounds
        if bounds is not None:
            v = bounds[0] + (bounds[1] - bounds[0]) * expit(g)
        else:
            v = np.exp(g) if column.kind in ("positive", "count") else g
        if column.kind in ("count", *DISCRETE):
            v = np.floor(v)
            return np.minimum(v, len(column.levels) - 1) if column.kind in DISCRETE else v
        if column.kind == "circular":
            v = (v + self.cut) % float(column.period or 1.0)
        return self._on_grid(v)

    def _filled(self, values: Floats, places: Floats | float) -> Floats:
        column = self.column
        v = values
        if column.kind == "count":
            return v + np.maximum(places, _EDGE)
        if column.kind in DISCRETE:
            return np.maximum(v, 0.0) + places
        if column.width is not None:
            v = self._in_cell(values, places, column.width)
        if column.kind == "circular":
            v = (v - self.cut) % float(column.period or 1.0)
        return v

    def _in_cell(self, values: Floats, places: Floats | float, width: float) -> Floats:
        """A place in the cell [x - width/2, x + width/2), cut to the support."""
        low, high = values - width / 2, values + width / 2
        if self.column.kind == "positive":
            low = np.maximum(low, np.minimum(values, width) * _EDGE)
        if self.column.kind == "interval":
            assert self.column.lower is not None
            assert self.column.upper is not None
            low, high = np.maximum(low, self.column.lower), np.minimum(high, self.column.upper)
        return low + (high - low) * places

    def _on_grid(self, v: Floats) -> Floats:
        column = self.column
        if column.width is not None:
            decimals = max(0, int(np.ceil(-np.log10(column.width))) + 3)
            v = np.round(np.round(v / column.width) * column.width, decimals)
            if column.kind == "positive":
                v = np.maximum(v, column.width)
            if column.kind == "circular":
                v = v % float(column.period or 1.0)
        if column.kind == "interval":
            v = np.clip(v, column.lower, column.upper)
        return v

    def to_json(self) -> dict[str, Any]:
        return {"name": self.column.name, "shift": self.shift, "scale": self.scale, "cut": self.cut}

    @classmethod
    def from_json(cls, column: Column, body: Mapping[str, Any]) -> Warp:
        return cls(column, body["shift"], body["scale"], body["cut"])


def _largest_gap(values: Floats, period: float) -> float:
    """The middle of the widest arc without data."""
    angles = np.unique(values % period)
    gaps = np.diff(np.append(angles, angles[0] + period))
    widest = int(np.argmax(gaps))
    return float((angles[widest] + gaps[widest] / 2) % period)
