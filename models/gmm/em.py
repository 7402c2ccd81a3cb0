"""EM for a mixture over Gaussian and categorical columns.

E step: responsibilities r_nk and the sums of `kernel` (rows without gaps) or `missing` (rows with
gaps). M step, with N_k = sum v r:

    w_k = N_k / sum N,     mu_k = sum v r x / N_k,     S_k = sum v r x x^T / N_k - mu_k mu_k^T,
    Sigma_k = S_k where it is regular, P_j[k, l] = (n_jkl + a / L_j) / (sum_l n_jkl + a),

with a the weight of a uniform prior on each table. Of Student's t, mu_k and S_k are those with r u
in place of r, of the u of `radial`, which gives the degrees of freedom too. The regularisation
changes a covariance only where it is singular: correlations are multiplied by 1 - reg^2 (columns
that differ by a thousandth of their spread do not count as singular), and a variance is at least
`floor`, a share reg of the square of the narrowest interval that holds a hundredth of a column's
values. Neither depends on how far apart components are, nor on one value far out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...covariance import correlations
from ...inference.em import Iteration, em
from .kernel import Moments
from .parameters import Floats, Mixture
from .radial import better_dof
from .weighted_rows import WeightedRows

_LEAST = 1e-10  # eigenvalue of correlations


@dataclass(frozen=True)
class Regularisation:
    """What keeps estimates off the edge.

    Attributes:
        shrinkage: each correlation is multiplied by 1 less this.
        floor: (d,) smallest variances.
        pseudo_rows: of a component in each table.
    """

    shrinkage: float
    floor: Floats
    pseudo_rows: float

    @classmethod
    def of(cls, rows: WeightedRows, reg_covar: float, pseudo_rows: float) -> Self:
        """That of rows: the resolution of each column is the least that a spread is."""
        shrinkage = max(min(reg_covar, 1.0) ** 2, _LEAST) if reg_covar else 0.0
        floor = reg_covar * np.square(rows.closest) + np.square(rows.rounding)
        return cls(shrinkage, floor, pseudo_rows)

    def regular(self, covariances: Floats) -> Floats:
        """Covariances (..., d, d) with variances of `floor` or more and correlations below 1."""
        variances = np.maximum(np.diagonal(covariances, axis1=-2, axis2=-1), self.floor)
        shrunk = (1 - self.shrinkage) / 2 * (covariances + np.swapaxes(covariances, -1, -2))
        diagonal = np.arange(covariances.shape[-1])
        shrunk[..., diagonal, diagonal] = variances
        unitless, spread = correlations(shrunk)
        try:
            np.linalg.cholesky(unitless)
            return shrunk
        except np.linalg.LinAlgError:  # what rounding left of the sums is not positive definite
            values, vectors = np.linalg.eigh(unitless)
            values = np.maximum(values, max(self.shrinkage, _LEAST))
            raised = (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
            return np.asarray(raised * spread[..., :, None] * spread[..., None, :])


def steps(
    rows: WeightedRows,
    start: Mixture,
    regularisation: Regularisation,
    *,
    max_iter: int,
    tol: float,
    deadline: Callable[[], float | None] = lambda: None,
) -> Iterator[Iteration[Mixture]]:
    """EM from `start`; the objective is the mean log density a row."""
    kind = start.covariance_type
    if kind in ("full", "tied"):  # of components merged or split they need not be regular
        start = replace(start, covariances=regularisation.regular(start.covariances))
    moments = rows.moments(kind, start.n_components)
    constant = kind == "tied" and not rows.gaps and start.dof is None
    pooled = _pooled(rows) if constant else None

    def step(mixture: Mixture) -> tuple[Mixture, float]:
        sums = moments(mixture)
        better = maximise(sums, rows.centre, mixture, regularisation, pooled)
        return better, float(sums.log_likelihood) / rows.total

    return em(step, start, max_iter=max_iter, tol=tol, deadline=deadline)


def maximise(
    sums: Moments,
    shift: Floats,
    old: Mixture,
    regularisation: Regularisation,
    pooled: Floats | None = None,
) -> Mixture:
    """The M step. A component without rows keeps its place, with the covariance it had."""
    n = np.asarray(sums.n, dtype=np.float64)
    k, d = old.means.shape
    empty = n <= 1e-10 * n.sum()
    pull = n if sums.pull is None else np.asarray(sums.pull, dtype=np.float64)
    safe_pull = np.where(empty, 1.0, pull)
    delta = np.where(empty[:, None], old.means - shift, sums.first / safe_pull[:, None])
    kind = old.covariance_type
    if kind == "tied":
        second = pooled if pooled is not None else sums.second.sum(axis=0)
        covariances = (second - np.einsum("k,ki,kj->ij", pull, delta, delta)) / n.sum()
        covariances = regularisation.regular(covariances)
    elif kind == "full":
        covariances = sums.second / safe_pull[:, None, None]
        covariances -= delta[:, :, None] * delta[:, None, :]
        covariances = regularisation.regular(covariances)
    else:
        whole = sums.second.ndim == 3  # of rows with gaps
        square = np.diagonal(sums.second, axis1=1, axis2=2) if whole else sums.second
        covariances = np.maximum(square / safe_pull[:, None] - delta**2, regularisation.floor)
        if kind == "spherical":
            covariances = covariances.mean(axis=1) if d else np.ones(k)
    if kind != "tied":
        covariances[empty] = old.covariances[empty]
    a, probs = regularisation.pseudo_rows, []
    for counts in sums.counts:
        n_jkl = np.asarray(counts, dtype=np.float64)[:, :-2]
        levels = n_jkl.shape[1]
        probs.append((n_jkl + a / levels) / (n_jkl.sum(axis=1, keepdims=True) + a))
    weights = np.maximum(n, 1e-300)
    dof = None if old.dof is None else better_dof(n, np.asarray(sums.tail), old.dof)
    means = shift + delta
    return Mixture(weights / weights.sum(), means, covariances, kind, tuple(probs), dof)


def _pooled(rows: WeightedRows) -> Floats:
    """(d, d) sum of v x x^T about the centre, for a shared covariance: the same at every step."""
    d = rows.x.shape[1]
    total = np.zeros((d, d))
    for start in range(0, len(rows), 1 << 16):
        block = rows.x[start : start + (1 << 16)] - rows.centre
        total += (block * rows.v[start : start + (1 << 16), None]).T @ block
    return total
