"""Whether a classifier tells two sets of rows apart, with what the test could have seen.

Rows (n, d) are numbers, NaN where missing, levels as codes. AUC is the area under the ROC curve of
the classifier's scores of rows it was not trained on, 0.5 where it cannot tell them. Rows are split
in two halves, each scored by trees trained on the other. Given the trees, the Mann-Whitney
statistic of a half of n and m rows has under the null exactly

    variance (n + m + 1) / (12 n m),

and the mean of two of them, however they depend on each other, no more than their mean variance:
that bound is used, as rows train one half and are judged in the other. Alarms measured at levels of
1 and 5%: 0.5 and 3.6%. The error of the AUC is DeLong's, bounded likewise.

Other drawn rows also train other trees. With the real rows kept, the AUC scatters over them by 1.1
to 2.0 times what DeLong's part of the drawn rows says (120 to 1,500 rows of 3 to 12 columns, AUC
0.51 to 0.96): twice that is taken where models' draws are compared (`TwoSample.noise`).

Where the draws are those of a model that was fitted to k other rows, its own error adds to that of
the rows held out: at most what k draws would add, 1 / k beside 1 / n and 1 / m in the variance.

References:
    Revisiting classifier two-sample tests (Lopez-Paz, Oquab, 2017) https://arxiv.org/abs/1610.06545
    Comparing the areas under two or more correlated ROC curves (DeLong, DeLong, Clarke-Pearson,
    1988) https://doi.org/10.2307/2531595
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats, Ints
from .errors import InputError
from .significance import LEVEL, POWER_Z

MOST_ROWS = 1000
LEAST_ROWS = 10
_BINS = 64  # that trees sort numbers into
_MOST_LEVELS = 64  # that trees take as categories
_TRAINED = 2.0  # times the error over rows judged, by which other drawn rows change the AUC


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
        rows: (n,) numbers of the real rows looked at.
        places: (n,) share of drawn rows, of those judged with it, that look more like drawn ones
            than this real row does; `auc` is their mean, of each half the same.
        noise: standard error of `auc` over other drawn rows beside the same real ones.
    """

    auc: float
    accuracy: float
    stderr: float
    p_value: float
    detectable_auc: float
    level: float = LEVEL
    rows: Ints = field(default_factory=lambda: np.empty(0, np.intp), repr=False, compare=False)
    places: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    noise: float = math.nan


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

    a, b = as_columns(real), as_columns(drawn)
    if a.shape[1] != b.shape[1] or min(len(a), len(b)) < LEAST_ROWS:
        raise InputError(
            f"rows of shapes {a.shape} and {b.shape} were given to be told apart; expected at "
            f"least {LEAST_ROWS} of each with the same columns."
        )
    rng = np.random.default_rng([seed, 0x25])
    looked, others = (rng.permutation(len(part))[:most] for part in (a, b))
    a, b = a[looked], b[others]
    x = np.concatenate([a, b])
    y = np.repeat([0, 1], [len(a), len(b)])
    half = np.concatenate([np.arange(len(part)) % 2 for part in (a, b)])
    named = np.array([bool(c) for c in levels] or [False] * x.shape[1])
    named &= np.nanmax(x, axis=0, initial=0) < _MOST_LEVELS
    areas, right, null, spread, drawn_alone = [], [], [], [], []
    of_row = np.empty(len(a))
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
        places = [_midranks(one, zero), 1 - _midranks(zero, one)]
        areas.append(float(np.mean(places[0])))
        variances = [float(np.var(p, ddof=1)) / len(p) for p in places]  # DeLong's
        spread.append(sum(variances))
        drawn_alone.append(variances[0])
        of_row[half[: len(a)] == part] = places[1]
        even = float(y[trained].mean())  # the score of a row that says nothing
        right.append(0.5 * (below(zero, even) + 1 - below(one, even)))
        null.append((len(zero) + len(one) + 1) / (12 * len(zero) * len(one)))
    own = 0.0 if fitted is None else 1 / (12 * fitted)
    auc, most_sd = float(np.mean(areas)), math.sqrt(float(np.mean(null)) + own)
    return TwoSample(
        auc,
        float(np.mean(right)),
        math.sqrt(float(np.mean(spread))),
        0.5 * math.erfc((auc - 0.5) / (most_sd * math.sqrt(2))),
        min(1.0, 0.5 + (NormalDist().inv_cdf(1 - level) + POWER_Z) * most_sd),
        level,
        looked,
        of_row,
        _TRAINED * math.sqrt(float(np.mean(drawn_alone)) / len(drawn_alone)),
    )


def as_columns(given: ArrayLike) -> Floats:
    """(n, d) numbers; one column where (n,) were given."""
    x = np.asarray(given, np.float64)
    return x[:, None] if x.ndim == 1 else x


def below(scores: Floats, threshold: float) -> float:
    """The share of scores below a threshold, ties counting half."""
    return float(np.mean(scores < threshold) + 0.5 * np.mean(scores == threshold))


def _midranks(values: Floats, among: Floats) -> Floats:
    """The share of `among` below each value, ties counting half."""
    ordered = np.sort(among)
    sides = (np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right"))
    return np.asarray((sides[0] + sides[1]) / (2 * len(ordered)))
