"""The parameters of a factor model, or of the mean over S draws of them, and what follows exactly.

With z in R^k and weights pi_s of the draws (S = 1 for a fit by maximum likelihood),

    z ~ N(0, I),    x | z, s ~ N(mu_s + W_s z, diag(psi_s)),
    p(x) = sum_s pi_s N(x; mu_s, Sigma_s),    Sigma = W W' + diag(psi).

For the observed entries o of a row, with A = psi_o^-1/2 W_o and u = psi_o^-1/2 (x_o - mu_o),

    M = I + A'A,    m = M^-1 A'u,    z | x_o ~ N(m, M^-1),
    -2 log N(x_o; mu_o, Sigma_oo) = |u - A m|^2 + |m|^2 + log |M| + sum_o log(2 pi psi),

which costs k^3 a pattern of gaps and d k^2 a row, has no units, and a distance that cannot come out
negative. Given x_o the others are a factor model again: mean mu + W m, loadings W M^-1/2.

Reference: Rubin and Thayer, "EM algorithms for ML factor analysis", 1982,
https://doi.org/10.1007/BF02293851.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ...arrays import Floats, Ints

_CELLS = 1 << 22  # numbers in the largest temporary


@dataclass(frozen=True)
class Factors:
    """S sets of parameters over d columns and k factors.

    Attributes:
        weights: (S,) pi, summing to one.
        means: (S, d) mu.
        loadings: (S, d, k) W.
        noise: (S, d) psi, variances.
    """

    weights: Floats
    means: Floats
    loadings: Floats
    noise: Floats

    @property
    def n_components(self) -> int:
        return int(self.loadings.shape[2])

    def scaled(self, centre: Floats, spread: Floats) -> Factors:
        """The model of centre + spread x."""
        means = centre + spread * self.means
        return Factors(
            self.weights, means, spread[:, None] * self.loadings, np.square(spread) * self.noise
        )

    def covariances(self) -> Floats:
        """(S, d, d)."""
        d = self.means.shape[1]
        common = self.loadings @ np.swapaxes(self.loadings, 1, 2)
        return np.asarray(common + self.noise[:, :, None] * np.eye(d))

    def mean(self) -> Factors:
        """The one set of parameters at the means over the draws."""
        parts = (self.means, self.loadings, self.noise)
        return Factors(np.ones(1), *(np.tensordot(self.weights, a, 1)[None] for a in parts))

    def alone(self, s: int) -> Factors:
        """One of the sets of parameters."""
        parts = (self.means, self.loadings, self.noise)
        return Factors(np.ones(1), *(a[s : s + 1] for a in parts))

    def columns(self, columns: Ints) -> Factors:
        """p(some columns)."""
        return Factors(
            self.weights, self.means[:, columns], self.loadings[:, columns], self.noise[:, columns]
        )

    def given(self, row: Floats) -> Factors:
        """p(the gaps of a row (d,) | the rest of it)."""
        free = np.flatnonzero(np.isnan(row))
        found = self.columns(free)
        logs, means, roots = [], [], []
        for s in range(len(self.weights)):
            seen = posterior(self, row[None], s)
            logs.append(seen.log_density[0])
            means.append(found.means[s] + found.loadings[s] @ seen.mean[0])
            roots.append(found.loadings[s] @ seen.roots()[0])
        weights = shares(self.weights, np.array(logs)[None])[0]
        return Factors(weights, np.array(means), np.array(roots), found.noise)


@dataclass(frozen=True)
class Posterior:
    """What rows say of their factors under one set of parameters.

    Attributes:
        log_density: (n,) of the observed entries.
        distance: (n,) squared distances of these from the mean, in standard deviations.
        mean: (n, k) E[z | x_o].
        pattern: (n,) which pattern of gaps a row has.
        covariance: (p, k, k) Cov[z | x_o] of each pattern.
    """

    log_density: Floats
    distance: Floats
    mean: Floats
    pattern: Ints
    covariance: Floats

    def roots(self) -> Floats:
        """(p, k, k) R with R R' = Cov[z | x_o]."""
        return np.asarray(np.linalg.cholesky(self.covariance))


@dataclass(frozen=True)
class Patterns:
    """Which entries rows have: `observed` (p, d), and the number (n,) of each row's pattern."""

    observed: NDArray[np.bool_]
    number: Ints

    @classmethod
    def of(cls, x: Floats) -> Patterns:
        there = ~np.isnan(x)
        if there.all():
            return cls(np.ones((1, x.shape[1]), bool), np.zeros(len(x), np.intp))
        packed = np.packbits(there, axis=1)
        _, first, number = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        return cls(there[first], number.reshape(-1))

    def take(self, rows: slice) -> Patterns:
        used, number = np.unique(self.number[rows], return_inverse=True)
        return Patterns(self.observed[used], number.reshape(-1))


