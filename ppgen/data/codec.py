"""Columns into what a model works in, and back.

Each continuous column goes through z = (g(v) - m) / s, with v the value, filled in where it is
rounded or counted:

| kind | v | g |
|---|---|---|
| real | x, or x + width (u - 1/2) | v |
| positive | the same | log v |
| interval | the same | logit of (v - lower) / (upper - lower) |
| circular | (x - cut) mod period | logit of v / period, `cut` in the largest gap of the data |
| count | x + u | log v |
| discrete, dequantised | code + u | logit of v / number of levels |

so that log p(x) = log p_z(z) + log |dz/dv|. For counts and codes the cell has width 1, and the
density of v bounds a mass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..density import Measure
from .dataset import Dataset
from .schema import DISCRETE, MASS, Column, Schema
from .warp import Warp

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Encoded:
    """Rows as a model sees them.

    Attributes:
        x: (n, d) continuous part; NaN where missing.
        codes: (n, c) level numbers of discrete columns; -1 where missing, -2 for a level that the
            fit never saw.
        log_det: (n,) log |dx/d(data)| over the observed entries, to be added to the log density of
            `x`; -inf for rows that the fit gives probability zero.
    """

    x: NDArray[Any]
    codes: NDArray[np.int32]
    log_det: Floats

    def __len__(self) -> int:
        return len(self.log_det)

    def take(self, rows: Any) -> Encoded:
        return Encoded(self.x[rows], self.codes[rows], self.log_det[rows])


@dataclass(frozen=True)
class Codec:
    """Maps columns to `Encoded` and back; made by `fit`.

    Attributes:
        warps: the continuous columns and how each is mapped.
        discrete: the discrete columns.
        constants: columns with one value in the fit, and that value.
        empties: columns with no value in the fit.
        schema: of the rows fitted.
    """

    schema: Schema
    warps: tuple[Warp, ...]
    discrete: tuple[Column, ...]
    constants: Mapping[str, Any]
    empties: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        data: Dataset,
        *,
        scaling: Literal["standard", "none"] = "standard",
        discrete: Literal["native", "dequantised"] = "dequantised",
        weights: Floats | None = None,
    ) -> Codec:
        """The codec of these rows."""
        if weights is not None and (weights == 0).any():
            kept = np.flatnonzero(weights > 0)
            data, weights = data.take(kept), weights[kept]
        warps: list[Warp] = []
        natives: list[Column] = []
        constants: dict[str, Any] = {}
        empties: list[str] = []
        for column in data.schema.columns:
            values = data.columns[column.name]
            known = values[_observed(values)]
            if column.kind == "empty" or len(known) == 0:
                empties.append(column.name)
            elif (column.kind == "constant" or column.kind not in DISCRETE) and _single(known):
                constants[column.name] = known[0] if values.dtype.kind == "O" else float(known[0])
            elif column.kind == "constant":
                constants[column.name] = column.levels[0]
            elif column.kind in DISCRETE and discrete == "native":
                natives.append(column)
            else:
                numbers = _codes(column, values) if column.kind in DISCRETE else values
                warps.append(Warp.fit(column, numbers, weights, standardise=scaling == "standard"))
        return cls(data.schema, tuple(warps), tuple(natives), constants, tuple(empties))

    @property
    def continuous_names(self) -> tuple[str, ...]:
        return tuple(w.column.name for w in self.warps)

    @property
    def discrete_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.discrete)

    @property
    def n_levels(self) -> tuple[int, ...]:
        return tuple(len(c.levels) for c in self.discrete)

    @property
    def dequantised(self) -> tuple[str, ...]:
        """Columns whose cells are filled with noise."""
        return tuple(w.column.name for w in self.warps if w.noisy)

    @property
    def measure(self) -> Measure:
        """What a density of these columns is per: a unit, a value, or both."""
        kinds = [w.column.kind in MASS for w in self.warps] + [True] * len(self.discrete)
        if kinds and all(kinds):
            return "mass"
        return "mixed" if any(kinds) else "density"

    def encode(self, data: Dataset, offsets: Floats | None = None) -> Encoded:
        """Rows as a model sees them; `offsets` (n or 1, d) in [0, 1) are places inside the cells,
        None their middle."""
        n = len(data)
        log_det = np.zeros(n)
        whole = self._untouched(data)
        if whole is not None:
            x: NDArray[Any] = whole
        else:
            x = np.empty((n, len(self.warps)))
            for j, warp in enumerate(self.warps):
                values = data.columns[warp.column.name]
                if warp.column.kind in DISCRETE:
                    values = _codes(warp.column, values)
                places = 0.5 if offsets is None else offsets[:, j]
                x[:, j], derivative = warp.forward(values.astype(np.float64), places)
                log_det += derivative
        codes = np.empty((n, len(self.discrete)), dtype=np.int32)
        for j, column in enumerate(self.discrete):
            found = _codes(column, data.columns[column.name])
            codes[:, j] = np.where(np.isnan(found), -1, found)
        for name, value in self.constants.items():
            values = data.columns[name]
            log_det[_observed(values) & (values != value)] = -np.inf
        return Encoded(x, codes, log_det)

    def decode(self, encoded: Encoded) -> dict[str, NDArray[Any]]:
        """Columns of the rows: on the grid where they are rounded, inside their bounds, levels in
        place of codes."""
        n = len(encoded)
        out: dict[str, NDArray[Any]] = {}
        for j, warp in enumerate(self.warps):
            values = warp.inverse(encoded.x[:, j])
            out[warp.column.name] = (
                _levels(warp.column, values) if warp.column.kind in DISCRETE else values
            )
        for j, column in enumerate(self.discrete):
            codes = encoded.codes[:, j].astype(np.float64)
            out[column.name] = _levels(column, np.where(codes < 0, np.nan, codes))
        for name, value in self.constants.items():
            out[name] = np.full(n, value, dtype=np.float64 if isinstance(value, float) else object)
        for name in self.empties:
            numeric = self.schema[name].numeric
            out[name] = np.full(
                n, np.nan if numeric else None, dtype=np.float64 if numeric else object
            )
        return {name: out[name] for name in self.schema.names}

    def unseen(self, data: Dataset) -> dict[str, list[Any]]:
        """Column -> values that the fit gives probability zero because it never saw them."""
        found: dict[str, list[Any]] = {}
        columns = [*self.discrete, *(w.column for w in self.warps if w.column.kind in DISCRETE)]
        for column in columns:
            values = data.columns[column.name]
            new = values[_codes(column, values) == -2]
            if len(new):
                found[column.name] = sorted(set(new.tolist()), key=str)
        for name, value in self.constants.items():
            values = data.columns[name]
            new = values[_observed(values) & (values != value)]
            if len(new):
                found[name] = sorted(set(new.tolist()), key=str)
        return found

    def select(self, names: Collection[str]) -> Codec:
        """The codec of some columns, in their order here."""
        return Codec(
            self.schema.select(names),
            tuple(w for w in self.warps if w.column.name in names),
            tuple(c for c in self.discrete if c.name in names),
            {name: value for name, value in self.constants.items() if name in names},
            tuple(name for name in self.empties if name in names),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema.to_json(),
            "warps": [w.to_json() for w in self.warps],
            "discrete": self.discrete_names,
            "constants": dict(self.constants),
            "empties": self.empties,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Codec:
        schema = Schema.from_json(body["schema"])
        return cls(
            schema,
            tuple(Warp.from_json(schema[w["name"]], w) for w in body["warps"]),
            tuple(schema[name] for name in body["discrete"]),
            dict(body["constants"]),
            tuple(body["empties"]),
        )

    def _untouched(self, data: Dataset) -> NDArray[Any] | None:
        """The rows' own array, where encoding would change nothing in it."""
        same = data.array is not None and len(self.warps) == data.array.shape[1]
        return data.array if same and all(w.identity for w in self.warps) else None


