"""Fréchet distance of two Gaussians, and of the rows that they are fitted to.

    F = |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)

is the squared Wasserstein distance of N(m_a, A) and N(m_b, B). With roots A = R_a^T R_a the trace
of the last root is the sum of the singular values of R_a R_b^T, which are found without squaring
what is small.

Of n and m rows in the place of the Gaussians, F is biased upwards by about c_a / n + c_b / m, which
differs from model to model. F of rows in j parts, each a j-th of both sets, has j times that bias;
a line through j = 1, 2, ... reaches the unbiased F at 0. It may fall below 0 where the two are
alike. Measured on Gaussians of 8 to 64 dimensions, twice as many rows on: 3 to 5 % of the bias at
most is left, and the scatter is that of F itself.

The kernel distance with k(x, y) = (x y / d + 1)^3 compares the first three moments, is unbiased as
it is, and takes no distribution for Gaussian.

References:
    GANs trained by a two time-scale update rule converge to a local Nash equilibrium (Heusel,
    Ramsauer, Unterthiner, Nessler, Hochreiter, 2017) https://arxiv.org/abs/1706.08500
    Effectively unbiased FID and Inception score and where to find them (Chong, Forsyth, 2020)
    https://arxiv.org/abs/1911.07023
    Demystifying MMD GANs (Bińkowski, Sutherland, Arbel, Gretton, 2018)
    https://arxiv.org/abs/1801.01401
"""

from __future__ import annotations

import numpy as np

from .arrays import Floats
from .bootstrap import REPLICATES, Estimate, counts

_MOST_PARTS = 4


def polynomial_kernel(a: Floats, b: Floats) -> Floats:
    """(x y / d + 1)^3 of (n, d) and (m, d) rows: the kernel of the kernel distance (KID)."""
    linear = a @ b.T / a.shape[1] + 1
    return np.asarray(linear * linear * linear)


def frechet_gaussian(mean_a: Floats, cov_a: Floats, mean_b: Floats, cov_b: Floats) -> float:
    """F of two Gaussians with means (d,) and covariances (d, d), which may be singular."""
    between = np.linalg.svd(_root(cov_a) @ _root(cov_b).T, compute_uv=False)
    shift = float(np.square(np.subtract(mean_a, mean_b)).sum())
    return shift + float(np.trace(cov_a) + np.trace(cov_b) - 2 * between.sum())


def frechet_distance(
    a: Floats, b: Floats, *, seed: int = 0, replicates: int = REPLICATES
) -> Estimate:
    """F of (n, d) and (m, d) rows, corrected for bias, with a bootstrap interval.

    The correction holds from about 2 d rows of each on.

    Args:
        a, b: the rows, at least 4 of each.
        seed: of the rows drawn for the interval.
        replicates: how often rows are drawn.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    rng = np.random.default_rng([seed, 0xF1])
    weights = (counts(len(x), replicates, rng) for x in (a, b))
    drawn = [_of_rows(a, b, w, v) for w, v in zip(*weights, strict=True)]
    return Estimate.spread(corrected_frechet(a, b), np.array(drawn))


def corrected_frechet(a: Floats, b: Floats) -> float:
    """F of (n, d) and (m, d) rows, in whatever order, corrected for bias."""
    rng = np.random.default_rng(0xF2)
    a, b = (x[rng.permutation(len(x))] for x in (a, b))  # parts of sorted rows are too alike
    least = min(len(a), len(b))
    parts = np.arange(1, int(np.clip(least // a.shape[1], 2, _MOST_PARTS)) + 1)
    means = [np.mean([_of_rows(a[i::j], b[i::j]) for i in range(j)]) for j in parts.tolist()]
    return float(np.polynomial.polynomial.polyfit(parts, means, 1)[0])


def _of_rows(a: Floats, b: Floats, w: Floats | None = None, v: Floats | None = None) -> float:
    """F of the Gaussians fitted to rows, counted w and v times."""
    return frechet_gaussian(*_moments(a, w), *_moments(b, v))


def _moments(rows: Floats, w: Floats | None) -> tuple[Floats, Floats]:
    """Mean (d,) and unbiased covariance (d, d) of rows counted w times."""
    if w is None:
        w = np.ones(len(rows))
    mean = w @ rows / w.sum()
    centred = (rows - mean) * np.sqrt(w)[:, None]
    return mean, np.asarray(centred.T @ centred / (w.sum() - 1))


def _root(covariance: Floats) -> Floats:
    """R (d, d) with R^T R = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)
