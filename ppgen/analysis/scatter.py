"""How far mean differences of log density may lie from the truth: variance components.

K models are scored on S seeds' held-out rows; row j of seed s has the name r. With m_s the mean of
seed s, v_sj a value and n_s the rows of s, a row's share in the error of the mean over seeds is

    u_sj = (v_sj - m_s) / (n_s S).

Rows of one name (copies, a named group, a row that several seeds hold out) are one draw:

    within^2  = sum_r (sum_sj of name r  u_sj)^2,        clustered by name,
    apart^2   = sum_s sum_r (sum_j of name r  u_sj)^2,   by name in each seed alone,
    between^2 = sum_s (m_s - m)^2 / (S (S - 1)).

`between` holds what changes from seed to seed: the start of the fits, and rows that the seed alone
holds out. Rows that seeds share do not average out over seeds and do not show between them. With
V and C the means of Var(m_s) and, over pairs of seeds, of Cov(m_s, m_t),

    Var(m) = V / S + C (S - 1) / S,     E between^2 = (V - C) / S,     so
    Var(m) = E between^2 + C,           shared^2 = max(0, within^2 - apart^2) S / (S - 1)

estimating C from the rows that two seeds share, whether these are all of them, some or none. The
degrees of freedom of within^2, a sum of squares of n names' shares of excess kurtosis k, are those
that its variance has, 2 n / (2 + k): n for Gaussian shares, fewer for heavy tails and groups of
unequal size.

References:
    Robust inference with multiway clustering (Cameron, Gelbach, Miller, 2011)
    https://doi.org/10.1198/jbes.2010.07136
    An approximate distribution of estimates of variance components (Satterthwaite, 1946)
    https://doi.org/10.2307/3002019
    The bootstrap and Edgeworth expansion, section 2.6 (Hall, 1992)
    https://doi.org/10.1007/978-1-4612-4384-7
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats


@dataclass(frozen=True)
class Scatter:
    """Shares and seeds' means of K columns of values (models, or one difference).

    Attributes:
        clustered: (C, K) shares by name.
        apart: (M, K) shares by seed and name.
        means: (S, K) the seeds' means.
    """

    clustered: Floats
    apart: Floats
    means: Floats

    @classmethod
    def of(cls, values: Sequence[Floats], names: Sequence[NDArray[np.generic]]) -> Scatter:
        """Of (n_s, K) values a seed, whose rows have these (n_s,) names."""
        n_seeds = len(values)
        means = np.array([v.mean(axis=0) for v in values])
        shares = np.concatenate(
            [(v - m) / (len(v) * n_seeds) for v, m in zip(values, means, strict=True)]
        )
        name = np.unique(np.concatenate(names), return_inverse=True)[1]
        seed = np.repeat(np.arange(n_seeds), [len(v) for v in values])
        return cls(_summed(shares, name), _summed(shares, name + (name.max() + 1) * seed), means)

    @property
    def n_seeds(self) -> int:
        return len(self.means)

    @property
    def correction(self) -> float:
        """What makes a sum of squared shares, whose means were subtracted, unbiased; NaN where no
        row is left."""
        cells = len(self.apart)
        return cells / (cells - self.n_seeds) if cells > self.n_seeds else math.nan

    @property
    def within(self) -> Floats:
        """(K,) standard error over rows as a sample of the population."""
        return np.asarray(np.sqrt(self.correction * np.square(self.clustered).sum(axis=0)))

    @property
    def shared(self) -> Floats:
        """(K,) standard error by rows that seeds have in common; 0 for one seed."""
        s = self.n_seeds
        if s < 2:
            return np.zeros(self.means.shape[1])
        both = (np.square(a).sum(axis=0) for a in (self.clustered, self.apart))
        common = self.correction * np.subtract(*both) * s / (s - 1)
        return np.asarray(np.sqrt(np.maximum(common, 0.0)))

    @property
    def between(self) -> Floats:
        """(K,) standard error over seeds; NaN for one seed."""
        s = self.n_seeds
        if s < 2:
            return np.full(self.means.shape[1], np.nan)
        return np.asarray(self.means.std(axis=0, ddof=1) / math.sqrt(s))

    @property
    def df_within(self) -> Floats:
        """(K,) degrees of freedom of `within`: at least 1, at most the number of names less one."""
        most = max(1.0, len(self.clustered) - 1.0)
        df = 2 * len(self.clustered) / np.maximum(self._cumulants()[1] + 2, 1e-9)
        return np.asarray(np.clip(df, 1.0, most))

    def skewed(self, x: float) -> Floats:
        """(K,) factors by which a limit x of Student's t is too short where shares are skewed.

        Of C shares with skewness g and excess kurtosis k, P(|t| > x) exceeds its nominal value by
        the two-sided term of the Edgeworth expansion that a limit longer by the factor
        1 + (g^2 (x^4 + 2 x^2 - 3) / 18 - k (x^2 - 3) / 12) / C takes back; 1 where it does not.
        """
        skewness, kurtosis = self._cumulants()
        excess = skewness**2 * (x**4 + 2 * x**2 - 3) / 18 - kurtosis * (x**2 - 3) / 12
        return np.asarray(1 + np.maximum(excess, 0.0) / len(self.clustered))

    def _cumulants(self) -> tuple[Floats, Floats]:
        """(K,) skewness and excess kurtosis of the shares by name; 0 where all are equal."""
        count = len(self.clustered)
        total = np.square(self.clustered).sum(axis=0)
        unit = self.clustered / np.sqrt(np.where(total > 0, total, 1.0))
        squares = np.square(unit)
        skewness = math.sqrt(count) * (squares * unit).sum(axis=0)
        kurtosis = np.where(total > 0, count * np.square(squares).sum(axis=0) - 3, 0.0)
        return np.asarray(skewness), np.asarray(kurtosis)


def _summed(shares: Floats, group: NDArray[np.integer]) -> Floats:
    """(C, K) sums of the shares of rows with the same number."""
    order = np.argsort(group, kind="stable")
    firsts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.asarray(np.add.reduceat(shares[order], firsts, axis=0))
