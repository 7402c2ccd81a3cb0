"""Kinds that a user gives in place of those inferred."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from .column import CONTINUOUS, DISCRETE, LEFT_OUT, Column
from .rounding import find_ties, grid_step
from .values import in_double


def overridden(column: Column, given: str | Mapping[str, Any]) -> Column:
    """The column with another kind, or other settings; InputError if one is unknown, or they do
    not go together."""
    settings: dict[str, Any] = {"kind": given} if isinstance(given, str) else dict(given)
    known = ("kind", "lower", "upper", "period", "levels", "width", "atoms", "form")
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
    base = Column(column.name, kind, column.missing, dtype=column.dtype, written=column.written)
    if kind in LEFT_OUT:
        base = replace(base, note="left out as asked", form=column.form)
    elif column.clock and kind in ("time", "duration"):
        base = replace(base, form=column.form)
    elif column.clock:
        base = replace(base, dtype="object" if kind in DISCRETE else "float64")
    if (
        kind in CONTINUOUS
        and kind != "count"
        and column.kind not in LEFT_OUT
        and "atoms" not in settings
    ):
        base = replace(base, width=_width(column), note=column.note)
    if kind in DISCRETE and column.kind in DISCRETE:
        base = replace(base, levels=column.levels)
    if "levels" in settings:
        settings["levels"] = tuple(settings["levels"])
    if "atoms" in settings:
        settings["atoms"] = tuple(np.unique(np.asarray(settings["atoms"], np.float64)).tolist())
    column = replace(base, **settings)
    _check(column)
    return column


def tied(column: Column, values: NDArray[np.floating[Any]], *, stated: bool) -> Column:
    """A continuous column with the atoms, or else the cells, that its values show.

    Values at an end of the range are atoms, unless the values between are rounded to a grid that
    the end lies on: then they stand for what is nearest to the end. Where `stated`, the user gave
    the atoms, and InputError says that all values lie on a grid.
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


def _check(column: Column) -> None:
    """Raise InputError if the settings of a column do not go together."""
    kind, width, atoms = column.kind, column.width, column.atoms
    lower, upper, period = column.lower, column.upper, column.period
    bounded = lower is not None and upper is not None and -math.inf < lower < upper < math.inf
    low, high = column.ends[0] if column.ends else -math.inf, math.inf if upper is None else upper
    strange = [atom for atom in atoms if not (low <= atom <= high and math.isfinite(atom))]
    if kind == "interval" and not bounded:
        problem = (
            f"is an interval from {lower} to {upper}; give finite bounds, such as "
            "{'kind': 'interval', 'lower': 0, 'upper': 1}"
        )
    elif kind == "circular" and not (period is not None and 0 < period < math.inf):
        problem = (
            f"is circular with period {period}; give a positive one, such as "
            "{'kind': 'circular', 'period': 360}"
        )
    elif kind != "interval" and (upper is not None or (lower is not None and kind != "circular")):
        problem = f"of kind {kind!r} is given bounds; say kind 'interval'"
    elif kind != "circular" and period is not None:
        problem = f"of kind {kind!r} has a period; say kind 'circular'"
    elif width is not None and not 0 < width < math.inf:
        problem = f"has width {width}; give a positive rounding step"
    elif atoms and (width is not None or kind not in ("real", "positive", "interval")):
        what = f"of kind {kind!r}" if width is None else "with a rounding step"
        problem = (
            f"{what} is given atoms; a real, positive or interval column without rounding can "
            "have them. Leave them out"
        )
    elif strange:
        problem = (
            f"is given the atom {strange[0]:g}, which is no value of it; expected finite numbers "
            f"from {low:g} to {high:g}"
        )
    else:
        return
    raise InputError(f"column {column.name!r} {problem}.")
