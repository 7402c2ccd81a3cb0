"""Columns of text as numbers, where they are meant so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from .column import LEFT_OUT
from .dataset import Dataset, as_dataset
from .notation import Notation
from .number_text import MISSING, MOSTLY_NUMBERS, Written, is_weak, numbers_among
from .preparing import floats_of, markers_of
from .reading import Reading

_DATED = 0.9  # share of texts that begin with a digit, such as dates, from which others are gaps
_PADDED = re.compile(r"\+?0\d+")  # digits whose leading zero a number would lose
_DIALLED = re.compile(r"\+\d{7,}")  # a telephone's number, if all of a column are
_MOSTLY = 0.5  # share of numbers from which the others are named


@dataclass(frozen=True)
class Cleaned:
    """A column of text that was looked at.

    Attributes:
        values: a pandas series of numbers or of text, with gaps.
        unit: the sign beside its numbers, "" for none.
        notation: how its numbers are written, where they are text (see `notation`).
        why: why it is text though its values are numbers, "" where that is not so.
        strange: the first text that keeps a column from being numbers; None where nothing does, or
            most of it are no numbers.
        row: where it stands, from 0.
        share: how many are numbers, such as "97%".
    """

    values: Any
    unit: str = ""
    notation: str = ""
    strange: str | None = None
    row: int = 0
    share: str = ""
    why: str = ""


def table_of(
    frame: Any,
    said: Reading,
    where: Callable[[int], str],
    sample: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """A pandas frame with its columns of text as numbers, where they are meant so.

    Args:
        frame: numbers and text.
        said: the markers of missing values and the decimal mark.
        where: what to call a row, counted from 0, such as "line 122".
        sample: texts of columns that came as numbers, from which it shows how these are written.

    Returns:
        The rows. The note of a column names what keeps it from being numbers.

    Raises:
        InputError: if two columns have one name.
    """
    import pandas as pd

    names = [str(name) for name in frame.columns]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        places = [j for j, name in enumerate(names, 1) if name == twice]
        raise InputError(
            f"columns {' and '.join(map(str, places))} (counted from 1) are named {twice!r}; give "
            "each its own name."
        )
    columns, strange, notes, notations = [], {}, [], []
    for j, name in enumerate(names):
        made = cleaned(frame.iloc[:, j], markers_of(said, name, names), said.decimal or ".")
        columns.append(made.values)
        numbers = made.values.dtype.kind in "iuf"
        written = made.notation
        if numbers and not written and said.decimal == ",":
            texts = (sample or {}).get(name, ())
            way = Written(",")
            written = str(Notation.of([v for v in texts if way.number(v) is not None], way))
        if numbers and written:
            notations.append(f"{name}={written}")
        if made.unit:
            notes.append(f"the numbers of {name!r} are in {made.unit}.")
        if made.why:
            strange[name] = made.why
        if made.strange is not None:
            at = where(made.row)
            strange[name] = f"{made.share} {MOSTLY_NUMBERS} {made.strange!r} in {at} is not"
    for name, values in zip(names, columns, strict=True):
        if values.dtype.kind == "f" and (infinite := np.isinf(values)).any():
            raise InputError(
                f"column {name!r} holds infinity in {where(int(np.argmax(infinite)))}; expected "
                "finite numbers. Drop the row, or name the value as missing (missing=..., "
                "--missing)."
            )
    table = pd.DataFrame(dict(enumerate(columns)))
    table.columns = frame.columns
    data = as_dataset(table)
    noted = []
    for read in data.schema.every:
        both = (read.note if read.kind in LEFT_OUT else "", strange.get(read.name, ""))
        noted.append(replace(read, note="; ".join(filter(None, both)) or read.note))
    decimal = said.decimal if said.decimal == "," else ""
    reading = Reading(decimal=decimal, notations=tuple(notations))
    schema = replace(data.schema.with_every(noted), reading=reading)
    return replace(data, schema=schema, notes=(*notes, *data.notes))


def cleaned(series: Any, markers: Collection[str], decimal: str) -> Cleaned:
    """Text without blanks around it, its gaps found, as numbers if nothing else is left.

    Args:
        series: numbers, or text with gaps.
        markers: marks of missing values besides the usual ones.
        decimal: what stands before decimals, where numbers can be read in two ways.
    """
    import pandas as pd

    if series.dtype.kind in "fiu" or series.isna().all():
        values = series.astype(np.float64) if series.isna().all() else series
        return Cleaned(values.where(~values.isin(floats_of(markers))) if markers else values)
    given = series.tolist()
    if any(not isinstance(v, str) and v == v and v is not None for v in given):
        return Cleaned(series)  # truth values, and what JSON has besides text
    # What is no text is missing.
    stripped = {v: v.strip() for v in set(given) if isinstance(v, str)}
    texts = {v: new for v, new in stripped.items() if new not in MISSING and new not in markers}
    seen = {*texts.values()}
    weak = set(filter(is_weak, seen))
    way, numbers = numbers_among(seen - weak, decimal)
    if why := _told_by_digits(seen - weak):
        values = [None if (text := texts.get(v)) in weak else text for v in given]
        return Cleaned(pd.Series(values, dtype=object), why=why)
    if len(numbers) == len(seen - weak) and (numbers or not any(map(str.isalpha, weak))):
        of = {v: numbers.get(new, math.nan) for v, new in texts.items()}
        column = np.array([of.get(v, math.nan) for v in given], np.float64)
        column[np.isin(column, floats_of(markers))] = np.nan
        fractions = any(way.decimal in text or "e" in text.lower() for text in numbers)
        whole = not fractions and not np.isnan(column).any() and np.abs(column).max() < 2**53
        notation = Notation.of(numbers, way)
        written = "" if notation.plain else str(notation)
        return Cleaned(pd.Series(column.astype(np.int64) if whole else column), way.unit, written)
    known = [texts.get(v) for v in given]
    others = seen - weak
    if others and not any(c.isalnum() for text in others for c in text):
        others, weak = seen, set()  # such as "+" and "-"
    dated = sum(text[0].isdigit() for text in others) >= _DATED * len(others)
    gaps = weak if dated else {text for text in weak if not text[0].isalpha()}
    values = pd.Series([None if text in gaps else text for text in known])
    counted = [text for text in known if text is not None and text not in weak]
    share = sum(text in numbers for text in counted) / max(1, len(counted))
    if share < _MOSTLY or share == 1:
        return Cleaned(values)
    fits = {None, *weak, *numbers}
    row = next(i for i, text in enumerate(known) if text not in fits)
    return Cleaned(values, strange=known[row], row=row, share=_percent(share))


def _told_by_digits(texts: Collection[str]) -> str:
    """Why texts that are all digits are no numbers, "" if they are, or not all are digits."""
    if not texts or not all(text.lstrip("+-").isdecimal() for text in texts):
        return ""
    if padded := next(filter(_PADDED.fullmatch, sorted(texts)), None):
        return f"kept as text, since numbers lose the leading zero of values such as {padded!r}"
    if all(map(_DIALLED.fullmatch, texts)):
        return f"kept as text, since numbers lose the sign of values such as {min(texts)!r}"
    if any(map(_is_long, texts)):
        return "kept as text: whole numbers beyond 2^53, which floating point does not hold"
    return ""


def _is_long(text: str) -> bool:
    digits = text.lstrip("+-")
    return digits.isdecimal() and len(digits) > 15 and int(digits[:4000]) > 2**53


def _percent(share: float) -> str:
    """A share below 1, rounded, but not up to 100%."""
    percent = 100 * share
    return f"{percent:.0f}%" if percent < 99.5 else f"{math.floor(10 * percent) / 10:g}%"
