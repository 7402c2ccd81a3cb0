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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from .approximation import missed
from .laplace import chosen, others, starting_modes
from .numeric import numeric
from .result import Evidence, Posterior, Why
from .target import Target

DENSE = 1500  # the largest p whose covariances are computed
_MODES = 2  # searches for a mode to start from
_ROUNDS = 3  # of Newton's method, each in coordinates of its own
_SCALE = 0.1  # of the start where there is no mode, in units of the curvature there
_TOLERANCE = 1e-4  # norm of the gradient, in standard deviations
_SURE = 0.2  # posterior standard deviations that a mean may be off by the fixed draws


@dataclass(frozen=True)
class Objective:
    """F and its derivatives as functions of eta = (m, w) in R^2p.

    Attributes:
        value_and_gradient: of eta.
        product: of eta and v, the Hessian times v.
        hessian: (2p, 2p).
        of_pairs: (M / 2, 2p) gradients of the pairs of draws.
    """

    value_and_gradient: Callable[[Array], tuple[float, Array]]
    product: Callable[[Array, Array], Array]
    hessian: Callable[[Array], Array]
    of_pairs: Callable[[Array], Array]


def fixed_draws(n: int, p: int, rng: np.random.Generator) -> Array:
    """(n, p) draws in pairs u, -u with the second moments of Normal(0, I)."""
    half = rng.normal(size=(n // 2, p))
    if p < n // 2:
        root = np.linalg.cholesky(half.T @ half / (n // 2))
        half = np.linalg.solve(root, half.T).T
    else:
        half /= np.sqrt((half**2).mean(axis=0))
    return np.stack([half, -half], axis=1).reshape(-1, p)


def objective(log_joint: Callable[[Any], Any], u: Array) -> Objective:
    """F of a log joint that JAX differentiates, by fixed draws (M, p)."""
    import jax
    import jax.numpy as jnp

    p = u.shape[1]

    def mean(eta: Any, u: Any) -> Any:
        m, w = eta[:p], eta[p:]
        return -w.sum() - jax.vmap(lambda each: log_joint(m + jnp.exp(w) * each))(u).mean()

    def numbers(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(function)

        def called(*args: Array) -> Any:
            with jax.enable_x64(True):
                return jax.tree.map(np.asarray, compiled(*map(jnp.asarray, args)))

        return called

    whole = partial(mean, u=u)
    slope = jax.grad(whole)

    def product(eta: Any, v: Any) -> Any:
        return jax.jvp(slope, (eta,), (v,))[1]

    def hessian(eta: Any) -> Any:
        return jax.lax.map(partial(product, eta), jnp.eye(2 * p), batch_size=64)

    def of_pairs(eta: Any) -> Any:
        return jax.lax.map(lambda pair: jax.grad(mean)(eta, pair), jnp.asarray(u.reshape(-1, 2, p)))

    return Objective(
        numbers(jax.value_and_grad(whole)), numbers(product), numbers(hessian), numbers(of_pairs)
    )


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
    f = objective(target.log_joint, u)
    search = _Search(f, fit)
    eta, several = _start(target, fit)
    eta = search.minimum(eta, settings.max_steps)
    hessian = f.hessian(eta)
    covariance, off = _response(hessian, f.of_pairs(eta), p)
    first = time.perf_counter() - began
    reasons = [*several, *search.reasons(), *_errors(target, off, covariance)]
    if covariance is None:
        what = "the objective has no minimum where the search ended; spreads are mean-field."
        reasons.append(Reason("failed", what, 'Raise max_steps and num_fixed, or take "nuts".'))
        covariance = np.diag(np.exp(2 * eta[p:]))
    draws, stats = _draws(target, eta[:p], covariance, settings.num_draws, fit.seed)
    advice = 'Take method="nuts" where the posterior itself matters.'
    name = "the Gaussian of linear response"
    gains = (stats["lp"] - stats["log_q"]).reshape(-1)
    return Posterior(
        draws,
        stats,
        log_evidence=Evidence(
            float(gains.mean()), float(gains.std() / math.sqrt(len(gains))), "lower_bound"
        ),
        why=search.why,
        gradients=search.calls * len(u),
        seconds_to_first_draw=first,
        guide={"loc": eta[:p], "mean_field_scale": np.exp(eta[p:]), "covariance": covariance},
        reasons=[*reasons, *missed(stats["lp"] - stats["log_q"], name, advice)],
    )


class _Search:
    """The minimum of F, and how it was found."""

    def __init__(self, f: Objective, fit: EngineFit) -> None:
        self.f, self.fit = f, fit
        self.why: Why = "done"
        self.calls = self.steps = 0
        self.found = False
        self.best = (math.inf, np.empty(0))

    def minimum(self, eta: Array, steps: int) -> Array:
        """From `eta`, by Newton's method in a trust region, in coordinates in which the Hessian
        where a round begins is the identity: in units of the spread, without correlations."""
        from scipy.optimize import minimize

        try:
            for _ in range(_ROUNDS):
                root = _root(self.f.hessian(eta))
                found = minimize(
                    partial(self._from, eta, root), np.zeros(len(eta)), method="trust-ncg",
                    jac=True, hessp=partial(self._product, eta, root), callback=self._look,
                    options={"maxiter": steps, "gtol": _TOLERANCE},
                )  # fmt: skip
                eta = eta + root @ found.x
                slope = _root(self.f.hessian(eta)).T @ self.f.value_and_gradient(eta)[1]
                self.found = bool(np.linalg.norm(slope) < 10 * _TOLERANCE)
                if self.found or self.why != "done":
                    break
        except KeyboardInterrupt:
            self.why = "interrupted"
            eta = self.best[1] if len(self.best[1]) else eta
        return eta

    def _from(self, eta: Array, root: Array, x: Array) -> tuple[float, Array]:
        self.calls += 1
        place = eta + root @ x
        value, slope = self.f.value_and_gradient(place)
        if not np.isfinite(value):
            return 1e300, np.zeros_like(x)
        if value < self.best[0]:
            self.best = float(value), place
        return float(value), root.T @ slope

    def _product(self, eta: Array, root: Array, x: Array, v: Array) -> Array:
        self.calls += 2
        return np.asarray(root.T @ self.f.product(eta + root @ x, root @ v))

    def _look(self, intermediate_result: Any) -> None:
        self.steps += 1
        self.fit.report(Progress(self.steps, float(intermediate_result.fun)))
        left = self.fit.deadline()
        if left is not None and left <= 0:
            self.why = "budget"
            raise StopIteration

    def reasons(self) -> list[Reason]:
        """What is said of the search."""
        if self.found:
            return [Reason("ok", f"the optimiser found a minimum in {self.steps} steps.")]
        if self.why == "done":
            what = f"the optimiser found no minimum in {self.steps} steps."
            return [Reason("warn", what, 'Raise max_steps, or take method="nuts".')]
        what = f"the search for a minimum ended after {self.steps} steps ({self.why})."
        return [Reason("warn", what, "Give a larger budget.")]


def _root(hessian: Array) -> Array:
    """R with R' |H| R = I, where |H| has the absolute eigenvalues of H."""
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
    root: Array = vectors / np.sqrt(values)
    return root


def _start(target: Target, fit: EngineFit) -> tuple[Array, list[Reason]]:
    """eta: the mode, and the spread of each coordinate there given all others, where there is one;
    elsewhere a place where the log joint is finite, and a tenth of that spread. And what is to be
    said of other modes."""
    import jax

    from .guides_numpyro import start_values

    modes = starting_modes(numeric(target), _MODES, fit)
    best = chosen(modes)
    if best.found:
        eta = np.concatenate([best.z, -0.5 * np.log(np.diag(best.precision))])
        return eta, others(modes)
    with target.precision():
        z = target.unconstrain(start_values(target, fit.seed))
        curvature = np.abs(np.diagonal(jax.jit(jax.hessian(target.log_joint))(z)))
    spread = 1 / np.sqrt(np.clip(curvature, 1e-8, 1e12))
    return np.concatenate([np.asarray(z), np.log(_SCALE * spread)]), []


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


def _draws(
    target: Target, loc: Array, covariance: Array, n: int, seed: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Draws (1, n, ...) from Normal(loc, covariance), with `lp` and `log_q` on its scale."""
    import jax
    import jax.numpy as jnp

    root = np.linalg.cholesky(covariance)
    noise = np.random.default_rng([seed, 1]).normal(size=(n, len(loc)))
    z = loc + noise @ root.T
    log_q = -0.5 * (noise**2 + math.log(2 * math.pi)).sum(axis=1) - np.log(np.diag(root)).sum()

    def one(z: Any) -> Any:
        return target.constrain(z), target.log_joint(z)

    with target.precision():
        values, lp = jax.jit(lambda z: jax.lax.map(one, z, batch_size=64))(jnp.asarray(z))
        draws = {name: np.asarray(value)[None] for name, value in values.items()}
    return draws, {"lp": np.asarray(lp)[None], "log_q": log_q[None]}
