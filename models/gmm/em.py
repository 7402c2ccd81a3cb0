"""EM for a mixture over Gaussian and categorical columns.

E step: responsibilities r_nk and the sums of `kernel` (rows without gaps) or `missing` (rows with
    gaps). M step, with N_k = sum v r:

    w_k = N_k / sum N,     mu_k = sum v r x / N_k,     S_k = sum v r x x^T / N_k - mu_k mu_k^T,
    Sigma_k = S_k where it is regular, P_j[k, l] = (n_jkl + a / L_j) / (sum_l n_jkl + a),

with a the weight of a uniform prior on each table. What keeps a covariance from being singular
binds only where one is: correlations are multiplied by 1 - reg^2 (columns that differ by a
thousandth of their spread are no singular ones), and a variance is at least `floor`, a share reg of
the square of the narrowest interval that holds a hundredth of a column's values.
Neither depends on how far apart components are, nor on one value far out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...covariance import correlations
from ...inference.em import Iteration, em
from .kernel import Moments
from .parameters import Floats, Mixture
from .weighted_rows import WeightedRows

_LEAST = 1e-10  # eigenvalue of correlations


@dataclass(frozen=True)
class Regularisation:
    """What keeps estimates off the edge.

    Attributes:
        reg: each correlation is multiplied by 1 less this.
        floor: (d,) smallest variances.
        table: pseudo-rows a component in each table.
    """

    reg: float
    floor: Floats
    table: float

    @classmethod
    def of(cls, rows: WeightedRows, reg: float, table: float) -> Regularisation:
        """The prior of rows, with the resolution of each column as the least that a spread is."""
        share = max(min(reg, 1.0) ** 2, _LEAST) if reg else 0.0
        return cls(share, reg * np.square(rows.closest) + np.square(rows.rounding), table)


def steps(
    rows: WeightedRows,
    start: Mixture,
    prior: Regularisation,
    *,
    max_iter: int,
    tol: float,
    deadline: Callable[[], float | None] = lambda: None,
) -> Iterator[Iteration[Mixture]]:
    """EM from `start`; the objective is the mean log density a row."""
    start = _regular_start(start, prior)
    sums = rows.moments(start.covariance_type, start.n_components)
    pooled = _pooled(rows) if start.covariance_type == "tied" and not rows.gaps else None

    def step(mixture: Mixture) -> tuple[Mixture, float]:
        found = sums(mixture)
        return maximise(found, rows.centre, mixture, prior, pooled), float(
            found.log_likelihood
        ) / rows.total

    return em(step, start, max_iter=max_iter, tol=tol, deadline=deadline)


def maximise(
    found: Moments, shift: Floats, old: Mixture, prior: Regularisation, pooled: Floats | None = None
) -> Mixture:
    """The M step. A component without rows keeps its place, with the covariance it had."""
    n = np.asarray(found.n, dtype=np.float64)
    k, d = old.means.shape
    empty = n <= 1e-10 * n.sum()
    safe = np.where(empty, 1.0, n)
    delta = np.where(empty[:, None], old.means - shift, found.first / safe[:, None])
    kind = old.covariance_type
    if kind == "tied":
        second = pooled if pooled is not None else found.second.sum(axis=0)
        covariances = (second - np.einsum("k,ki,kj->ij", n, delta, delta)) / n.sum()
        covariances = _regular(covariances[None], prior)[0]
    elif kind == "full":
        covariances = found.second / safe[:, None, None] - delta[:, :, None] * delta[:, None, :]
        covariances = _regular(covariances, prior)
        covariances[empty] = old.covariances[empty]
    else:
        square = (
            found.second if found.second.ndim == 2 else np.diagonal(found.second, axis1=1, axis2=2)
        )
        variances = np.maximum(square / safe[:, None] - delta**2, prior.floor)
        covariances = variances if kind == "diag" else variances.mean(axis=1) if d else np.ones(k)
        covariances = np.where(
            empty.reshape(-1, *[1] * (covariances.ndim - 1)), old.covariances, covariances
        )
    probs = []
    for counts in found.counts:
        known = np.asarray(counts, dtype=np.float64)[:, :-2]
        levels = known.shape[1]
        probs.append(
            (known + prior.table / levels) / (known.sum(axis=1, keepdims=True) + prior.table)
        )
    weights = np.maximum(n, 1e-300)
    return Mixture(weights / weights.sum(), shift + delta, covariances, kind, tuple(probs))


def _regular(covariances: Floats, prior: Regularisation) -> Floats:
    """Covariances (k, d, d) with variances of `floor` or more and correlations below 1."""
    d = covariances.shape[-1]
    variances = np.maximum(np.diagonal(covariances, axis1=1, axis2=2), prior.floor)
    shrunk = (1 - prior.reg) / 2 * (covariances + np.swapaxes(covariances, -1, -2))
    shrunk[:, np.arange(d), np.arange(d)] = variances
    unitless, spread = correlations(shrunk)
    try:
        np.linalg.cholesky(unitless)
        return shrunk
    except np.linalg.LinAlgError:  # what rounding has left of the sums is not positive definite
        values, vectors = np.linalg.eigh(unitless)
        values = np.maximum(values, max(prior.reg, _LEAST))
        raised = (vectors * values[:, None, :]) @ np.swapaxes(vectors, -1, -2)
        return np.asarray(raised * spread[:, :, None] * spread[:, None, :])


def _regular_start(start: Mixture, prior: Regularisation) -> Mixture:
    """A start whose covariances are as the M step would leave them: those of components merged or
    split need not be."""
    if start.covariance_type == "full":
        return replace(start, covariances=_regular(start.covariances, prior))
    if start.covariance_type == "tied":
        return replace(start, covariances=_regular(start.covariances[None], prior)[0])
    return start


def _pooled(rows: WeightedRows) -> Floats:
    """(d, d) sum of v x x^T about the centre: what a shared covariance needs, the same in every
    iteration."""
    d = rows.x.shape[1]
    total = np.zeros((d, d))
    for start in range(0, len(rows), 1 << 16):
        block = rows.x[start : start + (1 << 16)] - rows.centre
        total += (block * rows.v[start : start + (1 << 16), None]).T @ block
    return total
