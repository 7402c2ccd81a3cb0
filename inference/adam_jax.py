"""Adam with decoupled weight decay on clipped gradients, for the learners on JAX: as `adam`, after

    g <- g min(1, c / |g|),

with |g| the norm over all parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

_B1, _EPS = 0.9, 1e-8

Slots = tuple[Any, Any]  # m and v, as the parameters


@dataclass(frozen=True)
class Adam:
    """The optimiser of any pytree.

    Attributes:
        clip: c, the largest norm of a gradient.
        b2: decay of the squared gradients in a step.
        weight_decay: lambda.
    """

    clip: float = 5.0
    b2: float = 0.999
    weight_decay: float = 0.0

    def begun(self, params: Any) -> Slots:
        """The slots before the first step."""
        return jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params)

    def corrections(self, t: jax.Array) -> jax.Array:
        """(steps, 2) 1 / (1 - b1^t) and 1 / (1 - b2^t) of the steps t = 1, 2, ..."""
        decays = [math.log(_B1), math.log(self.b2)]
        return -1 / jnp.expm1(t[:, None] * jnp.asarray(decays))

    def moved(
        self, params: Any, grads: Any, slots: Slots, rate: jax.Array, correction: jax.Array
    ) -> tuple[Any, Slots]:
        """Parameters and slots after a step, of which `correction` is that of `corrections`."""
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
        shorter = jnp.minimum(1.0, self.clip / norm)

        def move(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            eta, of_m, of_v = (a.astype(p.dtype) for a in (rate, *correction))
            to = of_m * m / (jnp.sqrt(of_v * v) + _EPS)
            after: jax.Array = p - eta * (to + self.weight_decay * p if self.weight_decay else to)
            return after

        m, v = slots
        g = jax.tree.map(lambda g: g * shorter.astype(g.dtype), grads)
        m = jax.tree.map(lambda m, g: _B1 * m + (1 - _B1) * g, m, g)
        v = jax.tree.map(lambda v, g: self.b2 * v + (1 - self.b2) * g**2, v, g)
        return jax.tree.map(move, params, m, v), (m, v)
