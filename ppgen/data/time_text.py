"""Dates and times in text: which way of writing them all values of a column share, and back.

A way of writing, a form, is in the codes of `strftime`, with two things besides: `%3f` are three
digits of a second's fraction, and `%-d` is a number without leading zero. An offset from UTC stands
in it as all values have it (`Z`, `+01:00`), or as `%z` where they differ; then times are written in
UTC. What could be day/month as well as month/day is no form, unless values decide.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from itertools import islice

_DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    (r"\d{4}-\d{2}", ("%Y-%m",)),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    (r"\d{1,2}/\d{1,2}/\d{4}", ("%d/%m/%Y", "%m/%d/%Y")),
    (r"\d{1,2}-\d{1,2}-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"\d{1,2} [A-Za-z]+ \d{4}", ("%d %b %Y", "%d %B %Y")),
    (r"\d{1,2}-[A-Za-z]+-\d{4}", ("%d-%b-%Y", "%d-%B-%Y")),
    (r"[A-Za-z]+ \d{1,2}, \d{4}", ("%b %d, %Y", "%B %d, %Y")),
    (r"[A-Za-z]+ \d{1,2} \d{4}", ("%b %d %Y", "%B %d %Y")),
)
_TIME = re.compile(
    r"(?P<before>T|,? )(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.(?P<fraction>\d{1,9}))?)?)"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone>Z| ?UTC| ?GMT| ?[+-]\d{2}:?\d{2})?"
)
_OFFSET = re.compile(r" ?([+-])(\d{2}):?(\d{2})$")
_LONGER = re.compile(r"(\.\d{6})\d+")  # digits of a second beyond its millionths
_SHORT = re.compile(r"(?<!\d)\d(?!\d)")  # a number of one digit
_FRACTION = re.compile(r"%(\d)f")
_FIRST = 50  # values that most columns of other text fail on


def form_of(texts: Iterable[str]) -> str:
    """The form that all texts have, "" where they have none or more than one."""
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return ""
    found = []
    for form in _candidates(distinct):
        if all(read(text, form) is not None for text in islice(distinct, _FIRST)) and all(
            read(text, form) is not None for text in islice(distinct, _FIRST, None)
        ):
            found.append(form)
    if found == ["%Y-%m"] and all(int(v[5:]) == (int(v[:4]) + 1) % 100 for v in distinct):
        return ""  # seasons, such as 2000-01 and 2001-02
    if len(found) == 2 and "%b" in found[0] + found[1]:  # all of May
        return found[0]
    return found[0] if len(found) == 1 else ""


def ambiguous(texts: Iterable[str]) -> bool:
    """Whether texts are dates whose day and month cannot be told apart."""
    distinct = list(dict.fromkeys(texts))
    forms = _candidates(distinct) if distinct else []
    return len(forms) == 2 and all(read(text, form) for form in forms for text in distinct)


def is_aware(form: str) -> bool:
    """Whether texts of a form say how far they are from UTC."""
    return form.endswith(("Z", "UTC", "GMT", "%z")) or _OFFSET.search(form) is not None


def zone_in(form: str) -> str:
    """The zone that texts of a form are written in, such as "UTC+01:00"; "" where they say none."""
    if not is_aware(form):
        return ""
    offset = None if form.endswith("%z") else _OFFSET.search(form)
    return "UTC" if offset is None else f"UTC{offset[1]}{offset[2]}:{offset[3]}"


def read(text: str, form: str) -> float | None:
    """The seconds since 1970 of a text, or None where it is not of the form."""
    offset = _OFFSET.search(form) if "%z" not in form else None
    away = 0.0
    if offset is not None:
        away = (int(offset[2]) * 60 + int(offset[3])) * (-60.0 if offset[1] == "-" else 60.0)
    plain, text = form.replace("%-", "%"), _LONGER.sub(r"\1", text)
    moment = _parsed(text, _FRACTION.sub("%f", plain))
    if moment is None and "f" in plain:  # a whole second may be written without its fraction
        moment = _parsed(text, _FRACTION.sub("", plain.replace(".%", "%")))
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp() - away


def write(moment: datetime.datetime, form: str) -> str:
    """A time of UTC without a zone, in a form."""
    offset = _OFFSET.search(form) if "%z" not in form else None
    if offset is not None:
        away = datetime.timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        moment = moment - away if offset[1] == "-" else moment + away
    if "%z" in form:
        form = form.replace("%z", "+00:00")
    form = form.replace("%Y", f"{moment.year:04d}")
    fraction = f"{moment.microsecond:06d}"
    form = _FRACTION.sub(lambda found: fraction[: int(found[1])], form)
    numbers = {
        "d": moment.day,
        "m": moment.month,
        "H": moment.hour,
        "I": (moment.hour - 1) % 12 + 1,
    }
    for code, number in numbers.items():
        form = form.replace(f"%-{code}", str(number))
    return moment.strftime(form)


def _parsed(text: str, form: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(text, form)
    except ValueError:
        return None


def _candidates(distinct: list[str]) -> list[str]:
    """The forms that the first of the texts may have, or none if others differ at a glance."""
    for pattern, dates in _DATES:
        if not (found := re.match(pattern, distinct[0])):
            continue
        rest = distinct[0][found.end() :]
        time = _TIME.fullmatch(rest)
        if rest and time is None:
            continue
        each = [re.match(pattern, text) for text in distinct]
        whole = [found for found in each if found is not None]
        if len(whole) < len(each):
            return []
        tail = "" if time is None else _tail(time, [found.string[found.end() :] for found in whole])
        padded = not any(_SHORT.search(found[0]) for found in whole)
        return [_unpadded(date, padded) + tail for date in dates]
    return []


def _tail(time: re.Match[str], tails: list[str]) -> str:
    """The codes of the time of day and the zone."""
    hour = "%I" if time["half"] else "%H"
    padded = not any(re.match(r"\D*\d:", tail) for tail in tails)
    clock = _unpadded(hour, padded) + ":%M" + ":%S" * (time["clock"].count(":") == 2)
    fractions = [found[1] for tail in tails if (found := re.search(r":\d{2}\.(\d+)", tail))]
    if fractions:
        clock += f".%{min(6, max(map(len, fractions)))}f"
    half = "" if not time["half"] else " %p" if time["half"].startswith(" ") else "%p"
    zone = time["zone"] or ""
    if zone and not all(tail.endswith(zone) for tail in tails):
        zone = " %z" if zone.startswith(" ") else "%z"
    return time["before"] + clock + half + zone


def _unpadded(form: str, padded: bool) -> str:
    return form if padded else re.sub(r"%([dmHI])", r"%-\1", form)
