"""How strongly two columns depend on each other, for columns of any kind.

Between two ordered columns Spearman's rho in [-1, 1]; between two unordered ones Cramer's V,
between an ordered and an unordered one the correlation ratio of the ranks, both in [0, 1] and both
corrected for the bias of small samples. Rows with a gap in either column are left out of that pair.

References:
    A bias-correction for Cramér's V and Tschuprow's T (Bergsma, 2013)
    https://doi.org/10.1016/j.jkss.2012.10.002
    An unbiased correlation ratio measure (Kelley, 1935) https://doi.org/10.1073/pnas.21.9.554
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..arrays import Floats
from ..thinning import thinned

MAX_COLUMNS = 24
"""At most this many columns are paired up (chosen by the seed), so that the cost is bounded."""


def column_pairs(n_columns: int, seed: int = 0) -> list[tuple[int, int]]:
    """The pairs of columns looked at."""
    chosen = thinned(n_columns, MAX_COLUMNS, np.random.default_rng([seed, 0xA5]))
    return list(combinations(chosen.tolist(), 2))


def associations(table: Floats, ordered: Sequence[bool], seed: int = 0) -> Floats:
    """The association of each of `column_pairs(...)`; NaN where a pair leaves nothing to measure.

    Args:
        table: (n, d) numbers and codes, NaN where missing.
        ordered: (d,) whether a column's values have an order.
    """
    measured = []
    for i, j in column_pairs(table.shape[1], seed):
        both = table[:, [i, j]]
        both = both[~np.isnan(both).any(axis=1)]
        x, y = both.T if ordered[i] else both.T[::-1]
        if ordered[i] and ordered[j]:
            measured.append(_pearson(ranks(x), ranks(y)))
        elif ordered[i] or ordered[j]:
            measured.append(correlation_ratio(ranks(x), y))
        else:
            measured.append(cramers_v(*both.T))
    return np.array(measured, np.float64)


def ranks(x: Floats) -> Floats:
    """Ranks, ties sharing their mean rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(x), np.float64)


def correlation_ratio(x: Floats, groups: Floats) -> float:
    """sqrt of Kelley's epsilon squared: the share of x's variance that lies between groups."""
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, k = len(x), len(sizes)
    if n <= k or np.ptp(x) == 0:
        return np.nan
    means = np.bincount(place, weights=x) / sizes
    within = np.square(x - means[place]).sum() / (n - k)
    total = np.square(x - x.mean()).sum() / (n - 1)
    return float(np.sqrt(max(0.0, 1 - within / total)))


def cramers_v(a: Floats, b: Floats) -> float:
    """Cramér's V with Bergsma's correction."""
    n = len(a)
    if n < 2:
        return np.nan
    _, i = np.unique(a, return_inverse=True)
    _, j = np.unique(b, return_inverse=True)
    r, c = int(i.max()) + 1, int(j.max()) + 1
    counts = np.zeros((r, c))
    np.add.at(counts, (i, j), 1.0)
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    chi2 = float((np.square(counts - expected) / expected).sum())
    phi2 = max(0.0, chi2 / n - (r - 1) * (c - 1) / (n - 1))
    room = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi2 / room)) if room > 0 else np.nan


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(np.corrcoef(x, y)[0, 1])
