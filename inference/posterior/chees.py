"""HMC whose path length maximises ChEES, for many chains at once.

With positions z before and z' after a path of time T, the change in the estimator of the expected
square,

    ChEES(T) = 1/4 E[ ( |z' - E z'|^2 - |z - E z|^2 )^2 ],

is largest where squared distances from the mean are as little correlated as they can be. All chains
share one step size and one T, which rise along its gradient during the warm-up, whose estimates
come from all chains; each path takes a share of T by a Halton sequence. The metric is a diagonal of
variances over chains and draws of the second half of the warm-up, and T is at least a quarter turn
along the direction in which the draws are widest in that metric, as in `chees_adaptation` of
blackjax, whose criterion this is; here transitions come in blocks, so that a budget or the user can
end the warm-up.

Reference: Hoffman, Radul and Sountsov, "An adaptive-MCMC scheme for setting trajectory lengths in
Hamiltonian Monte Carlo", 2021, https://proceedings.mlr.press/v130/hoffman21a.html.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...fitting import EngineFit
from .blocks import Advance
from .chains import draw, draw_starts, finished
from .compiled import LogJoint, transitions
from .result import Posterior
from .target import Target

_LEARNING_RATE = 0.02  # of log T, with Adam's second moment at 0.95: as in the reference
_FIRST_STEP = 0.1
_DECAY = 0.5  # of the averages of step size and T
_EVERY = 32  # transitions between two looks for the widest direction
_LEAST = 64  # draws of all chains that the metric is computed from


class Moments(NamedTuple):
    """Count, mean (p,) and sums of squares about it (p, p) of draws."""

    count: Any
    mean: Any
    squares: Any

    @property
    def enough(self) -> Any:
        """Whether a metric can be computed from so many."""
        return self.count >= max(_LEAST, 2 * len(self.mean) ** 0.5)

    def joined(self, z: Any) -> Moments:
        """With draws z (n, p) besides."""
        n, mean = len(z), z.mean(axis=0)
        total, gap = self.count + n, mean - self.mean
        within = (z - mean).T @ (z - mean)
        between = jnp.outer(gap, gap) * self.count * n / total
        return Moments(total, self.mean + gap * n / total, self.squares + within + between)


class State(NamedTuple):
    """All chains: the key, blackjax's states and its adaptation, the draws seen for the metric, and
    by what the next transition goes: step size, leapfrog steps before their jitter, metric (p,);
    and the widest variance in it."""

    key: Any
    places: Any
    adaptation: Any
    seen: Moments
    size: Any
    steps: Any
    metric: Any
    widest: Any


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw by ChEES-HMC.

    Args:
        settings: has num_warmup, num_samples, num_chains, target_accept and max_steps.

    Raises:
        InputError: if the log joint is not finite at any start.
    """
    began = time.perf_counter()
    with target.precision():
        places, paths = jax.random.split(jax.random.key(fit.seed))
        starts = jnp.asarray(draw_starts(target, places, settings.num_chains))
        chains = Chains(target.log_joint, settings)
        advance = chains.advance()
        found = draw(advance, chains.begin(paths, starts), settings.num_samples, fit, began)
        return finished(target, found, advance, 0)


