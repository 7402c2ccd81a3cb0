"""A column of text as numbers, where it is meant so."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .number_text import MISSING, WEAK, numbers_among

_MOSTLY = 0.5  # share of numbers from which the others are named


@dataclass(frozen=True)
class Cleaned:
    """A column of text that was looked at.

    Attributes:
        values: a pandas series of numbers or of text, with gaps.
        unit: the sign beside its numbers, "" for none.
        strange: the first text that keeps a column from being numbers; None where nothing does, or
            most of it are no numbers.
        row: where it stands, from 0.
        share: how many are numbers, such as "97%".
    """

    values: Any
    unit: str = ""
    strange: str | None = None
    row: int = 0
    share: str = ""


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
        return Cleaned(values.where(~values.isin(_floats(markers))) if markers else values)
    given = series.tolist()
    stripped = {v: v.strip() for v in set(given) if isinstance(v, str)}  # what is no text is missing
    texts = {v: new for v, new in stripped.items() if new not in MISSING and new not in markers}
    seen = {*texts.values()}
    weak = {text for text in seen if text.casefold() in WEAK}
    way, numbers = numbers_among(seen - weak, decimal)
    if numbers and len(numbers) == len(seen - weak):
        of = {v: numbers.get(new, math.nan) for v, new in texts.items()}
        column = np.array([of.get(v, math.nan) for v in given], np.float64)
        column[np.isin(column, _floats(markers))] = np.nan
        fractions = any(way.decimal in text or "e" in text.lower() for text in numbers)
        whole = not fractions and not np.isnan(column).any()
        return Cleaned(pd.Series(column.astype(np.int64) if whole else column), way.unit)
    known = [texts.get(v) for v in given]
    if not any(c.isalnum() for text in seen - weak for c in text):
        weak = set()  # such as "+" and "-"
    dashes = {text for text in weak if not text.isalpha()}
    values = pd.Series([None if text in dashes else text for text in known], dtype=object)
    counted = [text for text in known if text is not None and text not in weak]
    share = sum(text in numbers for text in counted) / max(1, len(counted))
    if share < _MOSTLY or share == 1:
        return Cleaned(values)
    row = next(i for i, t in enumerate(known) if t is not None and t not in weak | {*numbers})
    return Cleaned(values, "", known[row], row, _percent(share))


def _floats(markers: Collection[str]) -> list[float]:
    out = []
    for marker in markers:
        try:
            out.append(float(marker))
        except ValueError:
            continue
    return out


def _percent(share: float) -> str:
    """A share below 1, rounded down: 99.9% where it is near."""
    percent = 100 * share
    return f"{math.floor(percent)}%" if percent < 99 else f"{math.floor(10 * percent) / 10:g}%"
