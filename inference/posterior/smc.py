"""Adaptive tempered sequential Monte Carlo: particles that go from the prior to the posterior.

Particles z_i ~ p(z) pass through

    pi_b(z) ~ p(z) p(y | z)^b,        0 = b_0 < b_1 < ... < b_T = 1

(or from another start, see `reference`).
At each temperature they are drawn anew by their weights, moved by Hamiltonian Monte Carlo that
leaves pi_b invariant, and weighed by w_i = p(y | z_i)^(b' - b) for the next, b' being the largest
for which the effective sample size (sum_i W_i w_i)^2 / sum_i W_i w_i^2 stays above a share of the
particles. Then

    log p(y) = sum_t log mean_i w_i,

and the product of the means is an unbiased estimate of p(y) where the path is fixed. The mass
matrix is the covariance of the particles; the step size follows the share accepted.

There are several runs, which share temperatures, mass matrix and step size, and are independent of
each other else: the standard error of log p(y) is over runs, and runs are chains to R-hat, which
shows modes that some runs have missed. A path that is cut short at b ends with a weighting by
p(y | z)^(1 - b), whose k-hat is said.

References: Del Moral, Doucet and Jasra, "Sequential Monte Carlo samplers", 2006,
https://doi.org/10.1111/j.1467-9868.2006.00553.x; Buchholz, Chopin and Jacob, "Adaptive tuning of
Hamiltonian Monte Carlo within sequential Monte Carlo", 2021, https://arxiv.org/abs/1808.07730.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from ..diagnostics import worst_by_site
from ..importance import summarise
from .approximation import of_weights
from .numeric import at_once, numeric
from .psis import smooth
from .reference import LogDensity, Reference, reference
from .result import Evidence, Posterior, Why
from .target import Target

_FLOOR = -1e30  # of a log likelihood: times b = 0 it is 0, where -inf is NaN
_LONGEST = 32  # leapfrog steps of a move
_LEAST_MOVED = 0.2  # share of moves accepted
_MAX_RHAT = 1.05  # between runs: their particles are few, and dependent
_CUT = "the sample of particles of a path cut short"
_GAIN = 2.0  # of the logarithm of the step size, for a share accepted of 1 above the target


class Particles(NamedTuple):
    """Particles of all runs at one temperature.

    Attributes:
        z: positions (runs, n, p).
        weights: (runs, n) for the temperature b, those of each run summing to 1.
        b: the temperature.
        step_size: of the moves, in units of the particles' spread.
        log_evidence: (runs,) log p(y) as far as b.
        moved: whether the particles have been moved at b = 1.
        gradients: taken so far.
    """

    z: jax.Array
    weights: jax.Array
    b: jax.Array
    step_size: jax.Array
    log_evidence: jax.Array
    moved: jax.Array
    gradients: jax.Array


class Look(NamedTuple):
    """What one temperature showed: ESS of the weights as a share, share of proposals accepted."""

    temperature: jax.Array
    ess: jax.Array
    acceptance: jax.Array


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw from a pair's posterior by tempered SMC; its runs are the chains.

    Raises:
        InputError: if the prior is improper and another start cannot be found, or no particle has a
            finite likelihood.
    """
    began, f = time.perf_counter(), numeric(target)
    why: Why = "done"
    with target.precision():
        start = reference(f, settings.start, fit)
        key, first = jax.random.split(jax.random.key(fit.seed))
        runs, n = settings.num_runs, settings.num_particles
        z = jax.jit(start.draws, static_argnums=1)(first, runs * n)
        step = jax.jit(stepper(
            start.log_start, start.log_gain, moves=settings.num_moves,
            target_ess=settings.target_ess, target_accept=settings.target_accept,
            batch=_batch(target, runs, n),
        ))  # fmt: skip
        state, taken, looks = begin(z.reshape(runs, n, -1)), 0, []
        try:
            while not state.moved:
                key, one = jax.random.split(key)
                state, look = step(one, state)
                looks.append(jax.tree.map(np.asarray, look))
                taken += 1
                fit.report(_record(taken, state, looks[-1]))
                if fit.deadline() == 0.0 and not state.moved:
                    why = "budget"
                    break
        except KeyboardInterrupt:
            why = "interrupted"
        drawn, log_z, reasons = _at_the_end(start, state, fit.rng())
    summary = summarise(log_z[None])
    evidence = Evidence(float(summary.log_mean[0]), float(summary.stderr[0]))
    draws = f.constrain(drawn)
    lp = f.log_joint(drawn.reshape(runs * n, -1)).reshape(runs, n)
    return Posterior(
        draws,
        {"lp": lp},
        evidence,
        why,
        int(state.gradients) + f.gradients,
        time.perf_counter() - began,
        {"temperatures": np.array([look.temperature for look in looks])},
        [*start.reasons, *reasons, *_apart(draws), *_stuck(looks)],
    )


