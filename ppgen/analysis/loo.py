"""Leave-one-out predictive densities of a posterior, without refitting.

A fit whose rows i have weights w_i has the posterior prior(theta) prod_j p(x_j | theta)^w_j.
Without row i it is that times the ratio r = p(x_i | theta)^-w_i, so that over S draws theta_s

    elpd_i = log sum_s r_is p(x_i | theta_s) / sum_s r_is,    elpd = sum_i w_i elpd_i.

The row is left out wholly, whatever its weight, and elpd_i is the log density of one such row. The
largest ratios of a row are smoothed by a generalised Pareto distribution (PSIS), whose shape k-hat
tells whether they can be trusted. The standard error is that over rows as a sample of the
population: sqrt(n / (n - 1) sum_i w_i^2 (elpd_i - mean)^2), the mean being the weighted one.

References:
    Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC (Vehtari,
    Gelman, Gabry, 2017) https://arxiv.org/abs/1507.04544
    Pareto smoothed importance sampling (Vehtari, Simpson, Gelman, Yao, Gabry, 2024)
    https://arxiv.org/abs/1507.02646
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from ..arrays import Floats
from ..artifact import digest
from ..checks import check_weights
from ..data import Dataset
from ..datatree import MAX_VALUES, log_likelihood
from ..density import LogDensity
from ..errors import InputError
from ..estimator import Estimator
from ..inference.importance import good_khat

_ROWS = 1024


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out log densities.

    Attributes:
        density: (n,) of each row under the posterior without it, in nats and in the units of the
            data; `diagnostics` has "khat" (n,) and "good_khat". `ppgen.compare` takes it.
        weights: (n,) of the rows in the fit.
        elpd: sum of the rows' values times their weights, in nats.
        stderr: of `elpd`, over rows as a sample of the population.
        p_loo: how much the log densities lose by leaving rows out, in nats: the effective number of
            parameters.
    """

    density: LogDensity
    weights: Floats
    elpd: float
    stderr: float
    p_loo: float

    @property
    def khat(self) -> Floats:
        """(n,) Pareto k-hat of each row's ratios."""
        return np.asarray(self.density.diagnostics["khat"], dtype=np.float64)

    @property
    def bad(self) -> NDArray[np.intp]:
        """Numbers of the rows whose value cannot be trusted; refit without them."""
        return np.flatnonzero(~(self.khat <= self.density.diagnostics["good_khat"]))

    def __str__(self) -> str:
        return (
            f"elpd {self.elpd:.2f} ± {self.stderr:.2f} nats over {len(self.density)} rows of "
            f"weight {self.weights.sum():g}; p_loo {self.p_loo:.2f}; {len(self.bad)} rows of k-hat "
            f"above {self.density.diagnostics['good_khat']:.2f}"
        )


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
    n, mean = len(data), float(w @ values / w.sum())
    spread = float(np.sum(np.square(w * (values - mean))))
    density = LogDensity(
        values,
        "estimate",
        f"PSIS-LOO over {draws} posterior draws",
        measure=model.codec_.measure,
        dequantised=model.codec_.dequantised,
        diagnostics={"khat": khat, "good_khat": good_khat(draws)},
    )
    stderr = math.sqrt(n / (n - 1) * spread) if n > 1 else math.nan
    return LeaveOneOut(density, w, float(w @ values), stderr, float(w @ (whole - values)))


def psis_loo(log_p: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Leave-one-out log densities (n,) and k-hat (n,) of rows whose log densities under S draws of
    the posterior are (S, n), and whose weights in it are (n,)."""
    from arviz_stats import base

    array_stats: Any = base.array_stats  # type: ignore[attr-defined]
    left_out = np.where(weights > 0, weights * np.where(weights > 0, log_p, 0.0), 0.0)
    draws = len(left_out)
    tail = max(1, int(min(0.2 * draws, 3 * math.sqrt(draws))))
    least = np.sort(left_out, axis=0)[:tail]
    has_tail = np.isfinite(left_out).all(axis=0) & (least[-1] > least[0])  # else there is no tail
    log_r, khat = -left_out, np.full(left_out.shape[1], -np.inf)
    if has_tail.any():
        # ArviZ takes the logs of what is left out and gives normalised log ratios.
        smoothed, khat[has_tail] = array_stats.psislw(left_out[:, has_tail].T, axis=-1)
        log_r[:, has_tail] = smoothed.T
    values = logsumexp(log_r + log_p, axis=0) - logsumexp(log_r, axis=0)
    return np.asarray(values), khat


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
