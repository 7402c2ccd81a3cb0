"""Numbers of combinations of states, small enough to count by."""

from __future__ import annotations

import numpy as np

from ...arrays import Ints

DENSE = 1 << 17  # numbers that are looked for by counting, without sorting


def renumbered(u: Ints, size: int) -> tuple[Ints, Ints]:
    """Numbers below `size` as the place that each has among those that occur, and these."""
    if size > DENSE:
        values, place = np.unique(u, return_inverse=True)
        return place, values
    there = np.bincount(u, minlength=size) > 0
    return (np.cumsum(there) - 1)[u], np.flatnonzero(there)


def sorting(u: Ints, size: int) -> Ints:
    """The places of numbers below `size` in ascending order, equal ones as they stand."""
    return np.argsort(u.astype(np.uint16) if size <= 1 << 16 else u, kind="stable")
