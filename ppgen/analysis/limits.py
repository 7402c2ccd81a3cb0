"""Limits that hold for all differences of a table at once.

Each of K models is set against the best, which is chosen from the same rows: any pair may come to
be looked at, so limits hold for all K (K - 1) / 2 pairs. Two limits are made of the two components
of a difference's variance (`scatter`), each right where that component is all there is.

- Rows: the shares of the models are summed over many rows, so their errors are jointly Gaussian
  with the covariance of the shares. The level p of one pair is where max over pairs of |z_ab|
  exceeds its limit with probability `LEVEL`; models that err alike leave p larger than LEVEL by the
  number of pairs. A pair's limit t(p) is Student's with its own degrees of freedom, longer where
  its rows are skewed.
- Seeds: with S seeds a pair's own variance has S - 1 degrees of freedom, and what errors have in
  common cannot be told from so few. The limit c is Student's at LEVEL / (K (K - 1) / 2); that of
  the largest |t| of independent models is less by 2 % at most. A variance pooled over models would
  have more degrees of freedom, but one model starts at random and another does not: pooled, 7 to
  37 % of such tables of equal models have a false alarm at three seeds.

A mean difference is decided beyond the margin

    margin^2 = max(t^2 within^2,  t^2 shared^2 + c^2 between^2).

The sum of components each at its own limit holds the level whatever their ratio: for one pair with
Var = sum_i V_i and independent estimates s_i^2 ~ V_i chi^2 / df_i, P(D^2 <= sum t_i^2 s_i^2) =
E G(sum_i (V_i / Var) t_i^2 s_i^2 / V_i) with G the distribution of chi^2_1, which is concave: at
least the mean of E G(t_i^2 s_i^2 / V_i) = 1 - LEVEL. For many pairs it is measured
(`benchmarks/calibrate_decided.py`).

References:
    Approximate confidence interval for linear functions of means of k populations when the
    population variances are not equal (Banerjee, 1960), Sankhya 22, pages 357 to 358
    A proof of the conjecture that the Tukey-Kramer multiple comparisons procedure is conservative
    (Hayter, 1984) https://doi.org/10.1214/aos/1176346392
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from ..arrays import Floats
from .scatter import Scatter

LEVEL = 0.05
"""Chance, at most, that in a table of equal models any is called behind or ahead."""
POWER = 0.8
"""Chance with which a difference as large as `Difference.detectable` is decided."""

_DRAWS = 8000  # the tail of 5 % is then known to 0.25 %
_MOST = 150  # models, above which pairs are counted as if they were independent


def student(level: float, df: float) -> float:
    """Two-sided limit of Student's t; that of the Gaussian for df = inf."""
    return -float(stdtrit(df, level / 2) if math.isfinite(df) else ndtri(level / 2))


def _pair_level(shares: Floats) -> float:
    """The level of one pair at which all pairs of K models with these (C, K) shares of rows
    together have `LEVEL`; 0 where that is not known."""
    k = shares.shape[1]
    if k <= 2 or k > _MOST:
        return 0.0
    # What most models have in common is taken off first: it would drown the differences. A
    # triangular root is exact to the rounding of each column, whatever the scale of the others.
    centred = shares - np.median(shares, axis=1, keepdims=True)
    root: Floats = np.linalg.qr(centred, mode="r")  # type: ignore[assignment]
    errors = (_gaussian(len(root)) @ root).T
    norms = np.sqrt(np.square(root).sum(axis=0))
    most = np.zeros(_DRAWS)
    for a in range(k - 1):
        sd = np.sqrt(np.square(root[:, a + 1 :] - root[:, [a]]).sum(axis=0))
        told = sd > 1e-9 * np.maximum(norms[a], norms[a + 1 :])
        if told.any():
            z = np.abs(errors[a + 1 :][told] - errors[a]) / sd[told, None]
            np.maximum(most, z.max(axis=0), out=most)
    level = 2 * ndtr(-np.quantile(most, 1 - LEVEL, method="higher"))
    return min(float(level), LEVEL)


class Margin(NamedTuple):
    """How large a difference must be to be decided, in nats a row.

    Attributes:
        value: as one of fits with these settings, of which the seeds are a sample.
        of_fits: as one of these very fits, whatever other seeds give.
        stderr: the standard error of the difference.
    """

    value: float
    of_fits: float
    stderr: float


@dataclass(frozen=True)
class Family:
    """The differences that limits hold for at once.

    Attributes:
        n_models: how many models any pair of which may be looked at.
        level: of one pair, for what varies over rows.
    """

    n_models: int = 2
    level: float = LEVEL

    @classmethod
    def of(cls, n_models: int, rows: Scatter | None = None) -> Family:
        """The differences of so many models that have these shares of rows in common."""
        even = LEVEL / max(1, n_models * (n_models - 1) // 2)
        return cls(n_models, even if rows is None else max(even, _pair_level(rows.clustered)))

    @classmethod
    def over(
        cls, n_models: int, values: Sequence[Floats], names: Sequence[NDArray[np.generic]]
    ) -> Family:
        """The differences of so many models, of which K have these (n_s, K) values of each seed's
        rows with (n_s,) names."""
        if n_models < 3 or not values or values[0].shape[1] < 3:
            return cls.of(n_models)
        # What most models have in common is taken off first: it would drown the differences.
        apart = [v - np.median(v, axis=1, keepdims=True) for v in values]
        return cls.of(n_models, Scatter.of(apart, names))

    def margin(self, rows: Scatter, noise: float = 0.0) -> Margin:
        """The margin of one difference, whose values have a Monte Carlo standard error of `noise`;
        NaN where there are too few rows."""
        within, shared, between = (float(v[0]) for v in (rows.within, rows.shared, rows.between))
        t = self._limit(rows)
        of_fits = margin = t * within
        stderr = within
        if rows.n_seeds > 1:
            pairs = max(1, self.n_models * (self.n_models - 1) // 2)
            c = student(LEVEL / pairs, rows.n_seeds - 1)
            margin = max(margin, math.hypot(t * shared, c * between))
            stderr = max(stderr, math.hypot(shared, between))
        z = student(self.level, math.inf) * noise if noise else 0.0
        return Margin(math.hypot(margin, z), math.hypot(of_fits, z), math.hypot(stderr, noise))

    def _limit(self, rows: Scatter) -> float:
        """Student's limit of what varies over rows, by heavy tails and by skewness."""
        t = student(self.level, max(1, len(rows.clustered) - 1))
        heavy = student(self.level, float(rows.df_within[0]))
        return max(heavy, t * float(rows.skewed(t)[0]))


PAIR = Family()
"""One difference alone, of two models that nothing chose."""


@lru_cache(maxsize=4)
def _gaussian(k: int) -> Floats:
    return np.random.default_rng(0).standard_normal((_DRAWS, k))
