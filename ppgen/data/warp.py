"""The map of one continuous column, z = (g(v) - shift) / scale; `codec` says what v and g are.

Shift and scale are mean and standard deviation, unless a few values alone set these. Then they are
read off the ranks of the others, and what lies far out is drawn in,

    z' = sign(z) (b + log(1 + |z| - b)) for |z| > b,          log |dz'/dz| = -log(1 + |z| - b),

so that one value of 1e6 leaves the other rows of its column the scale that they have without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from .bijections import Bijection, Floats, Identity, Log, Logit
from .conform import outside_support
from .schema import DISCRETE, MASS, Column

INSIDE = (
    2.0**-20
)  # places in a cell keep this far from its edges, or rounding errors would leave the cell
_OUTER, _FEWEST = 0.01, 2.5  # share of the rows beyond each of the ranks a robust scale is read at
_ALONE = 3.0  # times that scale, above which a standard deviation is that of a few values
_BEND = 5.0  # in such columns
_FARTHEST = 700.0  # exp of more than this overflows
_PLACES = tuple((np.arange(64) + 0.5) / 64)  # where cells are looked at for their spread


@dataclass(frozen=True)
class Warp:
    """How one column is mapped.

    Attributes:
        column: what is mapped.
        shift, scale: the standardisation; 0 and 1 for none.
        cut: where a circle is opened.
        origin: a value on the grid of a rounded column.
        start: where the values of a circular column begin: they lie in [start, start + period).
        bend: |z| from which on it grows as a logarithm, where a few values would else stand
            thousands of deviations away; 0 for none.
    """

    column: Column
    shift: float = 0.0
    scale: float = 1.0
    cut: float = 0.0
    origin: float = 0.0
    start: float = 0.0
    bend: float = 0.0

    @classmethod
    def fit(
        cls, column: Column, values: Floats, weights: Floats | None, *, standardise: bool
    ) -> Warp:
        """The map of (n,) values (level numbers for a discrete column), weighted if so given."""
        known = ~np.isnan(values)
        v = values[known].astype(np.float64)
        warp = cls(column)
        if column.period is not None:
            warp = replace(
                warp, cut=_widest_gap(v, column.period), start=_start(column, column.period, v)
            )
        if column.width is not None:
            warp = replace(warp, origin=_origin(float(v.min()), column.width))
        if not standardise:
            return warp
        share = np.ones(len(v)) if weights is None else weights[known]
        spread = 0.0
        if warp.linear:
            y, spread = v, (column.width or 0.0) ** 2 / 12
        else:
            if warp.noisy:
                # Cells have a spread of their own, which keeps few values from being blown up.
                v, group = np.unique(v, return_inverse=True)
                share = np.tile(np.bincount(group, share), len(_PLACES))
            places = _PLACES if warp.noisy else (0.5,)
            y = np.concatenate([warp.forward(v, place)[0] for place in places])
        shift, scale, alone = _standard(y, share, spread)
        usable = scale > 0 and np.isfinite(scale)
        bend = _BEND if alone else 0.0
        return replace(warp, shift=shift, scale=scale if usable else 1.0, bend=bend)

    @property
    def noisy(self) -> bool:
        """Whether values are filled in within cells."""
        return self.column.width is not None or self.column.kind in MASS

    @property
    def identity(self) -> bool:
        """Whether values stay as they are."""
        return self.linear and not self.noisy and self.shift == 0 and self.scale == 1

    @property
    def linear(self) -> bool:
        """Whether z is (v - shift) / scale."""
        return self.column.kind == "real" and not self.bend

    @cached_property
    def bijection(self) -> Bijection:
        """g."""
        column = self.column
        if column.kind in DISCRETE:
            return Logit(0.0, float(len(column.levels)))
        if column.period is not None:
            return Logit(0.0, column.period)
        if column.lower is not None and column.upper is not None:
            return Logit(column.lower, column.upper)
        return Log() if column.kind in ("positive", "count") else Identity()

    def forward(self, values: Floats, places: Floats | float) -> tuple[Floats, Floats]:
        """z and log |dz/dv|, NaN where missing.

        Args:
            values: (n,) in double precision; level numbers for a discrete column, below 0 for no
                level.
            places: (n,) or one place in [0, 1) within each cell.

        A value outside the support has density zero: its log |dz/dv| is -inf, and its z is that of
            some
        value inside.
        """
        if self.column.kind in DISCRETE:
            outside = values < 0
        else:
            outside = outside_support(self.column, values)
        if outside.any():
            values = np.where(outside, self._inside(), values)
        y, log_slope = self.bijection.forward(self._fill(values, places))
        log_slope = np.where(outside, -np.inf, log_slope - np.log(self.scale))
        z = (y - self.shift) / self.scale
        if self.bend:
            beyond = np.maximum(np.abs(z) - self.bend, 0.0)
            log_slope = log_slope - np.log1p(beyond)
            z = np.clip(z, -self.bend, self.bend) + np.sign(z) * np.log1p(beyond)
        return z, log_slope

    def inverse(self, z: Floats) -> Floats:
        """Values of z, on their grid, inside their bounds; level numbers for a discrete column."""
        column = self.column
        if self.bend:
            beyond = np.clip(np.abs(z) - self.bend, 0.0, _FARTHEST)
            z = np.clip(z, -self.bend, self.bend) + np.sign(z) * np.expm1(beyond)
        v = self.bijection.inverse(z * self.scale + self.shift)
        if column.kind in MASS:
            v = np.floor(v)
            return np.minimum(v, len(column.levels) - 1) if column.kind in DISCRETE else v
        if column.period is not None:
            v = self._around(v + self.cut, column.period)
        if column.width is not None:
            v = self._round(v, column.width)
            if column.period is not None:
                v = self._around(v, column.period)
        if column.kind == "positive" and column.width is not None:
            v = np.maximum(v, 0.0)
        if column.lower is not None and column.upper is not None:
            v = np.clip(v, column.lower, column.upper)
        return v

    def to_json(self) -> dict[str, Any]:
        """The numbers, under the column's name."""
        return {
            "name": self.column.name,
            "shift": self.shift,
            "scale": self.scale,
            "cut": self.cut,
            "origin": self.origin,
            "start": self.start,
            "bend": self.bend,
        }

    @classmethod
    def from_json(cls, column: Column, body: Mapping[str, Any]) -> Warp:
        """The map that `to_json` wrote."""
        return cls(column, **{key: float(v) for key, v in body.items() if key != "name"})

    def _fill(self, values: Floats, places: Floats | float) -> Floats:
        """Values moved to their places in their cells, circles opened."""
        column, v = self.column, values
        if self.noisy:
            u = np.clip(places, INSIDE, 1 - INSIDE)
            if column.kind in MASS:
                v = values + u
            elif column.width is not None:
                low, high = values - column.width / 2, values + column.width / 2
                if column.kind == "positive":
                    low = np.maximum(low, 0.0)
                if column.lower is not None and column.upper is not None:
                    low, high = np.maximum(low, column.lower), np.minimum(high, column.upper)
                v = low + (high - low) * u
        return v if column.period is None else (v - self.cut) % column.period

    def _inside(self) -> float:
        """Some value of the support."""
        if self.column.kind == "interval":
            return 0.5 * ((self.column.lower or 0.0) + (self.column.upper or 0.0))
        return 1.0

    def _around(self, v: Floats, period: float) -> Floats:
        return self.start + (v - self.start) % period

    def _round(self, v: Floats, width: float) -> Floats:
        v = self.origin + np.round((v - self.origin) / width) * width
        # 3 * 0.1 is not 0.3: where the grid is decimal, the numbers shall be the decimals.
        for digits in range(16):
            unit = 10.0**-digits
            if all(_multiple(x, unit) for x in (width, self.origin)):
                return np.round(v, digits)
        return v


