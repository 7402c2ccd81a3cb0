"""How finely the numbers of a column are written, and how far its whole numbers go.

A model works with real numbers. What it gives back has the decimals that the column had: a price in
cents is one in cents again, also where too few prices are equal for cells to be modelled (see
`rounding`). Times and durations that are all whole days, hours or minutes are so again, others to
the second, the thousandth or millionth. Whole numbers and times stay within those that were seen,
since a model knows neither the type that holds them nor where they end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..plain_json import PlainFields
from .bijections import Floats
from .column import Column
from .rounding import precision_of
from .time_parts import DAY, ahead
from .times import STEPS, in_zone, zone_of

_MOST = 9  # decimals that are still a way of writing
_LEAST = 10  # distinct numbers below which their decimals are no evidence
_FIRST = 64  # numbers looked at before all are
_MICRO = 2e-6  # seconds, within which times are equal
_FINE = 16.0  # times the precision of the numbers that the last decimal is at least


@dataclass(frozen=True)
class Grain(PlainFields):
    """How the values of a continuous column are written.

    Attributes:
        decimals: after the point; None where they do not end.
        low, high: the least and the largest whole number or time seen; None for other columns.
        step: seconds that times are multiples of, where these are more than one.
        zone: the zone in which they are, where they are not so in UTC.
    """

    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    zone: str = ""

    @classmethod
    def of(cls, column: Column, values: Floats) -> Grain:
        """Read off (n,) values, NaN where missing."""
        known = values[~np.isnan(values)]
        if column.clock:
            step, zone = _step_of(known), zone_of(column.dtype, column.form)
            if zone and (local := _step_of(known + ahead(known, zone))) > step:
                step = local
            else:
                zone = ""
            digits = _digits_of_seconds(known)
            return cls(digits, float(known.min()), float(known.max()), step or None, zone)
        stored = column.dtype.lower().startswith(("int", "uint", "bool"))
        decimals = 0 if stored else None if column.width else decimals_of(known)
        # Gaps turn whole numbers into floats in most containers.
        whole = stored or (column.missing and np.all(known == np.round(known)) and _many(known))
        low, high = (float(known.min()), float(known.max())) if whole else (None, None)
        return cls(decimals, low, high)

    def round(self, values: Floats, apart: tuple[float, ...] = ()) -> Floats:
        """(n,) values with the decimals of the column, not yet within its range.

        What is not one of the values `apart`, such as an open end or an atom, does not become one.
        """
        if self.decimals is None:
            return values
        rounded = np.round(values, self.decimals)
        if self.step is not None and self.zone:
            before = ahead(values, self.zone)
            local = np.round((values + before) / self.step) * self.step
            # Within an hour the zone stays as far from UTC; within a day it may not.
            rounded = in_zone(local, self.zone) if self.step == DAY else local - before
        elif self.step is not None:
            rounded = np.round(values / self.step) * self.step
        moved = np.isin(rounded, apart) & (values != rounded)
        if moved.any():
            rounded[moved] += np.sign(values - rounded)[moved] * 10.0**-self.decimals
        return rounded

    def within(self, values: Floats) -> Floats:
        """(n,) values brought to the nearest within the range."""
        if self.low is None or self.high is None:
            return values
        return np.clip(values, self.low, self.high)

    def beyond(self, values: Floats) -> NDArray[np.bool_]:
        """(n,) whether each value is beyond the range."""
        return np.asarray(self.within(values) != values) & ~np.isnan(values)


def decimals_of(values: Floats) -> int | None:
    """With how many decimals numbers are written; None where these do not end, or too few numbers
    are there to tell."""
    if not _many(values):
        return None
    largest = float(np.abs(values).max())
    eps = precision_of(values)
    tried = [d for d in range(_MOST + 1) if not d or 10.0**-d >= _FINE * eps * largest]
    if not _written(values[:_FIRST], tried[-1], eps):  # then with fewer decimals neither
        return None
    for decimals in tried:
        allowed = eps if decimals else 0.0
        if all(_written(part, decimals, allowed) for part in (values[:_FIRST], values)):
            return decimals if decimals or largest < 2**53 else None
    return None


def _step_of(seconds: Floats) -> float:
    """The longest of `STEPS` that times are multiples of, 0 for none."""
    return next((step for step in STEPS if not (seconds % step).any()), 0.0)


def _digits_of_seconds(seconds: Floats) -> int:
    """0, 3 or 6 digits of a second's fraction, to the precision of the numbers."""
    for digits in (0, 3):
        if np.all(np.abs(seconds - np.round(seconds, digits)) <= _MICRO):
            return digits
    return 6


def _written(values: Floats, decimals: int, eps: float) -> bool:
    return bool(np.all(np.abs(values - np.round(values, decimals)) <= eps * np.abs(values)))


def _many(values: Floats) -> bool:
    return len(np.unique(values[:_FIRST])) >= _LEAST or len(np.unique(values)) >= _LEAST
