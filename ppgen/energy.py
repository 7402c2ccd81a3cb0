"""Squared distances of two distributions by a kernel, and scores of each row whose mean they are.

With rows x_i (n) of P and y_j (m) of Q, independent of each other, and a kernel k,

    D = E k(X, X') + E k(Y, Y') - 2 E k(X, Y)

is 0 for P = Q and, for a characteristic kernel, for nothing else. Estimated by means over pairs of
different rows it is unbiased, and may fall below 0 where P and Q are alike. Of one row x,

    s(x) = E k(Y, Y') / 2 - k(x, Y),            E_P s(X) = D / 2 - E k(X, X') / 2,

is a proper score of Q (lower is better): D up to a constant that is the same for every Q, so that
models are compared by paired differences of the scores of the same rows. Kernels:

    k(x, y) = -|x - y|                              D is the energy distance, s the energy score,
    k(x, y) = mean_c exp(-|x - y|^2 / (2 c^2))      D is MMD^2, s the kernel score; of several
                                                    scales c, for what is wrong near by and far off.

References:
    Strictly proper scoring rules, prediction, and estimation (Gneiting, Raftery, 2007)
    https://doi.org/10.1198/016214506000001437
    A kernel two-sample test (Gretton, Borgwardt, Rasch, Schölkopf, Smola, 2012)
    https://jmlr.org/papers/v13/gretton12a.html
    Energy statistics: a class of statistics based on distances (Székely, Rizzo, 2013)
    https://doi.org/10.1016/j.jspi.2013.03.018
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import Floats
from .bootstrap import REPLICATES, Estimate, counts
from .distances import blocks, distances

Kernel = Callable[[Floats, Floats], Floats]
"""(n, d) and (m, d) rows -> (n, m) values."""
_ROWS = 500  # that scales are chosen by


def minus_distance(a: Floats, b: Floats) -> Floats:
    """-|x - y|: the kernel of the energy distance."""
    return -distances(a, b)


def gaussian_kernel(scales: Sequence[float] | Floats) -> Kernel:
    """The mean of Gaussian kernels with these standard deviations."""

    def kernel(a: Floats, b: Floats) -> Floats:
        squared = np.square(distances(a, b))
        total = np.zeros_like(squared)
        for scale in scales:
            total += np.exp(squared / (-2 * scale**2))
        return total / len(scales)

    return kernel


def kernel_scales(real: Floats, n_scales: int = 5) -> Floats:
    """(s,) scales from the median distance of a row to its nearest up to that of any two rows, in
    equal ratios; of at most 500 of the (n, d) rows, evenly spread over their order."""
    rows = np.asarray(real, np.float64)[:: max(1, len(real) // _ROWS)][:_ROWS]
    between = distances(rows, rows)
    far = float(np.median(between[np.triu_indices(len(rows), 1)])) or 1.0
    between[between == 0] = np.inf  # each row itself, and ties
    near = between.min(axis=1)
    near = near[np.isfinite(near)]
    least = min(float(np.median(near)), far) if len(near) else far
    return np.geomspace(least, far, n_scales)


def kernel_scores(rows: Floats, drawn: Floats, kernel: Kernel) -> Floats:
    """(n,) s(x) of each of (n, d) rows, by (m, d) rows drawn from Q; lower is better."""
    rows, drawn = np.asarray(rows, np.float64), np.asarray(drawn, np.float64)
    within = float(_means_within(drawn, kernel).mean())
    return within / 2 - _means_to(rows, drawn, kernel)[0]


def energy_scores(rows: Floats, drawn: Floats) -> Floats:
    """(n,) energy score E|x - Y| - E|Y - Y'| / 2 of each of (n, d) rows, by (m, d) drawn ones."""
    return kernel_scores(rows, drawn, minus_distance)


def energy_distance(a: Floats, b: Floats) -> float:
    """Unbiased estimate of 2 E|X - Y| - E|X - X'| - E|Y - Y'|."""
    return SquaredDistance.of(a, b, minus_distance).value