def _standard(y: Floats, share: Floats, more: float) -> tuple[float, float, bool]:
    """Centre and scale of values y, and whether a few values alone would have set them.

    They are the mean and the standard deviation (`more` is added to the variance); or, where a few
    values make that more than `_ALONE` times what the others say, the median and (q - q') / 2c,
    with q and q' the values at the ranks `_OUTER` from either end (of few rows the third one), and
    c that quantile of a standard normal.
    """
    # Two passes about a value of the data: no digits are lost to a large offset.
    near = float(y[0])
    mean = near + float(np.average(y - near, weights=share))
    deviation = float(np.sqrt(np.average((y - mean) ** 2, weights=share) + more))
    order = np.argsort(y, kind="stable")
    ranks = np.cumsum(share[order]) / share.sum()
    outer = min(max(_OUTER, _FEWEST / share.sum()), 0.25)
    at = np.searchsorted(ranks, (outer, 0.5, 1 - outer)).clip(max=len(y) - 1)
    low, median, high = y[order[at]].tolist()
    robust = math.hypot((high - low) / (2 * NormalDist().inv_cdf(1 - outer)), math.sqrt(more))
    if robust > 0 and high > low and not deviation <= _ALONE * robust:
        return median, robust, True
    return mean, deviation, False


def _multiple(x: float, unit: float) -> bool:
    return abs(x / unit - round(x / unit)) <= 1e-6 * min(1.0, abs(x / unit) or 1.0)


def _origin(value: float, width: float) -> float:
    """The offset of the grid through a value: 0 where the grid has a line at 0."""
    rest = value - round(value / width) * width
    return 0.0 if abs(rest) <= 1e-4 * width else rest


def _start(column: Column, period: float, values: Floats) -> float:
    if column.lower is not None:
        return column.lower
    low, high = values.min(), values.max()
    return -period / 2 if low < 0 and low >= -period / 2 and high <= period / 2 else 0.0


def _widest_gap(values: Floats, period: float) -> float:
    """The middle of the widest arc without data."""
    angles = np.unique(values % period)
    gaps = np.diff(np.append(angles, angles[0] + period))
    widest = int(np.argmax(gaps))
    return float((angles[widest] + gaps[widest] / 2) % period)
