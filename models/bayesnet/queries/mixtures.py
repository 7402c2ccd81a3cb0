"""Mixtures of Gaussians on a line: moments and quantiles, also of a function of the values.

The quantile at a level a is the x at which sum_j w_j Phi((x - m_j) / s_j) = a, found by bisection.
Of a function f of a Gaussian the moments are sums over equidistant nodes t (the trapezoidal rule),
E[f] = sum_t q_t f(m + s t) with q_t proportional to exp(-t^2 / 2): exact but for rounding errors
where f is smooth; nodes stand closer where it has steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import ndtr

from ....arrays import Array, Floats

_REACH = 12.0  # standard deviations that the nodes of the quadrature go out
_STEP, _CLOSE = 1 / 4, 1 / 100  # standard deviations between nodes, the second where f has steps
_HALVINGS = 80  # of the bracket of a quantile
_NUMBERS = 1 << 22  # in the largest temporary


def moments(
    weights: Floats,
    means: Floats,
    variances: Floats,
    f: Callable[[Floats], Array] | None = None,
    *,
    steps: bool = False,
) -> tuple[Array, Floats]:
    """Mean and standard deviation (...) of mixtures of components (..., M), or of f of the values.

    Args:
        weights: of the components, that sum to 1; NaN where there is no mixture.
        f: of values (n,), elementwise, real or complex; None is the identity.
        steps: whether f has steps.
    """
    if f is None:
        mean = (weights * means).sum(axis=-1)
        spread = variances + (means - mean[..., None]) ** 2
        return mean, np.sqrt((weights * spread).sum(axis=-1))
    t = np.arange(-_REACH, _REACH + _STEP / 2, _CLOSE if steps else _STEP)
    q = np.exp(-(t**2) / 2) / np.exp(-(t**2) / 2).sum()
    found = []
    for w, mu, s2 in _blocks(weights, means, variances, len(t)):
        values = f((mu[..., None] + np.sqrt(s2)[..., None] * t).ravel()).reshape(*mu.shape, len(t))
        whole = w[..., None] * q
        mean = (whole * values).sum(axis=(-2, -1))
        spread = np.abs(values - mean[:, None, None]) ** 2
        found.append((mean, np.sqrt((whole * spread).sum(axis=(-2, -1)))))
    mean, sd = (np.concatenate(each).reshape(means.shape[:-1]) for each in zip(*found, strict=True))
    return mean, sd


def quantile(weights: Floats, means: Floats, variances: Floats, level: float) -> Floats:
    """(...) quantiles of mixtures of components (..., M); NaN where the weights are."""
    blocks = _blocks(weights, means, variances, 1)
    return np.concatenate([_quantile(*block, level) for block in blocks]).reshape(means.shape[:-1])


def _blocks(
    weights: Floats, means: Floats, variances: Floats, nodes: int
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """The arrays as (rows, M), some rows at a time."""
    m = means.shape[-1]
    arrays = [np.broadcast_to(a, means.shape).reshape(-1, m) for a in (weights, means, variances)]
    step = max(1, _NUMBERS // (m * nodes))
    for start in range(0, max(1, len(arrays[0])), step):
        w, mu, s2 = (a[start : start + step] for a in arrays)
        yield w, mu, s2


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
