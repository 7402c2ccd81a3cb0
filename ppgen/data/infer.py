"""Reading the kinds of columns off their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bijections import Floats
from .column import Column, Kind, Scalar
from .containers import RawTable
from .keys import judged, unnamed
from .pixels import Pixels
from .rounding import find_ties
from .schema import Schema
from .stacking import layout_of
from .times import clock_of, step_in_words
from .values import check_finite, is_gap

MOST_ORDINAL = 10  # distinct whole numbers that are still levels
_LEAST_ROWS = 50  # rows from which a few distinct whole numbers are no accident
_RARE = 0.05  # share of the highest of few whole numbers from which on they are a closed set
_SKEWED, _FAR_SKEWED = 0.5, 1.0  # skewness of numbers with a tail to the right
_RECURRING = 0.05  # share of values that are there before, in counts without a tail
_LEAST_BINARY = 3  # rows below which two different numbers are just two numbers


def infer_schema(table: RawTable) -> Schema:
    """What images are, or the columns of a table, from their values. In an array numbers are real
    throughout, as users of scikit-learn expect; elsewhere two values are binary, few whole numbers
    ordinal and more of them counts, and keys are left out (see `keys`). InputError names column and
    row of an infinite value."""
    if table.images is not None:
        shape, layout = table.images.shape[1:], layout_of(table.native.shape)
        return Schema(image_shape=shape, pixels=Pixels.infer(table.images), layout=layout)
    inferred = []
    plain = table.like.startswith("numpy") and table.array is not None
    for name, values in table.columns.items():
        if name in table.clocks:
            column = _time(name, values, table.dtypes[name], table.clocks[name])
        elif values.dtype == object or name in table.levels:
            column = _levels(name, values, table.levels.get(name), name in table.ordered)
        else:
            column = _number(name, values, plain=table.like.startswith("numpy"))
        written, note = table.written.get(name, ""), table.notes.get(name, "")
        note = "; ".join(filter(None, (column.note, note)))
        column = replace(column, dtype=table.dtypes[name], written=written, note=note)
        inferred.append(column)
    schema = Schema(tuple(inferred), axis=table.axis)
    if plain:
        return schema
    nameless = unnamed(schema.names)
    kept = schema.with_every(
        judged(c, table.columns[c.name], beyond=c.name in table.beyond, nameless=c.name in nameless)
        for c in inferred
    )
    return kept if kept.columns else schema  # a table of nothing but keys is what it says


def levels_of(values: NDArray[Any]) -> tuple[Scalar, ...]:
    """The distinct values of a column, sorted, as Python scalars; whole numbers as int."""
    if values.dtype == object:
        return tuple(sorted({v for v in values.tolist() if v is not None}, key=str))
    distinct = np.unique(values[~np.isnan(values)])
    return tuple(int(v) if v.is_integer() else v for v in distinct.tolist())


def _levels(
    name: str, values: NDArray[Any], declared: Sequence[Scalar] | None, ordered: bool
) -> Column:
    seen = levels_of(values)
    missing = bool(is_gap(values).any())
    if not seen:
        return Column(name, "empty", missing=True, levels=tuple(declared or ()))
    known = seen if declared is None else tuple(declared)
    if len(seen) == 1 and not missing:
        return Column(name, "constant", levels=(known[known.index(seen[0])],))
    kind: Kind = "binary" if len(known) == 2 else "ordinal" if ordered else "categorical"
    return Column(name, kind, missing, levels=known)


def _number(name: str, values: NDArray[np.floating[Any]], *, plain: bool) -> Column:
    values = np.ascontiguousarray(values)  # columns of a matrix are slow to go through
    check_finite(name, values)
    gaps = np.isnan(values)
    missing = bool(gaps.any())
    known = values[~gaps] if missing else values
    if not len(known):
        return Column(name, "empty", missing=True)
    if not missing and (known == known[0]).all():
        return Column(name, "constant", levels=levels_of(known[:1]))
    if not plain:
        kind = _discrete_kind(known)
        if kind is not None:
            return Column(name, kind, missing, levels=() if kind == "count" else levels_of(known))
    width, note = find_ties(known)
    return Column(name, "real", missing, width=width, note=note)


def _time(name: str, values: Floats, dtype: str, form: str) -> Column:
    gaps = np.isnan(values)
    known, missing = values[~gaps], bool(gaps.any())
    kind: Kind = "duration" if clock_of(dtype, form) == "duration" else "time"
    column = Column(name, kind, missing, dtype=dtype, form=form)
    if not len(known):
        return replace(column, kind="empty", missing=True)
    if not missing and (known == known[0]).all():
        return replace(column, kind="constant", levels=(float(known[0]),))
    width, note = find_ties(known, column.shown, step_in_words)
    return replace(column, width=width, note=note)


def _discrete_kind(known: NDArray[np.floating[Any]]) -> Kind | None:
    """The discrete kind that numbers look like, or None."""
    distinct = np.unique(known)
    if len(distinct) == 2 and len(known) >= _LEAST_BINARY:
        return "binary"
    if len(distinct) < 3 or not np.all(distinct == np.round(distinct)):
        return None
    if len(distinct) <= MOST_ORDINAL:
        if len(known) < _LEAST_ROWS:
            return None
        return "count" if _tails_off(known, distinct) else "ordinal"
    if distinct[0] not in (0, 1):
        return None
    # Numbers that hardly ever recur and have no tail, such as 0, 1, 2, ..., count nothing.
    recur = len(known) - len(distinct) > _RECURRING * len(known)
    return "count" if recur or _skewness(known) > _SKEWED else None


def _tails_off(known: NDArray[Any], distinct: NDArray[Any]) -> bool:
    """Whether few whole numbers from 0 or 1 on are counts that tail off, not a closed set: skewed
    to the right, falling from the most frequent on, the highest rare."""
    if distinct[0] not in (0, 1):
        return False
    shares = np.array([np.mean(known == level) for level in distinct])
    falling = shares[int(shares.argmax()) :]
    allowed = 1.25 * falling[:-1] + 2 / len(known)  # what chance may bring
    falls = bool((falling[1:] <= allowed).all())
    return bool(shares[-1] <= _RARE) and _skewness(known) > _FAR_SKEWED and falls


def _skewness(known: NDArray[Any]) -> float:
    centred = known.astype(np.float64) - known.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)
