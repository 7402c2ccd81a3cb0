"""Replications of simulation-based calibration on a pair's target, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import FitError, InputError
from ...fitting import EngineFit
from ..replications import Block
from .quantities import Quantities
from .result import Posterior
from .target import Target

Values = Mapping[str, Array]  # site -> (n, ...)
Run = Callable[[Target, EngineFit], Posterior]


@dataclass(frozen=True)
class Simulated:
    """What is simulated of n replications.

    Attributes:
        target: the log joint that engines are given, once its observed sites have their data.
        truth: latent site -> (n, ...), theta*.
        data: observed site -> (n, ...), what takes the place of the target's own.
    """

    target: Target
    truth: Values
    data: Values


def one_by_one(
    simulated: Simulated, quantities: Quantities, run: Run, num_ranked: int, seed: int
) -> Callable[[range], Block]:
    """Replications one after the other, each a fit of its own.

    Args:
        quantities: that are ranked.
        run: the engine, which is given a target and its surroundings.
        num_ranked: L at most, evenly spread over those of the engine.
        seed: with the number of a replication, of all that is random in it.
    """
    measured = _measured(simulated.target, quantities)

    def one(r: int, kept: int) -> tuple[Array, float]:
        data = {name: value[r] for name, value in simulated.data.items()}
        truth = {name: value[None, r] for name, value in simulated.truth.items()}
        fit = EngineFit(int(np.random.SeedSequence([seed, r]).generate_state(1)[0]))
        try:
            found = run(simulated.target.observing(data), fit)
        except (FitError, InputError):
            if not kept:  # the first says what is wrong with all
                raise
            everything = {n: np.repeat(value, kept + 1, axis=0) for n, value in truth.items()}
            lost = measured(data, everything)
            lost[1:] = np.nan
            return lost, 0.0
        if found.why == "interrupted":  # by the user, who means all replications
            raise KeyboardInterrupt
        flat = {n: a.reshape(-1, *a.shape[2:]) for n, a in found.draws.items()}
        total = len(next(iter(flat.values())))
        spread = np.linspace(0, total - 1, kept or min(num_ranked, total)).round().astype(int)
        everything = {n: np.concatenate([truth[n], flat[n][spread]]) for n in truth}
        diverging = found.stats.get("diverging")
        share = 0.0 if diverging is None else float(np.mean(diverging))
        return measured(data, everything), share

    kept = 0

    def block(which: range) -> Block:
        nonlocal kept
        each = []
        for r in which:
            each.append(one(r, kept))
            kept = len(each[-1][0]) - 1
        rows, diverging = zip(*each, strict=True)
        found = np.stack(rows)
        return Block(found[:, 0], found[:, 1:], np.array(diverging))

    return block


def _measured(target: Target, quantities: Quantities) -> Callable[[Values, Values], Array]:
    """(data, n values of the latent sites) -> (n, k) test quantities."""
    return (_by_jax if target.backend == "numpyro" else _by_torch)(target, quantities)


def _by_jax(target: Target, quantities: Quantities) -> Callable[[Values, Values], Array]:
    import jax
    import jax.numpy as jnp

    def one(data: Any, values: Any) -> Any:
        return jnp.concatenate(quantities(target.observing(data), values))

    compiled = jax.jit(jax.vmap(one, (None, 0)))

    def measured(data: Values, values: Values) -> Array:
        with target.precision():
            found = compiled(jax.tree.map(jnp.asarray, data), jax.tree.map(jnp.asarray, values))
            return np.array(found)

    return measured


def _by_torch(target: Target, quantities: Quantities) -> Callable[[Values, Values], Array]:
    import torch

    def measured(data: Values, values: Values) -> Array:
        given = target.observing(data)
        with target.precision(), torch.no_grad():
            each = [
                {name: torch.as_tensor(value[i]) for name, value in values.items()}
                for i in range(len(next(iter(values.values()))))
            ]
            return np.stack([torch.cat(quantities(given, one)).numpy() for one in each])

    return measured
