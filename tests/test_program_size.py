"""How much programs of JAX hold, by what is known of them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ppgen.inference.posterior.program_size import largest, total


def test_arrays_on_the_way_are_counted_each_step_of_a_loop_apart() -> None:
    def outer(x: Any) -> Any:
        return jnp.sum(x[:, None] * x)

    def looped(x: Any) -> Any:
        return jax.lax.scan(lambda total, _: (total + outer(x), None), 0.0, None, length=10)[0]

    x = np.zeros(20, np.float32)
    once, ten = (jax.make_jaxpr(f)(x).jaxpr for f in (outer, looped))
    assert largest(once) == largest(ten) == 400
    assert 400 < total(once) < 500
    assert 10 * 400 < total(ten) < 11 * 500
