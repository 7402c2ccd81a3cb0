"""Whether ranks are uniform on 0, ..., L: an exact test by simultaneous bands of their counts.

Of n ranks, S_i = #{rank < i} is binomial with n and z_i = i / (L + 1), for i = 1, ..., L. Each S_i
is as far in its tails as

    2 min{P(S <= S_i), P(S >= S_i)}    for S ~ Bin(n, z_i),

and gamma is the least of these. Ranks are uniform at a level where gamma is above the gamma of that
level: where all S_i lie within bands that hold simultaneously. The chance of lying within bands is
a sum over paths of (S_i), whose steps are the counts of single ranks. Independent Poisson counts
of mean n / (L + 1), given that their sum is n, have the distribution of those counts, so the sum is
a chain of convolutions with a Poisson distribution, cut to the bands.

Reference: Säilynoja, Bürkner and Vehtari, "Graphical test for discrete uniformity and its
applications in goodness-of-fit evaluation and multiple sample comparison", 2022,
https://doi.org/10.1007/s11222-022-10090-6.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array, Floats
from ..significance import POWER_Z


def uniform_p_value(ranks: ArrayLike, largest: int) -> float:
    """The chance that uniform ranks leave as narrow bands as these do.

    Args:
        ranks: (n,) integers in 0, ..., `largest`.
        largest: L, the number of draws that values were ranked among.
    """
    counts = np.bincount(np.asarray(ranks, np.int64), minlength=largest + 1)
    n = int(counts.sum())
    gamma = float(_tails(n, largest)[np.arange(largest), np.cumsum(counts)[:-1]].min())
    uniform = np.full(largest + 1, 1 / (largest + 1))
    # One tail of gamma / 2 alone is as likely as this, where rounding leaves nothing of 1 - P.
    return min(1.0, max(1.0 - _within(_bands(n, largest, gamma), uniform, n), gamma / 2))


@lru_cache(maxsize=32)
def critical_gamma(n: int, largest: int, level: float) -> float:
    """The largest gamma that n uniform ranks have with a chance of at most `level`."""
    uniform = np.full(largest + 1, 1 / (largest + 1))
    low, high = math.log(level) - math.log(4 * largest), math.log(min(1.0, 2 * level))
    for _ in range(40):
        middle = (low + high) / 2
        outside = 1.0 - _within(_bands(n, largest, math.exp(middle)), uniform, n)
        low, high = (middle, high) if outside <= level else (low, middle)
    return math.exp(low)


def rank_bands(n: int, largest: int, level: float) -> tuple[Array, Array]:
    """(L,) least and most #{rank < i}, i = 1, ..., L, that are uniform at `level` together."""
    return _bands(n, largest, critical_gamma(n, largest, level))


def power(n: int, largest: int, level: float, shift: float = 0.0, ratio: float = 1.0) -> float:
    """The chance that n ranks are called not uniform, where an engine's draws are Normal with a
    standard deviation `ratio` times the posterior's and a mean `shift` standard deviations off."""
    from scipy.special import ndtr, ndtri
    from scipy.stats import binom

    # A value is at most the draws' quantile q with the chance Phi(shift + ratio Phi^-1(q)), and its
    # rank is binomial with L and 1 - q.
    edges = np.linspace(0, 1, 20 * (largest + 1) + 1)
    at = ndtr(shift + ratio * ndtri(edges))
    middle = (edges[1:] + edges[:-1]) / 2
    ranks = np.diff(at) @ binom.pmf(np.arange(largest + 1), largest, middle[:, None])
    return 1.0 - _within(rank_bands(n, largest, level), ranks / ranks.sum(), n)


@lru_cache(maxsize=32)
def detectable(n: int, largest: int, level: float) -> tuple[float, float]:
    """The least bias, in posterior standard deviations, and the largest ratio below 1 of standard
    deviations, that n ranks show with 80% power; infinite and 0 where there are none."""
    from scipy.special import ndtr

    wanted = float(ndtr(POWER_Z))

    def least(seen: object, unseen: float, clear: float) -> float:
        for _ in range(12):
            middle = (unseen + clear) / 2
            unseen, clear = (unseen, middle) if seen(middle) >= wanted else (middle, clear)  # type: ignore[operator]
        return clear

    bias = least(lambda shift: power(n, largest, level, shift=shift), 0.0, 5.0)
    narrow = least(lambda ratio: power(n, largest, level, ratio=ratio), 1.0, 0.02)
    return (bias if bias < 4.99 else math.inf), (narrow if narrow > 0.021 else 0.0)


@lru_cache(maxsize=8)
def _tails(n: int, largest: int) -> Floats:
    """(L, n + 1): how far each count is in the tails of its binomial."""
    from scipy.stats import binom

    z = np.arange(1, largest + 1)[:, None] / (largest + 1)
    counts = np.arange(n + 1)
    below, above = binom.cdf(counts, n, z), binom.sf(counts - 1, n, z)
    return np.asarray(2 * np.minimum(below, above))


def _bands(n: int, largest: int, gamma: float) -> tuple[Array, Array]:
    """(L,) least and most counts whose tails are above gamma."""
    inside = _tails(n, largest) > gamma * (1 + 1e-12)
    none = ~inside.any(axis=1)  # where gamma is above 1
    least, most = inside.argmax(axis=1), n - inside[:, ::-1].argmax(axis=1)
    return np.where(none, n + 1, least), np.where(none, -1, most)


def _within(bands: tuple[Array, Array], probabilities: Floats, n: int) -> float:
    """The chance that counts of n ranks with these probabilities lie within the bands."""
    poisson = _poisson(n * probabilities, n)
    low, high = 0, 0
    weights = np.ones(1)  # of S_i = low, ..., high
    for i, (least, most) in enumerate(zip(*bands, strict=True)):
        least, most = max(int(least), low), int(most)
        if most < least:
            return 0.0
        weights = np.convolve(weights, poisson[i, : most - low + 1])[least - low : most - low + 1]
        low, high = least, most
    weights = weights * poisson[-1, n - np.arange(low, high + 1)]
    return float(weights.sum() / _poisson(np.array([float(n)]), n)[0, n])


def _poisson(means: Floats, n: int) -> Floats:
    """(len(means), n + 1) probabilities of counts 0, ..., n."""
    from scipy.special import gammaln, xlogy

    counts = np.arange(n + 1)
    mean = means[:, None]
    return np.asarray(np.exp(xlogy(counts, mean) - mean - gammaln(counts + 1)))
