"""EM for a mixture over Gaussian and categorical columns.

E step: responsibilities r_nk and the sums of `kernel` (rows without gaps) or `missing` (rows with
    gaps). M step, with N_k = sum v r:

    w_k = N_k / sum N,     mu_k = sum v r x / N_k,     Sigma_k = sum v r x x^T / N_k - mu_k mu_k^T +
    reg, P_j[k, l] = (n_jkl + a / L_j) / (sum_l n_jkl + a),

with `reg` a share of each column's variance, which bounds the likelihood, and a the weight of a
uniform prior on each table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...inference.em import Iteration, em
from . import kernel, missing
from .kernel import Moments, Pass
from .parameters import CovarianceType, Floats, Mixture

_FLOAT32_ERROR = 1e-3  # relative error of a variance from which single precision is left


@dataclass(frozen=True)
class Prior:
    """What keeps estimates off the edge: `reg` (d,) added to variances, `table` pseudo-rows a
    component in each table."""

    reg: Floats
    table: float


class Rows:
    """Weighted rows, ready for EM.

    Args:
        x: (n, d) with NaN in gaps.
        codes: (n, c) with -1 in gaps and -2 for unknown levels.
        n_levels: levels of each categorical column.
        weights: (n,) or None.
    """

    def __init__(
        self,
        x: NDArray[Any],
        codes: NDArray[np.int32],
        n_levels: tuple[int, ...],
        weights: Floats | None,
    ) -> None:
        self.x = x
        self.codes = codes
        self.columns = table_columns(codes, n_levels)
        self.n_levels = n_levels
        self.weights = weights
        self.total = float(len(x)) if weights is None else float(weights.sum())
        self.mean, self.variance, self.gaps = _summary(x, weights)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def spread(self) -> Floats:
        """(d,) standard deviations of the columns; 1 where there is none."""
        return np.sqrt(np.where(self.variance > 0, self.variance, 1.0))

    @property
    def v(self) -> Floats:
        return np.ones(len(self.x)) if self.weights is None else self.weights

    def take(self, rows: NDArray[np.intp]) -> Rows:
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.x[rows], self.codes[rows], self.n_levels, weights)

    def thinned(self, most: int, rng: np.random.Generator) -> Rows:
        """At most `most` of the rows, at random."""
        if len(self) <= most:
            return self
        return self.take(np.sort(rng.choice(len(self), most, replace=False)))

    def filled(self) -> Floats:
        """(n, d) with each gap at its column's mean: good enough to start from."""
        return (
            np.where(np.isnan(self.x), self.mean, self.x)
            if self.gaps
            else np.asarray(self.x, dtype=np.float64)
        )

    def moments(self, covariance_type: CovarianceType, k: int) -> Callable[[Mixture], Moments]:
        """The sums of one pass, as a function of the parameters."""
        if self.gaps:
            x = np.asarray(self.x, dtype=np.float64)
            patterns, v = missing.Patterns.of(x), self.v
            return lambda mixture: missing.moments(mixture, x, self.columns, v, patterns, self.mean)
        whole = Pass(self.x, self.columns, self.weights, self.mean, covariance_type, k)

        def sums(mixture: Mixture) -> Moments:
            whitening = mixture.whitening(self.mean)
            # A variance is a difference of squares: its error in single precision is eps (distance
            # / width)^2.
            if (
                np.finfo(np.float32).eps * float(np.square(whitening.b).max(initial=0.0))
                > _FLOAT32_ERROR
            ):
                whole.wide()
            return whole(whitening)

        return sums

    def score(self, mixture: Mixture) -> tuple[Floats, Floats]:
        """(n, k) responsibilities and (n,) log densities."""
        return posterior(mixture, self.x, self.codes, self.mean)


def posterior(
    mixture: Mixture, x: NDArray[Any], codes: NDArray[np.int32], shift: Floats | None = None
) -> tuple[Floats, Floats]:
    """(n, k) responsibilities and (n,) log densities of rows, gaps integrated out."""
    columns = table_columns(codes, tuple(p.shape[1] for p in mixture.probs))
    if np.isnan(x).any():
        return missing.log_prob(mixture, np.asarray(x, dtype=np.float64), columns)
    shift = mixture.weights @ mixture.means if shift is None else shift
    return kernel.log_prob(x, columns, mixture.whitening(shift), shift, mixture.covariance_type)


