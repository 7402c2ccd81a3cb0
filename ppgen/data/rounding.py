"""Ties: values that many rows share, and the grid they lie on.

A density has no bound at a value that is repeated, so rounding has to be found before a model is
fitted. Values are rounded to a step w if all of them are x0 + k w, with k whole; w is the greatest
common divisor of their differences. Decimals are counted in units of their last digit, where it is
exact; other numbers, such as standardised ones, go through Euclid's algorithm, which keeps account
of what floating point itself rounds away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .bijections import Floats

Words = Callable[[float], str]  # a value for the reader
_number: Words = "{:g}".format
_TIED = 0.05  # share of repeated values beyond which a column counts as tied
_ON_GRID = 1e-6  # distance from the grid, in steps, that is still on it
_MOST_NOISE = 0.1  # how far off, in steps, the precision of the numbers may let them be
_MOST_DIGITS = 15
_MOST_CELLS = 100  # cells per value between the quartiles beyond which a grid explains nothing


def find_ties(
    values: NDArray[np.floating], words: Words = _number, step_words: Words = _number
) -> tuple[float | None, str]:
    """The step of the grid that the ties of (n,) finite numbers lie on, or None; and a note on
    ties that no grid explains, "" where there is nothing to say.

    `words` and `step_words` put a value and a step for the reader."""
    distinct, counts = np.unique(values, return_counts=True)
    n = len(values)
    tied = float(counts[counts > 1].sum()) / n
    if tied <= _TIED or len(distinct) < 2:
        return None, ""
    eps = precision_of(distinct)
    distinct = distinct.astype(np.float64)
    low, high = np.searchsorted(np.cumsum(counts), (0.25 * n, 0.75 * n))
    spread = float(distinct[high] - distinct[low])
    if spread == 0:  # most values are one: look at the others
        spread = float(np.subtract(*np.quantile(distinct, [0.75, 0.25])))
    top = int(np.argmax(counts))
    often = f"{tied:.0%} of its values are repeated, most often {words(float(distinct[top]))}"
    often += f" ({counts[top] / n:.1%})"
    step = grid_step(distinct, eps)
    if step is not None and spread / step <= _MOST_CELLS * n:
        sparse = spread / step > _MOST_CELLS * len(distinct)
        return step, f"{often}, far apart for a rounding to {step_words(step)}" if sparse else ""
    # Continuous numbers collide in single precision: allow for what a density spread over the
    # quartiles would bring.
    ulp = eps * float(np.abs(distinct).max())
    expected = -np.expm1(-n * ulp / (2 * spread)) if spread > 0 else 0.0
    if tied <= _TIED + expected:
        return None, ""
    return None, f"{often}, and lie on no grid"


def precision_of(distinct: NDArray[np.floating]) -> float:
    """The relative precision of numbers, which may be single whatever they are stored in."""
    with np.errstate(over="ignore"):
        single = distinct.dtype == np.float32 or np.all(distinct.astype(np.float32) == distinct)
    return float(np.finfo(np.float32 if single else np.float64).eps)


def grid_step(distinct: Floats, eps: float = float(np.finfo(np.float64).eps)) -> float | None:
    """The step of the coarsest grid through sorted, distinct numbers, or None.

    `eps` is the relative precision to which they are known.
    """
    noise = eps * float(np.abs(distinct).max())
    if len(distinct) < 2:
        return None
    if np.all(distinct == np.round(distinct)) and np.abs(distinct).max() < 2**53:
        whole = float(np.gcd.reduce(np.diff(distinct.astype(np.int64))))
        return whole if whole > noise else None
    from_first = distinct - distinct[0]
    decimal, other = _decimal_step(from_first, noise), _euclid_step(from_first, noise)
    if decimal is None or other is None:
        return decimal or other
    # Thirds written with nine digits are thirds; a tenth is the tenth, not what is near to it.
    return other if other > 1.5 * decimal else decimal


def _decimal_step(values: Floats, noise: float) -> float | None:
    """The greatest common divisor of decimals known to +-noise, in units of their last digit."""
    for digits in range(_MOST_DIGITS + 1):
        unit = 10.0**digits
        if 4 * noise * unit > _MOST_NOISE or values[-1] * unit > 2**53:
            return None
        wholes = np.round(values * unit)
        if np.all(np.abs(values * unit - wholes) <= _ON_GRID + 4 * noise * unit):
            divisor = int(np.gcd.reduce(wholes.astype(np.int64)))
            # Numbers that differ by less than their precision are one.
            return divisor / unit if divisor else None
    return None


def _euclid_step(values: Floats, noise: float) -> float | None:
    """The greatest common divisor of any numbers known to +-noise."""
    gaps = values[1:] - values[:-1]
    gaps = gaps[gaps > 4 * noise]
    if not len(gaps):
        return None
    step, error = float(gaps.min()), 2 * noise
    while error < _MOST_NOISE * step:
        wholes = np.round(gaps / step)
        rest = np.abs(gaps - wholes * step)
        # A step that is off by e makes k steps off by k e.
        slack = 2 * noise + wholes * error
        allowed = np.minimum(np.maximum(slack, _ON_GRID * step), _MOST_NOISE * step)
        off = rest > allowed
        if not off.any():
            step = float(gaps.sum() / wholes.sum())
            return step if _on_grid(values, step, noise) else None
        least = int(np.argmin(np.where(off, rest, np.inf)))
        step, error = float(rest[least]), float(slack[least])
    return None


def _on_grid(values: Floats, step: float, noise: float) -> bool:
    cells = values / step
    # The quotient itself is rounded, relative to its size.
    allowed = _ON_GRID + 4 * noise / step + 4e-16 * np.abs(cells)
    return bool(np.all(np.abs(cells - np.round(cells)) <= np.minimum(allowed, 0.25)))
