"""Stochastic variational inference in NumPyro: the learner of `svi_pyro`, with its loss, on JAX.

The weight N / |B| of a batch B is the model's plate,
`numpyro.plate("rows", n_total, subsample_size=|B|)`. Parameters are `numpyro.param` sites.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from inspect import isfunction
from typing import Any

import jax
import numpy as np
import optax
from numpyro.infer import SVI, Trace_ELBO

from .adam_jax import Adam
from .funsor_backend import funsors_of_jax
from .jax_learner import JaxLearner, arrays
from .learner import Data, Feed, HeldOut, as_feed


class NumpyroLearner(JaxLearner):
    """Gradient steps on the ELBO of a pair in NumPyro, in double precision where any of the data
    is, whatever the process does elsewhere.

    Args:
        model, guide: called with a batch of `data` and `n_total`; functions or autoguides.
        data: arrays (n, ...) with the same rows, or None in their place; or a `Feed`.
        held: what `evaluate` scores; its `log_density` takes the values of the `numpyro.param`
            sites by name and a block of rows.
        elbo: an ELBO of `numpyro.infer`; `TraceEnum_ELBO` sums out enumerated sites. Its `loss` is
            a sum over all rows.
        optimiser, redraw: as for `JaxLearner`.
        start: values of the `numpyro.param` sites by name, where they are known and have no
            constraints; None runs the pair for them.
        seed: of the guide's draws and the initial values.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        guide: Callable[..., Any],
        data: Data | Feed,
        *,
        held: HeldOut | None = None,
        elbo: Any = None,
        optimiser: Adam | None = None,
        redraw: Callable[[int], Data | None] | None = None,
        start: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        feed = as_feed(data)
        self.model, self.guide, self.n_total = model, guide, feed.n_total
        self.elbo = Trace_ELBO() if elbo is None else elbo
        x64 = any(a.dtype == np.float64 for a in feed.data if a is not None)
        self.constrain: Callable[[Any], Any] = lambda params: params
        params: Any = start
        if params is None:
            with jax.enable_x64(True) if x64 else contextlib.nullcontext():
                _, key = jax.random.split(jax.random.key(seed))
                svi = SVI(model, guide, optax.identity(), self.elbo)
                first = feed.take(arrays(feed.data), slice(feed.first))
                with funsors_of_jax():
                    params = _start(svi, key, first, self.n_total)
            self.constrain = svi.constrain_fn
        if held is not None:
            log_density = held.log_density

            def density(params: Any, key: jax.Array, *rows: Any) -> Any:
                return log_density(self.constrain(params), *rows)

            held = replace(held, log_density=density)
        super().__init__(
            params,
            self._loss,
            data,
            held=held,
            optimiser=optimiser,
            redraw=redraw,
            seed=seed,
            x64=x64,
        )

    def _loss(self, params: Any, key: jax.Array, batch: list[Any], step: jax.Array) -> jax.Array:
        values = self.constrain(params)
        with funsors_of_jax():
            bound: jax.Array = self.elbo.loss(
                key, values, self.model, self.guide, *batch, n_total=self.n_total
            )
        return bound / self.n_total

    def params(self) -> dict[str, Any]:
        """Averaged values of the `numpyro.param` sites, as the model sees them."""
        with self._precision():
            values: dict[str, Any] = self.constrain(self.averaged())
            return values


def _start(svi: SVI, key: jax.Array, rows: list[Any], n_total: int) -> Any:
    """The values that the `numpyro.param` sites start from, without their constraints; by one
    program, as operations that are compiled one by one take longer. Guides that keep what they
    computed, and constraints that are computed, need it outside of one."""

    def start(key: jax.Array, *rows: Any) -> Any:
        return svi.optim.get_params(svi.init(key, *rows, n_total=n_total).optim_state)

    if not isfunction(svi.guide.func if isinstance(svi.guide, partial) else svi.guide):
        return start(key, *rows)
    params = jax.jit(start)(key, *rows)
    constraints = jax.tree.leaves(svi.constrain_fn.args)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in constraints):
        return start(key, *rows)
    return params
