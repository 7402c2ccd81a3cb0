"""Nested sampling with slice moves: the evidence, and draws weighed by it.

Of n live points from the prior, those with the smallest likelihood die and are replaced by draws
from the prior within the likelihood L above theirs, made by slice sampling along random directions
in the spread of the live points. With X_i the prior mass that is left when point i dies,

    p(y) = int L dX ~ sum_i L_i (X_{i-1} - X_{i+1}) / 2,        log X_i - log X_{i-1} = log(t) / n,

t uniform in (0, 1). The X_i are simulated, which gives the standard error of log p(y); the terms of
the sum are the weights of the points as draws from the posterior. It ends when the live points hold
less than a share of the evidence.

A new point is made from one that stays, and must not depend on it. Whether moves are enough is told
by the correlation between where they begin and where they end, of each coordinate and of the rank
of the likelihood, over all points that were made.

The time grows with p squared times the log of how far the posterior is within the prior. Modes are
found and weighed as far as the first live points see them; as moves rarely lead from one to another
they show as correlation.

References: Skilling, "Nested sampling for general Bayesian computation", 2006,
https://doi.org/10.1214/06-BA127; Yallup, Kroupa and Handley, "Nested slice sampling", 2026,
https://arxiv.org/abs/2601.23252.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...arrays import Array
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from .numeric import numeric
from .psis import MIN_ESS, resample
from .result import Evidence, Posterior, Why
from .target import Target

_FLOOR = -1e30  # of a log likelihood: it is to be a number
_BLOCK = 20  # replacements of a share of the points between two looks at the clock
_PATHS = 200  # of simulated X
_CORRELATED = 0.2  # between the ends of moves, from which it is told


class Moved(NamedTuple):
    """What making new points took: evaluations of the likelihood, and (p + 1,) correlations between
    the ends of moves, of each coordinate and of the rank of the likelihood."""

    evaluations: jax.Array
    correlations: jax.Array


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw from a pair's posterior by nested sampling, in one chain.

    Raises:
        InputError: if the prior is improper.
    """
    import blackjax

    began, f = time.perf_counter(), numeric(target)
    target.check_proper()
    n, p = settings.num_live, target.size
    deleted = max(1, int(n * settings.replaced))

    def likelihood(z: Any) -> Any:
        value = target.log_likelihood(z)
        return jnp.where(value > _FLOOR, value, _FLOOR)

    def prior(z: Any) -> Any:
        value = target.log_prior(z)
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    with target.precision():
        method = blackjax.nss(
            logprior_fn=prior, loglikelihood_fn=likelihood, num_delete=deleted,
            num_inner_steps=max(5, round(settings.moves * p)), update_strategy=replacing,
        )  # fmt: skip

        def block(state: Any, key: Any) -> Any:
            def step(state: Any, key: Any) -> Any:
                state, info = method.step(key, state)
                return state, (info._replace(update_info=None), info.update_info)

            return jax.lax.scan(step, state, jax.random.split(key, _BLOCK))

        advance = jax.jit(block)
        rng = fit.rng()
        key, first = jax.random.key(fit.seed), int(rng.integers(2**31))
        state = jax.jit(method.init)(jnp.asarray(f.prior(n, first)))
        dead: list[Any] = []
        correlations: list[Array] = []
        why: Why = "done"
        evaluations, share = n, 1.0
        try:
            while share > settings.remaining:
                key, one = jax.random.split(key)
                state, (info, moved) = advance(state, one)
                dead.append(jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), info))
                evaluations += int(moved.evaluations.sum())
                correlations.append(np.asarray(moved.correlations))
                share = _live_share(state)
                fit.report(Progress(
                    len(dead) * _BLOCK * deleted, -float(state.integrator.logZ),
                    measures={"live_share": share},
                ))  # fmt: skip
                if fit.deadline() == 0.0 and share > settings.remaining:
                    why = "budget"
                    break
        except KeyboardInterrupt:
            why = "interrupted"
        z, log_w = _weighed(state, dead, key)
    weights = np.exp(log_w - np.logaddexp.reduce(log_w, axis=0)).mean(axis=1)
    log_z = np.logaddexp.reduce(log_w, axis=0)
    chosen = resample(weights, settings.num_draws, rng)
    return Posterior(
        f.constrain(z[chosen][None]),
        {"lp": f.log_joint(z[chosen])[None]},
        Evidence(float(log_z.mean()), float(log_z.std(ddof=1))),
        why,
        0,
        time.perf_counter() - began,
        {},
        [
            *_reasons(why, share, weights),
            *_correlated(correlations, target.coordinates),
            _done(evaluations, len(z), weights),
        ],
    )


