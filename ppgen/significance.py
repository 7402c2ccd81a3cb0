"""The level of tests, their power, and the decision on several at once.

Reference: A simple sequentially rejective multiple test procedure (Holm, 1979)
https://www.jstor.org/stable/4615733
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.01
POWER_Z = 0.8416  # the normal quantile of 80% power


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """(k,) p-values adjusted by Holm's step-down: those at most a level are rejected, and the
    chance of any false rejection is at most that level."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
