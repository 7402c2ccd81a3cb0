"""A whole fit by EM: a start, or a choice of size, then EM on all rows, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...covariance import correlations
from ...errors import InputError
from ...fitting import Fit
from ...inference.em import Iteration
from ...progress import Progress
from ...verdict import Reason
from .em import Regularisation, steps
from .given_start import given_start, is_given
from .initialise import Search, best_start
from .parameters import Mixture
from .selection import Criteria, choose
from .weighted_rows import WeightedRows

if TYPE_CHECKING:
    from .estimator import GaussianMixture


@dataclass(frozen=True)
class Result:
    """How a fit ended; `objective` is the mean log density a row in the units of the data, `table`
    the scores of the sizes tried."""

    mixture: Mixture
    objective: float
    n_iter: int
    converged: bool
    table: list[Criteria]
    reasons: list[Reason]


def fit_em(rows: WeightedRows, of: GaussianMixture, fit: Fit, before: Mixture | None) -> Result:
    """Fit the mixture that the estimator `of` asks for; `before` is where a warm start goes on."""
    if not isinstance(of.n_components, str) and of.n_components > len(rows):
        raise InputError(
            f"n_components is {of.n_components}, and {len(rows)} rows were given; expected at most "
            "one component a row. Give fewer components."
        )
    prior = Regularisation.of(rows, of.reg_covar, of.categorical_prior)
    search = Search(
        of.covariance_type, prior, of.n_init, of.init_params, of.split_merge, of.tol, fit.deadline
    )
    table: list[Criteria] = []
    why = "done"
    if before is not None:
        start = before
    elif is_given(of):
        start = given_start(rows, of, replace(search, split_merge=False), fit.rng())
    elif isinstance(of.n_components, str):

        def report(k: int, loss: float) -> None:
            # Shown and not kept: the trace is of the fit that was chosen, `table` of the choice.
            if fit.progress is not None:
                fit.progress(Progress(step=k, loss=loss, seconds=fit.clock.seconds()))

        start, table, why = choose(
            rows, of.n_components, of.max_components, search, fit.rng(), report
        )
    else:
        start = best_start(rows, of.n_components, search, fit.rng())
    done = len(fit.trace)
    last, falls = None, 0
    for last in steps(rows, start, prior, max_iter=of.max_iter, tol=of.tol, deadline=fit.deadline):
        falls += last.change < -1e-6 * max(1.0, abs(last.objective))
        fit.report(
            Progress(
                step=done + last.number,
                loss=-(last.objective + rows.constant),
                seconds=fit.clock.seconds(),
            )
        )
    assert last is not None
    reasons = [*_of_size(why, of, table), *_findings(last, rows, of, prior, falls)]
    objective = last.objective + rows.constant
    return Result(last.state, objective, last.number, last.converged, table, reasons)


def _findings(
    last: Iteration[Mixture],
    rows: WeightedRows,
    of: GaussianMixture,
    prior: Regularisation,
    falls: int,
) -> list[Reason]:
    found, mixture = [], last.state
    if not last.converged and of.tol > 0:
        short = "max_iter" if last.number == of.max_iter else "the budget"
        found.append(
            Reason(
                "warn",
                f"EM had not converged after {last.number} iterations.",
                f"Raise {short}.",
            )
        )
    if falls:
        found.append(
            Reason(
                "warn",
                f"the likelihood fell in {falls} iterations.",
                "Raise reg_covar: a component is close to singular.",
            )
        )
    alone = mixture.weights * rows.total < 1.5
    if alone.any():
        found.append(
            Reason(
                "warn",
                f"{int(alone.sum())} of {mixture.n_components} components hold one row or less.",
                "Use fewer components; look whether such rows belong to the data.",
            )
        )
    if thin := _thin(mixture.take(np.flatnonzero(~alone)), prior):
        found.append(
            Reason(
                "warn",
                f"{thin} of {mixture.n_components} components lie in fewer dimensions than "
                "the data.",
                "Their density rests on reg_covar: use fewer components, or drop a column "
                "that others determine.",
            )
        )
    few = rows.total / max(1, mixture.n_parameters())
    if few < 2:
        found.append(
            Reason(
                "warn",
                f"there are {few:.1f} rows a parameter.",
                "Use fewer components, or a diag or tied covariance.",
            )
        )
    return found


def _thin(mixture: Mixture, prior: Regularisation) -> int:
    """How many components have a variance, or correlations, that only `prior` keeps from 0 or 1."""
    if not mixture.means.shape[1]:
        return 0
    full = mixture.full_covariances()
    flat = np.diagonal(full, axis1=1, axis2=2) <= 1.5 * prior.floor
    least = np.linalg.eigvalsh(correlations(full)[0])[:, 0]
    return int((flat.any(axis=1) | (least < 3 * prior.reg)).sum())


def _of_size(why: str, of: GaussianMixture, table: list[Criteria]) -> list[Reason]:
    """What there is to say against the choice of the number of components."""
    if why == "most":
        what = f"{str(of.n_components).upper()} still gained at max_components={of.max_components}."
        return [Reason("warn", what, "Raise max_components, or leave it out.")]
    if why == "budget":
        what = f"the budget ended the choice of size at {table[-1].n_components} components."
        return [Reason("warn", what, "Give a larger budget, or n_components as a number.")]
    return []
