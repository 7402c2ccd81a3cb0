"""How far the mean over posterior draws is from the mean over the whole posterior.

A row's predictive density is estimated from S draws of the parameters,

    p(x) ~ 1/S sum_s p_s(x),          i_s = p_s(x) / mean_s p_s(x) - 1,

and, by the delta method, the standard error of its logarithm is sd(i) / sqrt(S), with S divided by
(1 + r) / (1 - r) where neighbouring draws of a chain are correlated, r >= 0 being the correlation
of i_s with i_{s+1}. Given b, log p(a | b) = log p(a, b) - log p(b), and the terms of both are
subtracted: i_s = S (share of draw s in p(a, b) - its share in p(b)).

Reference: Geyer, "Practical Markov chain Monte Carlo", 1992,
https://doi.org/10.1214/ss/1177011137 (variances of averages over a chain).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parameters import Floats, Mixture
from .rows import posterior

_NUMBERS = 1 << 22  # responsibilities at a time
_MOST = 0.95  # correlation of neighbours; above it 200 draws cannot tell how large it is


def draws_stderr(mixture: Mixture, draws: int, x: NDArray[Any], codes: NDArray[np.int32]) -> Floats:
    """(n,) standard errors of log densities, in nats; 0 where the density is 0.

    Args:
        mixture: of the components of all draws, those of a draw side by side.
        draws: how many draws it is of; for fewer than 2 the error is not known, and NaN.
        x: (n, d) encoded rows.
        codes: (n, c) levels.
    """
    if draws < 2:
        return np.full(len(x), np.nan)
    before = mixture.weights.reshape(draws, -1).sum(axis=1)
    block, found = max(1, _NUMBERS // mixture.n_components), []
    for start in range(0, len(x), block):
        rows = slice(start, start + block)
        shares, values = posterior(mixture, x[rows], codes[rows])
        each = np.asarray(shares, dtype=np.float64).reshape(len(shares), draws, -1).sum(axis=2)
        stderr = _stderr(draws * (each - before))
        found.append(np.where(np.isfinite(values), stderr, 0.0))
    return np.concatenate(found) if found else np.empty(0)


def _stderr(i: Floats) -> Floats:
    """(n,) standard errors of the means of (n, S) terms in the order of their draws."""
    draws = i.shape[1]
    i = i - i.mean(axis=1, keepdims=True)
    variance = np.square(i).mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (i[:, 1:] * i[:, :-1]).mean(axis=1) / variance
    r = np.clip(np.nan_to_num(r), 0.0, _MOST)
    return np.asarray(np.sqrt(variance / (draws - 1) * (1 + r) / (1 - r)))
