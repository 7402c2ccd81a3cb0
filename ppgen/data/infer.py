"""Reading the kinds of columns off their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import Column, Kind, Scalar
from .rounding import find_ties
from .schema import Schema
from .values import check_finite, is_gap

_MOST_ORDINAL = 10  # distinct whole numbers that are still levels
_LEAST_ROWS = 50  # rows from which a few distinct whole numbers are no accident
_LEAST_BINARY = 3  # rows below which two different numbers are just two numbers


def infer_schema(
    columns: Mapping[str, NDArray[Any]],
    *,
    like: str,
    levels: Mapping[str, Sequence[Scalar]] | None = None,
    ordered: Iterable[str] = (),
    dtypes: Mapping[str, str] | None = None,
) -> Schema:
    """What the columns are, from their values.

    Args:
        columns: name -> (n,) values: floats with NaN for gaps, or text as objects with None for
            gaps.
        like: the container. In an array ("numpy:...") numbers are real throughout, as users of
            scikit-learn expect; elsewhere two values are binary, few whole numbers ordinal and more
            of them counts.
        levels: declared levels of categorical and truth-valued columns, whose order is kept.
        ordered: columns whose declared levels go from low to high.
        dtypes: how the container stores each column.

    Raises:
        InputError: for an infinite value, naming column and row.
    """
    levels, dtypes, ranked = levels or {}, dtypes or {}, set(ordered)
    inferred = []
    for name, values in columns.items():
        dtype = dtypes.get(name, str(values.dtype))
        if values.dtype == object or name in levels:
            column = _levels(name, values, levels.get(name), dtype, name in ranked)
        else:
            column = _number(name, values, dtype, plain=like.startswith("numpy"))
        inferred.append(column)
    return Schema(tuple(inferred))


def levels_of(values: NDArray[Any]) -> tuple[Scalar, ...]:
    """The distinct values of a column, sorted, as Python scalars; whole numbers as int."""
    if values.dtype == object:
        return tuple(sorted({v for v in values.tolist() if v is not None}, key=str))
    distinct = np.unique(values[~np.isnan(values)])
    return tuple(int(v) if v.is_integer() else v for v in distinct.tolist())


def _levels(
    name: str,
    values: NDArray[Any],
    declared: Sequence[Scalar] | None,
    dtype: str,
    ordered: bool,
) -> Column:
    seen = levels_of(values)
    missing = bool(is_gap(values).any())
    if not seen:
        return Column(name, "empty", missing=True, levels=tuple(declared or ()), dtype=dtype)
    known = seen if declared is None else tuple(declared)
    if len(seen) == 1 and not missing:
        one = [level for level in known if level == seen[0]]
        return Column(name, "constant", levels=(one[0],), dtype=dtype)
    kind: Kind = "binary" if len(known) == 2 else "ordinal" if ordered else "categorical"
    return Column(name, kind, missing, levels=known, dtype=dtype)


def _number(name: str, values: NDArray[np.floating[Any]], dtype: str, *, plain: bool) -> Column:
    values = np.ascontiguousarray(values)  # columns of a matrix are slow to go through
    check_finite(name, values)
    gaps = np.isnan(values)
    missing = bool(gaps.any())
    known = values[~gaps] if missing else values
    if not len(known):
        return Column(name, "empty", missing=True, dtype=dtype)
    if not missing and (known == known[0]).all():
        return Column(name, "constant", levels=levels_of(known[:1]), dtype=dtype)
    if not plain:
        kind = _discrete_kind(known)
        if kind == "count":
            return Column(name, kind, missing, dtype=dtype)
        if kind is not None:
            return Column(name, kind, missing, levels=levels_of(known), dtype=dtype)
    width, note = find_ties(known)
    return Column(name, "real", missing, width=width, note=note, dtype=dtype)


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
