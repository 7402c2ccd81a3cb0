"""Rows as points on lines, circles and levels, by maps written apart from those under audit.

A real column is its own coordinate u = v; a positive one has u = log v, an interval's
u = logit((v - a) / (b - a)), a count k fills v in [k, k + 1) with u = log v; a circular column is
an angle. A density of rows integrates to one over v, so that over the coordinates

    p_u(u) = p_v(v) |dv/du|.

A value with a mass of its own (an atom) is a level beside "none of them"; such a row has no place
on the line, and is given one at random, by a density r(u) that its own is multiplied with: the sum
of masses is then the integral of a density again.

Where values are rounded, a row stands for its cell: v is rounded to the grid before it is scored,
and the sum over cells of density times width is the integral over v.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit
from scipy.stats import t

from ...arrays import Floats
from ...data import Codec, Dataset, as_dataset
from ...data.column import CONTINUOUS, DISCRETE, Column
from ...data.schema import Schema
from ...density_estimator import DensityEstimator

_EDGE = 2.0**-41  # of an interval's length: a value on the bound stands so far inside
_NU = 4.0  # degrees of freedom of r
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

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        """The rows of one after those of another."""
        return cls(
            *(np.concatenate([getattr(p, f) for p in parts]) for f in ("lines", "angles", "codes"))
        )


@dataclass(frozen=True)
class Line:
    """A column on a line."""

    column: Column
    origin: float
    middle: float = 0.0
    scale: float = 1.0

    @property
    def atoms(self) -> Floats:
        """Values with a mass of their own."""
        return np.array(self.column.atoms, dtype=np.float64)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """(n,) places of rows that have none, by r."""
        return self.middle + self.scale * rng.standard_t(_NU, n)

    def log_r(self, u: Floats) -> Floats:
        """(n,) log r."""
        return np.asarray(t.logpdf(u, _NU, self.middle, self.scale))

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
            low, high = np.maximum(low, self.bounds[0]), np.minimum(high, self.bounds[1])
            v = low + (high - low) * u
        if column.kind == "interval":
            a, b = self.bounds
            share = np.clip((v - a) / (b - a), _EDGE, 1 - _EDGE)
            return np.asarray(np.log(share) - np.log1p(-share))
        return np.log(v) if self._logarithmic else v

    def value(self, u: Floats) -> tuple[Floats, Floats]:
        """(n,) values at coordinates, on their grid, and log |dv/du|."""
        column = self.column
        if column.kind == "interval":
            low, high = self.bounds
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
    def bounds(self) -> tuple[float, float]:
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
                lines.append(_line(column, np.asarray(values, dtype=np.float64)))
        return cls(model.schema_, tuple(lines), tuple(circles), tuple(levels), fixed, sampled)

    @property
    def gridded(self) -> bool:
        """Whether values stand for cells in any column."""
        wide = any(c.width is not None for c in self.circles)
        return wide or any(line.gridded for line in self.lines)

    @property
    def atomic(self) -> tuple[int, ...]:
        """The lines whose columns have atoms; theirs are the last codes."""
        return tuple(j for j, line in enumerate(self.lines) if line.column.atoms)

    @property
    def n_levels(self) -> tuple[int, ...]:
        own = tuple(len(c.levels) for c in self.levels)
        return own + tuple(1 + len(self.lines[j].column.atoms) for j in self.atomic)

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
        codes = np.zeros((n, len(self.n_levels)), dtype=np.intp)
        for k, j in enumerate(self.atomic, start=len(self.levels)):
            values = np.asarray(data.columns[self.lines[j].column.name], dtype=np.float64)
            for i, atom in enumerate(self.lines[j].atoms):
                codes[values == atom, k] = i + 1
            at = codes[:, k] > 0
            lines[at, j] = self.lines[j].draw(int(at.sum()), rng)
        for j, column in enumerate(self.levels):
            code_of = {level: k for k, level in enumerate(column.levels)}
            codes[:, j] = [code_of[v] for v in data.columns[column.name].tolist()]
        return Places(lines, angles, codes)

    def rows(self, places: Places) -> tuple[Dataset, Floats, NDArray[np.bool_]]:
        """The rows that stand there, log |dv/du|, and which are so far out that none can be."""
        n = len(places)
        log_slope, far = np.zeros(n), np.zeros(n, dtype=bool)
        columns: dict[str, NDArray[Any]] = {}
        for j, line in enumerate(self.lines):
            u = places.lines[:, j]
            far |= ~(np.abs(u) < (_FAR if line.column.kind != "real" else 1e30))
            values, slope = line.value(np.where(far, line.middle, u))
            # By rounding a value may be on a bound, so near to which nothing is, or be an atom,
            # whose cell it is.
            out = np.isin(values, line.atoms)
            if line.column.kind == "interval" and not line.gridded:
                out |= np.isin(values, line.bounds)
            values = np.where(out, line.value(np.full(1, line.middle))[0], values)
            if line.column.atoms:
                code = places.codes[:, len(self.levels) + self.atomic.index(j)]
                values = np.where(code > 0, line.atoms[code - 1], values)
                slope = np.where(code > 0, line.log_r(u), slope)
                out &= code == 0
            far |= out
            columns[line.column.name] = values
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


def _line(column: Column, values: Floats) -> Line:
    """A line, with the middle and the spread of where values without a mass stand."""
    plain = values[np.isfinite(values) & ~np.isin(values, column.atoms)]
    if not len(plain):
        return Line(column, 0.0)
    line = Line(column, float(plain[0]))
    if not column.atoms:
        return line
    low, middle, high = np.quantile(line.place(plain, np.full(len(plain), 0.5)), [0.16, 0.5, 0.84])
    return Line(column, float(plain[0]), float(middle), float(max(0.5 * (high - low), 1e-12)))
