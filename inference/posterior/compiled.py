"""Transitions of chains as programs that JAX compiles once.

The number of transitions in a block is an argument of the program; their records are written into
arrays of a fixed length. What depends on a transition's number alone, such as whether it adapts, is
the same for all chains, so that what only a warm-up does is skipped after it where chains run at
once too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from .blocks import CAPACITY, Advance

Method = Literal["sequential", "vectorized", "parallel"]
LogJoint = Callable[[Any], Any]  # z (p,) -> log p(z, data)


@dataclass(frozen=True)
class Sampler:
    """A Markov chain, by functions that JAX can compile.

    Attributes:
        begin: (key, z) -> the state of a chain at z.
        step: (i, state) -> (state, record) for i = 0, 1, ...; see `blocks.Advance`.
        end_warmup: the state as it leaves the warm-up where that ends early.
        lp: the log joint of a state.
        num_warmup: transitions that adapt.
        max_tree_depth: doublings of a path at most; 0 where paths do not double.
    """

    begin: Callable[[Any, Any], Any]
    step: Callable[[Any, Any], tuple[Any, dict[str, Any]]]
    end_warmup: Callable[[Any], Any]
    lp: Callable[[Any], Any]
    num_warmup: int
    max_tree_depth: int = 0


def compiled(sampler: Sampler, method: Method, num_chains: int) -> Advance:
    """How chains go on whose states have leaves (chain, ...).

    Args:
        method: "sequential", one chain after the other; "vectorized", all at once, where each waits
            for the one with the longest path; "parallel", each in a thread, and on devices of their
            own where there are several.
    """
    one = partial(transitions, sampler.step)
    words: str = method
    if method == "vectorized":
        run: Any = jax.jit(jax.vmap(one, (None, None, 0)))
    elif method == "sequential":
        run = jax.jit(lambda i, n, states: jax.lax.map(partial(one, i, n), states))
    else:
        devices = jax.local_devices()
        run = partial(_in_threads, jax.jit(one), devices, num_chains)
        words = f"parallel, on {len(devices)} devices" if len(devices) > 1 else "parallel, threads"
    finish = jax.jit(jax.vmap(sampler.end_warmup))
    return Advance(run, finish, sampler.num_warmup, words)


def transitions(step: Any, i: Any, n: Any, state: Any) -> tuple[Any, Any]:
    """n transitions of one chain from the i-th on, and their records (CAPACITY, ...)."""

    def body(j: Any, carry: Any) -> Any:
        state, records = carry
        state, out = step(i + j, state)
        return state, {name: records[name].at[j].set(a) for name, a in out.items()}

    shapes = jax.eval_shape(step, i, state)[1]
    empty = {name: jnp.zeros((CAPACITY, *a.shape), a.dtype) for name, a in shapes.items()}
    return jax.lax.fori_loop(0, n, body, (state, empty))  # type: ignore[no-any-return]


def _in_threads(
    run: Any, devices: list[Any], num_chains: int, i: int, n: int, states: Any
) -> tuple[Any, Any]:
    def chain(c: int) -> Any:
        with jax.enable_x64(True):  # which each thread has of its own
            state = jax.tree.map(lambda a: a[c], states)
            state, records = run(i, n, jax.device_put(state, devices[c % len(devices)]))
            return jax.device_put(state, devices[0]), jax.device_get(records)

    with ThreadPoolExecutor(num_chains) as threads:
        states, records = zip(*threads.map(chain, range(num_chains)), strict=True)
    return (
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *states),
        jax.tree.map(lambda *leaves: np.stack(leaves), *records),
    )
