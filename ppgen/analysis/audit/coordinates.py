"""Rows as points on lines, circles and levels, by maps written apart from those under audit.

A real column is its own coordinate u = v; a positive one has u = log v, an interval's
u = logit((v - a) / (b - a)), a count k fills v in [k, k + 1) with u = log v; a circular column is
an angle. A density of rows integrates to one over v, so that over the coordinates

    p_u(u) = p_v(v) |dv/du|.

Where values are rounded, a row stands for its cell: v is rounded to the grid before it is scored,
and the sum over cells of density times width is the integral over v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ...data import Codec, Dataset, as_dataset
from ...data.schema import CONTINUOUS, DISCRETE, Column, Schema

if TYPE_CHECKING:
    from ...density_estimator import DensityEstimator

Floats = NDArray[np.float64]
_EDGE = 2.0**-41  # of an interval's length: a value on the bound stands so far inside
_FAR = 500.0  # |u| beyond which exp overflows, or nothing is


@dataclass(frozen=True)
class Places:
    """Where n rows stand: (n, lines), angles (n, circles), codes (n, levels)."""

    lines: Floats
    angles: Floats
    codes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Any) -> Places:
        return Places(self.lines[rows], self.angles[rows], self.codes[rows])


@dataclass(frozen=True)
class Line:
    """A column on a line."""

    column: Column
    origin: float

    @property
    def gridded(self) -> bool:
        """Whether its values stand for cells."""
        return self.column.width is not None or self.column.kind == "count"

    def place(self, values: Floats, u: Floats) -> Floats:
        """(n,) coordinates; rounded values at the places u in [0, 1) of their cells."""
        column, v = self.column, values
        if column.kind == "count":
            v = values + u
        elif column.width is not None:
            low, high = values - column.width / 2, values + column.width / 2
            low, high = np.maximum(low, self._bounds[0]), np.minimum(high, self._bounds[1])
            v = low + (high - low) * u
        if column.kind == "interval":
            a, b = self._bounds
            share = np.clip((v - a) / (b - a), _EDGE, 1 - _EDGE)
            return np.asarray(np.log(share) - np.log1p(-share))
        return np.log(v) if self._logarithmic else v

    def value(self, u: Floats) -> tuple[Floats, Floats]:
        """(n,) values at coordinates, on their grid, and log |dv/du|."""
        column = self.column
        if column.kind == "interval":
            low, high = self._bounds
            v = np.where(u < 0, low + (high - low) * expit(u), high - (high - low) * expit(-u))
            slope = np.log(high - low) + log_expit(u) + log_expit(-u)
        elif self._logarithmic:
            v, slope = np.exp(np.clip(u, -_FAR, _FAR)), u
        else:
            v, slope = u, np.zeros(len(u))
        if column.kind == "count":
            v = np.floor(v)
        elif column.width is not None:
            v = self.origin + np.round((v - self.origin) / column.width) * column.width
        return v, slope

    @property
    def _logarithmic(self) -> bool:
        return self.column.kind in ("positive", "count")

    @property
    def _bounds(self) -> tuple[float, float]:
        if self.column.kind == "interval":
            assert self.column.lower is not None
            assert self.column.upper is not None
            return self.column.lower, self.column.upper
        return (0.0 if self.column.kind == "positive" else -np.inf), np.inf


@dataclass(frozen=True)
class Coordinates:
    """The columns of a fit by what they are, and the values of those that do not vary."""

    schema: Schema
    lines: tuple[Line, ...]
    circles: tuple[Column, ...]
    levels: tuple[Column, ...]
    fixed: dict[str, Any]
    sampled: Dataset

    @classmethod
    def of(cls, model: DensityEstimator, sampled: Dataset) -> Coordinates:
        """Those of a fit, with rows that it drew."""
        codec = model.codec_
        assert isinstance(codec, Codec)  # images have no coordinates
        held = {*codec.constants, *codec.empties}
        lines, circles, levels, fixed = [], [], [], {}
        for column in model.schema_.columns:
            values = sampled.columns[column.name]
            if column.name in held or column.kind not in (*CONTINUOUS, *DISCRETE):
                fixed[column.name] = values[0]
            elif column.kind == "circular":
                circles.append(column)
            elif column.kind in DISCRETE:
                levels.append(column)
            else:
                known = values[np.isfinite(values)]
                lines.append(Line(column, float(known[0]) if len(known) else 0.0))
        return cls(model.schema_, tuple(lines), tuple(circles), tuple(levels), fixed, sampled)

    @property
    def gridded(self) -> bool:
        """Whether values stand for cells in any column."""
        wide = any(c.width is not None for c in self.circles)
        return wide or any(line.gridded for line in self.lines)

    @property
    def n_levels(self) -> tuple[int, ...]:
        return tuple(len(c.levels) for c in self.levels)

    def places(self, data: Dataset, rng: np.random.Generator) -> Places:
        """Where complete rows stand; rounded values anywhere in their cells."""
        n = len(data)
        lines = np.empty((n, len(self.lines)))
        for j, line in enumerate(self.lines):
            values = np.asarray(data.columns[line.column.name], dtype=np.float64)
            lines[:, j] = line.place(values, rng.uniform(2.0**-20, 1 - 2.0**-20, n))
        angles = np.empty((n, len(self.circles)))
        for j, circle in enumerate(self.circles):
            values = np.asarray(data.columns[circle.name], dtype=np.float64)
            values = values + (circle.width or 0.0) * rng.uniform(-0.5, 0.5, n)
            angles[:, j] = 2 * np.pi * values / (circle.period or 1.0) % (2 * np.pi)
        codes = np.empty((n, len(self.levels)), dtype=np.intp)
        for j, column in enumerate(self.levels):
            code = {level: k for k, level in enumerate(column.levels)}
            codes[:, j] = [code[v] for v in data.columns[column.name].tolist()]
        return Places(lines, angles, codes)

    def rows(self, places: Places) -> tuple[Dataset, Floats, NDArray[np.bool_]]:
        """The rows that stand there, log |dv/du|, and which are so far out that none can be."""
        n = len(places)
        log_slope, far = np.zeros(n), np.zeros(n, dtype=bool)
        columns: dict[str, NDArray[Any]] = {}
        for j, line in enumerate(self.lines):
            u = places.lines[:, j]
            far |= ~(np.abs(u) < (_FAR if line.column.kind != "real" else 1e30))
            u = np.where(far, 0.0, u)
            columns[line.column.name], slope = line.value(u)
            log_slope += slope
        for j, circle in enumerate(self.circles):
            columns[circle.name] = self._angle(circle, places.angles[:, j])
            log_slope += np.log((circle.period or 1.0) / (2 * np.pi))
        for j, column in enumerate(self.levels):
            textual = any(isinstance(level, str) for level in column.levels)
            levels = np.array(column.levels, dtype=object if textual else np.float64)
            columns[column.name] = levels[places.codes[:, j]]
        for name, value in self.fixed.items():
            columns[name] = np.full(n, value, dtype=object if isinstance(value, str) else None)
        whole = {name: columns[name] for name in self.schema.names}
        return as_dataset(whole, self.schema), log_slope, far

    def _angle(self, circle: Column, angles: Floats) -> Floats:
        period = circle.period or 1.0
        known = np.asarray(self.sampled.columns[circle.name], dtype=np.float64)
        start = circle.lower
        if start is None:
            start = -period / 2 if (known < 0).any() else 0.0
        v = angles * period / (2 * np.pi)
        if circle.width is not None:
            v = known[0] + np.round((v - known[0]) / circle.width) * circle.width
        return np.asarray(start + (v - start) % period)
