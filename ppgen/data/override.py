"""Kinds that a user gives in place of those inferred."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError, did_you_mean
from .rounding import grid_step
from .schema import CONTINUOUS, DISCRETE, Column


def overridden(column: Column, given: str | Mapping[str, Any]) -> Column:
    """The column with another kind, or other settings.

    Raises:
        InputError: if the kind or a setting is unknown, or the settings do not go together.
    """
    settings: dict[str, Any] = {"kind": given} if isinstance(given, str) else dict(given)
    known = ("kind", "lower", "upper", "period", "levels", "width")
    for key in settings:
        if key not in known:
            raise InputError(
                f"column {column.name!r} is given {key!r}; expected {', '.join(known)}."
                + did_you_mean(str(key), known)
            )
    kind = settings.get("kind", column.kind)
    for key in ("lower", "upper", "period", "width"):
        if settings.get(key) is not None:
            settings[key] = float(settings[key])
    base = Column(column.name, kind, missing=column.missing, dtype=column.dtype)
    if kind in CONTINUOUS and kind != "count":
        base = replace(base, width=_width(column), note=column.note)
    if kind in DISCRETE and column.kind in DISCRETE:
        base = replace(base, levels=column.levels)
    if "levels" in settings:
        settings["levels"] = tuple(settings["levels"])
    column = replace(base, **settings)
    _check_bounds(column)
    return column


def _width(column: Column) -> float | None:
    """The rounding step that a column has when it is read as continuous."""
    if column.kind == "count":
        return 1.0
    if column.kind in DISCRETE and column.numeric and len(column.levels) > 1:
        return grid_step(np.unique(np.array(column.levels, dtype=np.float64)))
    return column.width


def _check_bounds(column: Column) -> None:
    lower, upper, period = column.lower, column.upper, column.period
    if column.kind == "interval" and not (
        lower is not None and upper is not None and -math.inf < lower < upper < math.inf
    ):
        raise InputError(
            f"column {column.name!r} is an interval from {lower} to {upper}; give finite "
            f"bounds, such as {{'kind': 'interval', 'lower': 0, 'upper': 1}}."
        )
    if column.kind == "circular" and not (period is not None and 0 < period < math.inf):
        raise InputError(
            f"column {column.name!r} is circular with period {period}; give a positive one, "
            "such as {'kind': 'circular', 'period': 360}."
        )
    if (lower is not None and column.kind not in ("interval", "circular")) or (
        upper is not None and column.kind != "interval"
    ):
        raise InputError(
            f"column {column.name!r} of kind {column.kind!r} is given bounds; say kind 'interval'."
        )
    if period is not None and column.kind != "circular":
        raise InputError(
            f"column {column.name!r} of kind {column.kind!r} has a period; say kind 'circular'."
        )
    if column.width is not None and not 0 < column.width < math.inf:
        raise InputError(
            f"column {column.name!r} has width {column.width}; give a positive rounding step."
        )
