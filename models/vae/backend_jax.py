"""A variational autoencoder on JAX: what `VAE` needs of the NumPyro pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...inference.jax_learner import JaxLearner, adam
from ...inference.learner import HeldOut
from . import objectives_jax as objectives
from .nets_jax import Nets, initial
from .nets_jax import unsupported as unsupported
from .numpyro import prior

if TYPE_CHECKING:
    from .build import Architecture
    from .training import Rows, Training
    from .units import Units

Array = NDArray[Any]
Floats = NDArray[np.float64]
_BLOCK = 1024


class JaxVAE:
    """The nets in single precision: training, latents, rows, arrays.

    Args:
        rows: (m, D) stored rows from which the nets start; None where weights are loaded next.

    Raises:
        InputError: if the architecture has no NumPyro pair; it says what to take.
    """

    def __init__(
        self, architecture: Architecture, units: Units, seed: int, rows: Array | None = None
    ) -> None:
        reason = unsupported(architecture)
        if reason is not None:
            raise InputError(reason)
        self.architecture, self.units = architecture, units
        start = None if rows is None else self.rows(rows)
        self._set(initial(architecture, seed, start))

        def decode(nets: Nets, z: Any, c: Any, key: Any) -> Any:
            raw, of = nets.decode(z, c), nets.observation
            return of.mean(raw) if key is None else of.sample(key, raw)

        self._encode = eqx.filter_jit(lambda nets, x, c: nets.q_1(nets.encode(x, c)))
        self._decode = eqx.filter_jit(decode)

    def _set(self, arrays: Mapping[str, Any]) -> None:
        single = {name: jnp.asarray(a, jnp.float32) for name, a in arrays.items()}
        self.nets = Nets(self.architecture, single)

    # Training

    def learner(
        self,
        rows: Rows,
        held: Rows | None,
        training: Training,
        seed: int,
        redraw: Callable[[int], Array] | None = None,
    ) -> JaxLearner:
        """The learner of the pair; `keep` takes its averaged weights afterwards.

        Args:
            rows: to train on; weights with mean 1.
            held: held-out rows; their weights are left to who averages.
            redraw: gives all stored rows anew for an epoch.
        """
        if training.augment is not None:
            raise InputError('augment changes images; leave it out, or take backend="pyro".')
        nets, data, samples = self.nets, _taken(rows), training.held_samples

        def loss(learnt: Any, key: Any, batch: list[Any], step: Any) -> Any:
            fill, dropout, latents = jr.split(key, 3)
            x, context, weights = batch
            of = nets.given(learnt, dropout)
            return -_objective(training, of, step, self._fill(x, fill), latents, context, weights)

        def density(learnt: Any, key: Any, x: Any, context: Any = None) -> Any:
            fill, latents = jr.split(key)
            of, y, whole = nets.given(learnt), self._fill(x, fill), training.objective != "elbo"
            return objectives.held_terms(of, y, latents, context, samples=samples, whole=whole)

        def again(epoch: int) -> list[Any] | None:
            if redraw is None:
                return None
            return _taken(rows._replace(x=redraw(epoch)))

        return JaxLearner(
            nets.learnt,
            loss,
            data,
            held=None
            if held is None
            else HeldOut(density, _taken(held)[:2], max(1, 4 * _BLOCK // samples)),
            optimiser=adam(training.clip),
            redraw=again,
            seed=seed,
        )

    def _fill(self, x: Any, key: Any) -> Any:
        """Model values of a batch of stored rows, u drawn by the key."""
        x = x.astype(jnp.result_type(float))
        u: Any = jr.uniform(key, x.shape, x.dtype) if self.units.filled else None
        return self.units.enter(x, u)

    def keep(self, learner: JaxLearner) -> None:
        """Take the averaged weights of a trained learner."""
        self.nets = self.nets.given(learner.averaged())

    # Using

    def rows(self, x: Array) -> Floats:
        """Stored rows as model values, cells at their middles."""
        values: Any = self.units.enter(np.asarray(x, dtype=np.float64))  # type: ignore[arg-type]
        return np.asarray(values)

    def encode(self, x: Array, context: Array | None) -> tuple[Floats, Floats]:
        """(n, k) means and standard deviations of q(z_1 | x)."""
        means, scales = [], []
        for start in range(0, len(x), _BLOCK):
            some = slice(start, start + _BLOCK)
            size, y, c = _block(self.rows(x[some]), None if context is None else context[some])
            m, log_s = self._encode(self.nets, y, c)
            means.append(np.asarray(m, dtype=np.float64)[:size])
            scales.append(np.exp(np.asarray(log_s, dtype=np.float64))[:size])
        return np.concatenate(means), np.concatenate(scales)

    def decode(self, z: Array, context: Array | None, *, draw: int | None = None) -> Array:
        """(n, D) stored values: expected ones, or drawn ones with the seed `draw`."""
        found = []
        for start in range(0, len(z), _BLOCK):
            some = slice(start, start + _BLOCK)
            size, part, c = _block(z[some], None if context is None else context[some])
            key = None if draw is None else jr.fold_in(jr.key(draw), start)
            y: Any = np.asarray(self._decode(self.nets, part, c, key), dtype=np.float64)[:size]
            found.append(self.units.leave(y))
        return np.concatenate(found)

    def prior(self, n: int, seed: int) -> Floats:
        """(n, k) draws of z_1 from the prior."""
        first, second = jr.split(jr.key(seed))
        z = prior(self.nets).sample(first, (n,))
        if self.nets.n_layers == 2:
            m, log_s = self.nets.p_1(z)
            z = m + jnp.exp(log_s) * jr.normal(second, m.shape, m.dtype)
        return np.asarray(z, dtype=np.float64)

    def arrays(self) -> dict[str, Array]:
        return {name: np.array(a) for name, a in self.nets.arrays.items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        self._set({name: arrays[name] for name in self.nets.arrays})


def _objective(
    t: Training, nets: Nets, step: Any, x: Any, key: Any, context: Any, weights: Any
) -> Any:
    if t.objective == "elbo":
        # As `Training.beta_at`, of a step that is traced.
        beta = t.beta * jnp.minimum(1.0, (step + 1) / (t.warm_up + 1))
        return objectives.elbo(
            nets,
            x,
            key,
            context,
            beta=beta,
            free_bits=t.free_bits,
            weights=weights,
            samples=t.samples,
        )
    return objectives.iwae(
        nets,
        x,
        key,
        context,
        samples=t.samples,
        weights=weights,
        doubly=t.objective == "dreg",
    )


def _taken(rows: Rows) -> list[Any]:
    """The rows meant, their context and weights; floats are made single, whole numbers stay."""
    found = [None if a is None else a[rows.numbers] for a in (rows.x, rows.context, rows.weights)]
    return [_single(a) if a is not None and a.dtype.kind == "f" else a for a in found]


def _single(a: Array | None) -> Array | None:
    return None if a is None else np.asarray(a, dtype=np.float32)


def _block(x: Array, context: Array | None) -> tuple[int, Any, Any]:
    """Rows and context filled up to the next power of two: few shapes, few compilations."""
    size = len(x)
    more = (1 << (size - 1).bit_length()) - size
    found = [None if a is None else np.pad(_single(a), ((0, more), (0, 0))) for a in (x, context)]  # type: ignore[arg-type]
    return size, *found  # type: ignore[return-value]