def replacing(step: Any, moves: int, deleted: int) -> Callable[..., tuple[Any, Moved]]:
    """How blackjax makes new points: `moves` moves from points that stay; and what they took."""

    def replace(key: Any, state: Any, bound: Any, **parameters: Any) -> tuple[Any, Moved]:
        choose, walk = jax.random.split(key)
        points = state.particles
        alive = points.loglikelihood > bound
        alive = jnp.where(alive.any(), alive, True)
        which = jax.random.choice(choose, len(alive), (deleted,), p=alive / alive.sum())
        begin = jax.tree.map(lambda leaf: leaf[which], points)

        def walked(key: Any, one: Any) -> Any:
            def move(one: Any, key: Any) -> Any:
                return step(key, one, loglikelihood_0=bound, **parameters)

            return jax.lax.scan(move, one, jax.random.split(key, moves))

        new, info = jax.vmap(walked)(jax.random.split(walk, deleted), begin)
        new = new._replace(loglikelihood_birth=jnp.full_like(new.loglikelihood_birth, bound))
        evaluations = (info.num_expansions + info.num_shrink + 2).sum()
        return new, Moved(evaluations, _between(points, alive, begin, new))

    return replace


def _between(points: Any, alive: Any, begin: Any, end: Any) -> Any:
    """(p + 1,) correlations between the ends of moves, in units of the points that stay."""
    share = alive / alive.sum()
    mean = share @ points.position
    variance = jnp.maximum(share @ (points.position - mean) ** 2, 1e-30)
    of_place = ((begin.position - mean) * (end.position - mean)).mean(axis=0) / variance

    def rank(one: Any) -> Any:  # of mean 0 and variance 1
        below = points.loglikelihood < one.loglikelihood[:, None]
        return ((below * share).sum(axis=1) - 0.5) * np.sqrt(12)

    return jnp.append(of_place, (rank(begin) * rank(end)).mean())


def _live_share(state: Any) -> float:
    """The share of the evidence that the live points hold."""
    live, dead = float(state.integrator.logZ_live), float(state.integrator.logZ)
    return float(np.exp(live - np.logaddexp(live, dead)))


def _weighed(state: Any, dead: list[Any], key: Any) -> tuple[Array, Array]:
    """All points (m, p), the live ones last, and their log weights (m, paths)."""
    from blackjax.ns import utils
    from blackjax.ns.base import NSInfo

    points = utils.finalise(state, dead, update_info=False) if dead else NSInfo(
        state.particles, None
    )  # fmt: skip
    log_w = np.asarray(utils.log_weights(key, points, _PATHS))
    return np.asarray(points.particles.position), np.where(np.isnan(log_w), -np.inf, log_w)


def _reasons(why: str, share: float, weights: Array) -> list[Reason]:
    ess, reasons = 1 / np.square(weights).sum(), []
    if why != "done":
        what = (
            f"it ended while the live points held {share:.0%} of the evidence: the draws are wider "
            "than the posterior."
        )
        reasons.append(Reason("failed", what, "Give a larger budget, or fewer num_live."))
    if ess < MIN_ESS:
        what = f"the points are worth {ess:.0f} draws of the posterior, below {MIN_ESS}."
        reasons.append(Reason("warn", what, "Raise num_live."))
    return reasons


def _correlated(each: list[Array], coordinates: list[str]) -> list[Reason]:
    """A warning where new points depend on those that moves began at."""
    if not each:
        return []
    found = np.concatenate(each)
    mean, stderr = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    k = int(np.argmax(mean))
    if not mean[k] - 3 * stderr[k] > _CORRELATED:
        return []
    of = [*coordinates, "the likelihood's rank"][k]
    what = (
        f"new points depend on those they were made from: the correlation of {of} is "
        f"{mean[k]:.2f}, so the evidence is less sure than its standard error says."
    )
    advice = "Raise moves, or num_live; modes that lie apart show so too, and take more of both."
    return [Reason("warn", what, advice)]


def _done(evaluations: int, points: int, weights: Array) -> Reason:
    ess = 1 / np.square(weights).sum()
    return Reason(
        "ok",
        f"nested sampling: {points} points worth {ess:.0f} draws, by {evaluations} evaluations of "
        "the likelihood.",
    )