def table_columns(codes: NDArray[np.int32], n_levels: tuple[int, ...]) -> NDArray[np.int32]:
    """Level numbers as columns of `Whitening.tables`: a gap is L, an unknown level L + 1."""
    levels = np.asarray(n_levels, dtype=np.int32)
    return np.where(codes == -1, levels, np.where(codes == -2, levels + 1, codes)).astype(np.int32)


def steps(
    rows: Rows,
    start: Mixture,
    prior: Prior,
    *,
    max_iter: int,
    tol: float,
    deadline: Callable[[], float | None] = lambda: None,
) -> Iterator[Iteration[Mixture]]:
    """EM from `start`; the objective is the mean log density a row."""
    sums = rows.moments(start.covariance_type, start.n_components)
    pooled = _pooled(rows) if start.covariance_type == "tied" and not rows.gaps else None

    def step(mixture: Mixture) -> tuple[Mixture, float]:
        found = sums(mixture)
        return maximise(found, rows.mean, mixture, prior, pooled), float(
            found.log_likelihood
        ) / rows.total

    return em(step, start, max_iter=max_iter, tol=tol, deadline=deadline)


def maximise(
    found: Moments, shift: Floats, old: Mixture, prior: Prior, pooled: Floats | None = None
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
        covariances = _positive(covariances[None] + np.diag(prior.reg), prior.reg)[0]
    elif kind == "full":
        covariances = found.second / safe[:, None, None] - delta[:, :, None] * delta[:, None, :]
        covariances = _positive(covariances + np.diag(prior.reg), prior.reg)
        covariances[empty] = old.covariances[empty]
    else:
        square = (
            found.second if found.second.ndim == 2 else np.diagonal(found.second, axis1=1, axis2=2)
        )
        variances = np.maximum(square / safe[:, None] - delta**2, 0.0) + prior.reg
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


def _positive(covariances: Floats, reg: Floats) -> Floats:
    """Symmetric matrices with no eigenvalue below what `reg` allows, in units of the columns' own
    spread."""
    covariances = (covariances + np.swapaxes(covariances, -1, -2)) / 2
    try:
        np.linalg.cholesky(covariances)
        return covariances
    except np.linalg.LinAlgError:
        scale = np.sqrt(np.maximum(reg, np.finfo(np.float64).tiny))
        values, vectors = np.linalg.eigh(covariances / np.outer(scale, scale))
        values = np.maximum(values, 1.0)
        return np.asarray(
            (vectors * values[:, None, :]) @ np.swapaxes(vectors, -1, -2) * np.outer(scale, scale)
        )


def _pooled(rows: Rows) -> Floats:
    """(d, d) sum of v x x^T about the mean: what a shared covariance needs, the same in every
    iteration."""
    d = rows.x.shape[1]
    total = np.zeros((d, d))
    for start in range(0, len(rows), 1 << 16):
        block = rows.x[start : start + (1 << 16)] - rows.mean
        total += (block * rows.v[start : start + (1 << 16), None]).T @ block
    return total


def _summary(x: NDArray[Any], weights: Floats | None) -> tuple[Floats, Floats, bool]:
    """Mean and variance of each column over what is there, and whether anything is not; in blocks
    and two passes."""
    d = x.shape[1]
    n, first, second = np.zeros(d), np.zeros(d), np.zeros(d)
    gaps = False
    for about_mean in (False, True):
        mean = first / np.maximum(n, np.finfo(np.float64).tiny)
        for start in range(0, len(x), 1 << 16):
            rows = slice(start, start + (1 << 16))
            block = x[rows].astype(np.float64)
            lack = np.isnan(block)
            v = (~lack).astype(np.float64) if weights is None else weights[rows, None] * ~lack
            block[lack] = 0.0
            if about_mean:
                second += (v * (block - mean) ** 2).sum(axis=0)
            else:
                gaps = gaps or bool(lack.any())
                n += v.sum(axis=0)
                first += (v * block).sum(axis=0)
    n = np.maximum(n, np.finfo(np.float64).tiny)
    return first / n, second / n, gaps
