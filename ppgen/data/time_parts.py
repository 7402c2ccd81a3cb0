"""Circular parts of times: what hour, what day of the week, what month it is.

A column of times may be modelled with parts beside it, on request: {"when": {"kind": "time",
"parts": ["hour", "weekday"]}}. A part is a column of its own, called "when.hour", which is worked
out of the times wherever rows are read and is in no container. In rows that a model makes, times
are moved to those close by that have their parts, the hour first:

| part | values | period | what times are moved by |
|---|---|---|---|
| month | 0 (January) to 11 | 12 | it is modelled only |
| weekday | 0 (Monday) to 6 | 7 | whole days, three at most |
| hour | hours since midnight | 24 | twelve hours at most |

Where the times themselves are left out of the model, {"kind": "left out", "parts": [...]}, rows
that are made hold the parts as numbers. Parts are those of the zone of the column.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from .bijections import Floats
from .column import Column
from .times import zone_info, zone_of

DAY = 86400.0
_MONDAY = 3  # the number of 1970-01-01 among the days of its week
_QUARTER = 900.0  # seconds in which a zone's distance from UTC does not change
PARTS = {"month": 12.0, "weekday": 7.0, "hour": 24.0}  # name -> period


def part_columns(column: Column, asked: Any) -> tuple[Column, ...]:
    """The columns of the parts that are asked for of a column of times."""
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    for name in names:
        if name not in PARTS:
            raise unknown("part of a time", str(name), tuple(PARTS))
    if names and column.clock != "time" and column.kind != "time":
        raise InputError(
            f"column {column.name!r} is asked for {', '.join(names)}, and holds no times. Leave "
            "its parts out."
        )
    return tuple(
        Column(
            f"{column.name}.{name}",
            "circular",
            column.missing,
            period=PARTS[name],
            width=None if name == "hour" else 1.0,
            note="",
            of=column.name,
            part=name,
        )
        for name in names
    )


def part_of(part: str, seconds: Floats, column: Column) -> Floats:
    """(n,) values of a part of times, NaN where missing; `column` is that of the times."""
    local = seconds + ahead(seconds, zone_of(column.dtype, column.form))
    days = np.floor(local / DAY)
    if part == "hour":
        return np.asarray((local - days * DAY) / 3600)
    if part == "weekday":
        return np.asarray((days + _MONDAY) % 7)
    known = ~np.isnan(days)
    months = np.where(known, days, 0).astype("M8[D]").astype("M8[M]").astype(np.int64) % 12
    return np.where(known, months, np.nan)


def moved(seconds: Floats, parts: Mapping[str, Floats], column: Column) -> Floats:
    """(n,) times close by that have these parts.

    The hour goes first, since its step may cross midnight. Both go once more, since each may cross
    a change of the zone's distance from UTC.
    """
    for part in ("hour", "weekday", "hour", "weekday", "hour"):
        if part in parts:
            unit, period = (DAY, 7.0) if part == "weekday" else (3600.0, 24.0)
            off = parts[part] - part_of(part, seconds, column)
            # To the microsecond, so that what is midnight is not just before it.
            seconds = np.round(seconds + unit * ((off + period / 2) % period - period / 2), 6)
    return seconds


def moved_to_parts(
    columns: Mapping[str, NDArray[Any]], schema: Iterable[Column]
) -> dict[str, Floats]:
    """The columns of times that parts stand beside, of rows that were made, moved to these."""
    found = {}
    schema = tuple(schema)
    for column in schema:
        of = {c.part: columns[c.name] for c in schema if c.of and c.of == column.name}
        if of:
            found[column.name] = moved(columns[column.name], of, column)
    return found


def ahead(seconds: Floats, zone: str) -> Floats:
    """(n,) seconds by which a zone is ahead of UTC."""
    if not zone or zone == "UTC":
        return np.zeros(len(seconds))
    tz = zone_info(zone)
    quarter = np.floor(np.where(np.isnan(seconds), 0.0, seconds) / _QUARTER)
    each, group = np.unique(quarter, return_inverse=True)
    moments = (datetime.datetime.fromtimestamp(q * _QUARTER, tz) for q in each.tolist())
    offsets = (moment.utcoffset() or datetime.timedelta() for moment in moments)
    return np.array([offset.total_seconds() for offset in offsets])[group]
