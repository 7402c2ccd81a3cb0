"""Levels of discrete columns: their numbers, and the ways of writing them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import Column, Scalar


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


def levels_at(column: Column, codes: NDArray[np.int32]) -> NDArray[Any]:
    """Levels of level numbers; missing where the number is negative."""
    known = codes >= 0
    levels: NDArray[Any] = np.array(column.levels, np.float64 if column.numeric else object)
    out = np.full(len(codes), np.nan if column.numeric else None, levels.dtype)
    out[known] = levels[codes[known]]
    return out


def match_levels(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    """Values spelt as the levels are: "1" and 1.0 as 1, "true" as True, 2 as "2"."""
    if column.numeric and values.dtype != object:
        return values
    spelt: dict[str, Scalar | None] = {}
    for written in column.levels:
        key = _spelling(written)
        spelt[key] = None if key in spelt else written  # two levels spelt alike: neither is meant
    exact: dict[Any, Scalar] = {level: level for level in column.levels}
    padded = _without_zeros(column.levels)
    known: dict[Any, Any] = {None: None}  # value -> how its level is written
    objects = values if values.dtype == object else _texts(values)
    for value in set(objects.tolist()) - {None}:
        level: Scalar | None = exact.get(value, spelt.get(_spelling(value)))
        level = padded.get(_spelling(value).lstrip("0")) if level is None else level
        known[value] = value if level is None else level
    numeric = column.numeric and not any(isinstance(v, str) for v in known.values())
    return np.array([known[v] for v in objects], np.float64 if numeric else object)


def _without_zeros(levels: tuple[Scalar, ...]) -> dict[str, Scalar]:
    """Levels that are digits by what is left of them without leading zeros, which a file may have
    lost; empty where others are among them, or some would then be alike."""
    if not all(isinstance(level, str) and level.isdecimal() for level in levels):
        return {}
    bare = {str(level).lstrip("0"): level for level in levels}
    return bare if len(bare) == len(levels) else {}


def short(value: Any) -> Any:
    """A value as it is shown: a float that is a whole number as that number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _texts(values: NDArray[np.floating[Any]]) -> NDArray[Any]:
    texts = [
        None if v != v else str(int(v)) if v.is_integer() else repr(v) for v in values.tolist()
    ]
    return np.array(texts, dtype=object)


def _spelling(value: Scalar) -> str:
    return str(short(value)).strip().casefold()
