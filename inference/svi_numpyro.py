"""The NumPyro learner of `inference.svi`: jitted chunks of steps (`lax.scan`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray
from numpyro.infer import SVI, Trace_ELBO

Array = NDArray[Any]


class NumpyroLearner:
    """Gradient steps on the ELBO of a pair in NumPyro.

    Args:
        model, guide: called with a batch of `data` and `n_total`; functions or autoguides.
        data: arrays (n, ...) with the same rows, or None in their place.
        n_total: N, if it is not the number of rows.
        log_density: `log_density(params, *block)` -> (m,) of a block of `validation`; what
            `evaluate` gives. `params` are the values of the `numpyro.param` sites by name.
        validation: held-out arrays, as `data`.
        loss: an ELBO of `numpyro.infer`; `TraceEnum_ELBO` sums out enumerated sites.
        optimiser: of optax, for a learning rate of one: what it gives is multiplied by the rate of
            the step and added.
        redraw: gives the data anew for an epoch, or None to keep them.
        seed: of the guide's draws and the initial values.
        x64: compute in double precision, whatever the process does elsewhere.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        guide: Callable[..., Any],
        data: Sequence[Any],
        *,
        n_total: int | None = None,
        log_density: Callable[..., jax.Array] | None = None,
        validation: Sequence[Any] = (),
        loss: Any = None,
        optimiser: optax.GradientTransformation | None = None,
        clip: float = 5.0,
        redraw: Callable[[int], Sequence[Any] | None] | None = None,
        seed: int = 0,
        x64: bool = False,
        block: int = 8192,
    ) -> None:
        self.model, self.guide, self.redraw, self.block, self.x64, self.seed = (
            model,
            guide,
            redraw,
            block,
            x64,
            seed,
        )
        self.n_total = next(len(a) for a in data if a is not None) if n_total is None else n_total
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(clip),
            optimiser or optax.chain(optax.scale_by_adam(), optax.scale(-1.0)),
        )
        elbo = Trace_ELBO() if loss is None else loss
        with self._precision():
            self.data = _arrays(data)
            self.validation = _arrays(validation)
            key, start = jax.random.split(jax.random.key(seed))
            svi = SVI(model, guide, optax.identity(), elbo)
            first = [None if a is None else a[: min(2, len(a))] for a in self.data]
            state = svi.init(start, *first, n_total=self.n_total)
            params = svi.optim.get_params(state.optim_state)
            self.constrain = svi.constrain_fn
            # Weights, their averages, the optimiser's state and the random key: everything the next
            # step depends on.
            self._state = (
                params,
                jax.tree.map(jnp.array, params),
                self.optimiser.init(params),
                key,
            )

        def one(data: Any, carry: Any, inputs: Any) -> Any:
            params, slots, key = carry
            rows, rate = inputs
            key, draw = jax.random.split(key)
            batch = [None if a is None else a[rows] for a in data]

            def objective(p: Any) -> jax.Array:
                bound: jax.Array = elbo.loss(
                    draw, self.constrain(p), model, guide, *batch, n_total=self.n_total
                )
                return bound / self.n_total

            value, grads = jax.value_and_grad(objective)(params)
            updates, slots = self.optimiser.update(grads, slots, params)
            params = jax.tree.map(lambda p, u: p + (rate * u).astype(p.dtype), params, updates)
            return (params, slots, key), value

        self._scan = jax.jit(
            lambda carry, data, inputs: jax.lax.scan(lambda c, i: one(data, c, i), carry, inputs)
        )
        self._lerp = jax.jit(
            lambda a, w, d: jax.tree.map(lambda x, y: x + (1 - d).astype(x.dtype) * (y - x), a, w)
        )
        self._density = None
        if log_density is not None:
            self._density = jax.jit(lambda p, *rows: log_density(self.constrain(p), *rows))

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        return jax.enable_x64(True) if self.x64 else contextlib.nullcontext()

    def begin_epoch(self, epoch: int) -> None:
        data = None if self.redraw is None else self.redraw(epoch)
        if data is not None:
            with self._precision():
                self.data = _arrays(data)

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        with self._precision():
            params, mean, slots, key = self._state
            inputs = (jnp.asarray(batches, jnp.int32), jnp.asarray(rates))
            (params, slots, key), losses = self._scan((params, slots, key), self.data, inputs)
            self._state = (params, mean, slots, key)
            return np.asarray(losses)

    def average(self, decay: float) -> None:
        with self._precision():
            params, mean, slots, key = self._state
            self._state = (params, self._lerp(mean, params, jnp.asarray(decay)), slots, key)

    def evaluate(self) -> Array:
        """Log density (m,) of each held-out row under the averaged weights."""
        if self._density is None:
            raise ValueError("log_density is None; give it to evaluate on held-out rows.")
        with self._precision():
            n = next(len(a) for a in self.validation if a is not None)
            parts = []
            for start in range(0, n, self.block):
                rows = [
                    None if a is None else a[start : start + self.block] for a in self.validation
                ]
                parts.append(np.asarray(self._density(self._state[1], *rows)))
        return np.concatenate(parts).astype(np.float64)

    def params(self) -> dict[str, Any]:
        """Averaged values of the `numpyro.param` sites, as the model sees them."""
        with self._precision():
            found: dict[str, Any] = self.constrain(self._state[1])
            return found

    def state(self) -> dict[str, Array]:
        params, mean, slots, key = self._state
        parts = {
            "weight": params,
            "average": mean,
            "optimiser": slots,
            "rng": jax.random.key_data(key),
        }
        leaves, _ = jax.tree_util.tree_flatten_with_path(parts)
        return {jax.tree_util.keystr(path): np.array(leaf) for path, leaf in leaves}

    def load(self, state: Mapping[str, Array]) -> None:
        with self._precision():
            params, mean, slots, key = self._state
            parts = {
                "weight": params,
                "average": mean,
                "optimiser": slots,
                "rng": jax.random.key_data(key),
            }
            parts = jax.tree_util.tree_map_with_path(
                lambda path, leaf: jnp.asarray(state[jax.tree_util.keystr(path)], leaf.dtype), parts
            )
            key = jax.random.wrap_key_data(parts["rng"])
            self._state = (parts["weight"], parts["average"], parts["optimiser"], key)


def _arrays(data: Sequence[Any]) -> list[Any]:
    return [None if a is None else jnp.asarray(a) for a in data]
