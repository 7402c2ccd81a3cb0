"""Many replications of simulation-based calibration in one program: a chain for each posterior,
with data of its own.

The program goes from chain to chain. All at once under vmap, each transition would wait for the
longest path among all chains, which costs more than vectors save (and up to 20 times as much where
a gradient is a call of LAPACK). It takes the data as an argument, and how many transitions lie
between two draws that are kept, so that it is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..calibration import MAX_AUTOCORRELATION, autocorrelations, most_correlated, thinning
from ..replications import Block
from .compiled import LogJoint, Sampler
from .fixed_length import hmc_sampler
from .low_rank import low_rank_sampler
from .nuts import nuts_sampler
from .quantities import Quantities
from .replicate import Simulated
from .target import Target

BLOCK = 100  # replications of a call: between two, an interrupt or the deadline ends them
_CHAINS = 1  # the branch of a seed that chains draw by
_STARTS = 10  # places where a chain may start
MAX_THIN = 20


def sampler(method: str, log_joint: LogJoint, settings: Any) -> Sampler:
    """The chain of a method."""
    if method == "hmc":
        return hmc_sampler(log_joint, settings)
    make = low_rank_sampler if settings.adaptation == "low_rank" else nuts_sampler
    return make(log_joint, settings)


def replicated_chains(
    simulated: Simulated,
    quantities: Quantities,
    method: str,
    settings: Any,
    num_ranked: int,
    thin: int | None,
    seed: int,
    size: int,
) -> Callable[[range], Block]:
    """Replications, `size` of them a call.

    Args:
        simulated: theta* and data, of a NumPyro target.
        quantities: that are ranked.
        method, settings: of the chains; num_chains and num_samples play no part.
        num_ranked: L, kept of each chain.
        thin: transitions from one to the next; None chooses them by the first block, which is run
            again with more until its draws are nearly independent.
        seed: with the number of a replication, of all that is random in it.
    """
    target = simulated.target
    make = _replication(target, quantities, method, settings, num_ranked)

    @jax.jit
    def compiled(keys: Any, truth: Any, data: Any, steps: Any) -> Any:
        each = keys, truth, data
        return jax.lax.map(lambda one: make(one[0], one[1], one[2], steps), each)

    n = len(next(iter(simulated.truth.values())))
    steps = thin

    def run(which: Any, steps: int) -> tuple[Any, Any, Any]:
        at = np.minimum(np.arange(which.start, which.start + size), n - 1)  # one shape
        with target.precision():
            # The r-th of split(key(seed), n), by which theta* was drawn, is fold_in(key(seed), r).
            own = jax.random.fold_in(jax.random.key(seed), _CHAINS)
            keys = jax.vmap(partial(jax.random.fold_in, own))(jnp.asarray(at))
            truth = {name: jnp.asarray(value[at]) for name, value in simulated.truth.items()}
            data = {name: jnp.asarray(value[at]) for name, value in simulated.data.items()}
            found = compiled(keys, truth, data, steps)
            kept = len(which)
            return tuple(np.asarray(a)[:kept] for a in found)  # type: ignore[return-value]

    def block(which: range) -> Block:
        nonlocal steps
        if steps is not None:
            return Block(*run(which, steps))
        steps = 1
        while True:
            found = Block(*run(which, steps))
            fine = found.draws[~np.isnan(found.draws).any(axis=(1, 2))]
            enough = most_correlated(autocorrelations(fine)) <= MAX_AUTOCORRELATION
            if enough or steps == MAX_THIN:
                return found
            # Few draws that are far from independent seem less so than they are: look again.
            steps = min(MAX_THIN, steps * max(2, thinning(fine, MAX_THIN)))

    return block


def _replication(
    target: Target, quantities: Quantities, method: str, settings: Any, num_ranked: int
) -> Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]:
    """(key, truth, data, thin) -> quantities of truth (k,), of draws (L, k), share diverging."""

    def replication(key: Any, truth: Any, data: Any, thin: Any) -> tuple[Any, Any, Any]:
        place, path = jax.random.split(key)
        given = target.observing(data)
        chain = sampler(method, given.log_joint, settings)
        start, usable = _start(given, place)
        state = chain.begin(path, start)

        def measured(values: Any) -> Any:
            return jnp.concatenate(quantities(given, values))

        def transition(i: Any, carry: Any) -> Any:
            state, _, diverging = carry
            state, record = chain.step(i, state)
            counted = diverging + jnp.where(i < chain.num_warmup, 0, record["diverging"])
            return state, record["z"], counted

        def draw(i: Any, carry: Any) -> Any:
            # The first comes after the warm-up, so that one program has both.
            state, z, diverging, kept = carry
            after = chain.num_warmup + i * thin
            first = jnp.where(i == 0, 0, after)
            state, z, diverging = jax.lax.fori_loop(
                first, after + thin, transition, (state, z, diverging)
            )
            return state, z, diverging, kept.at[i].set(z)

        z = jnp.zeros(target.size)
        empty = jnp.zeros((num_ranked, target.size))
        _, _, diverging, kept = jax.lax.fori_loop(0, num_ranked, draw, (state, z, 0, empty))
        share = diverging / (num_ranked * thin)
        draws = jax.vmap(lambda z: measured(given.constrain(z)))(kept)
        return measured(truth), jnp.where(usable, draws, jnp.nan), share

    return replication


def _start(target: Target, key: Any) -> tuple[Any, Any]:
    """(p,) the first of some places where log joint and gradient are finite, and whether one is."""
    z = jax.random.uniform(key, (_STARTS, target.size), minval=-2.0, maxval=2.0)
    value, slope = jax.vmap(jax.value_and_grad(target.log_joint))(z)
    finite = jnp.isfinite(value) & jnp.isfinite(slope).all(axis=1)
    return z[jnp.argmax(finite)], finite.any()
