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
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from ..errors import InputError
from .adam_jax import Adam
from .learner import Array, Data, Feed, HeldOut, Learner, take

Loss = Callable[[Any, jax.Array, list[Any], jax.Array], jax.Array]
_CARRIED = ("weight", "optimiser", "rng", "step")
_FEW = 1 << 12  # parameters that are moved as one vector


class JaxLearner(Learner):
    """Gradient steps on `loss(params, key, batch, step)`, in nats a row.

    Args:
        params: pytree of arrays to train.
        loss: the mean loss of a batch, the same rows of each array in `data`, at this step (counted
            from 0). It is traced: what it does may not depend on the values of its arguments.
        data: arrays (n, ...) with the same rows, or None in their place; or a `Feed`.
        held: what `evaluate` scores; its `log_density` takes params, a key and a block of rows.
        optimiser: how gradients move `params`; None is `Adam()`.
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
        optimiser: Adam | None = None,
        redraw: Callable[[int], Data | None] | None = None,
        seed: int = 0,
        x64: bool = False,
    ) -> None:
        self.redraw, self.seed, self.x64 = redraw, seed, x64
        self.optimiser = optimiser or Adam()
        self.batch, data = (data.take, data.data) if isinstance(data, Feed) else (take, data)
        with self._precision():
            self.data = arrays(data)
            self.held = None if held is None else replace(held, data=arrays(held.data))
            moved, self._shaped = as_moved(params)
            key, _ = jax.random.split(jax.random.key(seed))
            self._state = {
                "weight": moved,
                "average": moved,
                "optimiser": jax.jit(self.optimiser.begun)(moved),
                "rng": jax.random.key_data(key),
                "step": jnp.zeros((), jnp.int32),
            }
        paths, _ = jax.tree_util.tree_flatten_with_path(self._state)
        self._names = [jax.tree_util.keystr(path) for path, _ in paths]

        def at(moved: Any, *args: Any) -> jax.Array:
            return loss(self._shaped(moved), *args)

        def one(data: Any, rows: Any, rate: Any, correction: Any, carry: Any) -> Any:
            moved, slots, bits, step = carry
            key, draw = jax.random.split(jax.random.wrap_key_data(bits))
            value, grads = jax.value_and_grad(at)(moved, draw, self.batch(data, rows), step)
            moved, slots = self.optimiser.moved(moved, grads, slots, rate, correction)
            return (moved, slots, jax.random.key_data(key), step + 1), value

        def steps(carry: Any, data: Any, batches: Any, rates: Any, count: Any) -> Any:
            corrections = self.optimiser.corrections(carry[-1] + 1 + jnp.arange(len(rates)))

            def body(i: Any, state: Any) -> Any:
                carry, losses = state
                carry, value = one(data, batches[i], rates[i], corrections[i], carry)
                return carry, losses.at[i].set(value.astype(losses.dtype))

            return jax.lax.fori_loop(0, count, body, (carry, jnp.zeros(rates.shape)))

        self._steps = jax.jit(steps)
        self._lerp = jax.jit(
            lambda a, w, s: jax.tree.map(lambda x, y: x + s.astype(x.dtype) * (y - x), a, w)
        )
        self._density: Callable[..., Any] | None = None
        if held is not None:
            density = held.log_density
            self._density = jax.jit(lambda moved, *args: density(self._shaped(moved), *args))

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
        n, most = len(batches), max(self.most, len(batches))
        rows, each = np.zeros((most, batches.shape[1]), np.int32), np.zeros(most)
        rows[:n], each[:n] = batches, rates
        losses: Any
        carry, losses = self._steps(self._carry(), self.data, rows, each, n)
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
            self._state["average"] = self._lerp(mean, params, np.float64(1 - decay))

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
        with self._precision():
            return jax.jit(self._shaped)(self._state["average"])

    def state(self) -> dict[str, Array]:
        leaves = map(np.asarray, jax.tree.leaves(self._state))  # no step writes over them
        return dict(zip(self._names, leaves, strict=True))

    def load(self, state: Mapping[str, Array]) -> None:
        if state.keys() != {*self._names}:
            raise InputError(
                "the state of the training is of another version of ppgen, whose steps keep other "
                "arrays. Give another checkpoint_dir or clear it."
            )
        with self._precision():
            leaves, form = jax.tree.flatten(self._state)
            named = zip(self._names, leaves, strict=True)
            loaded = [jnp.asarray(state[name], leaf.dtype) for name, leaf in named]
            self._state = jax.tree.unflatten(form, loaded)


def as_moved(params: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Parameters as steps move them, and what gives them their shapes again. Few of one type are
    one vector: what a step of theirs takes is a matter of how many operations there are."""
    params = jax.tree.map(jnp.asarray, params)
    leaves = jax.tree.leaves(params)
    if len({a.dtype for a in leaves}) != 1 or sum(a.size for a in leaves) > _FEW:
        return params, lambda same: same
    return ravel_pytree(params)


def arrays(data: Data) -> list[Any]:
    """Each as an array on the device; None stays None."""
    return [None if a is None else jnp.asarray(a) for a in data]