def begin(z: jax.Array) -> Particles:
    """Prior draws (runs, n, p) as particles."""
    runs, n, p = z.shape
    zero = jnp.zeros((), z.dtype)
    return Particles(
        z,
        jnp.full((runs, n), 1 / n, z.dtype),
        zero,
        zero + p**-0.25,
        jnp.zeros(runs, z.dtype),
        jnp.array(False),
        jnp.zeros((), int),
    )


def stepper(
    log_prior: LogDensity,
    log_likelihood: LogDensity,
    *,
    moves: int,
    target_ess: float,
    target_accept: float,
    batch: int = 0,
) -> Callable[[jax.Array, Particles], tuple[Particles, Look]]:
    """A function of (key, particles) that goes to the next temperature; it moves `batch` particles
    of each run together, all of them where that is 0 or as many."""
    from blackjax.mcmc import hmc
    from blackjax.smc import base, resampling, solver, tempered

    def likelihood(z: jax.Array) -> jax.Array:
        value = log_likelihood(z)
        return jnp.where(value > _FLOOR, value, _FLOOR)

    kernel = tempered.build_kernel(
        log_prior, likelihood, hmc.build_kernel(), hmc.init, resampling.systematic,
        batch_size=batch,
    )  # fmt: skip

    def step(key: jax.Array, old: Particles) -> tuple[Particles, Look]:
        runs, n, p = old.z.shape
        z, weights = old.z.reshape(-1, p), old.weights.reshape(-1) / runs
        ess = partial(_log_ess, jnp.log(weights), base.map_fn(likelihood, batch)(z))
        gap = solver.dichotomy(lambda d: ess(d) - jnp.log(target_ess), 0.0, 1 - old.b)
        b = jnp.where(gap > 1 - old.b - 1e-6, 1.0, old.b + gap)
        steps = jnp.clip(jnp.ceil(0.5 * jnp.pi / old.step_size), 1, _LONGEST).astype(int)
        cov = _covariance(z, weights)

        def one(key: jax.Array, z: jax.Array, weights: jax.Array) -> Any:
            path, jitter = jax.random.split(key)
            state = tempered.TemperedSMCState(z, weights, old.b)
            return kernel(path, state, moves, b, {
                "step_size": old.step_size * jax.random.uniform(jitter, (n,), z.dtype, 0.6, 1.0),
                "inverse_mass_matrix": cov[None],
                "num_integration_steps": steps[None],
            })  # fmt: skip

        state, info = jax.vmap(one)(jax.random.split(key, runs), old.z, old.weights)
        accepted = info.update_info.acceptance_rate.mean()
        step_size = old.step_size * jnp.exp(_GAIN * (accepted - target_accept))
        new = Particles(
            state.particles,
            state.weights,
            b,
            jnp.clip(step_size, 1e-6, 2.0),
            old.log_evidence + info.log_likelihood_increment,
            old.b >= 1,
            old.gradients + runs * n * (moves * steps + 1),
        )
        share = 1 / (n * jnp.square(state.weights).sum(axis=1))
        return new, Look(b, share, accepted)

    return step


