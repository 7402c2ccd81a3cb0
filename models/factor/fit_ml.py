"""A whole fit by maximum likelihood: the number of factors, the model, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError
from ...fitting import Fit
from ...inference.em import Iteration
from ...progress import Progress
from ...verdict import Reason, warning
from ..gmm.weighted_rows import WeightedRows
from .factors import Factors
from .rotation import canonical
from .settings import FactorSettings
from .standardised import Solved, Standardised

_PATIENCE = 2  # numbers of factors without a gain that end the search


@dataclass(frozen=True)
class Result:
    """How a fit ended; `objective` is the mean log density a row in the units of the data, `table`
    the scores of the numbers of factors tried."""

    factors: Factors
    objective: float
    n_iter: int
    converged: bool
    table: list[dict[str, Any]]
    reasons: list[Reason]


def identified(d: int, noise: str) -> int:
    """The most factors that covariances of d columns can tell apart, up to rotation: for noise of
    each column Ledermann's bound, (d - k)^2 >= d + k."""
    if noise == "isotropic":
        return max(0, d - 1)
    return max(0, math.floor((2 * d + 1 - math.sqrt(8 * d + 1)) / 2 + 1e-9))


def n_parameters(d: int, k: int, settings: FactorSettings) -> int:
    """Free parameters: means, loadings up to rotation and noise, no more than a Gaussian has."""
    own = 1 if settings.noise == "isotropic" and not settings.standardise else d
    return d + min(d * k - k * (k - 1) // 2 + own, d * (d + 1) // 2)


def fit_ml(
    rows: WeightedRows,
    settings: FactorSettings,
    names: Sequence[str],
    fit: Fit,
    before: Factors | None = None,
) -> Result:
    """Fit the model that is asked for; `before` is where EM goes on, if the rows have gaps."""
    data, d, k = Standardised.of(rows, settings), len(names), settings.n_components
    if not isinstance(k, str) and k > d > 0:
        raise InputError(
            f"n_components is {k}, and {d} columns vary; expected at most one factor a column. "
            "Give fewer."
        )
    if before is not None:
        before = before.scaled(-data.centre / data.spread, 1 / data.spread)
    table: list[dict[str, Any]] = []
    reasons: list[Reason] = []

    def report(iteration: Iteration[Factors]) -> None:
        loss, seconds = -(iteration.objective + data.offset), fit.clock.seconds()
        fit.report(Progress(step=iteration.number, loss=loss, seconds=seconds))

    if isinstance(k, str):
        solved, table, reasons = _choose(data, fit)
    else:
        solved = data.solve(min(k, d), fit, report, before)
    objective = solved.objective + data.offset
    if not fit.trace:
        seconds = fit.clock.seconds()
        fit.report(Progress(step=solved.n_iter, loss=-objective, seconds=seconds))
    reasons += [] if fit.interrupted else _of_run(solved, settings)
    reasons += _of_factors(solved.factors, rows, settings, names)
    W, psi = solved.factors.loadings[0], solved.factors.noise[0]
    turned = Factors(
        np.ones(1), solved.factors.means, canonical(W, psi, settings.rotation)[None], psi[None]
    ).scaled(data.centre, data.spread)
    return Result(turned, objective, solved.n_iter, solved.converged, table, reasons)


def _choose(data: Standardised, fit: Fit) -> tuple[Solved, list[dict[str, Any]], list[Reason]]:
    """The number of factors with the least BIC, as far as it gains."""
    d, n = len(data.centre), data.rows.total
    bound = min(d, identified(d, data.settings.noise) + (data.settings.noise == "diagonal"))
    most = data.settings.max_components
    last = bound if most is None else min(most, d)
    table: list[dict[str, Any]] = []
    best: Solved | None = None
    least, ended = 0, True
    with fit.heeding():
        for k in range(last + 1):
            solved = data.solve(k, fit)
            likelihood, p = n * (solved.objective + data.offset), n_parameters(d, k, data.settings)
            bic = -2 * likelihood + p * math.log(max(n, 2.0))
            if best is None or bic < table[least]["bic"]:
                best, least = solved, k
            table.append(
                {"n_components": k, "log_likelihood": likelihood, "n_parameters": p, "bic": bic}
            )
            if fit.progress is not None:
                loss, seconds = -likelihood / n, fit.clock.seconds()
                fit.progress(Progress(step=k, loss=loss, seconds=seconds))
            if k - least >= _PATIENCE or k == last:
                ended = False
                break
            if fit.deadline() == 0.0:
                break
    if best is None:
        raise KeyboardInterrupt
    if ended:
        what = f"the budget ended the choice of the number of factors at {len(table) - 1}."
        if fit.interrupted:
            what = f"the choice of the number of factors was interrupted at {len(table) - 1}."
        return best, table, warning(what, "Give a larger budget, or n_components as a number.")
    if least == most and last < bound:
        what = f"BIC still gained at max_components={most}."
        return best, table, warning(what, "Raise max_components, or leave it out.")
    return best, table, []


def _of_run(solved: Solved, settings: FactorSettings) -> list[Reason]:
    if solved.converged:
        return []
    short = "max_iter" if solved.n_iter >= settings.max_iter else "the budget"
    what = f"the fit had not converged after {solved.n_iter} iterations."
    return warning(what, f"Raise {short}.")


def _of_factors(
    factors: Factors, rows: WeightedRows, settings: FactorSettings, names: Sequence[str]
) -> list[Reason]:
    """What is said of the model that was found, in the units of standardised columns."""
    d, k = len(names), factors.n_components
    parts = (factors.means, factors.loadings, factors.noise)
    if not all(np.isfinite(part).all() for part in parts):
        what = "the fit ended with parameters that are not finite."
        return [Reason("failed", what, "Rescale the columns, or use fewer factors.")]
    if not d:
        return []  # which the columns say
    reasons = []
    at_bound = np.flatnonzero(factors.noise[0] <= 1.001 * settings.floor)
    if len(at_bound):
        listed = ", ".join(repr(names[j]) for j in at_bound[:6])
        listed += f" and {len(at_bound) - 6} more" if len(at_bound) > 6 else ""
        what = (
            f"the noise of {listed} is at its bound: the factors determine the column (a Heywood "
            "case), and its density rests on floor."
        )
        reasons += warning(what, "Use fewer factors, or leave out a column that others determine.")
    most = identified(d, settings.noise)
    if k > most:
        what = (
            f"{k} factors of {d} columns: covariances tell {most} apart at the most, so loadings "
            "and noise are one solution of many; densities are not affected."
        )
        reasons.append(Reason("ok", what))
    few = rows.total / max(1, n_parameters(d, k, settings))
    if few < 2:
        reasons += warning(f"there are {few:.1f} rows a parameter.", "Use fewer factors.")
    return reasons