def posterior(
    factors: Factors, x: Floats, draw: int = 0, patterns: Patterns | None = None
) -> Posterior:
    """What rows x (n, d), NaN in gaps, say of their factors under one draw of the parameters."""
    patterns = Patterns.of(x) if patterns is None else patterns
    root = np.sqrt(factors.noise[draw])
    A, k = factors.loadings[draw] / root[:, None], factors.n_components
    there = patterns.observed.astype(np.float64)
    products = (A[:, :, None] * A[:, None, :]).reshape(len(A), k * k)
    M = np.eye(k) + (there @ products).reshape(len(there), k, k)
    covariance = np.linalg.inv(M)
    u = (x - factors.means[draw]) / root
    whole = bool(patterns.observed.all())
    if not whole:
        u[np.isnan(u)] = 0.0
    b = u @ A
    if len(M) == 1:
        mean = b @ covariance[0]
    else:
        mean = np.einsum("nkl,nl->nk", covariance[patterns.number], b)
    rest = u - mean @ A.T
    if not whole:
        rest *= patterns.observed[patterns.number]
    distance = np.einsum("nd,nd->n", rest, rest) + np.einsum("nk,nk->n", mean, mean)
    size = np.linalg.slogdet(M)[1] + there @ np.log(2 * np.pi * factors.noise[draw])
    log_density = -0.5 * (distance + size[patterns.number])
    return Posterior(log_density, distance, mean, patterns.number, covariance)


def blocks(n: int, d: int, k: int) -> list[slice]:
    """Slices of n rows, none of which needs much memory."""
    size = max(256, _CELLS // max(1, d + k * k))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def components(factors: Factors, x: Floats) -> Floats:
    """(n, S) log density of the observed entries under each draw."""
    x = np.asarray(x, dtype=np.float64)
    out = np.empty((len(x), len(factors.weights)))
    for rows in blocks(len(x), x.shape[1], factors.n_components):
        patterns = Patterns.of(x[rows])
        for s in range(out.shape[1]):
            out[rows, s] = posterior(factors, x[rows], s, patterns).log_density
    return out


def log_density(factors: Factors, logs: Floats) -> Floats:
    """(n,) log densities, of `components`."""
    if logs.shape[1] == 1:
        return logs[:, 0]
    return np.asarray(logsumexp(logs, axis=1, b=factors.weights))


def shares(weights: Floats, logs: Floats) -> Floats:
    """(n, S) probability of each draw given a row, from `components`; that before where a row's
    density is zero."""
    top = logs.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        joint = weights * np.where(np.isfinite(top), np.exp(logs - top), 1.0)
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def impute(factors: Factors, x: Floats, rng: np.random.Generator | None) -> Floats:
    """Rows with gaps filled: by conditional means, or by draws from `rng`."""
    x = np.array(x, dtype=np.float64)
    n, S, k = len(x), len(factors.weights), factors.n_components
    of_draws = shares(factors.weights, components(factors, x)) if S > 1 else np.ones((n, 1))
    edges = of_draws.cumsum(axis=1)
    chosen = None
    if rng is not None:
        chosen = (rng.random(n)[:, None] * edges[:, -1:] >= edges).sum(axis=1).clip(max=S - 1)
    values = np.zeros_like(x)
    for s in range(S):
        rows = np.arange(n) if chosen is None else np.flatnonzero(chosen == s)
        if not len(rows):
            continue
        seen = posterior(factors, x[rows], s)
        z = seen.mean
        if rng is not None:
            noise = rng.standard_normal((len(rows), k))
            z = z + np.einsum("nkl,nl->nk", seen.roots()[seen.pattern], noise)
        expected = factors.means[s] + z @ factors.loadings[s].T
        if rng is None:
            values += of_draws[:, s : s + 1] * expected
        else:
            noise = rng.standard_normal((len(rows), x.shape[1]))
            values[rows] = expected + np.sqrt(factors.noise[s]) * noise
    return np.where(np.isnan(x), values, x)


def sample(
    factors: Factors, n: int, rng: np.random.Generator, given: Floats | None = None
) -> Floats:
    """(n, d) rows; `given` is one row, NaN in what is to be drawn."""
    d = factors.means.shape[1]
    row = np.full(d, np.nan) if given is None else given
    return impute(factors, np.tile(row, (n, 1)), rng)
