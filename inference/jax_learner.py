"""The JAX learner of `gradient.train`: gradient steps on any loss of a pytree, a chunk of steps in
one jitted loop, which is compiled once for chunks of every length.

Like the one of torch it owns all that a step depends on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from .learner import Array, Data, Feed, HeldOut, Learner, take

Loss = Callable[[Any, jax.Array, list[Any], jax.Array], jax.Array]
_CARRIED = ("weight", "optimiser", "rng", "step")


class JaxLearner(Learner):
    """Gradient steps on `loss(params, key, batch, step)`, in nats a row.

    Args:
        params: pytree of arrays to train.
        loss: the mean loss of a batch, the same rows of each array in `data`, at this step (counted
            from 0). It is traced: what it does may not depend on the values of its arguments.
        data: arrays (n, ...) with the same rows, or None in their place; or a `Feed`.
        held: what `evaluate` scores; its `log_density` takes params, a key and a block of rows.
        optimiser: of optax, clipping included, for a learning rate of one: what it gives is
            multiplied by the rate of the step and added. None is `adam()`.
        redraw: gives the data anew for an epoch, or None to keep them.
        seed: of all that `loss` draws.
        x64: compute in double precision, whatever the process does elsewhere.
    """

    compiled = True

    def __init__(
        self,
        params: Any,
        loss: Loss,
        data: Data | Feed,
        *,
        held: HeldOut | None = None,
        optimiser: optax.GradientTransformation | None = None,
        redraw: Callable[[int], Data | None] | None = None,
        seed: int = 0,
        x64: bool = False,
    ) -> None:
        self.redraw, self.seed, self.x64 = redraw, seed, x64
        self.optimiser = optimiser or adam()
        self.batch, data = (data.take, data.data) if isinstance(data, Feed) else (take, data)
        with self._precision():
            self.data = arrays(data)
            self.held = None if held is None else replace(held, data=arrays(held.data))
            params = jax.tree.map(jnp.asarray, params)
            key, _ = jax.random.split(jax.random.key(seed))
            self._state = {
                "weight": params,
                "average": params,
                "optimiser": jax.jit(self.optimiser.init)(params),
                "rng": key,
                "step": jnp.zeros((), jnp.int32),
            }

        def one(data: Any, rows: Any, rate: Any, carry: Any) -> Any:
            params, slots, key, step = carry
            key, draw = jax.random.split(key)
            value, grads = jax.value_and_grad(loss)(params, draw, self.batch(data, rows), step)
            updates, slots = self.optimiser.update(grads, slots, params)
            params = jax.tree.map(lambda p, u: p + (rate * u).astype(p.dtype), params, updates)
            return (params, slots, key, step + 1), value

        def steps(carry: Any, data: Any, batches: Any, rates: Any, count: Any) -> Any:
            def body(i: Any, state: Any) -> Any:
                carry, losses = state
                carry, value = one(data, batches[i], rates[i], carry)
                return carry, losses.at[i].set(value.astype(losses.dtype))

            return jax.lax.fori_loop(0, count, body, (carry, jnp.zeros(rates.shape)))

        self._steps = jax.jit(steps)
        self._lerp = jax.jit(
            lambda a, w, d: jax.tree.map(lambda x, y: x + (1 - d).astype(x.dtype) * (y - x), a, w)
        )
        self._density = None if held is None else jax.jit(held.log_density)

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        return jax.enable_x64(True) if self.x64 else contextlib.nullcontext()

    def begin_epoch(self, epoch: int) -> None:
        data = None if self.redraw is None else self.redraw(epoch)
        if data is not None:
            with self._precision():
                self.data = arrays(data)

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        with self._precision():
            carry, losses = self._take(batches, rates)
            self._state |= dict(zip(_CARRIED, carry, strict=True))
        return losses

    def _take(self, batches: NDArray[np.int64], rates: Array) -> tuple[Any, Array]:
        """What the steps lead to, and their losses; of any number one program."""
        n = len(batches)
        more = max(self.most, n) - n
        losses: Any
        carry, losses = self._steps(
            self._carry(),
            self.data,
            jnp.asarray(np.pad(batches, ((0, more), (0, 0))), jnp.int32),
            jnp.asarray(np.pad(rates, (0, more))),
            n,
        )
        return carry, np.asarray(losses)[:n]

    def _carry(self) -> tuple[Any, ...]:
        return tuple(self._state[name] for name in _CARRIED)

    def probe(self, rows: NDArray[np.int64]) -> None:
        """One step forward and back that changes nothing: whether it fits in memory."""
        with self._precision():
            self._take(rows[None], np.zeros(1))  # waits for it

    def average(self, decay: float) -> None:
        with self._precision():
            mean, params = self._state["average"], self._state["weight"]
            self._state["average"] = self._lerp(mean, params, jnp.asarray(decay))

    def evaluate(self) -> Array:
        """Log density (m,) of each held-out row under the averaged weights; the same draws each
        time."""
        if self.held is None or self._density is None:
            raise ValueError("there are no held-out rows to evaluate; give `held`.")
        with self._precision():
            key, parts = jax.random.key(self.seed), []
            for start, rows in self.held.blocks():
                draw = jax.random.fold_in(key, start)
                parts.append(np.asarray(self._density(self._state["average"], draw, *rows)))
        return np.concatenate(parts).astype(np.float64)

    def averaged(self) -> Any:
        """The averaged weights: what the fit gives."""
        return self._state["average"]

    def _parts(self) -> dict[str, Any]:
        # A key's bits stand for it where arrays are wanted.
        return self._state | {"rng": jax.random.key_data(self._state["rng"])}

    def state(self) -> dict[str, Array]:
        leaves, _ = jax.tree_util.tree_flatten_with_path(self._parts())
        return {jax.tree_util.keystr(path): np.array(leaf) for path, leaf in leaves}

    def load(self, state: Mapping[str, Array]) -> None:
        with self._precision():
            parts = jax.tree_util.tree_map_with_path(
                lambda path, leaf: jnp.asarray(state[jax.tree_util.keystr(path)], leaf.dtype),
                self._parts(),
            )
            self._state = parts | {"rng": jax.random.wrap_key_data(parts["rng"])}


def adam(clip: float = 5.0, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, for a learning rate of one; gradients are scaled down to
    the norm `clip`."""
    return optax.chain(
        optax.clip_by_global_norm(clip),
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay),
        optax.scale(-1.0),
    )


def arrays(data: Data) -> list[Any]:
    """Each as an array on the device; None stays None."""
    return [None if a is None else jnp.asarray(a) for a in data]
