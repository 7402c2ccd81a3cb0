"""Factor models of rows without gaps, from their covariance S (d, d) alone.

Isotropic noise (probabilistic PCA): with eigenvalues l_1 >= l_2 >= ... of S and eigenvectors U,

    sigma^2 = mean of l_k+1, ..., l_d,        W = U_k (L_k - sigma^2 I)^1/2.

A noise for each column: given psi, with eigenvalues t and eigenvectors V of psi^-1/2 S psi^-1/2,

    W = psi^1/2 V_k (T_k - I)^1/2,

eigenvalues below 1 left out, so that of the parameters only log psi remains. Minus twice the mean
log density a row is then

    f(log psi) = d log 2 pi + sum_j log psi_j + sum_{i <= k} (log t_i + 1) + sum_{i > k} t_i,
    df / d log psi_j = (W W' + diag(psi) - S)_jj / psi_j,

which L-BFGS-B minimises with a lower bound on psi: there lie the Heywood cases, where the factors
determine a column.

References: Tipping and Bishop, "Probabilistic principal component analysis", 1999,
https://doi.org/10.1111/1467-9868.00196; Joreskog, "Some contributions to maximum likelihood factor
analysis", 1967, https://doi.org/10.1007/BF02289658; Lawley and Maxwell, "Factor analysis as a
statistical method", 1971.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize

from ...arrays import Floats
from ...fitting import Fit

_GRADIENT = 1e-9  # of f by log psi, below which psi is found


class Solution(NamedTuple):
    """Loadings W (d, k), noise psi (d,), iterations, and whether they ended by themselves."""

    loadings: Floats
    noise: Floats
    n_iter: int = 1
    converged: bool = True


def isotropic(S: Floats, k: int, floor: float) -> Solution:
    """Probabilistic PCA of a covariance; `floor` is the least noise."""
    values, vectors = np.linalg.eigh(S)
    values, vectors = values[::-1], vectors[:, ::-1]
    # With as many factors as columns, any noise below the last eigenvalue gives the same density.
    noise = values[k:].mean() if k < len(S) else values[-1] / 2
    noise = max(float(noise), floor)
    loadings = vectors[:, :k] * np.sqrt(np.maximum(values[:k] - noise, 0.0))
    return Solution(loadings, np.full(len(S), noise))


def diagonal(S: Floats, k: int, floor: float, max_iter: int, fit: Fit) -> Solution:
    """Factor analysis of correlations S, as far as there is time; `floor` is the least noise."""
    if k == 0:
        return Solution(np.zeros((len(S), 0)), np.maximum(np.diagonal(S), floor))
    # At the best, no noise is more than its column's variance; a first step may go far beyond.
    bounds = [(np.log(floor), np.log(1e10 * most)) for most in np.maximum(np.diagonal(S), floor)]
    seen, found = _Seen(S, k, fit), list[Any]()
    with fit.heeding():
        for start in _starts(S, k):
            found.append(
                minimize(
                    seen.objective, np.log(np.clip(start, max(floor, 1e-3), 1.0)), jac=True,
                    method="L-BFGS-B", bounds=bounds, callback=seen.iterated,
                    options={"maxiter": max_iter, "maxfun": 4 * max_iter, "maxcor": 20,
                             "ftol": 1e-15, "gtol": _GRADIENT},
                )
            )  # fmt: skip
            if seen.ended:
                break
    if not (found or seen.n_iter):
        raise KeyboardInterrupt
    if fit.interrupted or seen.ended:
        x, n_iter, converged = seen.log_psi, seen.n_iter, False
    else:
        best = min(found, key=lambda each: float(each.fun))
        x, n_iter, converged = best.x, int(best.nit), bool(best.status != 1)
    psi = np.exp(x)
    return Solution(_loadings(S, psi, k), psi, n_iter, converged)


@dataclass
class _Seen:
    """What a descent has come by.

    Attributes:
        least, log_psi: the least f, and where.
        n_iter: iterations.
        ended: whether time ended it.
    """

    S: Floats
    k: int
    fit: Fit
    least: float = np.inf
    log_psi: Floats = field(default_factory=lambda: np.empty(0))
    n_iter: int = 0
    ended: bool = False

    def objective(self, log_psi: Floats) -> tuple[float, Floats]:
        f, gradient = _objective(log_psi, self.S, self.k)
        if f < self.least:
            self.least, self.log_psi = f, log_psi.copy()
        return f, gradient

    def iterated(self, log_psi: Floats) -> None:
        self.n_iter += 1
        self.ended = self.fit.deadline() == 0.0
        if self.ended:
            raise StopIteration


def _starts(S: Floats, k: int) -> list[Floats]:
    """What probabilistic PCA leaves of each column, and a share of its partial variance."""
    d = len(S)
    left = np.diagonal(S) - np.square(isotropic(S, min(k, d - 1), 0.0).loadings).sum(axis=1)
    partial = (1 - 0.5 * k / d) / np.diagonal(np.linalg.inv(S + 1e-6 * np.eye(d)))
    return [left, partial]


def _leading(S: Floats, psi: Floats, k: int) -> tuple[Floats, Floats]:
    """The k largest eigenvalues and eigenvectors of psi^-1/2 S psi^-1/2."""
    root, d = np.sqrt(psi), len(S)
    return eigh(S / root[:, None] / root, subset_by_index=[d - k, d - 1])  # type: ignore[no-any-return]


def _objective(log_psi: Floats, S: Floats, k: int) -> tuple[float, Floats]:
    """f and its gradient."""
    psi = np.exp(log_psi)
    t, V = _leading(S, psi, k)
    t = np.maximum(t, 1.0)
    inside = np.diagonal(S) / psi
    f = log_psi.sum() + inside.sum() + (np.log(t) + 1 - t).sum()
    gradient = np.square(V) @ (t - 1) + 1 - inside
    return float(f), gradient


def _loadings(S: Floats, psi: Floats, k: int) -> Floats:
    """W (d, k) at its best given psi, the most telling factor first."""
    t, V = _leading(S, psi, k)
    W = np.sqrt(psi)[:, None] * V * np.sqrt(np.maximum(t - 1, 0.0))
    return np.asarray(W[:, ::-1])


def mean_log_density(S: Floats, loadings: Floats, noise: Floats) -> float:
    """Mean log density of rows with the mean 0 and the covariance S."""
    root = np.sqrt(noise)
    A, scaled = loadings / root[:, None], S / root[:, None] / root
    M = np.eye(A.shape[1]) + A.T @ A
    inside = np.trace(scaled) - np.trace(np.linalg.solve(M, A.T @ scaled @ A))
    size = np.log(2 * np.pi * noise).sum() + np.linalg.slogdet(M)[1]
    return float(-0.5 * (inside + size))
