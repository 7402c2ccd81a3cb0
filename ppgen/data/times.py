"""Dates, times and durations as seconds, and back in the type that they came in.

A time is kept as the seconds since 1970-01-01 00:00 UTC, one without a zone as if it were of UTC; a
duration as its seconds. Microseconds are kept, what is finer is cut off. How a column stored them
says its `dtype`, and of text and Python's objects `form`:

| form | values |
|---|---|
| codes of `strftime` (see `time_text`) | text |
| "date", "datetime", "datetime[ZONE]", "timedelta" | Python's objects |
| "" | those of the container's own type |
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import time_text
from .bijections import Floats

Clock = Literal["", "time", "duration"]

MICRO = 1e-6
STEPS = (86400.0, 3600.0, 60.0)  # seconds of what times are often whole multiples of
OF_DAY = (
    "column {} holds times of day; expected dates. Give the seconds since midnight as numbers, a "
    "circular column of period 86400."
)
_UTC = datetime.UTC
_EPOCH = datetime.datetime(1970, 1, 1)
_FIRST, _LAST = -62135596800.0, 253402300799.0  # the years 1 and 9999
_FIRST_NANO, _LAST_NANO = -9.2e9, 9.2e9  # what 64 bits of nanoseconds reach
_NAT = np.iinfo(np.int64).min


def clock_of(dtype: str, form: str = "") -> Clock:
    """Whether a column stored so holds times, durations or neither."""
    stored = dtype.lower()
    if form == "timedelta" or stored.startswith(("timedelta", "duration")):
        return "duration"
    return "time" if form or stored.startswith(("date", "timestamp")) else ""


def zone_of(dtype: str, form: str = "") -> str:
    """The name of the zone of a column stored so, "" for none."""
    if form:
        found = re.fullmatch(r"datetime\[(.+)\]", form)
        return found[1] if found else time_text.zone_in(form)
    found = re.search(r"\[\w+, ?(?:tz=)?([^\]]+)\]|time_zone='([^']+)'", dtype)
    return (found[1] or found[2]) if found else ""


def of_numpy(values: NDArray[Any]) -> Floats:
    """(n,) seconds of NumPy's times or durations, NaN where missing."""
    kind = values.dtype.kind
    micro = values.astype(f"{kind}8[us]").view(np.int64)
    return np.where(micro == _NAT, np.nan, micro * MICRO)


def of_series(series: Any) -> Floats:
    """(n,) seconds of a series of narwhals."""
    import narwhals as nw

    if isinstance(series.dtype, nw.Duration):
        micro = series.dt.total_microseconds()
    elif isinstance(series.dtype, nw.Time):
        raise InputError(OF_DAY.format(repr(series.name)))
    else:
        dated = series.cast(nw.Datetime("us")) if series.dtype == nw.Date else series
        micro = dated.dt.timestamp("us")
    return np.asarray(micro.cast(nw.Float64).to_numpy(), np.float64) * MICRO


def of_objects(values: Iterable[Any]) -> tuple[Floats, str, bool] | None:
    """(n,) seconds of Python's dates, times or durations, None where missing, their form, and
    whether they are of several zones, whose form is that of UTC; None where a value is something
    else, or times and durations are mixed."""
    listed = list(values)
    known = [v for v in listed if v is not None]
    if all(isinstance(v, datetime.timedelta) for v in known):
        seconds = [np.nan if v is None else v.total_seconds() for v in listed]
        return np.array(seconds, np.float64), "timedelta", False
    if not all(isinstance(v, datetime.date) for v in known):
        return None
    timed = [v for v in known if isinstance(v, datetime.datetime)]
    zones = {_zone_name(v) for v in timed if v.tzinfo is not None}
    form, several = "datetime" if timed else "date", len(zones) > 1
    if zones:
        form = f"datetime[{'UTC' if several else zones.pop()}]"
    seconds = [np.nan if v is None else _seconds(v) for v in listed]
    return np.array(seconds), form, several


def in_zone(seconds: Floats, zone: str) -> Floats:
    """Seconds of times without a zone that are meant to be of this one."""
    if not zone:
        return seconds
    tz, out = zone_info(zone), np.full(len(seconds), np.nan)
    for i in np.flatnonzero(~np.isnan(seconds)):
        out[i] = _naive(float(seconds[i])).replace(tzinfo=tz).timestamp()
    return out


