"""A whole fit by EM: a start, or a choice of size, then EM on all rows, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, did_you_mean
from ...fitting import Fit
from ...inference.em import Iteration
from ...progress import Progress
from ...verdict import Reason
from .em import Prior, Rows, steps
from .initialise import SAMPLE, Search, best_start, from_labels, nearest
from .parameters import COVARIANCE_TYPES, Mixture
from .selection import Criteria, choose

if TYPE_CHECKING:
    from .estimator import GaussianMixture

_CRITERIA = ("bic", "icl")


@dataclass(frozen=True)
class Result:
    """How a fit ended; `objective` is the mean log density a row, `table` the scores of the sizes
    tried."""

    mixture: Mixture
    objective: float
    n_iter: int
    converged: bool
    table: list[Criteria]
    reasons: list[Reason]


def fit_em(rows: Rows, of: GaussianMixture, fit: Fit, before: Mixture | None) -> Result:
    """Fit the mixture that the estimator `of` asks for; `before` is where a warm start goes on."""
    _check(of, len(rows))
    scale = np.where(rows.variance > 0, rows.variance, 1.0)
    prior = Prior(of.reg_covar * scale, of.categorical_prior)
    search = Search(
        of.covariance_type, prior, of.n_init, of.init_params, of.split_merge, of.tol, fit.deadline
    )
    table: list[Criteria] = []
    if before is not None:
        start = before
    elif of.means_init is not None:
        start = _given_start(rows, of, search, fit.rng())
    elif isinstance(of.n_components, str):

        def report(k: int, loss: float) -> None:
            # Shown and not kept: the trace is of the fit that was chosen, `table` of the choice.
            if fit.progress is not None:
                fit.progress(Progress(step=k, loss=loss, seconds=fit.clock.seconds()))

        start, table = choose(rows, of.n_components, of.max_components, search, fit.rng(), report)
    else:
        start = best_start(rows, of.n_components, search, fit.rng())
    done = len(fit.trace)
    last, falls = None, 0
    for last in steps(rows, start, prior, max_iter=of.max_iter, tol=of.tol, deadline=fit.deadline):
        falls += last.change < -1e-6 * max(1.0, abs(last.objective))
        fit.report(
            Progress(step=done + last.number, loss=-last.objective, seconds=fit.clock.seconds())
        )
    if last is None:
        raise InputError(f"max_iter is {of.max_iter}; expected at least 1.")
    reasons = _findings(last, rows, of, falls)
    return Result(last.state, last.objective, last.number, last.converged, table, reasons)


def _check(of: GaussianMixture, n: int) -> None:
    k = of.n_components
    if isinstance(k, str):
        if k not in _CRITERIA:
            raise InputError(
                f"n_components is {k!r}; expected a number, 'bic' or 'icl'."
                + did_you_mean(k, _CRITERIA)
            )
    elif not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"n_components is {k!r}; expected a positive number, 'bic' or 'icl'.")
    elif k > n:
        raise InputError(
            f"n_components is {k}, and {n} rows were given; expected at most one component a row. "
            "Give fewer components."
        )
    if of.covariance_type not in COVARIANCE_TYPES:
        raise InputError(
            f"covariance_type is {of.covariance_type!r}; expected one of "
            f"{', '.join(COVARIANCE_TYPES)}."
            + did_you_mean(str(of.covariance_type), COVARIANCE_TYPES)
        )
    if of.init_params not in ("k-means++", "random"):
        raise InputError(f"init_params is {of.init_params!r}; expected 'k-means++' or 'random'.")
    for name in ("tol", "reg_covar", "categorical_prior"):
        if not float(getattr(of, name)) >= 0:
            raise InputError(f"{name} is {getattr(of, name)!r}; expected a number >= 0.")
    for name in ("max_iter", "n_init", "max_components"):
        if not int(getattr(of, name)) >= 1:
            raise InputError(f"{name} is {getattr(of, name)!r}; expected a number >= 1.")


def _given_start(
    rows: Rows, of: GaussianMixture, search: Search, rng: np.random.Generator
) -> Mixture:
    """The start that the user gave; what is not given comes from the rows nearest to each mean."""
    means = np.asarray(of.means_init, dtype=np.float64)
    d = rows.x.shape[1]
    if means.ndim != 2 or means.shape[1] != d:
        raise InputError(
            f"means_init has shape {means.shape}; expected (components, {d}), one number a column."
        )
    k = len(means)
    if not isinstance(of.n_components, str) and k != of.n_components:
        raise InputError(
            f"means_init has {k} rows, and n_components is {of.n_components}; "
            "give one mean a component."
        )
    # What is not given is estimated from a sample: it is only where EM starts.
    sample = rows.thinned(SAMPLE, rng)
    start = from_labels(sample, nearest(sample, means), k, search)
    weights = start.weights
    if of.weights_init is not None:
        weights = np.asarray(of.weights_init, dtype=np.float64)
        if weights.shape != (k,) or (weights <= 0).any():
            raise InputError(
                f"weights_init has shape {weights.shape}; expected {k} positive numbers."
            )
    covariances = start.covariances
    if of.precisions_init is not None:
        precisions = np.asarray(of.precisions_init, dtype=np.float64)
        if precisions.shape != covariances.shape:
            raise InputError(
                f"precisions_init has shape {precisions.shape}; expected {covariances.shape} for "
                f"{of.covariance_type!r}."
            )
        matrices = of.covariance_type in ("full", "tied")
        covariances = np.asarray(np.linalg.inv(precisions) if matrices else 1 / precisions)
    return Mixture(weights / weights.sum(), means, covariances, of.covariance_type, start.probs)


def _findings(
    last: Iteration[Mixture], rows: Rows, of: GaussianMixture, falls: int
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
    if mixture.covariance_type == "full" and mixture.means.shape[1]:
        spread = np.sqrt(np.where(rows.variance > 0, rows.variance, 1.0))
        values = np.linalg.eigvalsh(mixture.covariances / np.outer(spread, spread))[:, 0]
        thin = int((values < 3 * of.reg_covar).sum())
        if thin:
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
    light = int((mixture.weights * rows.total < 0.5).sum())
    if light:
        found.append(
            Reason("warn", f"{light} components hold less than one row.", "Use fewer components.")
        )
    return found
