"""EM for factor models of rows with gaps, accelerated.

A row's observed entries and its factors z are the complete data, so that what is missing plays no
part. With v_n the weights, z~ = (z, 1), and moments of z under `factors.posterior`,

    A_j = sum over rows n that have j of v_n E[z~ z~'],    c_j = sum of v_n x_nj E[z~],
    (W_j, mu_j) = A_j^-1 c_j,    psi_j = sum of v_n (x_nj^2 - x_nj E[z~]' (W_j, mu_j)) / v_n,

and, as the factors' own mean and covariance among the rows are estimated too and then absorbed into
W and mu (parameter expansion), steps are longer. Squared extrapolation of two steps makes them
longer still; a step of EM from where it lands is kept if it is no worse. The likelihood never
falls.

References: Rubin and Thayer, "EM algorithms for ML factor analysis", 1982,
https://doi.org/10.1007/BF02293851; Liu, Rubin and Wu, "Parameter expansion to accelerate EM", 1998,
https://doi.org/10.1093/biomet/85.4.755; Varadhan and Roland, "Simple and globally convergent
methods for accelerating the convergence of any EM algorithm", 2008,
https://doi.org/10.1111/j.1467-9469.2007.00585.x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import Floats
from ...inference.em import Iteration, em
from .factors import Factors, Patterns, blocks, posterior


@dataclass(frozen=True)
class Gappy:
    """Standardised rows with gaps.

    Attributes:
        x: (n, d), NaN in gaps.
        v: (n,) weights.
        floor: least noise.
        isotropic: whether the noise is the same for all columns.
    """

    x: Floats
    v: Floats
    floor: float
    isotropic: bool

    def step(self, state: Factors) -> tuple[Factors, float]:
        """One step of EM, and the mean log density a row before it."""
        d, k = self.x.shape[1], state.n_components
        A, c, squares = np.zeros((d, (k + 1) ** 2)), np.zeros((d, k + 1)), np.zeros(d)
        of_factors, total = np.zeros((k + 1, k + 1)), 0.0
        for rows in self._blocks(k):
            x, v, patterns = self.x[rows], self.v[rows], self._patterns.take(rows)
            seen = posterior(state, x, 0, patterns)
            z = np.column_stack([seen.mean, np.ones(len(x))])
            second = z[:, :, None] * z[:, None, :]
            second[:, :k, :k] += seen.covariance[seen.pattern]
            second = second.reshape(len(x), (k + 1) ** 2) * v[:, None]
            there = patterns.observed[seen.pattern].astype(np.float64)
            known = np.where(there > 0, x, 0.0)
            A += there.T @ second
            c += (known * v[:, None]).T @ z
            squares += v @ np.square(known)
            of_factors += second.sum(axis=0).reshape(k + 1, k + 1)
            total += float(v @ seen.log_density)
        of_columns = A.reshape(d, k + 1, k + 1)
        W = np.linalg.solve(of_columns, c[:, :, None])[:, :, 0]
        left, count = squares - (W * c).sum(axis=1), of_columns[:, k, k]
        psi = np.full(d, left.sum() / count.sum()) if self.isotropic else left / count
        moments = of_factors / of_factors[k, k]
        spread = moments[:k, :k] - np.outer(moments[:k, k], moments[:k, k])
        means = W[:, k] + W[:, :k] @ moments[:k, k]
        loadings: Floats = np.asarray(W[:, :k] @ np.linalg.cholesky(spread), dtype=np.float64)
        psi = np.maximum(psi, self.floor)
        after = Factors(state.weights, means[None], loadings[None], psi[None])
        return after, total / float(self.v.sum())

    def longer_step(self, state: Factors) -> tuple[Factors, float]:
        """Two steps of EM, their extrapolation, and a step from there if that is no worse."""
        first, objective = self.step(state)
        second, before = self.step(first)
        r = [b - a for a, b in zip(_free(state), _free(first), strict=True)]
        change = [c - b - e for b, c, e in zip(_free(first), _free(second), r, strict=True)]
        length, bend = (float(sum(np.square(a).sum() for a in each)) for each in (r, change))
        if bend == 0.0:
            return second, objective
        far = max(1.0, np.sqrt(length / bend))
        means, loadings, log_psi = (
            a + 2 * far * e + far**2 * f for a, e, f in zip(_free(state), r, change, strict=True)
        )
        psi = np.exp(np.clip(log_psi, np.log(self.floor), 3.0))
        try:
            third, there = self.step(Factors(state.weights, means, loadings, psi))
        except np.linalg.LinAlgError:
            return second, objective
        return (third if there >= before else second), objective

    @cached_property
    def _patterns(self) -> Patterns:
        return Patterns.of(self.x)

    def _blocks(self, k: int) -> list[slice]:
        return blocks(len(self.x), self.x.shape[1], k + 1)


def _free(state: Factors) -> tuple[Floats, Floats, Floats]:
    """The parameters on scales without bounds."""
    return state.means, state.loadings, np.log(state.noise)


def steps(
    rows: Gappy,
    start: Factors,
    *,
    max_iter: int,
    tol: float,
    deadline: Callable[[], float | None],
) -> Iterator[Iteration[Factors]]:
    """Iterations from a start, until the mean log density a row gains less than `tol`."""
    return em(rows.longer_step, start, max_iter=max_iter, tol=tol, deadline=deadline)