def to_objects(seconds: Floats, dtype: str, form: str) -> list[Any]:
    """Python's objects or texts of (n,) seconds, None where missing."""
    if clock_of(dtype, form) == "duration":
        return [None if v != v else datetime.timedelta(seconds=v) for v in seconds.tolist()]
    naive = [None if v != v else _naive(v) for v in np.clip(seconds, _FIRST, _LAST).tolist()]
    if form == "date" or (not form and dtype.lower() in ("date", "date32[day][pyarrow]")):
        return [None if v is None else v.date() for v in naive]
    if "%" in form:
        return [None if v is None else time_text.write(v, form) for v in naive]
    if not (zone := zone_of(dtype, form)):
        return list(naive)
    tz = zone_info(zone)
    return [None if v is None else v.replace(tzinfo=_UTC).astimezone(tz) for v in naive]


def to_numpy(seconds: Floats, dtype: str) -> NDArray[Any]:
    """NumPy's times or durations of (n,) seconds, in the unit of a type such as
    "datetime64[ns, UTC]"; NaT where missing."""
    found = re.search(r"\[(\w+)", dtype)
    unit = found[1] if found and found[1] in ("Y", "M", "D", "h", "m", "s", "ms", "ns") else "us"
    kind = "m8" if clock_of(dtype) == "duration" else "M8"
    first, last = (_FIRST_NANO, _LAST_NANO) if unit == "ns" else (_FIRST, _LAST)
    known = ~np.isnan(seconds)
    whole = np.clip(np.where(known, seconds, 0.0), first, last)
    days = np.floor(whole)  # seconds and their fraction apart, so that no digit is lost
    micro = days.astype(np.int64) * 1_000_000 + np.round((whole - days) / MICRO).astype(np.int64)
    out = np.where(known, micro, _NAT).view(f"{kind}[us]")
    return np.asarray(out.astype(f"{kind}[{unit}]"))


def in_words(seconds: float, clock: Clock = "time", zone: str = "") -> str:
    """A time, as clocks of its zone have it, or a duration for the reader: the date alone where the
    time of day is midnight."""
    if clock == "duration":
        return str(datetime.timedelta(seconds=round(seconds, 6)))
    moment = _naive(min(max(seconds, _FIRST), _LAST))
    if zone and seconds - STEPS[0] > _FIRST and seconds + STEPS[0] < _LAST:
        moment = moment.replace(tzinfo=_UTC).astimezone(zone_info(zone)).replace(tzinfo=None)
    midnight = moment.time() == datetime.time()
    return moment.date().isoformat() if midnight else moment.isoformat(" ")


def step_in_words(seconds: float) -> str:
    """A step between times for the reader."""
    for unit, name in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if seconds >= unit and not seconds % unit:
            times = f"{seconds / unit:g} "
            return f"{times if seconds > unit else 'one '}{name}{'s' * (seconds > unit)}"
    return f"{seconds:g} seconds"


def zone_info(name: str) -> datetime.tzinfo:
    """A zone by its name, such as "Europe/Berlin" or "UTC+01:00"."""
    import zoneinfo

    if name in ("UTC", "Z"):
        return _UTC
    if minutes := re.fullmatch(r"pytz\.FixedOffset\((-?\d+)\)", name):
        return datetime.timezone(datetime.timedelta(minutes=int(minutes[1])))
    if "zoneinfo/" in name:  # of dateutil, which names a zone by its file
        name = name.split("zoneinfo/", 1)[1].rstrip("')\"")
    if offset := re.fullmatch(r"(?:UTC)?([+-])(\d\d):?(\d\d)", name):
        away = datetime.timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return datetime.timezone(-away if offset[1] == "-" else away)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"the time zone {name!r} is not known here. Convert the column to UTC, or install the "
            "zones: pip install tzdata."
        ) from None


def _zone_name(value: datetime.datetime) -> str:
    """What `zone_info` knows the zone of a time by; UTC where it has no name that can be read."""
    zone = str(value.tzinfo)
    if "zoneinfo/" in zone:  # of dateutil, which names a zone by its file
        zone = zone.split("zoneinfo/", 1)[1].rstrip("')\"")
    offset = value.utcoffset()
    if isinstance(value.tzinfo, datetime.timezone) and offset is not None:
        minutes, seconds = divmod(round(offset.total_seconds()), 60)
        if seconds:
            return "UTC"
        sign = "-" if minutes < 0 else "+"
        return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}" if minutes else "UTC"
    try:
        zone_info(zone)
    except InputError:
        return "UTC"
    return zone


def _seconds(value: datetime.date) -> float:
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=_UTC)
    return value.timestamp()


def _naive(seconds: float) -> datetime.datetime:
    whole = seconds // 1
    micro = round((seconds - whole) / MICRO)
    return _EPOCH + datetime.timedelta(seconds=whole, microseconds=micro)
