"""Whether a line of a text holds names, units, or the sums below a table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from .number_text import MISSING, is_weak, looks_like_number

_NUMBERS = 0.9  # share of numbers in a column of them
_SUMMARY = re.compile(
    r"(grand |sub-?)?totals?|sums?|summe|gesamt\w*|insgesamt|somme|totale?|suma|averages?|avg"
    r"|means?|mittelwert\w*|durchschnitt|moyenne|media",
    re.IGNORECASE,
)
_YEARS = range(1500, 2200)
_LEAST_RUN = 8  # names such as 0, 1, 2, ... over whole numbers, at least
_LEAST_REPEATED = 10  # rows from which fields that come again below are values
_UNIT = re.compile(
    r"[(\[]?(°.?|deg ?[CFK]?|[kcmµunMGhd]?(m|g|s|l|L|W|V|A|Pa|bar|Hz|J|N|Wh|B|mol|K|C|F|eV)"
    r"([²³23]|\^-?\d)?([/·* ].*)?|%|‰|pp[mb]|EUR|USD|GBP|CHF|[$€£]|min|h|hours?|d|days?|y|years?"
    r"|sec|seconds?|in|ft|lb|mph|rpm|counts?)[)\]]?"
)
_NO_UNIT = re.compile(r"[<>≤≥~=]|^\s*\d|.{25}")
_RULE = re.compile(r"[-=:+]{2,}")

Fields = Sequence[str]


def is_text(field: str) -> bool:
    """Whether a field is neither a number nor a mark of a missing one."""
    return not (_is_gap(field) or looks_like_number(field.strip()))


def is_summary(field: str) -> bool:
    """Whether a field says that its row is the sum or the mean of those above."""
    return _SUMMARY.fullmatch(field.strip().rstrip(":")) is not None


def are_names(fields: Fields, below: Sequence[Fields]) -> bool:
    """Whether the first line of a table holds names.

    It does where it has no number, unless all that it has comes again below; where a text of it
    stands over numbers; or where its numbers are years, or count the columns, and those below do
    not.
    """
    below = [row for row in below if row != fields]  # names may come again
    said = [j for j, name in enumerate(fields) if name.strip()]
    numbers = [j for j in said if looks_like_number(fields[j].strip())]
    if any(is_text(fields[j]) and is_numeric(below, j) for j in said):
        return True
    if numbers:
        return len({*fields}) == len(fields) and _are_labels(fields, numbers, below)
    again = all(fields[j] in [row[j] for row in below] for j in said)
    return not (again and len(fields) > 1 and len(below) >= _LEAST_REPEATED)


def are_units(first: Sequence[Fields]) -> bool:
    """Whether the first of the rows below the names holds units: no number, and short texts over
    most columns of numbers, beside none in other columns, or more than one, or a known unit."""
    if len(first) < 2:
        return False
    units, *below = first
    said = [j for j, unit in enumerate(units) if unit.strip()]
    numbers = any(looks_like_number(units[j].strip()) for j in said)
    if not said or numbers or units[said[0]].lstrip().startswith("#"):
        return False
    numeric = [j for j in range(len(units)) if is_numeric(below, j)]
    over = [units[j].strip() for j in numeric if is_text(units[j])]
    if len(over) < (len(numeric) + 1) / 2 or any(_NO_UNIT.search(units[j]) for j in said):
        return False
    known = any(_UNIT.fullmatch(unit) for unit in over)
    return bool(over) and (known or len(over) > 1 or {*said} <= {*numeric})


def is_rule(fields: Fields) -> bool:
    """Whether a line is drawn of dashes, as below names."""
    said = [field.strip() for field in fields if field.strip()]
    return bool(said) and all(_RULE.fullmatch(field) for field in said)


def is_numeric(rows: Sequence[Fields], j: int) -> bool:
    """Whether a column holds numbers, nearly all of it."""
    known = [row[j].strip() for row in rows if not _is_gap(row[j])]
    return bool(known) and sum(map(looks_like_number, known)) >= _NUMBERS * len(known)


def _is_gap(field: str) -> bool:
    return field.strip() in MISSING or is_weak(field.strip())


def _are_labels(fields: Fields, numbers: list[int], below: Sequence[Fields]) -> bool:
    """Whether the numbers of a line are years or count from 0 or 1 on, and those below it no such
    numbers."""
    marks = [fields[j].strip() for j in numbers]
    if not all(mark.isdecimal() and len(mark) <= 4 for mark in marks):
        return False
    values = [int(mark) for mark in marks]
    under = [row[j].strip() for row in below for j in numbers]
    if not under:
        return False
    whole = sum(f.isdecimal() for f in under)
    steps = {b - a for a, b in itertools.pairwise(values)}
    if all(value in _YEARS for value in values) and len(steps) <= 1 and 0 not in steps:
        years = sum(f.isdecimal() and int(f) in _YEARS for f in under if len(f) == 4)
        other = years if len(values) > 1 else whole
        return len(values) > 2 or other < len(under) / 2
    counts = values[0] in (0, 1) and steps == {1} and len(values) > 2
    return counts and (whole < len(under) / 2 or len(values) >= _LEAST_RUN)
