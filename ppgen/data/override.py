"""Kinds that a user gives in place of those inferred."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from .column import CONTINUOUS, DISCRETE, Column
from .rounding import find_ties, grid_step
from .values import in_double


def overridden(column: Column, given: str | Mapping[str, Any]) -> Column:
    """The column with another kind, or other settings.

    Raises:
        InputError: if the kind or a setting is unknown, or the settings do not go together.
    """
    settings: dict[str, Any] = {"kind": given} if isinstance(given, str) else dict(given)
    known = ("kind", "lower", "upper", "period", "levels", "width", "atoms")
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
    base = Column(
        column.name,
        kind,
        missing=column.missing,
        dtype=column.dtype,
        written=column.written,
    )
    if kind in CONTINUOUS and kind != "count" and "atoms" not in settings:
        base = replace(base, width=_width(column), note=column.note)
    if kind in DISCRETE and column.kind in DISCRETE:
        base = replace(base, levels=column.levels)
    if "levels" in settings:
        settings["levels"] = tuple(settings["levels"])
    if "atoms" in settings:
        settings["atoms"] = tuple(np.unique(np.asarray(settings["atoms"], np.float64)).tolist())
    column = replace(base, **settings)
    _check_bounds(column)
    _check_atoms(column)
    return column


def tied(column: Column, values: NDArray[np.floating[Any]], *, stated: bool) -> Column:
    """A continuous column with the atoms, or else the cells, that its values show.

    Values at an end of the range are atoms, unless the values between are rounded to a grid that
    the end lies on: then they stand for what is nearest to the end. `stated` says that the user
    gave atoms.

    Raises:
        InputError: if atoms were given, and all values lie on a grid.
    """
    v = in_double(values[~np.isnan(values)], (*column.ends, *column.atoms), column.dtype)
    atoms = tuple(sorted({*column.atoms, *(end for end in column.ends if (v == end).any())}))
    between = v[~np.isin(v, atoms)]
    if not len(between):
        note = "all its values lie at its ends" if len(v) else column.note
        return replace(column, width=None, atoms=atoms, note=note)
    width, note = find_ties(between)
    if not atoms:
        return replace(column, width=width or column.width, note=note)
    step, why = find_ties(v) if width is not None else (None, "")
    if step is None:
        return replace(column, width=width, atoms=atoms, note=note)
    if stated:
        raise InputError(
            f"column {column.name!r} is given atoms, and all its values are rounded to {step:g}, "
            "so that each has a cell of its own. Leave out the atoms."
        )
    return replace(column, width=step, atoms=(), note=why)


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


def _check_atoms(column: Column) -> None:
    if not column.atoms:
        return
    if column.kind not in ("real", "positive", "interval") or column.width is not None:
        what = f"of kind {column.kind!r}" if column.width is None else "with a rounding step"
        raise InputError(
            f"column {column.name!r} {what} is given atoms; a real, positive or interval column "
            "without rounding can have them. Leave them out."
        )
    low, high = -math.inf, math.inf
    if column.ends:
        low, high = column.ends[0], high if column.upper is None else column.upper
    for atom in column.atoms:
        if not (low <= atom <= high and math.isfinite(atom)):
            raise InputError(
                f"column {column.name!r} is given the atom {atom:g}, which is no value of it; "
                f"expected finite numbers from {low:g} to {high:g}."
            )