class Chains:
    """Chains that adapt together; `settings` as of `run`."""

    def __init__(self, log_joint: LogJoint, settings: Any) -> None:
        from blackjax.adaptation.chees_adaptation import base
        from blackjax.mcmc import dynamic_hmc

        self.log_joint, self.settings = log_joint, settings
        bits = np.ceil(np.log2(settings.num_warmup + settings.num_samples))

        def share(i: Any) -> Any:
            return dynamic_hmc.halton_sequence(i, bits)

        def following(i: Any) -> Any:
            return i + 1

        self.places = partial(dynamic_hmc.init, logdensity_fn=log_joint)
        self.kernel = dynamic_hmc.build_kernel(
            next_random_arg_fn=following,
            integration_steps_fn=lambda i, steps: jnp.ceil(share(i) * steps).astype(int),
        )
        optimiser = optax.adam(_LEARNING_RATE, b1=0.0, b2=0.95)
        self.start, self.update = base(
            share, following, optimiser, settings.target_accept, _DECAY, settings.max_steps
        )

    def advance(self) -> Advance:
        """How the chains go on."""

        def block(i: Any, n: Any, state: State) -> tuple[State, dict[str, Any]]:
            state, records = transitions(self.step, i, n, state)
            return state, {name: jnp.swapaxes(a, 0, 1) for name, a in records.items()}

        return Advance(
            jax.jit(block), jax.jit(self.end_warmup), self.settings.num_warmup, "vectorized"
        )

    def begin(self, key: Any, starts: Any) -> State:
        """Chains at starts (chain, p)."""
        p, one = starts.shape[1], jnp.ones(())
        places = jax.vmap(lambda z: self.places(z, random_generator_arg=np.int64(0)))(starts)
        adaptation = jax.tree.map(jnp.asarray, self.start(np.int64(0), _FIRST_STEP))
        seen = Moments(jnp.zeros(()), jnp.zeros(p), jnp.zeros((p, p)))
        return State(key, places, adaptation, seen, _FIRST_STEP * one, one, jnp.ones(p), one)

    def step(self, i: Any, state: State) -> tuple[State, dict[str, Any]]:
        """Transition i of each chain, and its records (chain, ...)."""
        key, now = jax.random.split(state.key)
        places, info = self.moved(now, state)
        new = state._replace(key=key, places=places)
        new = jax.lax.cond(
            i < self.settings.num_warmup, lambda: self._adapted(i, state, new, info), lambda: new
        )
        last = i == self.settings.num_warmup - 1
        new = jax.lax.cond(last, lambda: self.end_warmup(new), lambda: new)
        refused = 0.5 * (state.metric * info.momentum**2).sum(axis=1) - state.places.logdensity
        return new, {
            "z": places.position, "lp": places.logdensity,
            "energy": jnp.where(info.is_accepted, info.energy, refused),  # info has the proposal's
            "acceptance_rate": info.acceptance_rate,
            "step_size": jnp.full(len(refused), state.size),
            "n_steps": info.num_integration_steps, "diverging": info.is_divergent,
        }  # fmt: skip

    def moved(self, key: Any, state: State) -> Any:
        """Where the chains go, and blackjax's info."""

        def one(key: Any, place: Any) -> Any:
            how = (self.log_joint, state.size, state.metric, (state.steps,))
            return self.kernel(key, place, *how)

        keys = jax.random.split(key, len(state.places.logdensity))
        return jax.vmap(one)(keys, state.places)

    def _adapted(self, i: Any, old: State, new: State, info: Any) -> State:
        adaptation = self.update(
            old.adaptation, info.proposal.position, info.proposal.momentum, old.places.position,
            info.acceptance_rate, info.is_divergent, old.metric,
        )  # fmt: skip
        adaptation = jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), adaptation, old.adaptation)
        z = new.places.position
        late = i >= self.settings.num_warmup // 2
        seen = jax.lax.cond(late, lambda: old.seen.joined(z), lambda: old.seen)
        variances = jnp.maximum(jnp.diag(seen.squares) / jnp.maximum(seen.count - 1, 1), 1e-20)
        metric = jnp.where(seen.enough, variances, 1.0)
        look = late & (i % _EVERY == 0) & seen.enough
        widest = jax.lax.cond(look, lambda: _widest(seen), lambda: old.widest)
        new = new._replace(adaptation=adaptation, seen=seen, metric=metric, widest=widest)
        size = adaptation.step_size
        return new._replace(size=size, steps=self._steps(new, size, adaptation.trajectory_length))

    def _steps(self, state: State, size: Any, length: Any) -> Any:
        """Leapfrog steps of a path before their jitter."""
        floor = jnp.where(state.seen.enough, 0.5 * jnp.pi * jnp.sqrt(state.widest), 0.0)
        return jnp.minimum(jnp.maximum(length, floor) / size, self.settings.max_steps)

    def end_warmup(self, state: State) -> State:
        """Step size and T are from now on their averages."""
        size = jnp.exp(state.adaptation.log_step_size_moving_average)
        length = jnp.exp(state.adaptation.log_trajectory_length_moving_average)
        widest = jnp.where(state.seen.enough, _widest(state.seen), state.widest)
        state = state._replace(widest=widest)
        return state._replace(size=size, steps=self._steps(state, size, length))


def _widest(seen: Moments) -> Any:
    """The largest eigenvalue of the correlations of draws."""
    spread = jnp.sqrt(jnp.maximum(jnp.diag(seen.squares), 1e-20))
    correlations = seen.squares / spread / spread[:, None]
    return jnp.maximum(jnp.linalg.eigvalsh(jnp.nan_to_num(correlations))[-1], 1e-6)
