"""Rows in the standard deviations of their columns, and a factor model of them for each k."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...arrays import Floats
from ...fitting import Fit
from ...inference.em import Iteration
from ..gmm.weighted_rows import WeightedRows
from . import closed_form
from .em import Gappy, steps
from .factors import Factors, blocks
from .settings import FactorSettings


class Solved(NamedTuple):
    """A model of standardised rows, their mean log density, and how it was found."""

    factors: Factors
    objective: float
    n_iter: int = 1
    converged: bool = True


@dataclass(frozen=True)
class Standardised:
    """Rows z = (x - centre) / spread; `spread` is one number for all columns where noise that is
    isotropic is so in the units of the data.

    Attributes:
        rows: in the units of the data.
        centre, spread: (d,).
        covariance: (d, d) of z; where there are gaps, with these at the mean of their column.
        gappy: the rows, if they have gaps.
    """

    rows: WeightedRows
    centre: Floats
    spread: Floats
    covariance: Floats
    gappy: Gappy | None
    settings: FactorSettings

    @classmethod
    def of(cls, rows: WeightedRows, settings: FactorSettings) -> Standardised:
        spread = np.sqrt(np.where(rows.variance > 0, rows.variance, 1.0))
        isotropic = settings.noise == "isotropic"
        if isotropic and not settings.standardise and len(spread):
            spread = np.full(len(spread), np.sqrt(np.square(spread).mean()))
        gappy = None
        if rows.gaps:
            z = (np.asarray(rows.x, dtype=np.float64) - rows.mean) / spread
            gappy = Gappy(z, rows.v, settings.floor, isotropic)
        covariance = _covariance(rows, rows.mean, spread)
        return cls(rows, rows.mean, spread, covariance, gappy, settings)

    @property
    def offset(self) -> float:
        """Added to a mean log density of z for that in the units of the data."""
        logs = np.log(self.spread)
        if self.gappy is None:
            return self.rows.constant - float(logs.sum())
        seen = self.rows.v @ ~np.isnan(self.gappy.x)
        return self.rows.constant - float(seen @ logs) / self.rows.total

    def solve(
        self,
        k: int,
        fit: Fit,
        report: Callable[[Iteration[Factors]], None] = lambda iteration: None,
        start: Factors | None = None,
    ) -> Solved:
        """The model with k factors, or of a fit that is interrupted what it came to; `start` is
        where EM begins, if the rows have gaps."""
        S, how, d = self.covariance, self.settings, len(self.centre)
        if start is None or self.gappy is None:
            found = (
                closed_form.isotropic(S, k, how.floor)
                if how.noise == "isotropic"
                else closed_form.diagonal(S, k, how.floor, how.max_iter, fit)
            )
            start = Factors(np.ones(1), np.zeros((1, d)), found.loadings[None], found.noise[None])
            if self.gappy is None:
                objective = closed_form.mean_log_density(S, found.loadings, found.noise)
                return Solved(start, objective, found.n_iter, found.converged)
        last: Iteration[Factors] | None = None
        with fit.heeding():
            for last in steps(
                self.gappy, start, max_iter=how.max_iter, tol=how.tol, deadline=fit.deadline
            ):
                report(last)
        if last is None:
            raise KeyboardInterrupt
        return Solved(last.state, last.objective, last.number, last.converged or how.tol == 0)


def _covariance(rows: WeightedRows, centre: Floats, spread: Floats) -> Floats:
    """(d, d) weighted covariance of (x - centre) / spread, gaps filled with the mean; its diagonal
    that of the values that are there."""
    n, d = rows.x.shape
    total = np.zeros((d, d))
    for part in blocks(n, d, 0):
        z = (np.asarray(rows.x[part], dtype=np.float64) - centre) / spread
        if rows.gaps:
            z[np.isnan(z)] = 0.0
        if rows.weights is not None:
            z *= np.sqrt(rows.weights[part])[:, None]
        total += z.T @ z
    total /= rows.total
    if rows.gaps:
        found = np.sqrt(np.maximum(np.diagonal(total), np.finfo(np.float64).tiny))
        whole = np.sqrt(rows.variance) / spread
        total = total / found[:, None] / found * whole[:, None] * whole
    return total
