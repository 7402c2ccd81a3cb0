"""Importance weights: what they estimate, and whether the estimate can be trusted.

For each row there are K weights w_1 ... w_K with the expectation that is sought
(w_k = p(x, z_k) / q(z_k | x) with z_k ~ q has expectation p(x)). Their logarithms give

    log mean w                              a lower bound of log E[w] in expectation,
    stderr  = sd(w) / (mean w * sqrt(K))    its standard error, by the delta method,
    ess     = (sum w)^2 / sum w^2           between 1 and K,
    khat    = shape of the generalised Pareto distribution fitted to the largest weights.

Weights whose right tail has the shape k have 1 / k moments: if khat is above `good_khat(K)`, the
standard error cannot be trusted and the mean is likely to be too low.

Reference: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", 2024,
https://arxiv.org/abs/1507.02646; Zhang and Stephens, "A new and efficient estimation method for the
generalized Pareto distribution" (the fit of the tail), 2009,
https://doi.org/10.1198/tech.2009.08017.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..arrays import Array
from ..errors import InputError

MIN_SAMPLES = 25  # fewer leave under five weights to fit a tail to
_FLAT = 1e-3  # nats: what single precision leaves of equal weights
_SMALLEST = 1e-280  # of the largest weight
_NUMBERS = 1 << 18  # held at once while a tail is fitted


@dataclass(frozen=True)
class Weights:
    """Summary of the weights of n rows.

    Attributes:
        log_mean: (n,) log of the mean weight, in nats; -inf where all weights are zero.
        stderr: (n,) Monte Carlo standard error of `log_mean`, in nats; NaN for one sample and where
            all weights are zero.
        ess: (n,) effective sample size; 0 where all weights are zero.
        khat: (n,) Pareto k-hat of the weights above zero. -inf where the largest are equal within
            1e-3 nats (no tail); inf where no tail can be fitted (fewer than 25 weights are above
            zero, the tail is wider than floating point, or a quarter of it is one value); NaN for
            fewer than 25 samples.

    A row with a log weight of NaN or +inf is NaN in all four.
    """

    log_mean: Array
    stderr: Array
    ess: Array
    khat: Array


def good_khat(n_samples: int) -> float:
    """The largest k-hat at which the mean of `n_samples` weights is reliable:
    min(1 - 1 / log10(K), 0.7)."""
    if n_samples < 2:
        raise InputError(f"n_samples is {n_samples}; expected 2 or more.")
    return min(1 - 1 / float(np.log10(n_samples)), 0.7)


def summarise(log_weights: Array) -> Weights:
    """Summarise the weights of each row.

    Args:
        log_weights: (n, K) natural logs of the weights of n rows; -inf is a weight of zero.

    Raises:
        InputError: if `log_weights` is not (n, K) with K of 1 or more.
    """
    log_w = np.asarray(log_weights, dtype=np.float64)
    if log_w.ndim != 2 or log_w.shape[1] == 0:
        raise InputError(
            f"log_weights have shape {np.shape(log_weights)}; expected (rows, samples) with at "
            "least one sample."
        )
    n, k = log_w.shape
    bad = ~(log_w < np.inf).all(axis=1)
    top = log_w.max(axis=1, initial=-np.inf)
    zero = np.isneginf(top)
    usable = ~(bad | zero)
    log_mean, stderr, ess, khat = np.full((4, n), np.nan)
    log_mean[zero], ess[zero] = -np.inf, 0.0
    w = np.exp(log_w[usable] - top[usable, None])
    mean = w.mean(axis=1)
    square = ((w - mean[:, None]) ** 2).sum(axis=1)
    log_mean[usable] = top[usable] + np.log(mean)
    if k > 1:
        stderr[usable] = np.sqrt(square / (k - 1) / k) / mean
    ess[usable] = k**2 * mean**2 / (square + k * mean**2)
    khat[~bad] = pareto_khat(log_w[~bad])
    return Weights(log_mean, stderr, ess, khat)


def summarise_blocks(blocks: Iterable[Array]) -> Weights:
    """As `summarise`, for blocks of rows (n_b, K) given one at a time; only their summaries are
    kept."""
    parts = [summarise(block) for block in blocks]
    if not parts:
        raise InputError("no block of log weights was given; expected at least one.")
    return joined(parts)


def joined(parts: Sequence[Weights]) -> Weights:
    """Summaries of blocks of rows as one."""
    names = [field.name for field in fields(Weights)]
    return Weights(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def pareto_khat(log_weights: Array) -> Array:
    """Pareto k-hat (n,) of the weights above zero, of `log_weights` (n, K) below +inf. See
    `Weights.khat` for weights without a tail."""
    n, k = log_weights.shape
    if k < MIN_SAMPLES:
        return np.full(n, np.nan)
    khat = np.full(n, np.inf)
    counts = np.isfinite(log_weights).sum(axis=1)
    for count in np.unique(counts[counts >= MIN_SAMPLES]):
        rows = np.flatnonzero(counts == count)
        block = log_weights[rows]
        if count < k:
            block = block[np.isfinite(block)].reshape(len(rows), count)
        khat[rows] = _khat(block)
    return khat


def _khat(log_w: Array) -> Array:
    """Pareto k-hat (n,) of finite log weights (n, K)."""
    k = log_w.shape[1]
    tail = int(k / 5 if k <= 225 else 3 * k**0.5)  # as many as arviz_stats takes
    largest = np.sort(np.partition(log_w, k - tail - 1, axis=1)[:, k - tail - 1 :], axis=1)
    below, least, quartile, most = largest[:, [0, 1, int(tail / 4 + 0.5), -1]].T
    # The fit divides by the lower quartile of the excess over the largest weight below the tail.
    wide = np.exp(quartile - most) - np.exp(below - most) < _SMALLEST
    flat = most - least < _FLAT
    khat = np.where(flat, -np.inf, np.inf)
    if (fits := ~(wide | flat)).any():
        above = np.exp(largest[fits] - most[fits, None])
        khat[fits] = _shape(above[:, 1:] - above[:, :1])
    return khat


def _shape(x: Array) -> Array:
    """Shape (n,) of generalised Pareto distributions of values (n, m) above 0, in rising order.

    The posterior mean of b = k / scale over a grid, weighted by the profile likelihood
    m (log(-b / k(b)) - k(b) - 1) with k(b) = mean log(1 - b x), then k(b) drawn towards 1/2 as ten
    further values would.
    """
    n, m = x.shape
    points = 30 + int(m**0.5)
    grid = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    shape = np.empty(n)
    for start in range(0, n, block := max(1, _NUMBERS // (points * m))):
        rows = x[start : start + block]
        most, quartile = rows[:, -1:], rows[:, int(m / 4 + 0.5) - 1, None]
        b = 1 / most + grid / (3 * quartile)  # (rows, points)
        k = np.log1p(-b[..., None] * rows[:, None]).mean(axis=-1)
        profile = m * (np.log(-b / k) - k - 1)
        share = np.exp(profile - profile.max(axis=1, keepdims=True))
        mean = (b * share).sum(axis=1) / share.sum(axis=1)
        k = np.log1p(-mean[:, None] * rows).mean(axis=-1)
        shape[start : start + block] = (m * k + 10 * 0.5) / (m + 10)
    return shape
