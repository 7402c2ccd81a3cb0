"""Reading the kinds of columns off their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import Column, Kind, Scalar
from .containers import RawTable
from .pixels import Pixels
from .rounding import find_ties
from .schema import Schema
from .stacking import layout_of
from .values import check_finite, is_gap

_MOST_ORDINAL = 10  # distinct whole numbers that are still levels
_LEAST_ROWS = 50  # rows from which a few distinct whole numbers are no accident
_LEAST_BINARY = 3  # rows below which two different numbers are just two numbers


def infer_schema(table: RawTable) -> Schema:
    """What images are, or the columns of a table, from their values. In an array numbers are real
    throughout, as users of scikit-learn expect; elsewhere two values are binary, few whole numbers
    ordinal and more of them counts. InputError names column and row of an infinite value."""
    if table.images is not None:
        shape, layout = table.images.shape[1:], layout_of(table.native.shape)
        return Schema(image_shape=shape, pixels=Pixels.infer(table.images), layout=layout)
    inferred = []
    for name, values in table.columns.items():
        if values.dtype == object or name in table.levels:
            column = _levels(name, values, table.levels.get(name), name in table.ordered)
        else:
            column = _number(name, values, plain=table.like.startswith("numpy"))
        written = table.written.get(name, "")
        inferred.append(replace(column, dtype=table.dtypes[name], written=written))
    return Schema(tuple(inferred), axis=table.axis)


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


def _discrete_kind(known: NDArray[np.floating[Any]]) -> Kind | None:
    """The discrete kind that numbers look like, or None."""
    distinct = np.unique(known)
    if len(distinct) == 2 and len(known) >= _LEAST_BINARY:
        return "binary"
    if len(distinct) < 3 or not np.all(distinct == np.round(distinct)):
        return None
    if len(distinct) <= _MOST_ORDINAL:
        return "ordinal" if len(known) >= _LEAST_ROWS else None
    return "count" if distinct[0] in (0, 1) else None
