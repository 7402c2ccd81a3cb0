"""Mixtures of Gaussians on a line: moments and quantiles, also of a function of the values.

The quantile at a level a is the x at which sum_j w_j Phi((x - m_j) / s_j) = a, found by bisection.
Of a function f of a Gaussian the moments are sums over nodes t of Gauss-Hermite quadrature,
E[f] = sum_t q_t f(m + s t).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from ...arrays import Floats

_NODES = 61  # of the quadrature
_HALVINGS = 80  # of the bracket of a quantile
_NUMBERS = 1 << 22  # in the largest temporary


def moments(
    weights: Floats, means: Floats, variances: Floats, f: Callable[[Floats], Floats] | None = None
) -> tuple[Floats, Floats]:
    """Mean and standard deviation (...) of mixtures of components (..., M), or of f of the values.

    Args:
        weights: of the components, that sum to 1; NaN where there is no mixture.
        f: of values, elementwise; None is the identity.
    """
    if f is None:
        mean = (weights * means).sum(axis=-1)
        spread = variances + (means - mean[..., None]) ** 2
        return mean, np.sqrt((weights * spread).sum(axis=-1))
    t, q = np.polynomial.hermite_e.hermegauss(_NODES)
    values = f((means[..., None] + np.sqrt(variances)[..., None] * t).ravel())
    values = values.reshape(*means.shape, _NODES)
    whole = weights[..., None] * (q / q.sum())
    mean = (whole * values).sum(axis=(-2, -1))
    spread = (values - mean[..., None, None]) ** 2
    return mean, np.sqrt((whole * spread).sum(axis=(-2, -1)))


def quantile(weights: Floats, means: Floats, variances: Floats, level: float) -> Floats:
    """(...) quantiles of mixtures of components (..., M); NaN where the weights are."""
    shape, m = means.shape[:-1], means.shape[-1]
    arrays = (np.broadcast_to(a, means.shape) for a in (weights, means, variances))
    w, mu, s2 = (a.reshape(-1, m) for a in arrays)
    out, step = np.empty(len(w)), max(1, _NUMBERS // m)
    for start in range(0, len(w), step):
        some = slice(start, start + step)
        out[some] = _quantile(w[some], mu[some], s2[some], level)
    return out.reshape(shape)


def _quantile(weights: Floats, means: Floats, variances: Floats, level: float) -> Floats:
    sd = np.sqrt(variances)
    low, high = (means - 40 * sd).min(axis=-1), (means + 40 * sd).max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            off = middle[:, None] - means
            below = np.where(sd > 0, ndtr(off / sd), off >= 0)
            right = (weights * below).sum(axis=-1) >= level
            low, high = np.where(right, low, middle), np.where(right, middle, high)
    return np.where(np.isnan(weights).any(axis=-1), np.nan, high)
