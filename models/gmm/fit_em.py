"""A whole fit by EM: a start or a choice of size, then EM on all rows, and warnings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...covariance import correlations
from ...errors import InputError
from ...fitting import Fit
from ...inference.em import Iteration
from ...progress import Progress
from ...verdict import Reason
from .em import Regularisation, steps
from .given_start import given_start, is_given
from .initialise import best_start
from .parameters import Floats, Mixture
from .search import SAMPLE, Search
from .selection import Choice, Criteria, choose
from .settings import MixtureSettings
from .weighted_rows import WeightedRows


@dataclass(frozen=True)
class Result:
    """How a fit ended; `bounds` are the mean log densities a row that the iterations began with, in
    the units of the data, and `table` the scores of the sizes tried."""

    mixture: Mixture
    bounds: list[float]
    n_iter: int
    converged: bool
    table: list[Criteria]
    reasons: list[Reason]


def fit_em(
    rows: WeightedRows, settings: MixtureSettings, fit: Fit, before: Mixture | None = None
) -> Result:
    """Fit the mixture that is asked for; a warm start goes on from `before`."""
    k, n = settings.n_components, len(rows)
    if not isinstance(k, str) and k > n:
        raise InputError(
            f"n_components is {k}, and {n} rows were given; expected at most one component a row. "
            "Give fewer components."
        )

    def report(k: int, loss: float) -> None:
        # Shown and not kept: the trace is of the fit that was chosen, `table` of the choice.
        if fit.progress is not None:
            fit.progress(Progress(step=k, loss=loss, seconds=fit.clock.seconds()))

    search = Search.of(settings, rows, fit.deadline)
    if before is not None:
        chosen = Choice(before)
    elif is_given(settings):
        chosen = Choice(given_start(rows, search, fit.rng()))
    elif isinstance(k, str):
        chosen = choose(rows, search, fit.rng(), report)
        fit.interrupted |= chosen.why == "interrupted"
    else:
        moves = settings.split_merge
        chosen = Choice(best_start(rows, int(k), search, fit.rng(), split_merge=moves))
    done = len(fit.trace)
    last, falls, bounds = None, 0, []
    with fit.heeding():
        for last in steps(
            rows, chosen.mixture, search.regularisation, max_iter=settings.max_iter,
            tol=settings.tol, deadline=fit.deadline,
        ):  # fmt: skip
            falls += last.change < -1e-6 * max(1.0, abs(last.objective))
            bounds.append(last.objective + rows.constant)
            seconds = fit.clock.seconds()
            fit.report(Progress(step=done + last.number, loss=-bounds[-1], seconds=seconds))
    if last is None or (fit.interrupted and settings.engine != "em"):
        raise KeyboardInterrupt
    reasons = _of_size(chosen, settings, n)
    reasons += [] if fit.interrupted else _of_run(last, settings, falls)
    reasons += _of_mixture(last.state, rows, search.regularisation)
    return Result(last.state, bounds, last.number, last.converged, chosen.table, reasons)


def _of_size(chosen: Choice, settings: MixtureSettings, n: int) -> list[Reason]:
    """What is said of the choice of the number of components of n rows."""
    if chosen.why == "most":
        name, most = str(settings.n_components).upper(), settings.max_components
        what = f"{name} still gained at max_components={most}."
        return [Reason("warn", what, "Raise max_components, or leave it out.")]
    if chosen.why in ("budget", "interrupted"):
        k = chosen.table[-1].n_components
        what = f"the budget ended the choice of size at {k} components."
        if chosen.why == "interrupted":
            what = f"the choice of size was interrupted at {k} components."
        return [Reason("warn", what, "Give a larger budget, or n_components as a number.")]
    if chosen.table and n > SAMPLE:
        what = f"the number of components was chosen on {SAMPLE} of {n} rows, drawn at random"
        return [Reason("ok", f"{what}; the fit is to all.")]
    return []


def _of_run(last: Iteration[Mixture], settings: MixtureSettings, falls: int) -> list[Reason]:
    """Warnings of the iterations."""
    reasons = []
    if not last.converged and settings.tol > 0:
        short = "max_iter" if last.number == settings.max_iter else "the budget"
        what = f"EM had not converged after {last.number} iterations."
        reasons.append(Reason("warn", what, f"Raise {short}."))
    if falls:
        what = f"the likelihood fell in {falls} iteration{'s' * (falls != 1)}."
        advice = "Raise reg_covar: a component is close to singular."
        reasons.append(Reason("warn", what, advice))
    return reasons


def _of_mixture(
    mixture: Mixture, rows: WeightedRows, regularisation: Regularisation
) -> list[Reason]:
    """Warnings of components of few rows or dimensions."""
    reasons, k = [], mixture.n_components
    alone = mixture.weights * rows.total < 1.5
    if alone.any():
        what = f"{int(alone.sum())} of {k} components hold one row or less."
        advice = (
            "Use fewer components; look whether such rows belong to the data, and if they do, try "
            'tails="student".'
        )
        reasons.append(Reason("warn", what, advice))
    if thin := _thin(mixture.take(np.flatnonzero(~alone)), regularisation):
        what = f"{thin} of {k} components lie in fewer dimensions than the data."
        advice = (
            "Their density rests on reg_covar: use fewer components, or drop a column that others "
            "determine."
        )
        reasons.append(Reason("warn", what, advice))
    few = rows.total / max(1, mixture.n_parameters())
    if few < 2:
        advice = "Use fewer components, or a diag or tied covariance."
        reasons.append(Reason("warn", f"there are {few:.1f} rows a parameter.", advice))
    return reasons


def of_parameters(mixture: Mixture) -> list[Reason]:
    """Warnings of parameters that are not finite."""
    parts = [mixture.weights, mixture.means, mixture.covariances, *mixture.probs]
    parts += [] if mixture.dof is None else [mixture.dof]
    if not all(np.isfinite(part).all() for part in parts):
        what = "the fit ended with parameters that are not finite."
        return [Reason("failed", what, "Rescale the columns, or use fewer components.")]
    return []


def _thin(mixture: Mixture, regularisation: Regularisation) -> int:
    """How many components only the regularisation keeps off variances of 0, correlations of 1."""
    if not mixture.means.shape[1]:
        return 0
    full = mixture.full_covariances()
    flat = np.asarray(np.diagonal(full, axis1=1, axis2=2) <= 1.5 * regularisation.floor)
    unitless, least = correlations(full)[0], 3 * regularisation.shrinkage
    return sum(flat[c].any() or not _above(one, least) for c, one in enumerate(unitless))


def _above(unitless: Floats, least: float) -> bool:
    """Whether the eigenvalues of correlations (d, d) are above `least`."""
    try:
        np.linalg.cholesky(unitless - least * np.eye(len(unitless)))
    except np.linalg.LinAlgError:
        return False
    return True
