"""Quantiles of values that are sorted once, for many columns."""

from __future__ import annotations

import numpy as np

from .arrays import Floats


def sorted_quantiles(values: Floats, shares: Floats) -> Floats:
    """(m,) quantiles of ascending values (n,), as `np.quantile` has them: at least one."""
    at = shares * (len(values) - 1)
    below = np.floor(at).astype(np.intp)
    above = np.minimum(below + 1, len(values) - 1)
    return np.asarray(values[below] + (at - below) * (values[above] - values[below]))
