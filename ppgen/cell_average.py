"""The average of a density over a row's cell.

    log (1/K) sum_k p(x + u_k),        u_k ~ U[0, 1)^d inside the cell,

is in expectation a lower bound on the log of the cell's mean density, and tightens with K (Burda,
Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
https://arxiv.org/abs/1509.00519).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]


def cell_average(log_prob: Callable[[int], Floats], draws: int) -> tuple[Floats, Floats]:
    """(n,) log mean densities over `draws` places of each cell, and their standard errors.

    The error is that of a mean of ratios p_k / mean(p), the delta method for the logarithm.
    """
    if draws == 1:
        values = log_prob(0)
        return values, np.zeros(len(values))
    logs = np.stack([log_prob(k) for k in range(draws)])
    values = logsumexp(logs, axis=0) - math.log(draws)
    ratios = np.exp(logs - np.where(np.isfinite(values), values, 0.0))
    return values, ratios.std(axis=0, ddof=1) / math.sqrt(draws)
