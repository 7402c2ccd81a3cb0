"""Centre and scale of a column, which a few values do not set alone."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from .bijections import Floats

_OUTER, _FEWEST = 0.01, 2.5  # share of the rows beyond each of the ranks a robust scale is read at
_ALONE = 3.0  # times that scale, above which a standard deviation is that of a few values


def standard(y: Floats, share: Floats, extra: float) -> tuple[float, float, bool]:
    """Centre and scale of values y, and whether a few values alone would have set them.

    They are the mean and the standard deviation (`extra` is added to the variance); or, where a few
    values make that more than `_ALONE` times what the others say, the median and (q - q') / 2c,
    with q and q' the values at the ranks `_OUTER` from either end (of few rows the third one), and
    c that quantile of a standard normal.
    """
    # Two passes about a value of the data: no digits are lost to a large offset.
    near = float(y[0])
    mean = near + float(np.average(y - near, weights=share))
    apart = y - mean
    unit = float(np.abs(apart).max()) or 1.0  # whose square may be beyond the largest number
    deviation = unit * math.sqrt(np.average((apart / unit) ** 2, weights=share))
    deviation = math.hypot(deviation, math.sqrt(extra))
    outer = min(max(_OUTER, _FEWEST / share.sum()), 0.25)
    low, median, high = _at_ranks(y, share, (outer, 0.5, 1 - outer)).tolist()
    robust = math.hypot((high - low) / (2 * NormalDist().inv_cdf(1 - outer)), math.sqrt(extra))
    if robust > 0 and high > low and not deviation <= _ALONE * robust:
        return median, robust, True
    return mean, deviation, False


def _at_ranks(y: Floats, share: Floats, ranks: tuple[float, ...]) -> Floats:
    """The values at which these shares of the rows are reached; those that weigh alike need not be
    sorted."""
    order = None if (share == share[0]).all() else np.argsort(y)
    reached = np.cumsum(share if order is None else share[order]) / share.sum()
    at = np.searchsorted(reached, ranks).clip(max=len(y) - 1)
    return np.asarray(np.partition(y, at)[at] if order is None else y[order[at]])
