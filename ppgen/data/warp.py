"""The map of one continuous column, z = (g(v) - shift) / scale; `codec` says what v and g are.

Shift and scale are mean and standard deviation, unless a few values alone set these. Then they are
read off the ranks of the others, and what lies far out is drawn in,

    z' = sign(z) (b + log(1 + |z| - b)) for |z| > b,          log |dz'/dz| = -log(1 + |z| - b),

so that one value of 1e6 leaves the other rows of its column the scale that they have without it.

Where the column has atoms, the logit of the place on the line that `atoms` cuts stands for g(v).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atoms import Atoms
from .bijections import LARGEST_EXPONENT, Bijection, Floats, Identity, Log, Logit
from .column import DISCRETE, LINEAR, MASS, Column
from .schema_matching import outside_support
from .standardisation import standard

# Places in a cell keep this far from its edges, or rounding errors would leave the cell.
INSIDE = 2.0**-20
_CUT = 2.0**-52  # a value on the cut of a circle stands this far inside, as a share of the period
_NUMBERS = ("shift", "scale", "cut", "origin", "start", "bend")  # that are saved
_BEND = 5.0  # in columns whose scale a few values would set
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
        atoms: where values with a mass of their own stand, or None.
    """

    column: Column
    shift: float = 0.0
    scale: float = 1.0
    cut: float = 0.0
    origin: float = 0.0
    start: float = 0.0
    bend: float = 0.0
    atoms: Atoms | None = None

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
            on_grid = v[~np.isin(v, column.atoms)]
            if len(on_grid):
                warp = replace(warp, origin=_origin(float(on_grid.min()), column.width))
        share = np.ones(len(v)) if weights is None else weights[known]
        if column.atoms:
            between = np.where(np.isin(v, column.atoms), warp._inside(), v)
            y = warp.bijection.forward(warp._fill(between, 0.5))[0]
            atoms = Atoms.fit(column.atoms, warp._images(), v, y, share)
            warp = replace(warp, atoms=atoms)
        if not standardise:
            return warp
        spread = 0.0
        if warp.linear:
            y, spread = v, (column.width or 0.0) ** 2 / 12
        else:
            # Cells have a spread of their own, which keeps few values from being blown up.
            filled = warp._filled(v)
            cells, group = np.unique(v[filled], return_inverse=True)
            of_cells = np.bincount(group, share[filled], len(cells)) / len(_PLACES)
            y = np.concatenate(
                [warp.forward(v[~filled], 0.5)[0]]
                + [warp.forward(cells, place)[0] for place in _PLACES]
            )
            share = np.concatenate([share[~filled], np.tile(of_cells, len(_PLACES))])
        shift, scale, alone = standard(y, share, spread)
        usable = scale > 0 and np.isfinite(scale)
        bend = _BEND if alone else 0.0
        return replace(warp, shift=shift, scale=scale if usable else 1.0, bend=bend)

    @property
    def noisy(self) -> bool:
        """Whether values are filled in within cells."""
        column = self.column
        return column.width is not None or column.kind in MASS or bool(column.atoms)

    @cached_property
    def identity(self) -> bool:
        """Whether values stay as they are."""
        return self.linear and not self.noisy and self.shift == 0 and self.scale == 1

    @cached_property
    def linear(self) -> bool:
        """Whether z is (v - shift) / scale."""
        return self.column.kind in LINEAR and not self.bend and not self.column.atoms

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
        """z and log |dz/dv| (log |dz/du| at an atom), NaN where missing.

        Args:
            values: (n,) in double precision; level numbers for a discrete column, below 0 for no
                level.
            places: (n,) or one place in [0, 1) within each cell.

        A value outside the support has density zero: its log |dz/dv| is -inf, and its z is that of
        some value inside.
        """
        if self.column.kind in DISCRETE:
            outside = values < 0
        else:
            outside = outside_support(self.column, values)
        if outside.any():
            values = np.where(outside, self._inside(), values)
        places = np.clip(places, INSIDE, 1 - INSIDE)
        if self.atoms is None:
            y, log_slope = self.bijection.forward(self._fill(values, places))
        else:
            at = np.isin(values, self.atoms.values)
            v = self._fill(np.where(at, self._inside(), values), places)
            y, log_slope = self.bijection.forward(v)
            u = np.broadcast_to(places, values.shape)
            y, log_slope = self.atoms.forward(np.where(at, values, v), y, log_slope, u)
        log_slope = np.where(outside, -np.inf, log_slope - np.log(self.scale))
        with np.errstate(over="ignore"):  # as far out as infinity
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
            beyond = np.clip(np.abs(z) - self.bend, 0.0, LARGEST_EXPONENT)
            z = np.clip(z, -self.bend, self.bend) + np.sign(z) * np.expm1(beyond)
        y = z * self.scale + self.shift
        y, atom = (y, None) if self.atoms is None else self.atoms.inverse(y)
        v = self.bijection.inverse(y)
        if column.kind in MASS:
            v = np.floor(v)
            return np.minimum(v, len(column.levels) - 1) if column.kind in DISCRETE else v
        if column.period is not None:
            v = self.around(v + self.cut, column.period)
        if column.width is not None:
            v = self._round(v, column.width)
            if column.period is not None:
                v = self.around(v, column.period)
        if column.ends:
            v = self._between_ends(v)
        if self.atoms is not None and atom is not None:
            v = np.where(atom < 0, v, np.array(self.atoms.values)[atom])
        return v

    def to_json(self) -> dict[str, Any]:
        """The numbers, under the column's name."""
        body = {"name": self.column.name, **{key: getattr(self, key) for key in _NUMBERS}}
        return body if self.atoms is None else body | {"atoms": self.atoms.to_json()}

    @classmethod
    def from_json(cls, column: Column, body: Mapping[str, Any]) -> Warp:
        """The map that `to_json` wrote."""
        numbers: dict[str, Any] = {key: float(body[key]) for key in _NUMBERS if key in body}
        warp = cls(column, **numbers)
        if "atoms" not in body:
            return warp
        layout = {**body["atoms"], "shares": tuple(body["atoms"]["shares"])}
        return replace(warp, atoms=Atoms(column.atoms, warp._images(), **layout))

    def _fill(self, values: Floats, places: Floats | float) -> Floats:
        """Values moved to their places in their cells, circles opened."""
        column, v = self.column, values
        if column.kind in MASS:
            v = values + places
        elif column.width is not None:
            if column.ends:
                # Cells that an end cuts cover the range only if they are those of the grid.
                steps = np.round((values - self.origin) / column.width)
                values = self.origin + steps * column.width
            low, high = values - column.width / 2, values + column.width / 2
            if column.ends:
                low = np.maximum(low, column.ends[0])
            if column.upper is not None:
                high = np.minimum(high, column.upper)
            v = low + (high - low) * places
        if column.period is None:
            return v
        v = (v - self.cut) % column.period
        return np.clip(v, _CUT * column.period, (1 - _CUT) * column.period)

    def _filled(self, v: Floats) -> NDArray[np.bool_]:
        """(n,) which values are filled in within cells."""
        if self.column.width is None and self.column.kind not in MASS:
            return np.isin(v, self.column.atoms)
        return np.ones(len(v), dtype=bool)

    def _images(self) -> tuple[float, ...]:
        """(m,) g of the column's atoms."""
        with np.errstate(divide="ignore"):
            return tuple(self.bijection.forward(np.array(self.column.atoms))[0].tolist())

    def _inside(self) -> float:
        """Some value of the support."""
        return 0.5 * sum(self.column.ends) if self.column.kind == "interval" else 1.0

    def _between_ends(self, v: Floats) -> Floats:
        """Values within the range: rounded ones to its ends, others next to them at most."""
        low, high = self.column.ends[0], self.column.ends[-1]
        if self.column.width is None:
            store = np.float32 if self.column.dtype.lower() == "float32" else np.float64
            low = float(np.nextafter(store(low), store(np.inf)))
            high = float(np.nextafter(store(high), store(-np.inf)))
        return np.maximum(v, low) if self.column.upper is None else np.clip(v, low, high)

    def around(self, v: Floats, period: float) -> Floats:
        """Values brought into [start, start + period)."""
        return self.start + (v - self.start) % period

    def _round(self, v: Floats, width: float) -> Floats:
        v = self.origin + np.round((v - self.origin) / width) * width
        # 3 * 0.1 is not 0.3: where the grid is decimal, the numbers shall be the decimals.
        for digits in range(16):
            unit = 10.0**-digits
            if all(_multiple(x, unit) for x in (width, self.origin)):
                return np.round(v, digits)
        return v


def _multiple(x: float, unit: float) -> bool:
    return abs(x / unit - round(x / unit)) <= 1e-6 * min(1.0, abs(x / unit) or 1.0)


def _origin(value: float, width: float) -> float:
    """The offset of the grid through a value: 0 where the grid has a line at 0."""
    rest = value - round(value / width) * width
    if value.is_integer() and width.is_integer():  # known exactly
        return rest
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