@dataclass(frozen=True)
class SquaredDistance:
    """D of two sets of rows, in means over rows.

    Attributes:
        within_a: (n,) mean kernel of each row of a with the others of a.
        to_b: (n,) mean kernel of each row of a with those of b.
        within_b, to_a: (m,) the same of the rows of b.
    """

    within_a: Floats
    to_b: Floats
    within_b: Floats
    to_a: Floats

    @classmethod
    def of(cls, a: Floats, b: Floats, kernel: Kernel) -> SquaredDistance:
        """Of (n, d) and (m, d) rows, at least 2 of each."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        to_b, to_a = _means_to(a, b, kernel)
        return cls(_means_within(a, kernel), to_b, _means_within(b, kernel), to_a)

    @property
    def value(self) -> float:
        """D, unbiased."""
        return float(self.within_a.mean() + self.within_b.mean() - 2 * self.to_b.mean())

    @property
    def parts(self) -> Floats:
        """(n,) values of the rows of a whose mean is D, and whose scatter is that which other rows
        in the place of a's would give D, to first order."""
        parts = 2 * (self.within_a - self.to_b) - self.within_a.mean() + self.within_b.mean()
        return np.asarray(parts)

    @property
    def noise(self) -> float:
        """The standard error of D by the rows of b alone, to first order."""
        parts = 2 * (self.within_b - self.to_a)
        return float(parts.std(ddof=1) / np.sqrt(len(parts)))


def kernel_distance(
    a: Floats, b: Floats, kernel: Kernel, *, seed: int = 0, replicates: int = REPLICATES
) -> Estimate:
    """D with its bootstrap interval.

    With rows counted w_i and v_j times, a replicate is D with pairs counted w_i w_j; two counts of
    one row are no pair of different rows and are left out.

    Args:
        a, b: (n, d) and (m, d) rows, at least 2 of each.
        seed: of the rows drawn.
        replicates: how often rows are drawn.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    rng = np.random.default_rng([seed, 0xE6])
    # The first line counts each row once: the statistic itself.
    w, v = (np.vstack([np.ones(len(x)), counts(len(x), replicates, rng)]) for x in (a, b))
    cross = _weighted(a, b, w, v, kernel) / (w.sum(axis=1) * v.sum(axis=1))
    values = _weighted_within(a, w, kernel) + _weighted_within(b, v, kernel) - 2 * cross
    return Estimate.spread(float(values[0]), values[1:])


def _means_within(rows: Floats, kernel: Kernel) -> Floats:
    """(n,) mean kernel of each row with the others."""
    total = np.empty(len(rows))
    for part in blocks(len(rows), len(rows)):
        values = kernel(rows[part], rows)
        itself = values[np.arange(len(values)), np.arange(part.start, part.stop)]
        total[part] = values.sum(axis=1) - itself
    return total / (len(rows) - 1)


def _means_to(a: Floats, b: Floats, kernel: Kernel) -> tuple[Floats, Floats]:
    """(n,) and (m,) mean kernel of each row with those of the other set."""
    to_b, to_a = np.empty(len(a)), np.zeros(len(b))
    for part in blocks(len(a), len(b)):
        values = kernel(a[part], b)
        to_b[part] = values.mean(axis=1)
        to_a += values.sum(axis=0)
    return to_b, to_a / len(a)


def _weighted(a: Floats, b: Floats, w: Floats, v: Floats, kernel: Kernel) -> Floats:
    """(r,) sum_ij w_i v_j k(a_i, b_j) of each of r replicates."""
    total = np.zeros(len(w))
    for part in blocks(len(a), len(b)):
        total += ((w[:, part] @ kernel(a[part], b)) * v).sum(axis=1)
    return total


def _weighted_within(rows: Floats, w: Floats, kernel: Kernel) -> Floats:
    """(r,) mean of k over pairs of different rows, pairs counted w_i w_j times."""
    total = np.zeros(len(w))
    for part in blocks(len(rows), len(rows)):
        values = kernel(rows[part], rows)
        values[np.arange(len(values)), np.arange(part.start, part.stop)] = 0.0
        total += ((w[:, part] @ values) * w).sum(axis=1)
    return np.asarray(total / (np.square(w.sum(axis=1)) - np.square(w).sum(axis=1)))
