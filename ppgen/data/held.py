"""Values that are to be held fixed in a column: what is said of those that it cannot have."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from . import time_text
from .column import CONTINUOUS, DISCRETE, Column
from .levels import level_codes, short
from .schema import Schema
from .schema_matching import outside_support

_MOST = 12  # levels in a message
_MOMENT = datetime.datetime(2024, 12, 31, 18, 30)


def why_not(schema: Schema, name: str, value: Any) -> str:
    """What the column holds, where a value is of another sort; "" where it may be held.

    Text that is no level, and gaps, are for others to refuse.
    """
    column = schema[name]
    if column.kind == "time":
        known = not isinstance(value, str) or _is_time(value, column)
        return (
            "" if known else f"column {name!r} holds times; give one, such as {_time_of(column)}."
        )
    if not column.numeric or column.kind == "empty" or _of_truth(column):
        return ""
    notation = schema.reading.notation(name)
    number = notation.number(value) if isinstance(value, str) else value
    if number is None and value is not None and column.kind == "duration":
        return f"column {name!r} holds durations; give one in seconds."
    if number is None and isinstance(value, str):
        such = "" if notation.plain else f", such as {notation.write([1234.5])[0]}"
        return f"column {name!r} holds numbers; give one{such}."
    if not isinstance(number, int | float | np.number) or np.isnan(number):
        return ""
    if column.kind in DISCRETE:
        return _no_level(column, float(number))
    if column.kind not in CONTINUOUS:
        return ""
    if np.isinf(number):
        return f"column {name!r} holds finite numbers; give one."
    if not outside_support(column, np.array([number], np.float64)).any():
        return ""
    what = {"positive": "numbers above 0", "count": "counts, whole numbers from 0 on"}
    if column.kind in what:
        return f"column {name!r} holds {what[column.kind]}; give one."
    if column.lower is None or column.upper is None:
        return ""
    if column.lower <= number <= column.upper:  # a bound that no row of the fit was at
        return ""
    return f"column {name!r} holds numbers from {column.lower:g} to {column.upper:g}; give one."


def _of_truth(column: Column) -> bool:
    return any(isinstance(level, bool) for level in column.levels)


def _no_level(column: Column, number: float) -> str:
    if level_codes(column, np.array([number]))[0] >= 0:
        return ""
    levels = [str(short(level)) for level in column.levels]
    shown = ", ".join(levels[:_MOST]) + ", ..." * (len(levels) > _MOST)
    never = f"{short(number)} is a value that the fit never saw."
    return f"column {column.name!r} has {shown}, and {never}"


def _is_time(text: str, column: Column) -> bool:
    forms = (column.form if "%" in column.form else "", time_text.form_of([text]))
    return any(form and time_text.read(text, form) is not None for form in forms)


def _time_of(column: Column) -> str:
    """A time as the column has them."""
    if "%" in column.form:
        return time_text.write(_MOMENT, column.form)
    dated = column.form == "date" or column.dtype.lower() in ("date", "date32[day][pyarrow]")
    return time_text.write(_MOMENT, "%Y-%m-%d" if dated else "%Y-%m-%d %H:%M")
