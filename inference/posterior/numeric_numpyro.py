"""The functions of a NumPyro target on NumPy arrays: compiled, many places at once.

Programs are kept with the target and take what is observed as an argument, so that a target with
other data (`observing`) runs those of the first. Places come in blocks of one size, the last filled
up, so that each program is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import jax
import numpy as np

from ...arrays import Array
from .numeric import Numeric
from .program_size import largest, total
from .target import Target

_PLACES, _SLOPES = 256, 64  # that are evaluated together at most, without and with gradients
_NUMBERS = 2e7  # that are held for them


def make(target: Target) -> Numeric:
    """The functions of a target."""
    return OfNumPyro(target)


class OfNumPyro(Numeric):
    """See `numeric.Numeric`."""

    def __init__(self, target: Any) -> None:
        super().__init__(target)
        self.base, self.given = target.base, target.given

    @cached_property
    def _blocks(self) -> tuple[int, int]:
        """Places that are evaluated together, and that gradients are taken at together."""
        if self.base.sizes is None:
            with self.target.precision():
                program = jax.make_jaxpr(self.base.log_joint)(np.zeros(self.target.size)).jaxpr
            self.base.sizes = largest(program), total(program)
        return tuple(  # type: ignore[return-value]
            int(min(most, max(1, _NUMBERS // size)))
            for most, size in zip((_PLACES, _SLOPES), self.base.sizes, strict=True)
        )

    def log_joint(self, z: Array) -> Array:
        return np.asarray(self._over("log_joint", z))

    def log_parts(self, z: Array) -> tuple[Array, Array]:
        prior, likelihood = self._over("log_parts", z)
        return np.asarray(prior), np.asarray(likelihood)

    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        self.gradients += 1
        run = self._program("gradient", lambda t: jax.value_and_grad(t.log_joint))
        with self.target.precision():
            value, slope = run(self.given, np.asarray(z, np.float64))
            return float(value), np.asarray(slope)

    def slopes(self, z: Array) -> tuple[Array, Array]:
        self.gradients += len(z)
        run = self._program("slopes", lambda t: jax.vmap(jax.value_and_grad(t.log_joint)))
        value, slope = self._in_blocks(run, np.asarray(z, np.float64), self._blocks[1])
        return np.asarray(value), np.asarray(slope)

    def hessian(self, z: Array) -> Array:
        self.gradients += self.target.size
        run = self._program("hessian", lambda t: jax.hessian(t.log_joint))
        with self.target.precision():
            return np.asarray(run(self.given, np.asarray(z, np.float64)))

    def start(self, seed: int) -> Array:
        return np.asarray(self.target.start(seed))

    def prior(self, n: int, seed: int) -> Array:
        run = self._program("prior", lambda t: jax.vmap(t.draw_prior))
        with self.target.precision():
            return np.asarray(run(self.given, jax.random.split(jax.random.key(seed), n)))

    def unconstrain(self, values: Mapping[str, Array]) -> Array:
        return np.asarray(self._over("unconstrain", dict(values)))

    def constrain(self, z: Array) -> dict[str, Array]:
        flat = self._over("constrain", z.reshape(-1, z.shape[-1]))
        return {k: v.reshape(*z.shape[:2], *v.shape[1:]) for k, v in flat.items()}

    def _program(self, name: str, of: Callable[[Any], Callable[[Any], Any]]) -> Any:
        """A function of what is observed and of places, compiled; `of` gives it of a target."""
        if name not in self.base.programs:
            base = self.base

            def run(given: Mapping[str, Any], z: Any) -> Any:
                return of(base.observing(given) if given else base)(z)

            base.programs[name] = jax.jit(run)
        return self.base.programs[name]

    def _over(self, name: str, z: Any) -> Any:
        """A function of the target at each of n places."""
        run = self._program(name, lambda t: jax.vmap(getattr(t, name)))
        return self._in_blocks(run, z, self._blocks[0])

    def _in_blocks(self, run: Any, z: Any, size: int) -> Any:
        leaves, tree = jax.tree.flatten(z)
        arrays = [np.asarray(leaf, np.float64) for leaf in leaves]
        n, found = len(arrays[0]), []
        with self.target.precision():
            for start in range(0, n, size):
                rows = np.minimum(np.arange(start, start + size), n - 1)
                block = run(self.given, jax.tree.unflatten(tree, [a[rows] for a in arrays]))
                found.append(jax.tree.map(np.asarray, block))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *found)
