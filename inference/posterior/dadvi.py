"""Deterministic ADVI: a mean-field Gaussian by fixed draws and a second-order optimiser, and the
covariances that its optimum implies.

With z in R^p, f(z) the log joint, and draws u_1 ... u_M ~ Normal(0, I) that are drawn once, what is
minimised over m and w is the ELBO's negative by these draws,

    F(m, w) = -sum_j w_j - (1/M) sum_k f(m + exp(w) * u_k),

a function like any other: a Newton method in a trust region finds its minimum, from the mode, and
says so. The draws come in pairs u, -u, and are mapped so that (1/M) sum u u' = I exactly where
p < M / 2 (on the diagonal elsewhere): F is then the ELBO itself for Gaussian posteriors.

A mean-field Gaussian takes coordinates as independent, so exp(w) is too narrow. Linear response
mends this. If f is tilted to f(z) + t'z, the mean of the posterior moves by Cov(z) t; that of the
approximation by the block of m in the inverse of F's Hessian H at the minimum:

    Cov(z) ~ [H^-1]_mm.

The draws of the result are from Normal(m, [H^-1]_mm). How far m and w would be off with other draws
is told by the gradients g_k of the pairs, as of any M-estimator, by an upper bound (which takes the
pairs as independent, though their second moments were matched):

    V = H^-1 Cov(g) H^-1 / (M / 2).

References: Giordano, Ingram and Broderick, "Black box variational inference with a deterministic
objective: faster, more accurate, and even more black box", 2024,
https://jmlr.org/papers/v25/23-1015.html; Giordano, Broderick and Jordan, "Covariances, robustness,
and variational Bayes", 2018, https://jmlr.org/papers/v19/17-670.html.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...verdict import Reason
from .approximation import judged
from .dadvi_objective import fixed_draws, objective
from .dadvi_search import Search
from .modes import chosen, others, starting_modes
from .numeric import Numeric, numeric
from .result import Evidence, Posterior
from .target import Target

_NAME = "the Gaussian of linear response"
_ADVICE = 'Take method="nuts" where the posterior itself matters.'
DENSE = 1500  # the largest p whose covariances are computed
_MODES = 2  # searches for a mode to start from
_SCALE = 0.1  # of the start where there is no mode, in units of the curvature there
_SURE = 0.2  # posterior standard deviations that a mean may be off by the fixed draws


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Fit a mean-field Gaussian by fixed draws, and draw from the Gaussian of linear response.

    Args:
        settings: `models.pair.settings.DADVI`.
    """
    began, p, rng = time.perf_counter(), target.size, fit.rng()
    if p > DENSE:
        raise InputError(
            f"the model has {p:,} unconstrained numbers, and method 'dadvi' computes covariances "
            f'of up to {DENSE:,}. Take method="svi", or "nuts".'
        )
    u = fixed_draws(settings.num_fixed + settings.num_fixed % 2, p, rng)
    f, loss = numeric(target), objective(target.log_joint, u)
    search = Search(loss, fit)
    eta, several = _start(f, fit)
    eta = search.minimum(eta, settings.max_steps)
    covariance, off = _response(loss.hessian(eta), loss.of_pairs(eta), p)
    first = time.perf_counter() - began
    reasons = [*several, *search.reasons(), *_errors(target, off, covariance)]
    if covariance is None:
        what = "the objective has no minimum where the search ended; spreads are mean-field."
        reasons.append(Reason("failed", what, 'Raise max_steps and num_fixed, or take "nuts".'))
        covariance = np.diag(np.exp(2 * eta[p:]))
    z, log_q = _drawn(eta[:p], covariance, settings.num_draws, fit.seed)
    lp = f.log_joint(z)
    gains = lp - log_q
    return Posterior(
        f.constrain(z[None]),
        {"lp": lp[None], "log_q": log_q[None]},
        log_evidence=Evidence(
            float(gains.mean()), float(gains.std() / math.sqrt(len(gains))), "lower_bound"
        ),
        why=search.why,
        gradients=search.calls * len(u),
        seconds_to_first_draw=first,
        guide={"loc": eta[:p], "mean_field_scale": np.exp(eta[p:]), "covariance": covariance},
        reasons=[*reasons, *judged(f, z, gains, _NAME, _ADVICE, fit)],
    )


def _start(f: Numeric, fit: EngineFit) -> tuple[Array, list[Reason]]:
    """eta: the mode, and the spread of each coordinate there given all others, where there is one;
    elsewhere a place where the log joint is finite, and a tenth of that spread. And what is to be
    said of other modes."""
    from .guides_numpyro import start_values

    modes = starting_modes(f, _MODES, fit)
    best = chosen(modes)
    if best.found:
        eta = np.concatenate([best.z, -0.5 * np.log(np.diag(best.precision))])
        return eta, others(modes)
    values = start_values(f.target, fit.seed)
    z = f.unconstrain({name: np.asarray(value)[None] for name, value in values.items()})[0]
    spread = 1 / np.sqrt(np.clip(np.abs(np.diag(f.hessian(z))), 1e-8, 1e12))
    return np.concatenate([z, np.log(_SCALE * spread)]), []


def _response(hessian: Array, of_pairs: Array, p: int) -> tuple[Array | None, Array]:
    """(p, p) covariance of linear response, None where F is not convex; and (2p,) standard errors
    of eta by the fixed draws."""
    try:
        np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        return None, np.full(2 * p, np.nan)
    inverse = np.linalg.inv(hessian)
    moved = of_pairs @ inverse
    off = moved.std(axis=0, ddof=1) / math.sqrt(len(moved))
    block = inverse[:p, :p]
    return (block + block.T) / 2, off


def _errors(target: Target, off: Array, covariance: Array | None) -> list[Reason]:
    """What the fixed draws leave open."""
    if covariance is None:
        return []
    p = len(covariance)
    of_means = off[:p] / np.sqrt(np.diag(covariance))
    worst = int(np.argmax(of_means))
    what = (
        f"with other fixed draws means would differ by at most {of_means[worst]:.2f} standard "
        f"deviations ({target.coordinates[worst]}), mean-field spreads by at most "
        f"{off[p:].max():.0%}"
    )
    if of_means[worst] <= _SURE:
        return [Reason("ok", f"{what} (standard errors).")]
    return [Reason("warn", f"{what} (standard errors).", "Raise num_fixed.")]


def _drawn(loc: Array, covariance: Array, n: int, seed: int) -> tuple[Array, Array]:
    """Draws (n, p) from Normal(loc, covariance) and their log densities (n,)."""
    root = np.linalg.cholesky(covariance)
    noise = np.random.default_rng([seed, 1]).normal(size=(n, len(loc)))
    log_q = -0.5 * (noise**2 + math.log(2 * math.pi)).sum(axis=1) - np.log(np.diag(root)).sum()
    return loc + noise @ root.T, log_q
