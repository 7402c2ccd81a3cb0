"""The nets of a variational autoencoder on JAX: trained through the NumPyro pair.

What comes after a fit is computed by the Pyro pair with the same arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...errors import InputError
from ...inference import local_numpyro
from ...inference.adam_jax import Adam
from ...inference.jax_learner import JaxLearner
from ...inference.learner import HeldOut
from ...inference.local_objective import Objective
from . import numpyro as programs
from .nets_jax import Nets, initial
from .nets_jax import unsupported as unsupported

if TYPE_CHECKING:
    from ..nets.held_out import Subset
    from ..nets.values import Values
    from ..nets.whitening import Whitening
    from .build import Architecture

Array = NDArray[Any]
CLIP = 50.0  # largest norm of the gradient
_BLOCK = 4096


class JaxNets:
    """The nets in single precision, to be trained.

    Args:
        rows: (m, D) stored rows from which the nets start; None where weights are loaded next.
        whitening: of the numbers, where their noise is "full".

    Raises:
        InputError: if the architecture has no NumPyro pair; it says what to take.
    """

    def __init__(
        self,
        architecture: Architecture,
        values: Values,
        seed: int,
        rows: Array | None = None,
        whitening: Whitening | None = None,
    ) -> None:
        reason = unsupported(architecture)
        if reason is not None:
            raise InputError(reason)
        self.architecture, self.values = architecture, values
        self.nets: Nets
        self.kl_sizes: list[int] = []  # see `local_numpyro.held_terms`
        start = None if rows is None else np.asarray(values.enter(rows.astype(np.float64)))
        self.load(initial(architecture, seed, start, whitening))

    def learner(
        self,
        rows: Subset,
        held: Subset | None,
        objective: Objective,
        seed: int,
        *,
        augment: Any = None,
        redraw: Callable[[int], Array] | None = None,
    ) -> JaxLearner:
        """The learner of the pair; `keep` takes its averaged weights afterwards.

        Args:
            redraw: gives the rows trained on anew for an epoch.
        """
        if augment is not None:
            raise InputError('augment changes images; leave it out, or take backend="pyro".')
        nets, pair = self.nets, local_numpyro.Pair(programs.model, programs.guide)

        def loss(learnt: Any, key: Any, batch: list[Any], step: Any) -> Any:
            fill, dropout, latents = jr.split(key, 3)
            x, context, weights = batch
            args = (nets.given({}, dropout), self._fill(x, fill), context)
            params = {"nets": learnt}
            return -local_numpyro.objective(
                pair, objective, params, latents, step, *args, weights=weights
            )

        def density(learnt: Any, key: Any, x: Any, context: Any = None) -> Any:
            fill, latents = jr.split(key)
            args = (nets, self._fill(x, fill), context)
            terms, self.kl_sizes = local_numpyro.held_terms(
                pair, objective, {"nets": learnt}, latents, *args
            )
            return terms

        def again(epoch: int) -> list[Any] | None:
            return None if redraw is None else _taken(rows, redraw(epoch))

        block = max(1, _BLOCK // objective.held_samples)
        return JaxLearner(
            nets.learnt,
            loss,
            _taken(rows),
            held=None if held is None else HeldOut(density, _taken(held)[:2], block),
            optimiser=Adam(CLIP),
            redraw=again,
            seed=seed,
        )

    def _fill(self, x: Any, key: Any) -> Any:
        """Model values of a batch, its cells filled in."""
        x = x.astype(jnp.result_type(float))
        u = jr.uniform(key, x.shape, x.dtype) if self.values.filled else None
        return self.values.enter(x, u)

    def keep(self, learner: JaxLearner) -> None:
        """Take the averaged weights of a trained learner."""
        self.nets = self.nets.given(learner.averaged())

    def arrays(self) -> dict[str, Array]:
        return {name: np.array(a) for name, a in self.nets.arrays.items()}

    def load(self, arrays: Mapping[str, Any]) -> None:
        self.nets = Nets(
            self.architecture, {name: jnp.asarray(a, jnp.float32) for name, a in arrays.items()}
        )

    def log_w(self, y: Array, context: Array | None, z: Mapping[str, Array]) -> Floats:
        """(K, n) log p(x, z) - log q(z | x) of the pair, in single precision."""

        @jax.jit  # one program: compiled one by one, its operations take longer
        def log_w(values: Any, *args: Any) -> Any:
            q = local_numpyro.replay(programs.guide, {}, *args, values=values)
            p = local_numpyro.replay(programs.model, {}, *args, values=values)
            return local_numpyro.terms(q, p).log_w

        return np.asarray(log_w(dict(z), self.nets, y, context), dtype=np.float64)


def _taken(rows: Subset, x: Array | None = None) -> list[Any]:
    """The rows meant, or `x` in their place, their context and weights; floats are made single,
    whole numbers stay."""
    values, context = rows.values()
    parts = (values if x is None else x, context, rows.shares)
    return [a.astype(np.float32) if a is not None and a.dtype.kind == "f" else a for a in parts]