def _log_ess(log_w: jax.Array, scores: jax.Array, gap: jax.Array) -> jax.Array:
    """Log of the effective share of weighted particles after the next weighting."""
    from jax.scipy.special import logsumexp

    return 2 * logsumexp(log_w + gap * scores) - logsumexp(log_w + 2 * gap * scores)


def _covariance(z: jax.Array, weights: jax.Array) -> jax.Array:
    """Covariance (p, p) of weighted particles, drawn towards its diagonal where they are few."""
    p = z.shape[1]
    count = 1 / jnp.square(weights).sum()
    centred = z - weights @ z
    cov = (weights[:, None] * centred).T @ centred
    diagonal = jnp.diag(jnp.maximum(jnp.diag(cov), 1e-20))
    return (count * cov + (p + 2) * diagonal) / (count + p + 2)


def _record(step: int, state: Particles, look: Look) -> Progress:
    measures = {
        "temperature": float(look.temperature),
        "ess": float(look.ess.mean()),
        "acceptance": float(look.acceptance),
    }
    return Progress(step, -float(state.log_evidence.mean()), measures=measures)


def _at_the_end(
    start: Reference, state: Particles, rng: np.random.Generator
) -> tuple[Array, Array, list[Reason]]:
    """Particles (runs, n, p) of the posterior and log p(y) (runs,); those of a path that was cut
    short are weighed and drawn anew."""
    z, log_z, b = np.asarray(state.z), np.asarray(state.log_evidence), float(state.b)
    if (log_z < _FLOOR / 2).any():
        raise InputError(
            f"no draw from the start ({start.kind}) has a finite likelihood; look at the observed "
            "sites, or raise num_particles."
        )
    if state.moved:
        return z, log_z, []
    gain = jax.jit(lambda z: jax.lax.map(start.log_gain, z, batch_size=256))
    scores = np.asarray(gain(state.z.reshape(-1, z.shape[-1]))).reshape(z.shape[:2])
    log_w = np.log(np.asarray(state.weights)) + (1 - b) * np.maximum(scores, _FLOOR)
    weights = smooth(log_w.ravel())
    chosen = weights.resample(log_w.size, rng)
    what = f"the path ended at temperature {b:.3g} of 1; the particles were weighed for the rest."
    cut = Reason("warn", what, "Give a larger budget, or fewer particles.")
    reasons = [cut, *of_weights(weights, _CUT, "Give a larger budget.", resampled=True)]
    rest = np.logaddexp.reduce(log_w, axis=1)
    return z.reshape(-1, z.shape[-1])[chosen].reshape(z.shape), log_z + rest, reasons


def _apart(draws: dict[str, Array]) -> list[Reason]:
    """A warning where runs disagree."""
    table = worst_by_site(draws)
    if not table or len(next(iter(draws.values()))) == 1:
        return []
    site = max(table, key=lambda name: table[name]["rhat"])
    if table[site]["rhat"] <= _MAX_RHAT:
        return []
    what = f"runs disagree: R-hat of {site} between runs is {table[site]['rhat']:.3f}."
    return [Reason("warn", what, "Raise num_particles, or num_moves.")]


def _stuck(looks: list[Look]) -> list[Reason]:
    """A warning where the particles hardly moved."""
    if not looks or looks[-1].acceptance >= _LEAST_MOVED:
        return []
    what = f"only {looks[-1].acceptance:.0%} of the last moves of particles were accepted."
    return [Reason("warn", what, "Raise num_moves, or num_particles.")]


def _batch(target: Target, runs: int, n: int) -> int:
    """Particles of each run that are moved together; 0 for all."""
    together = at_once(target, runs * n)
    return 0 if together == runs * n else max(1, together // runs)
