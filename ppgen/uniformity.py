"""Whether the values of columns come from the distribution of draws, by probability integral
transforms.

    u = (number of draws below + U) / (m + 1),

ties broken at random, is uniform where a value and the m draws come from one distribution. Of the
joint, the value is log p(row) and the draws are log p(samples). Its distance from uniform,

    D = sup |F(u) - u|,

is judged by Kolmogorov's distribution at the size n m / (n + m), which allows for the draws being
finite. For codes without an order, levels are compared by their shares: D is the total variation
distance, judged by chi-squared.

The error of a model that was fitted to k other rows adds 1 / k, as in `two_sample`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats
from .significance import LEVEL, POWER_Z
from .two_sample import as_columns

_LEAST_EXPECTED = 5.0  # rows a level in a chi-squared test; rarer levels are pooled


@dataclass(frozen=True)
class Uniformity:
    """How far values are from draws of the same column.

    Attributes:
        statistic: D, the largest difference of the two distribution functions (of levels, the total
            variation distance).
        p_value: of a D this large by chance.
        detectable: the D that is found at `level` with about 80% power.
        n: values compared; where there are none, D is 0 and the p-value 1.
        size: of one sample against a known distribution that knows as much.
        free: degrees of freedom of the shares of levels, 0 for numbers.
    """

    statistic: float
    p_value: float
    detectable: float
    n: int
    size: int = 1
    free: int = 0

    def critical(self, level: float) -> float:
        """The D of a p-value; of levels, where shares are off in the proportions found."""
        from scipy.stats import chi2

        if not self.free:
            return _critical(level, self.size)
        found = float(chi2.isf(self.p_value, self.free))
        if not 0 < found < math.inf:
            return 0.5 * math.sqrt(float(chi2.isf(level, self.free)) / self.size)
        return self.statistic * math.sqrt(float(chi2.isf(level, self.free)) / found)


def pit(values: ArrayLike, draws: ArrayLike, seed: int) -> Floats:
    """(n,) places of values among draws, in (0, 1): uniform where both come from one distribution.

    Args:
        values, draws: (n,) and (m,), without NaN; -inf and ties are fine.
        seed: breaks ties, and places a value between its neighbours.
    """
    v, d = np.asarray(values, np.float64), np.sort(np.asarray(draws, np.float64))
    rng = np.random.default_rng([seed, 0x17])
    below, upto = np.searchsorted(d, v, "left"), np.searchsorted(d, v, "right")
    among = rng.integers(0, upto - below + 1)
    return np.asarray((below + among + rng.random(len(v))) / (len(d) + 1))


def pit_by_column(
    real: ArrayLike,
    drawn: ArrayLike,
    seed: int,
    *,
    levels: Sequence[bool] = (),
    level: float = LEVEL,
    fitted: int | None = None,
) -> list[Uniformity]:
    """Each column of `real` (n, d) against the same column of `drawn` (m, d); gaps are left out.

    Args:
        real, drawn: rows, NaN where missing.
        seed: breaks ties.
        levels: which columns are codes without an order.
        level: what `detectable` is stated for.
        fitted: rows that what made `drawn` was fitted to; None takes it as known.
    """
    own = 0.0 if fitted is None else 1 / fitted
    found = []
    for j, (x, y) in enumerate(zip(as_columns(real).T, as_columns(drawn).T, strict=True)):
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        if not len(x) or not len(y):
            found.append(Uniformity(0.0, 1.0, 1.0, 0))
        elif j < len(levels) and levels[j]:
            found.append(_shares(x, y, level, own))
        else:
            found.append(_uniformity(pit(x, y, seed + j), len(y), level, own))
    return found


def pit_joint(
    rows: ArrayLike,
    samples: ArrayLike,
    seed: int,
    *,
    level: float = LEVEL,
    fitted: int | None = None,
) -> Uniformity:
    """(n,) log densities of rows against (m,) log densities of the model's own samples; the rest is
    as in `pit_by_column`."""
    return pit_by_column(rows, samples, seed, level=level, fitted=fitted)[0]


def _uniformity(u: Floats, draws: int, level: float, own: float) -> Uniformity:
    from scipy.stats import kstwo

    n = len(u)
    u = np.sort(u)
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - u).max(), (u - steps[:-1]).max()))
    size = max(1, round(1 / (1 / n + 1 / draws + own)))
    detectable = _critical(level, size) + 0.5 * POWER_Z / math.sqrt(size)
    return Uniformity(distance, float(kstwo.sf(distance, size)), min(detectable, 1.0), n, size)


@lru_cache(maxsize=1024)
def _critical(level: float, size: int) -> float:
    """The distance that one of `size` uniform numbers exceeds by chance with probability `level`:
    a root that takes long to find, the same for all columns."""
    from scipy.stats import kstwo

    return float(kstwo.isf(level, size))


def _shares(real: Floats, drawn: Floats, level: float, own: float) -> Uniformity:
    from scipy.stats import chi2

    codes, place = np.unique(np.concatenate([real, drawn]), return_inverse=True)
    parts = np.split(place, [len(real)])
    counts = np.array([np.bincount(part, minlength=len(codes)) for part in parts], np.float64)
    n, m = counts.sum(axis=1)
    distance = 0.5 * float(np.abs(counts[0] / n - counts[1] / m).sum())
    expected = counts.sum(axis=0) * min(n, m) / (n + m)
    rare = expected < _LEAST_EXPECTED
    if rare.any():
        pooled = counts[:, rare].sum(axis=1, keepdims=True)
        counts = np.concatenate([counts[:, ~rare], pooled], axis=1)
    shares = counts.sum(axis=0) / (n + m)
    free = counts.shape[1] - 1
    if not free:
        return Uniformity(distance, 1.0, 1.0, int(n))
    total = sum(
        float(((row - size * shares) ** 2 / (size * shares)).sum())
        for row, size in zip(counts, (n, m), strict=True)
    )
    size = 1 / (1 / n + 1 / m + own)
    total *= size / (n * m / (n + m))
    # Two shares that differ by D in total variation give at least 4 D^2 n m / (n + m).
    detectable = 0.5 * (math.sqrt(float(chi2.isf(level, free))) + POWER_Z) / math.sqrt(size)
    p = float(chi2.sf(total, free))
    return Uniformity(distance, p, min(detectable, 1.0), int(n), max(1, round(size)), free)
