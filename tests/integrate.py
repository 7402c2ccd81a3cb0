"""The integral of a fitted density over all rows that there can be, by quadrature and sums.

Each column has points x_i and weights w_i with sum_i w_i f(x_i) = the sum of f over its levels and
atoms, plus the integral of f over what lies between. A rounded column's points are those of its
grid, weighted by the length of their cells within the column's range. Between the atoms, Gauss and
Legendre's rule is used on panels in t, where x = t, exp t, or lies at sigma(t) of an interval;
panels of an unbounded t grow with the distance from the data.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppgen.data import Column, Dataset, as_dataset
from ppgen.data.column import DISCRETE
from ppgen.density_estimator import DensityEstimator

Floats = NDArray[np.float64]

_REACH = 10.0  # deviations of the data, in t, that the quadrature goes beyond them
_EDGE = 34.0  # logit of the place in an interval beyond which doubles run out


def integral(model: DensityEstimator, data: Dataset, *, panels: int = 200) -> tuple[float, float]:
    """The integral of exp(log_density) over one or two columns, and its Monte Carlo error.

    Args:
        model: fitted to `data`.
        data: rows that show where the mass lies.
        panels: of eight nodes each, a column.
    """
    rules = [rule(c, data.columns[c.name], panels) for c in data.schema.columns]
    points = list(zip(*itertools.product(*(p for p, _ in rules)), strict=True))
    weights = np.array([np.prod(w) for w in itertools.product(*(w for _, w in rules))])
    rows = {c.name: np.array(p) for c, p in zip(data.schema.columns, points, strict=True)}
    density = model.log_density(as_dataset(rows, data.schema))
    parts = weights * np.exp(density.values)
    error = 0.0 if density.stderr is None else np.nan_to_num(parts * density.stderr)
    return float(parts.sum()), float(np.sqrt(np.sum(np.square(error))))


def rule(column: Column, values: NDArray[Any], panels: int) -> tuple[list[Any], Floats]:
    """Points of a column and their weights."""
    if column.kind in DISCRETE:
        return list(column.levels), np.ones(len(column.levels))
    values = values[~np.isnan(values)].astype(np.float64)
    if column.kind == "count":
        points = np.arange(30 * (1 + values.max()))
        return list(points), np.ones(len(points))
    if column.width is not None:
        points, weights = _cells(column, values)
    else:
        points, weights = _between(column, values, panels)
    points, weights = (
        np.append(points, column.atoms),
        np.append(weights, np.ones(len(column.atoms))),
    )
    return list(points), weights


def _range(column: Column, values: Floats) -> tuple[float, float]:
    """From where to where in t."""
    if column.kind == "interval":
        return -_EDGE, _EDGE
    if column.kind == "circular":
        start = column.lower or 0.0
        return start, start + (column.period or 0.0)
    between = values[~np.isin(values, column.atoms)]
    t = np.log(between) if column.kind == "positive" else between
    return t.min() - _REACH * t.std(), t.max() + _REACH * t.std()


def _cells(column: Column, values: Floats) -> tuple[Floats, Floats]:
    if column.kind == "positive":
        low, high = 0.0, 30 * values.max()
    elif column.kind == "interval":
        low, high = column.ends
    else:
        low, high = _range(column, values)
    width, origin = column.width, values.min()
    steps = np.arange(np.round((low - origin) / width), np.round((high - origin) / width) + 1)
    points = origin + steps * width
    if column.kind == "circular":
        points = points[:-1]
    left, right = points - width / 2, points + width / 2
    if column.ends:
        left, right = np.maximum(left, low), np.minimum(right, high)
        points = np.clip(points, low, high)
    return points, right - left


def _between(column: Column, values: Floats, panels: int) -> tuple[Floats, Floats]:
    low, high = _range(column, values)
    knots = np.linspace(low, high, panels + 1)
    if column.kind in ("real", "positive"):
        # Far values take few panels: t = centre + spread sinh(s).
        y = np.log(values[values > 0]) if column.kind == "positive" else values
        q, centre, r = np.quantile(y, [0.25, 0.5, 0.75])
        spread = (r - q) or y.std()
        ends = np.arcsinh((np.array([low, high]) - centre) / spread)
        knots = centre + spread * np.sinh(np.linspace(*ends, panels + 1))
        far = y[np.abs(y - centre) > 20 * spread][:, None]  # a component may stand there alone
        steps = spread * 2.0 ** np.arange(-16, 16)
        knots = np.unique([*knots, *far.ravel(), *(far - steps).ravel(), *(far + steps).ravel()])
    if column.kind == "real":
        knots = np.unique([*knots, *column.atoms])
    node, weight = np.polynomial.legendre.leggauss(8)
    half = np.diff(knots)[:, None] / 2
    t = ((knots[1:] + knots[:-1])[:, None] / 2 + half * node).ravel()
    w = (half * weight).ravel()
    if column.kind == "positive":
        return np.exp(t), w * np.exp(t)
    if column.kind == "interval":
        a, b = column.ends
        near = 1 / (1 + np.exp(np.abs(t)))
        x = np.where(t < 0, a + (b - a) * near, b - (b - a) * near)
        return x, w * (b - a) * near * (1 - near)
    return t, w