def _observed(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    return np.array([v is not None for v in values], dtype=bool)


def _single(known: NDArray[Any]) -> bool:
    return bool(known[0] == known[-1] and (known == known[0]).all())


def _codes(column: Column, values: NDArray[Any]) -> Floats:
    """Level numbers as floats: NaN where missing, -2 for a level that is not the column's."""
    if values.dtype.kind == "f":
        levels = np.asarray(column.levels, dtype=np.float64)
        order = np.argsort(levels)
        place = np.minimum(np.searchsorted(levels[order], values), len(levels) - 1)
        found = order[place].astype(np.float64)
        return np.where(
            np.isnan(values), np.nan, np.where(levels[order[place]] == values, found, -2.0)
        )
    number = {level: float(code) for code, level in enumerate(column.levels)}
    return np.array([np.nan if v is None else number.get(v, -2.0) for v in values])


def _levels(column: Column, codes: Floats) -> NDArray[Any]:
    known = ~np.isnan(codes)
    levels: NDArray[Any]
    if column.numeric:
        levels = np.asarray(column.levels, dtype=np.float64)
        out: NDArray[Any] = np.full(len(codes), np.nan)
    else:
        levels = np.empty(len(column.levels), dtype=object)
        levels[:] = column.levels
        out = np.full(len(codes), None, dtype=object)
    out[known] = levels[codes[known].astype(np.intp)]
    return out
