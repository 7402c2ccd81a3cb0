"""Annealed importance sampling and BDMC of a NumPyro pair, by blackjax's HMC. See `annealed`.

Moves are tuned in a pilot run with chains of its own: the step size follows the share accepted, and
every so many temperatures the mass matrix becomes the inverse covariance of the pilot's chains.
Both are fixed afterwards, so that E[w] = p(y) holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...arrays import Array
from ...fitting import EngineFit
from ...progress import Progress
from ..temperatures import sigmoidal
from . import annealed
from .numeric import Numeric, numeric
from .reference import Reference, reference
from .result import Posterior, Why
from .simulate import from_prior
from .target import Target

_GROUP = 32  # chains that run together
_BLOCK = 25  # temperatures between two looks at the clock
_GAIN, _TARGET = 0.25, 0.8  # of a pilot's log step size, and the share of moves it aims to accept
_SMOOTH = 4  # temperatures to either side that step sizes are averaged over
_FLOOR = -1e30  # of r
Data = Mapping[str, Any]


class Chains(NamedTuple):
    """States z (chains, p), log w (chains,), and the log step size of a pilot."""

    z: Any
    log_w: Any
    log_size: Any


class Moves(NamedTuple):
    """Log step sizes (T + 1,) at each temperature, in units of the spread, whose roots (blocks, p,
    p) are those of a block of temperatures each."""

    log_sizes: Array
    roots: Array


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Bound the evidence of a pair's data by AIS, and the error of the bound by BDMC.

    Raises:
        InputError: if the prior is improper and no mode is found to start at.
    """
    began, f = time.perf_counter(), numeric(target)
    with target.precision():
        start = reference(f, settings.start, fit)
        walk = Annealer(f, start, settings, fit)
        why_not = annealed.cannot_simulate(target, start.kind)
        simulated = 0 if why_not else settings.num_simulated
        groups = -(-settings.num_chains // _GROUP)
        walk.total = walk.blocks * (1 + groups + 3 * simulated)
        seeds = annealed.seeds_of(fit, groups + 2)
        data = {} if why_not else dict(target.sites.data)
        moves = walk.pilot(data, seeds[0])
        ended: list[Chains] = []
        cut: float | None = None
        why: Why = "done"
        for seed in seeds[2:]:
            chains, b, how = walk.forward(data, moves, seed)
            if how != "done":
                why = how
                if ended:  # whole ones are better than one cut short
                    break
                cut = b
            ended.append(chains)
            if cut is not None:
                break
        each = 1 if cut is not None else -(-settings.num_draws // (_GROUP * len(ended)))
        z = np.stack([walk.on(data, chains, moves, each, i) for i, chains in enumerate(ended)])
        gaps = walk.gaps(simulated, seeds[1]) if why == "done" else []
    log_w = np.concatenate([np.asarray(chains.log_w) for chains in ended])
    z = np.moveaxis(z, 0, 1).reshape(each, len(log_w), -1)
    weights, chosen = annealed.weighed(log_w, each, fit.rng())
    drawn = np.concatenate([one[which] for one, which in zip(z, chosen, strict=True)])
    return Posterior(
        f.constrain(drawn[None]),
        {"lp": f.log_joint(drawn)[None]},
        annealed.bound(log_w),
        why,
        walk.gradients + f.gradients,
        time.perf_counter() - began,
        {"log_weights": log_w, "gaps": np.array([gap.value for gap in gaps])},
        [*start.reasons, *annealed.reasons(weights, gaps, cut, why_not, each)],
    )


class Annealer:
    """Walks paths of a target, whatever its data; the program is compiled once."""

    def __init__(self, f: Numeric, start: Reference, settings: Any, fit: EngineFit) -> None:
        self.target, self.start, self.fit = f.target, start, fit
        self.n_leapfrog = settings.num_leapfrog
        self.blocks = max(1, round(settings.num_temperatures / _BLOCK))
        self.b = sigmoidal(self.blocks * _BLOCK)
        self.done = self.total = self.gradients = 0
        self._segment = jax.jit(self._one_block())

    def pilot(self, data: Data, seed: int) -> Moves:
        """Moves tuned by chains of their own; as far as the budget goes."""
        z = self._begin(seed)
        chains = Chains(z, jnp.zeros(_GROUP), jnp.log(0.7) - 0.25 * jnp.log(z.shape[1]))
        sizes, roots = [np.full(1, float(chains.log_size))], []
        for i in range(self.blocks):
            roots.append(_root(np.asarray(chains.z)))
            if self.fit.deadline() != 0.0:
                b, unset = self._path(i), np.zeros(_BLOCK)
                chains, trace = self._walk(data, chains, b, unset, roots[-1], _GAIN, seed + i)
                sizes.append(np.asarray(trace))
            else:
                sizes.append(np.full(_BLOCK, sizes[-1][-1]))
        found = np.concatenate(sizes)
        found[0] = found[1]
        window = np.full(2 * _SMOOTH + 1, 1 / (2 * _SMOOTH + 1))
        smooth = np.convolve(np.pad(found, _SMOOTH, mode="edge"), window, mode="valid")
        return Moves(smooth, np.stack(roots))

    def forward(self, data: Data, moves: Moves, seed: int) -> tuple[Chains, float, Why]:
        """Chains from the start to the posterior, the temperature that they have reached, and why
        they ended there; where it is below 1 they are weighed for the rest."""
        chains = Chains(self._begin(seed), jnp.zeros(_GROUP), jnp.zeros(()))
        reached = 0
        why: Why = "done"
        try:
            for i in range(self.blocks):
                if self.fit.deadline() == 0.0:
                    why = "budget"
                    break
                sizes = moves.log_sizes[i * _BLOCK + 1 : (i + 1) * _BLOCK + 1]
                chains, _ = self._walk(
                    data, chains, self._path(i), sizes, moves.roots[i], 0.0, seed + i
                )
                reached = (i + 1) * _BLOCK
        except KeyboardInterrupt:
            why = "interrupted"
        b = float(self.b[reached])
        rest = (1 - b) * jax.vmap(self._log_gain(data))(chains.z) if b < 1 else 0.0
        return chains._replace(log_w=chains.log_w + rest), b, why

    def backward(self, data: Data, moves: Moves, z: Array, seed: int) -> Chains:
        """Chains from an exact draw z (p,) of the posterior to the start: these weights estimate
        1 / p(y)."""
        states = jnp.broadcast_to(jnp.asarray(z), (_GROUP, len(z)))
        chains = Chains(states, jnp.zeros(_GROUP), jnp.zeros(()))
        for i in reversed(range(self.blocks)):
            sizes = moves.log_sizes[i * _BLOCK : (i + 1) * _BLOCK][::-1]
            b = self._path(i)[::-1]
            chains, _ = self._walk(data, chains, b, sizes, moves.roots[i], 0.0, seed + i)
        return chains

    def on(self, data: Data, chains: Chains, moves: Moves, n: int, seed: int) -> Array:
        """States (n, chains, p) at b = 1, some moves apart; the weights hold for each."""
        states = [np.asarray(chains.z)]
        sizes, ones = np.full(_BLOCK, moves.log_sizes[-1]), np.ones(_BLOCK + 1)
        while len(states) < n:
            chains, _ = self._walk(
                data, chains, ones, sizes, moves.roots[-1], 0.0, seed + 1000 * len(states)
            )
            states.append(np.asarray(chains.z))
        return np.stack(states)

    def gaps(self, n: int, seed: int) -> list[annealed.Gap]:
        """Those of n simulated data sets, as many as the budget lets be."""
        found: list[annealed.Gap] = []
        if not n:
            return found
        simulated = from_prior(self.target, self.target.model, n, seed)
        seeds = np.random.default_rng(seed).integers(2**31, size=(n, 3)).tolist()
        try:
            for i, (tuned, there, back_again) in enumerate(seeds):
                data = {name: jnp.asarray(value[i]) for name, value in simulated.data.items()}
                truth = {name: value[i] for name, value in simulated.truth.items()}
                moves = self.pilot(data, tuned)
                chains, b, _ = self.forward(data, moves, there)
                if b < 1 or self.fit.deadline() == 0.0:
                    break
                z = self.target.observing(data).unconstrain(truth)
                back = self.backward(data, moves, np.asarray(z), back_again)
                found.append(annealed.gap(np.asarray(chains.log_w), np.asarray(back.log_w)))
        except KeyboardInterrupt:
            return found
        return found

    def _path(self, block: int) -> Array:
        return self.b[block * _BLOCK : (block + 1) * _BLOCK + 1]

    def _begin(self, seed: int) -> Any:
        return self.start.draws(jax.random.key(seed), _GROUP)

    def _walk(
        self, data: Data, chains: Chains, b: Array, log_sizes: Array, root: Array, gain: float,
        seed: int,
    ) -> tuple[Chains, Any]:  # fmt: skip
        key = jax.random.fold_in(jax.random.key(seed), 1)
        made = self._segment(data, chains, b, log_sizes, root, gain, key)
        self.done += 1
        self.gradients += _GROUP * _BLOCK * (self.n_leapfrog + 1)
        mean = float(made[0].log_w.mean())
        self.fit.report(Progress(self.done, -mean, measures={"temperature": float(b[-1])}))
        return made  # type: ignore[no-any-return]

    def _log_gain(self, data: Data) -> Callable[[Any], Any]:
        target = self.target.observing(data) if data else self.target

        def log_gain(z: Any) -> Any:
            if self.start.kind == "prior":
                value = target.log_likelihood(z)
            else:
                value = target.log_joint(z) - self.start.log_start(z)
            return jnp.where(value > _FLOOR, value, _FLOOR)

        return log_gain

    def _one_block(self) -> Callable[..., tuple[Chains, Any]]:
        """A block of increments and transitions."""
        from blackjax.mcmc import hmc

        kernel = hmc.build_kernel()

        def block(
            data: Data, chains: Chains, b: Any, log_sizes: Any, root: Any, gain: Any, key: Any
        ) -> tuple[Chains, Any]:
            log_gain = self._log_gain(data)

            def step(old: Chains, each: Any) -> tuple[Chains, Any]:
                before, at, given, key = each
                log_w = old.log_w + (at - before) * jax.vmap(log_gain)(old.z)
                log_size = jnp.where(gain > 0, old.log_size, given)

                def move(key: Any, z: Any) -> tuple[Any, Any]:
                    jitter, path = jax.random.split(key)

                    def density(x: Any) -> Any:
                        here = z + root @ x
                        return self.start.log_start(here) + at * log_gain(here)

                    e = jnp.exp(log_size) * jax.random.uniform(jitter, (), z.dtype, 0.7, 1.3)
                    state = hmc.init(jnp.zeros_like(z), density)
                    new, info = kernel(path, state, density, e, jnp.ones_like(z), self.n_leapfrog)
                    return z + root @ new.position, info.acceptance_rate

                z, accepted = jax.vmap(move)(jax.random.split(key, len(log_w)), old.z)
                log_size = jnp.clip(log_size + gain * (accepted.mean() - _TARGET), -12.0, 1.0)
                return Chains(z, log_w, log_size), log_size

            keys = jax.random.split(key, len(log_sizes))
            return jax.lax.scan(step, chains, (b[:-1], b[1:], log_sizes, keys))

        return block


def _root(z: Array) -> Array:
    """Of the covariance of chains (n, p), drawn towards its diagonal where they are few."""
    n, p = z.shape
    cov = np.atleast_2d(np.cov(z.T))
    diagonal = np.diag(np.maximum(np.diag(cov), 1e-20))
    return np.linalg.cholesky((n * cov + (p + 2) * diagonal) / (n + p + 2))
