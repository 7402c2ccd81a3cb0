"""Rows as a fitted schema has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from .infer import levels_of
from .schema import DISCRETE, Column, Scalar, Schema
from .values import check_finite, is_gap, to_numbers

Columns = Mapping[str, NDArray[Any]]


def conform(columns: Columns, schema: Schema) -> dict[str, NDArray[Any]]:
    """Settled columns matched by name, in the schema's order and in its types.

    A level that the schema does not have stays as it is: the codec gives it probability zero. So
    does a number outside the support of its column.

    Raises:
        InputError: if columns are unknown or absent, text stands where numbers were, or a value is
            infinite.
    """
    check_names(columns, schema)
    return {c.name: _conformed(c, columns[c.name]) for c in schema.columns}


def check_names(names: Iterable[str], schema: Schema) -> None:
    """Raise InputError unless the names are those of the schema, in any order."""
    given = list(names)
    for name in given:
        if name not in schema.names:
            raise InputError(
                f"column {name!r} was not in the fit; drop it."
                + did_you_mean(name, [n for n in schema.names if n not in given])
            )
    for name in schema.names:
        if name not in given:
            raise InputError(
                f"column {name!r} is missing, and the fit has it. Add it, with missing values "
                "where it is not known."
            )


def complete(columns: Columns, schema: Schema) -> Schema:
    """The schema with the levels and gaps that it does not state read off the values.

    Raises:
        InputError: if a binary column has other than two levels, or a column has a single one.
    """
    return replace(schema, columns=tuple(_completed(c, columns[c.name]) for c in schema.columns))


def check_support(columns: Columns, schema: Schema) -> None:
    """Raise InputError naming column and row of the first value outside its column's support."""
    for column in schema.columns:
        values = columns[column.name]
        outside = outside_support(column, values)
        if outside.any():
            row = int(np.argmax(outside))
            expected = {
                "positive": "numbers > 0",
                "interval": f"numbers from {column.lower} to {column.upper}",
                "count": "whole numbers >= 0",
            }.get(column.kind, f"one of {', '.join(map(str, column.levels[:10]))}")
            raise InputError(
                f"column {column.name!r} holds {values[row]!s} in row {row} (counted from 0); "
                f"as a {column.kind} column it takes {expected}. Correct the value or the kind."
            )


def outside_support(column: Column, values: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether each value, in a conformed column, is one that its kind cannot have."""
    if column.kind in DISCRETE:
        return np.asarray(level_codes(column, values) == -2)
    if values.dtype == object:
        return np.zeros(len(values), dtype=bool)
    if column.kind == "positive":
        # A rounded zero stands for something between zero and half a step.
        return np.asarray(values < 0 if column.width else values <= 0)
    if column.kind == "interval":
        return np.asarray((values < column.lower) | (values > column.upper))
    if column.kind == "count":
        return np.asarray((values < 0) | (~np.isnan(values) & (values != np.round(values))))
    return np.zeros(len(values), dtype=bool)


def level_codes(column: Column, values: NDArray[Any]) -> NDArray[np.int32]:
    """(n,) level numbers; -1 where missing, -2 for what is no level of the column."""
    if values.dtype == object:
        number = {level: code for code, level in enumerate(column.levels)}
        number[None] = -1  # type: ignore[index]
        return np.array([number.get(v, -2) for v in values], dtype=np.int32)
    codes = np.full(len(values), -2, dtype=np.int32)
    if column.numeric and column.levels:
        levels = np.array(column.levels, dtype=np.float64)
        order = np.argsort(levels)
        ranked = levels[order]
        # The nearest level, and only where it is the same number up to single precision.
        place = np.searchsorted((ranked[1:] + ranked[:-1]) / 2, values)
        near = np.abs(values - ranked[place]) <= 1e-6 * np.abs(ranked[place])
        codes[near] = order[place][near]
    codes[np.isnan(values)] = -1
    return codes


def _completed(column: Column, values: NDArray[Any]) -> Column:
    column = replace(column, missing=column.missing or bool(is_gap(values).any()))
    if column.kind not in DISCRETE:
        return column
    if not column.levels:
        column = replace(column, levels=levels_of(values))
    if len(column.levels) < 2 or (column.kind == "binary" and len(column.levels) != 2):
        wanted = "two levels" if column.kind == "binary" else "at least two levels"
        raise InputError(
            f"column {column.name!r} has {len(column.levels)} levels; a {column.kind} column has "
            f"{wanted}. Choose another kind."
        )
    return column


def _conformed(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if column.kind == "empty":
        return np.full(len(values), np.nan)
    if column.levels or column.kind in DISCRETE:
        values = _matched(column, values) if column.levels else values
        if values.dtype != object:
            check_finite(column.name, values)
        return values
    numbers = to_numbers(column.name, values)
    check_finite(column.name, numbers)
    return numbers


def _matched(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    """Values spelt as the levels are: "1" and 1.0 as 1, "true" as True, 2 as "2"."""
    if column.numeric and values.dtype != object:
        return values
    spelt: dict[str, Scalar | None] = {}
    for written in column.levels:
        key = _spelling(written)
        spelt[key] = None if key in spelt else written  # two levels spelt alike: neither is meant
    exact: dict[Any, Scalar] = {level: level for level in column.levels}
    known: dict[Any, Any] = {}  # value -> how its level is written
    objects = values if values.dtype == object else _texts(values)
    for value in set(objects.tolist()) - {None}:
        level: Scalar | None = exact.get(value, spelt.get(_spelling(value)))
        known[value] = value if level is None else level
    if column.numeric and not any(isinstance(v, str) for v in known.values()):
        return np.array([np.nan if v is None else float(known[v]) for v in objects])
    out = np.empty(len(objects), dtype=object)
    out[:] = [None if v is None else known[v] for v in objects]
    return out


def _texts(values: NDArray[np.floating[Any]]) -> NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = [
        None if v != v else str(int(v)) if v.is_integer() else repr(v) for v in values.tolist()
    ]
    return out


def _spelling(value: Scalar) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()
