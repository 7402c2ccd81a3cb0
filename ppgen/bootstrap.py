"""Intervals by resampling rows: what a statistic of two sets of rows would be on others like them.

A replicate draws as many rows as there are, with replacement, from each set; row i is counted w_i
times. The interval is that of the Gaussian with the replicates' standard deviation, centred at the
statistic itself:

    value +- z sd(replicates).

Where the statistic is a squared distance and the two distributions are equal, its first-order term
vanishes and the replicates scatter more than the statistic does: the interval is then too wide,
never too narrow.

References:
    Bootstrap methods: another look at the jackknife (Efron, 1979)
    https://doi.org/10.1214/aos/1176344552
    On the bootstrap of U and V statistics (Arcones, Giné, 1992)
    https://doi.org/10.1214/aos/1176348650
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Floats
from .plain_json import PlainFields

REPLICATES = 100
LEVEL = 0.95
_Z = 1.959963984540054  # the normal quantile of LEVEL, two-sided


@dataclass(frozen=True)
class Estimate(PlainFields):
    """A number with its interval, which holds the true one with probability `LEVEL`."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, stderr: float) -> Estimate:
        """A number and its standard error."""
        return cls(value, value - _Z * stderr, value + _Z * stderr)

    @classmethod
    def spread(cls, value: float, replicates: Floats) -> Estimate:
        """A number and its (b,) values on resampled rows."""
        return cls.of(value, float(np.std(replicates, ddof=1)))


def counts(n: int, replicates: int, rng: np.random.Generator) -> Floats:
    """(b, n) how often each of n rows is drawn, n times a replicate."""
    return rng.multinomial(n, np.full(n, 1 / n), replicates).astype(np.float64)
