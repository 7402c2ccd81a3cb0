"""A weighted sum of Gaussian kernels of one common shape.

    p(x) = sum_i w_i N(x; x_i, h^2 S),        S = L L^T the covariance of the x_i,

with the bandwidth h that maximises the leave-one-out log-likelihood sum_i w_i log p_{-i}(x_i) (van
der Laan, Dudoit and Keles, "Asymptotic optimality of likelihood-based cross-validation", 2004,
https://doi.org/10.2202/1544-6115.1036), searched over multiples of Scott's rule h = n^(-1/(d+4)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

Floats = NDArray[np.float64]

_BLOCK_CELLS = 1 << 22  # distances held at a time
_MOST_FOR_BANDWIDTH = 2000
_MULTIPLES = np.geomspace(0.02, 2.5, 30)


@dataclass(frozen=True)
class KernelSum:
    """Kernel centres in whitened coordinates.

    Attributes:
        centres: (m, d) y_i = L^-1 (x_i - mean).
        log_weights: (m,), summing to one.
        mean: (d,).
        factor: (d, d) lower-triangular L.
        bandwidth: h.
    """

    centres: Floats
    log_weights: Floats
    mean: Floats
    factor: Floats
    bandwidth: float

    @classmethod
    def fit(
        cls, x: Floats, weights: Floats | None, rng: np.random.Generator, most: int
    ) -> KernelSum:
        """Kernels on the rows of x (n, d), thinned to `most` of them."""
        weights = np.ones(len(x)) if weights is None else weights
        x, weights = x[weights > 0], weights[weights > 0]
        mean = np.average(x, axis=0, weights=weights)
        factor = _factor(x - mean, weights)
        if len(x) > most:
            kept = rng.choice(len(x), most, replace=False)
            x, weights = x[kept], weights[kept]
        centres = solve_triangular(factor, (x - mean).T, lower=True).T
        log_weights = np.log(weights) - np.log(weights.sum())
        bandwidth = _leave_one_out_bandwidth(centres, weights, rng)
        return cls(centres, log_weights, mean, factor, bandwidth)

    def log_prob(self, x: Floats) -> Floats:
        """(n,) log densities of the rows of x (n, d)."""
        n, d = x.shape
        y = solve_triangular(self.factor, (x - self.mean).T, lower=True).T
        constant = (
            d * (np.log(self.bandwidth) + 0.5 * np.log(2 * np.pi))
            + np.log(np.diag(self.factor)).sum()
        )
        out = np.empty(n)
        step = max(1, _BLOCK_CELLS // len(self.centres))
        for start in range(0, n, step):
            rows = slice(start, start + step)
            out[rows] = logsumexp(
                self.log_weights
                - 0.5 * _squared_distances(y[rows], self.centres) / self.bandwidth**2,
                axis=1,
            )
        return np.asarray(out - constant)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """(n, d) draws."""
        shares = np.exp(self.log_weights)
        chosen = rng.choice(len(shares), size=n, p=shares / shares.sum())
        noise = rng.standard_normal((n, self.centres.shape[1]))
        return self.mean + (self.centres[chosen] + self.bandwidth * noise) @ self.factor.T

    def arrays(self) -> dict[str, Floats]:
        return {
            "centres": self.centres,
            "log_weights": self.log_weights,
            "mean": self.mean,
            "factor": self.factor,
            "bandwidth": np.array([self.bandwidth]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats]) -> KernelSum:
        bandwidth = float(arrays["bandwidth"][0])
        return cls(
            arrays["centres"], arrays["log_weights"], arrays["mean"], arrays["factor"], bandwidth
        )


def _squared_distances(a: Floats, b: Floats) -> Floats:
    cross = a @ b.T
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * cross
    return np.asarray(np.maximum(squared, 0.0))


def _factor(centred: Floats, weights: Floats) -> Floats:
    """Cholesky factor of the covariance, with a ridge where columns depend on each other."""
    covariance = (centred * weights[:, None]).T @ centred / weights.sum()
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0, scale, 1.0)
    correlation = covariance / np.outer(scale, scale)
    d = len(scale)
    shrunk = correlation * (1 - 1e-4) + 1e-4 * np.eye(d)
    factor: Floats = scale[:, None] * np.linalg.cholesky(shrunk)
    return factor


def _leave_one_out_bandwidth(centres: Floats, weights: Floats, rng: np.random.Generator) -> float:
    n, d = centres.shape
    scott = float(n ** (-1.0 / (d + 4)))
    if n < 3:
        return scott
    # The best h falls as n^(-1/(d+4)), so a thinned search is scaled back to all rows.
    m = min(n, _MOST_FOR_BANDWIDTH)
    kept = rng.choice(n, m, replace=False) if m < n else np.arange(n)
    squared = _squared_distances(centres[kept], centres[kept])
    np.fill_diagonal(squared, np.inf)
    shares = weights[kept] / weights[kept].sum()
    log_others = np.log(shares)[None, :] - np.log1p(-np.minimum(shares, 1 - 1e-12))[:, None]
    candidates = _MULTIPLES * m ** (-1.0 / (d + 4))
    scores = []
    for h in candidates:
        log_prob = logsumexp(log_others - 0.5 * squared / h**2, axis=1) - d * np.log(h)
        scores.append(float(shares @ log_prob))
    best = float(candidates[int(np.argmax(scores))])
    return best * float((m / n) ** (1.0 / (d + 4)))
