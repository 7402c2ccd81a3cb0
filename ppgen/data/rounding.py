"""Ties: values that many rows share, and the grid they lie on.

A density has no bound at a value that is repeated, so rounding has to be found before a model is
fitted. Values are rounded to a step w if all of them are x0 + k w, with k whole; w is then the
greatest common divisor of their differences, found by Euclid's algorithm with a tolerance for what
floating point itself rounds away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TIED = 0.05  # share of repeated values beyond which a column counts as tied
_ON_GRID = 1e-6  # distance from the grid, in steps, that is still on it
_MOST_NOISE = 0.1  # ... and how much of it may be due to the precision of the numbers
_MOST_CELLS = 100  # cells per value between the quartiles beyond which a grid explains nothing


def find_ties(values: NDArray[np.floating]) -> tuple[float | None, str]:
    """The step of the grid that tied values lie on, and a note on ties that no grid explains.

    Args:
        values: (n,) finite numbers.

    Returns:
        The step or None, and the note, empty where there is nothing to say.
    """
    distinct, counts = np.unique(values, return_counts=True)
    n = len(values)
    tied = float(counts[counts > 1].sum()) / n
    if tied <= _TIED or len(distinct) < 2:
        return None, ""
    eps = _precision(distinct)
    distinct = distinct.astype(np.float64)
    low, high = np.searchsorted(np.cumsum(counts), (0.25 * n, 0.75 * n))
    spread = float(distinct[high] - distinct[low])
    top = int(np.argmax(counts))
    often = f"{tied:.0%} of its values are repeated, most often {distinct[top]:g}"
    often += f" ({counts[top] / n:.1%})"
    step = grid_step(distinct, eps)
    if step is not None and spread / step <= _MOST_CELLS * n:
        sparse = spread / step > _MOST_CELLS * len(distinct)
        return step, f"{often}, far apart for a rounding to {step:g}" if sparse else ""
    # Continuous numbers collide in single precision: allow for what a density spread over the
    # quartiles would bring.
    ulp = eps * float(np.abs(distinct).max())
    expected = -np.expm1(-n * ulp / (2 * spread)) if spread > 0 else 0.0
    if tied <= _TIED + expected:
        return None, ""
    return None, f"{often}, and lie on no grid"


def _precision(distinct: NDArray[np.floating]) -> float:
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
        gaps = np.diff(distinct.astype(np.int64))
        step = float(np.gcd.reduce(gaps))
        return step if step > noise else None
    apart: Floats = distinct[1:] - distinct[:-1]
    apart = apart[apart > 4 * noise]  # numbers this near are one number, written twice
    divisor = _divisor(apart, noise) if len(apart) else None
    if divisor is None:
        return None
    # Rounding is to decimals nearly always: the exact decimal beats the estimate, if the numbers
    # agree.
    for candidate in (_nearest_decimal(divisor), divisor):
        if _on_grid(distinct, candidate, noise):
            return candidate
    return None


def _divisor(gaps: Floats, noise: float) -> float | None:
    """The greatest common divisor of positive numbers known to +-noise."""
    floor = 2 * noise / _MOST_NOISE
    step = float(gaps.min())
    while step > floor:
        wholes = np.round(gaps / step)
        rest = np.abs(gaps - wholes * step)
        # A step known to a precision of p gives k steps to k p, hence the tolerance grows with the
        # multiple.
        slack = np.maximum(4 * noise * (1 + wholes), _ON_GRID * step)
        if np.all(rest <= np.minimum(slack, 0.1 * step)):
            return float(gaps.sum() / wholes.sum())
        left = rest[rest > np.minimum(slack, 0.1 * step)]
        step = float(left.min())
    return None


def _nearest_decimal(step: float) -> float:
    """The nearest number of three significant digits."""
    return float(f"{step:.2e}")


def _on_grid(distinct: Floats, step: float, noise: float) -> bool:
    if noise > _MOST_NOISE * step:
        return False
    cells = (distinct - distinct[0]) / step
    off = np.abs(cells - np.round(cells))
    # The quotient itself is rounded, relative to its size.
    allowed = _ON_GRID + 4 * noise / step + 4e-16 * np.abs(cells)
    return bool(np.all(off <= allowed))
