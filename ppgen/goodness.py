"""Whether two sets of rows have the same distribution, with what each test could have seen.

Plain arrays: rows (n, d) of numbers, NaN where missing, levels as codes. Two tests:

    two_sample   a classifier is trained to tell them apart; AUC is the area under the ROC curve of
                 its scores on rows it was not trained on, 0.5 where it cannot. Rows are split in
                 two halves, each scored by trees trained on the other. Given the trees, the
                 Mann-Whitney statistic of a half of n and m rows has under the null exactly

                     variance (n + m + 1) / (12 n m),

                 and the mean of two of them, however they depend on each other, no more than
                 their mean variance: that bound is used, as rows train one half and are judged in
                 the other. Alarms measured at levels of 1 and 5%: 0.5 and 3.6%. The error of the
                 AUC is DeLong's, bounded likewise.
    pit          u = (number of draws below + U) / (m + 1), ties broken at random: uniform where a
                 value and the m draws come from one distribution. Of the joint, the value is
                 log p(row) and the draws are log p(samples). Its distance from uniform,
                 D = sup |F(u) - u|, is judged by Kolmogorov's distribution at the size
                 n m / (n + m), which allows for the draws being finite. For codes without an
                 order, levels are compared by their shares: D is the total variation distance,
                 judged by chi-squared.

Where the draws are those of a model that was fitted to k other rows, its own error adds to that of
the rows held out: at most what k draws would add, 1 / k beside 1 / n and 1 / m in each variance.

References:
    Revisiting classifier two-sample tests (Lopez-Paz, Oquab, 2017) https://arxiv.org/abs/1610.06545
    Comparing the areas under two or more correlated ROC curves (DeLong, DeLong, Clarke-Pearson,
    1988) https://doi.org/10.2307/2531595
    A simple sequentially rejective multiple test procedure (Holm, 1979)
    https://www.jstor.org/stable/4615733
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

Floats = NDArray[np.float64]

LEVEL = 0.01
POWER_Z = 0.8416  # the normal quantile of 80% power
MOST_ROWS = 1000
LEAST_ROWS = 10
_BINS = 64  # that trees sort numbers into
_MOST_LEVELS = 64  # that trees take as categories
_LEAST_EXPECTED = 5.0  # rows a level in a chi-squared test; rarer levels are pooled


@dataclass(frozen=True)
class TwoSample:
    """How well rows of two kinds are told apart.

    Attributes:
        auc: area under the ROC curve, 0.5 where they cannot be told apart.
        accuracy: share of rows told right, both kinds counting alike.
        stderr: standard error of `auc` over rows.
        p_value: of an AUC this high by chance, at most.
        detectable_auc: the smallest AUC that is found at `level` with 80% power.
        level: the false-alarm rate that `detectable_auc` is for.
    """

    auc: float
    accuracy: float
    stderr: float
    p_value: float
    detectable_auc: float
    level: float = LEVEL


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
        from scipy.stats import chi2, kstwo

        if not self.free:
            return float(kstwo.isf(level, self.size))
        found = float(chi2.isf(self.p_value, self.free))
        if not 0 < found < math.inf:
            return 0.5 * math.sqrt(float(chi2.isf(level, self.free)) / self.size)
        return self.statistic * math.sqrt(float(chi2.isf(level, self.free)) / found)


def two_sample(
    real: ArrayLike,
    drawn: ArrayLike,
    seed: int,
    *,
    levels: Sequence[bool] = (),
    most: int = MOST_ROWS,
    level: float = LEVEL,
    fitted: int | None = None,
) -> TwoSample:
    """Whether boosted trees tell `drawn` rows from `real` ones.

    Args:
        real, drawn: (n, d) and (m, d), NaN where missing (a gap is a value of its own).
        seed: of thinning, halves and trees.
        levels: which columns are codes without an order.
        most: rows of each kind looked at, at random.
        level: what `detectable_auc` is stated for.
        fitted: rows that what made `drawn` was fitted to; None takes it as known.

    Raises:
        InputError: if the shapes differ or there are fewer than 10 rows of a kind.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    a, b = _rows(real), _rows(drawn)
    if a.shape[1] != b.shape[1] or min(len(a), len(b)) < LEAST_ROWS:
        raise InputError(
            f"rows of shapes {a.shape} and {b.shape} were given to be told apart; expected at "
            f"least {LEAST_ROWS} of each with the same columns."
        )
    rng = np.random.default_rng([seed, 0x25])
    a, b = (rng.permutation(part)[:most] for part in (a, b))
    x = np.concatenate([a, b])
    y = np.repeat([0, 1], [len(a), len(b)])
    half = np.concatenate([np.arange(len(a)) % 2, np.arange(len(b)) % 2])
    named = np.array([bool(c) for c in levels] or [False] * x.shape[1])
    named &= np.nanmax(x, axis=0, initial=0) < _MOST_LEVELS
    areas, right, null, spread = [], [], [], []
    for part in (0, 1):
        trained, judged = half != part, half == part
        trees = HistGradientBoostingClassifier(
            max_iter=30,
            learning_rate=0.2,
            max_leaf_nodes=15,
            min_samples_leaf=max(3, min(20, len(x) // 25)),
            categorical_features=named if named.any() else None,
            max_bins=_BINS,
            early_stopping=False,
            random_state=seed,
        ).fit(x[trained], y[trained])
        p = trees.predict_proba(x[judged])[:, 1]
        zero, one = p[y[judged] == 0], p[y[judged] == 1]
        area, variance = _area(zero, one)
        areas.append(area)
        spread.append(variance)
        even = float(y[trained].mean())  # the score of a row that says nothing
        right.append(0.5 * (_below(zero, even) + 1 - _below(one, even)))
        null.append((len(zero) + len(one) + 1) / (12 * len(zero) * len(one)))
    own = 0.0 if fitted is None else 1 / (12 * fitted)
    auc, most_sd = float(np.mean(areas)), math.sqrt(float(np.mean(null)) + own)
    return TwoSample(
        auc,
        float(np.mean(right)),
        math.sqrt(float(np.mean(spread))),
        _upper_tail((auc - 0.5) / most_sd),
        min(1.0, 0.5 + (_upper_quantile(level) + POWER_Z) * most_sd),
        level,
    )


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
    a, b = _rows(real), _rows(drawn)
    found = []
    for j in range(a.shape[1]):
        x, y = a[:, j], b[:, j]
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
    values, draws = np.asarray(rows, np.float64), np.asarray(samples, np.float64)
    return pit_by_column(values[:, None], draws[:, None], seed, level=level, fitted=fitted)[0]


def holm(p_values: ArrayLike) -> Floats:
    """(k,) p-values adjusted by Holm's step-down: those at most a level are rejected, and the
    chance of any false rejection is at most that level."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _rows(given: ArrayLike) -> Floats:
    x = np.asarray(given, np.float64)
    return x[:, None] if x.ndim == 1 else x


def _below(scores: Floats, threshold: float) -> float:
    """The share of scores below a threshold, ties counting half."""
    return float(np.mean(scores < threshold) + 0.5 * np.mean(scores == threshold))


def _area(zero: Floats, one: Floats) -> tuple[float, float]:
    """The area under the ROC curve of scores of two kinds, and its variance (DeLong)."""
    places = [_midranks(one, zero), 1 - _midranks(zero, one)]
    variance = sum(float(np.var(p, ddof=1)) / len(p) for p in places)
    return float(np.mean(places[0])), variance


def _midranks(values: Floats, among: Floats) -> Floats:
    """The share of `among` below each value, ties counting half."""
    ordered = np.sort(among)
    sides = (np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right"))
    return np.asarray((sides[0] + sides[1]) / (2 * len(ordered)))


def _uniformity(u: Floats, draws: int, level: float, own: float) -> Uniformity:
    from scipy.stats import kstwo

    n = len(u)
    u = np.sort(u)
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - u).max(), (u - steps[:-1]).max()))
    size = max(1, round(1 / (1 / n + 1 / draws + own)))
    detectable = float(kstwo.isf(level, size)) + 0.5 * POWER_Z / math.sqrt(size)
    return Uniformity(distance, float(kstwo.sf(distance, size)), min(detectable, 1.0), n, size)


def _shares(real: Floats, drawn: Floats, level: float, own: float) -> Uniformity:
    from scipy.stats import chi2

    codes, place = np.unique(np.concatenate([real, drawn]), return_inverse=True)
    counts: NDArray[Any] = np.stack(
        [np.bincount(part, minlength=len(codes)) for part in np.split(place, [len(real)])]
    ).astype(np.float64)
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


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def _upper_quantile(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - level)
