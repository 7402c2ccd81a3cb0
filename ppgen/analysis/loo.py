"""Leave-one-out predictive densities of an estimator's posterior: see `inference.leave_one_out`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from ..arrays import Floats
from ..artifact import digest
from ..checks import check_weights
from ..data import Dataset
from ..errors import InputError
from ..estimator import Estimator
from ..inference.leave_one_out import LeaveOneOut as LeaveOneOut
from ..inference.leave_one_out import psis_loo as psis_loo
from ..inference.leave_one_out import summed_up
from ..row_variables import MAX_VALUES, log_likelihood

_ROWS = 1024


def loo(model: Estimator, X: Any, sample_weight: ArrayLike | None = None) -> LeaveOneOut:
    """Leave-one-out log densities of the rows that a posterior was fitted to.

    Args:
        model: fitted, with draws of its parameters (a mixture by "nuts" or "svi"; of the latter the
            draws stand for the posterior as well as the guide fits it).
        X: the rows that were fitted, in that order.
        sample_weight: (n,) the weights they were fitted with.

    Raises:
        InputError: for a point fit, which has no draws; for other rows or weights than those
            fitted; and for a weighted fit whose weights are not given, or the other way round.
    """
    check_is_fitted(model)
    name = type(model).__name__
    if model.posterior_ is None:
        raise InputError(
            f"this {name} is a point fit, without draws of its parameters to leave rows out of; "
            "ppgen.cross_validate refits it without each fold of the rows."
        )
    data = model._dataset(X, reset=False)
    if data.fingerprint() != model.data_fingerprint_:
        raise InputError(
            "these are not the rows that were fitted, in that order; leaving them out of the fit "
            "means nothing. Give those, or call log_density for rows that were held out."
        )
    weights = check_weights(sample_weight, len(data))
    if model.weighted_ != (weights is not None and bool((weights != 1).any())):
        given, fitted = ("no", "with") if model.weighted_ else ("a", "without")
        raise InputError(
            f"{given} sample_weight is given, but the rows were fitted {fitted} weights; leaving "
            "rows out takes those of the fit."
        )
    if model.weighted_ and model.weights_fingerprint_ not in (None, digest(weights)):
        raise InputError(
            "these are not the weights that the rows were fitted with, in that order; leaving rows "
            "out takes those of the fit. Give them."
        )
    w = np.ones(len(data)) if weights is None else weights
    values, khat, whole = _leave_out(model, data, w)
    draws = math.prod(next(iter(model.posterior_.values())).shape[:2])
    measure: dict[str, Any] = {
        "measure": model.codec_.measure,
        "dequantised": model.codec_.dequantised,
    }
    return summed_up(values, khat, whole, w, draws, **measure)


def _leave_out(model: Any, data: Dataset, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """(n,) log densities without each row, k-hat, and log densities with all rows."""
    shape = next(iter(model.posterior_.values())).shape[:2]
    draws = math.prod(shape)
    block = max(1, min(_ROWS, MAX_VALUES // draws))
    parts = []
    for start in range(0, len(data), block):
        rows = slice(start, start + block)
        log_p = log_likelihood(model, data.take(rows), shape, 1).reshape(draws, -1)
        parts.append((*psis_loo(log_p, weights[rows]), logsumexp(log_p, axis=0) - math.log(draws)))
    values, khat, whole = (np.concatenate(part) for part in zip(*parts, strict=True))
    return values, khat, whole
