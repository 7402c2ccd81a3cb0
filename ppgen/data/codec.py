"""Columns into what a model works in, and back.

Each continuous column goes through z = (g(v) - m) / s, where v is the value x, filled in where it
is rounded or counted:

| kind | v | g |
|---|---|---|
| real, time, duration | x, or x + width (u - 1/2) where rounded | v |
| positive | the same, v > 0 | log v |
| interval | the same, lower < v < upper | logit of v's place between the bounds |
| circular | (x - cut) mod period, `cut` in the widest gap of the data | logit of v / period |
| count | x + u | log v |
| discrete, dequantised | level number + u | logit of v / number of levels |

so that log p(x) = log p_z(z) + log |dz/dv|. For counts and level numbers the cell has width 1, and
the mean of log p over u in [0, 1) bounds a log mass from below; for rounded columns it bounds the
log of the density averaged over the cell, which the ends of the column's range cut. Values that
have a mass of their own, such as the bounds of an interval that occur in the data, are filled in
within a stretch of the line laid out for them (see `atoms`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..density import Measure
from ..errors import InputError
from .bijections import Floats
from .column import DISCRETE, MASS, Column, Scalar
from .dataset import Dataset
from .encoded import Encoded as Encoded
from .grain import Grain
from .levels import level_codes, levels_at, short
from .real_columns import encode_linear
from .schema import Schema
from .schema_matching import check_support, match, outside_support
from .time_parts import moved_to_parts
from .values import in_double, is_gap
from .warp import Warp

_VERSION = 2  # of what `to_json` writes


@dataclass(frozen=True, eq=False)
class Codec:
    """The map of rows to `Encoded` and back; made by `fit`.

    Attributes:
        schema: of the rows fitted.
        warps: the continuous columns, and how each is mapped.
        discrete: the discrete columns that stay so.
        constants: columns with one value in the rows fitted, and that value.
        empties: columns with no value in the rows fitted.
        grains: continuous column -> how its values are written.
        ranges: continuous column -> the least and the largest value fitted.
    """

    schema: Schema
    warps: tuple[Warp, ...]
    discrete: tuple[Column, ...]
    constants: Mapping[str, Scalar]
    empties: tuple[str, ...]
    grains: Mapping[str, Grain] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        data: Dataset,
        *,
        scaling: Literal["standard", "none"] = "standard",
        discrete: Literal["native", "dequantised"] = "native",
        weights: Floats | None = None,
    ) -> Codec:
        """The codec of these rows.

        Args:
            data: a table.
            scaling: "standard" gives continuous columns mean 0 and variance 1, or, where a few
                values alone would set these, those of the others (see `warp`).
            discrete: "native" keeps level numbers, "dequantised" makes them continuous.
            weights: (n,) weights of the rows; those of weight 0 do not count.

        Raises:
            InputError: if a value is outside the support of its column, naming column and row.
        """
        check_support(data.columns, data.schema)
        if weights is not None and (weights == 0).any():
            kept = np.flatnonzero(weights > 0)
            data, weights = data.take(kept), weights[kept]
        warps: list[Warp] = []
        natives: list[Column] = []
        constants: dict[str, Scalar] = {}
        empties: list[str] = []
        grains: dict[str, Grain] = {}
        ranges: dict[str, tuple[float, float]] = {}
        for column in data.schema.columns:
            values = data.columns[column.name]
            known = values[~is_gap(values)]
            if column.kind == "constant":
                constants[column.name] = column.levels[0]
            elif column.kind == "empty" or not len(known):
                empties.append(column.name)
            elif column.kind in DISCRETE and discrete == "native":
                natives.append(column)
            elif column.kind not in DISCRETE and (known == known[0]).all():
                constants[column.name] = float(known[0])
            else:
                numbers = _numbers(column, values)
                warps.append(Warp.fit(column, numbers, weights, standardise=scaling == "standard"))
                if column.kind not in DISCRETE:
                    grains[column.name] = Grain.of(column, numbers)
                    ranges[column.name] = float(np.nanmin(numbers)), float(np.nanmax(numbers))
        return cls(
            data.schema, tuple(warps), tuple(natives), constants, tuple(empties), grains, ranges
        )

    @property
    def continuous_names(self) -> tuple[str, ...]:
        """The columns of `Encoded.x`."""
        return tuple(w.column.name for w in self.warps)

    @property
    def discrete_names(self) -> tuple[str, ...]:
        """The columns of `Encoded.codes`."""
        return tuple(c.name for c in self.discrete)

    @property
    def n_levels(self) -> tuple[int, ...]:
        """How many levels each of the discrete columns has."""
        return tuple(len(c.levels) for c in self.discrete)

    @property
    def dequantised(self) -> tuple[str, ...]:
        """Columns whose cells are filled with noise."""
        return tuple(w.column.name for w in self.warps if w.noisy)

    @property
    def measure(self) -> Measure:
        """What the likelihood of a row is: a density, a mass, or a density in some columns only."""
        mass = [w.column.kind in MASS for w in self.warps] + [True] * len(self.discrete)
        if all(mass):
            return "mass"
        return "mixed" if any(mass) or any(w.atoms for w in self.warps) else "density"

    def encode(self, data: Dataset, offsets: Floats | None = None) -> Encoded:
        """Rows as a model sees them.

        Args:
            data: rows with the columns fitted.
            offsets: (n or 1, d) places in [0, 1) in the cells of `dequantised`; None is the middle.
        """
        if data.schema != self.schema:
            data = match(data, self.schema)
        n = len(data)
        x, log_det = None, np.zeros(n)
        if all(w.identity for w in self.warps) and data.array is not None:
            x = data.array if data.array.shape[1] == len(self.warps) else None
        if x is None:
            x = np.empty((n, len(self.warps)))
            encode_linear(self.warps, data, offsets, x, log_det)
            for j, warp in enumerate(self.warps):
                if not warp.linear:
                    values = _numbers(warp.column, data.columns[warp.column.name])
                    places = 0.5 if offsets is None else offsets[:, j]
                    x[:, j], log_slope = warp.forward(values, places)
                    log_det += np.where(np.isnan(log_slope), 0.0, log_slope)
        codes = np.empty((n, len(self.discrete)), dtype=np.int32)
        for j, column in enumerate(self.discrete):
            codes[:, j] = level_codes(column, data.columns[column.name])
        for name in self.constants:
            log_det[self._differs(name, data.columns[name])] = -np.inf
        return Encoded(x, codes, log_det)

    def log_slopes(self, data: Dataset) -> Floats:
        """(n, d) log |dx/d(data)| of each column of `Encoded.x`, in the middle of cells; NaN where
        missing."""
        columns = [
            w.forward(_numbers(w.column, data.columns[w.column.name]), 0.5)[1] for w in self.warps
        ]
        return np.column_stack([np.empty((len(data), 0)), *columns])

    def decode(self, encoded: Encoded, *, within: bool = True) -> dict[str, NDArray[Any]]:
        """Columns of the rows: written as they were, inside their bounds, levels restored; whole
        numbers, if `within`, brought to the nearest of the range seen."""
        n = len(encoded.x)
        out: dict[str, NDArray[Any]] = {}
        for j, warp in enumerate(self.warps):
            values = self._written(j, encoded)
            if within and warp.column.name in self.grains:
                values = self.grains[warp.column.name].within(values)
            if warp.column.kind in DISCRETE:
                codes = np.where(np.isnan(values), -1, values).astype(np.int32)
                values = levels_at(warp.column, codes)
            out[warp.column.name] = values
        for j, column in enumerate(self.discrete):
            out[column.name] = levels_at(column, encoded.codes[:, j])
        for name, value in self.constants.items():
            out[name] = np.full(n, value, dtype=object if isinstance(value, str) else np.float64)
        for name in self.empties:
            gap = np.nan if self.schema[name].numeric else None
            out[name] = np.full(n, gap, object if gap is None else np.float64)
        for name, values in moved_to_parts(out, self.schema.columns).items():
            grain = self.grains.get(name, Grain())
            out[name] = grain.within(grain.round(values)) if within else grain.round(values)
        return {name: out[name] for name in self.schema.names}

    def beyond(self, encoded: Encoded, held: Collection[str] = ()) -> NDArray[np.bool_]:
        """(n,) rows with a whole number beyond those seen, in a column that is not `held`."""
        beyond = np.zeros(len(encoded), dtype=bool)
        for j, warp in enumerate(self.warps):
            grain = self.grains.get(warp.column.name)
            if grain is not None and grain.low is not None and warp.column.name not in held:
                beyond |= grain.beyond(self._written(j, encoded))
        return beyond

    def far_beyond(self, row: Dataset) -> list[str]:
        """Columns of one row whose value is further beyond those fitted than half of their range,
        in words; a circle has no end."""
        far = []
        for name, (low, high) in self.ranges.items():
            column, value = self.schema[name], float(row.columns[name][0])
            if column.period is None and max(low - value, value - high) > 0.5 * (high - low):
                at, least, most = (self._in_words(name, v) for v in (value, low, high))
                far.append(f"{name} = {at} is far beyond the values seen ({least} to {most})")
        return far

    def _in_words(self, name: str, value: float) -> str:
        notation = self.schema.reading.notation(name)
        column = self.schema[name]
        return column.shown(value) if notation.plain or column.clock else notation.write([value])[0]

    def unseen(self, data: Dataset) -> dict[str, list[Any]]:
        """Column -> its values that have probability zero: never seen, or outside its support."""
        unseen: dict[str, list[Any]] = {}
        for column in self.schema.columns:
            values = data.columns[column.name]
            if column.name in self.constants:
                outside = self._differs(column.name, values)
            else:
                outside = outside_support(column, values)
            if outside.any():
                unseen[column.name] = [short(v) for v in dict.fromkeys(values[outside].tolist())]
        return unseen

    def select(self, names: Collection[str]) -> Codec:
        """The codec of some columns, in their order here."""
        return Codec(
            self.schema.select(names),
            tuple(w for w in self.warps if w.column.name in names),
            tuple(c for c in self.discrete if c.name in names),
            {name: value for name, value in self.constants.items() if name in names},
            tuple(name for name in self.empties if name in names),
            {name: grain for name, grain in self.grains.items() if name in names},
            {name: ends for name, ends in self.ranges.items() if name in names},
        )

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values; numbers survive exactly."""
        return {
            "version": _VERSION,
            "schema": self.schema.to_json(),
            "warps": [w.to_json() for w in self.warps],
            "discrete": list(self.discrete_names),
            "constants": dict(self.constants),
            "empties": list(self.empties),
            "grains": {name: grain.to_json() for name, grain in self.grains.items()},
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Codec:
        """The codec that `to_json` wrote; InputError if an earlier version wrote it, which did not
        tell values at the bounds of an interval from others."""
        schema = Schema.from_json(body["schema"])
        if body.get("version", 1) < _VERSION:
            for column in schema.columns:
                if column.kind == "interval" and column.width is None:
                    raise InputError(
                        f"this run was saved before values at the bounds of column "
                        f"{column.name!r} had a mass, and its densities may be wrong. Fit again."
                    )
        return cls(
            schema,
            tuple(Warp.from_json(schema[w["name"]], w) for w in body["warps"]),
            tuple(schema[name] for name in body["discrete"]),
            dict(body["constants"]),
            tuple(body["empties"]),
            {name: Grain.from_json(grain) for name, grain in body.get("grains", {}).items()},
            {name: (low, high) for name, (low, high) in body.get("ranges", {}).items()},
        )

    def _written(self, j: int, encoded: Encoded) -> Floats:
        """(n,) values of a continuous column with the decimals it had."""
        warp = self.warps[j]
        values = warp.inverse(encoded.x[:, j].astype(np.float64))
        grain = self.grains.get(warp.column.name)
        if grain is None:
            return values
        column, period = warp.column, warp.column.period
        rounded = grain.round(values, (*column.ends, *column.atoms))
        return rounded if period is None else warp.around(rounded, period)

    def _differs(self, name: str, values: NDArray[Any]) -> NDArray[np.bool_]:
        """(n,) whether each value is observed and other than the column's constant."""
        constant = self.constants[name]
        other = ~is_gap(values) & (values != constant)
        number = values.dtype != object and not isinstance(constant, str)
        if number and (self.schema[name].dtype == "float32" or values.dtype == np.float32):
            other &= values.astype(np.float32) != np.float32(constant)
        return np.asarray(other)


def _numbers(column: Column, values: NDArray[Any]) -> Floats:
    """Values in double precision; level numbers of a discrete column, NaN where missing."""
    if column.kind not in DISCRETE:
        return in_double(values, (*column.ends, *column.atoms), column.dtype)
    codes = level_codes(column, values)
    return np.where(codes == -1, np.nan, codes.astype(np.float64))
