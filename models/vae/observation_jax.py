"""p(x | z) on JAX: `likelihood.Likelihood` as a pytree, whose arrays are `log_scales`, which are
learnt, `whitening`, which is not, and `log_freedom`, which is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import Array
from jax.scipy.special import gammaln

from .likelihood import Likelihood
from .parts import Part


class Jax:
    """Elementwise functions of arrays; an instance draws by a key.

    Args:
        key: of draws; each takes another.
    """

    exp, log, log1p = staticmethod(jnp.exp), staticmethod(jnp.log), staticmethod(jnp.log1p)
    expm1, round = staticmethod(jnp.expm1), staticmethod(jnp.round)
    vecdot = staticmethod(jnp.vecdot)
    where, clip = staticmethod(jnp.where), staticmethod(jnp.clip)
    isnan, nan_to_num = staticmethod(jnp.isnan), staticmethod(jnp.nan_to_num)
    sigmoid, softplus = staticmethod(jax.nn.sigmoid), staticmethod(jax.nn.softplus)
    log_sigmoid = staticmethod(jax.nn.log_sigmoid)
    log_softmax, lgamma = staticmethod(jax.nn.log_softmax), staticmethod(gammaln)

    def __init__(self, key: Array) -> None:
        self._key = key

    def _next(self) -> Any:
        self._key, key = jr.split(self._key)
        return key

    def uniform(self, like: Array) -> Array:
        return jr.uniform(self._next(), like.shape, like.dtype)

    def normal(self, like: Array) -> Array:
        return jr.normal(self._next(), like.shape, like.dtype)

    def gamma(self, shape: Array, like: Array) -> Array:
        """Draws of mean 1 from Gamma(shape, shape)."""
        return jr.gamma(self._next(), shape, like.shape, like.dtype) / shape

    @staticmethod
    def gather(log_p: Array, x: Array) -> Array:
        """Of log masses (*, L), those of the levels x."""
        log_p, index = jnp.broadcast_arrays(log_p, x.astype(jnp.int32)[..., None])
        return jnp.take_along_axis(log_p, index[..., :1], -1)[..., 0]

    @staticmethod
    def largest(l: Array) -> Array:
        return l.argmax(-1).astype(l.dtype)

    @staticmethod
    def padded(raw: Array, index: Any, absent: Any) -> Array:
        """The logits at these places, -inf where they are absent."""
        return jnp.where(absent, -jnp.inf, raw[..., index])

    @staticmethod
    def scalar(value: float, like: Array) -> Array:
        return jnp.asarray(value, like.dtype)

    # Correlated numbers of which some are missing, in double precision where that is enabled

    diagonals = staticmethod(partial(jnp.diagonal, axis1=-2, axis2=-1))

    @staticmethod
    def where_any(mask: Array, there: Callable[[], Array], elsewhere: Array) -> Array:
        """`elsewhere`, and `there()` in rows of the mask, not computed where there are none."""
        found: Array = jax.lax.cond(
            mask.any(), lambda: jnp.where(mask, there(), elsewhere), lambda: elsewhere
        )
        return found

    @staticmethod
    def double(x: Array) -> Array:
        return x.astype(jnp.result_type(float))

    @staticmethod
    def diagonal(x: Array) -> Array:
        """(*, d, d) diagonal matrices of x (*, d)."""
        return x[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)

    @staticmethod
    def lower(root: Array) -> Array:
        """(n, d, d) lower triangular L with L L^T = B B^T of B (n, d, m)."""
        return jnp.linalg.qr(root.mT, mode="r").mT

    @staticmethod
    def solve_lower(lower: Array, x: Array) -> Array:
        """(*, n, d) L^-1 x of L (n, d, d)."""
        columns = x.reshape(-1, *x.shape[-2:]).transpose(1, 2, 0)
        solved = jax.scipy.linalg.solve_triangular(lower, columns, lower=True)
        return solved.transpose(2, 0, 1).reshape(x.shape)

    @staticmethod
    def like(x: Array, other: Array) -> Array:
        return x.astype(other.dtype)

    @staticmethod
    def join(parts: Sequence[Array]) -> Array:
        return jnp.concatenate(list(parts), -1)


class Observation(Likelihood, eqx.Module):
    """The likelihoods of a row's values, see `Likelihood`."""

    xp: ClassVar[Any] = Jax
    parts: tuple[Part, ...] = eqx.field(static=True)
    noise: str | float = eqx.field(static=True)
    missing: bool = eqx.field(static=True)
    log_scales: dict[str, Array]
    whitening: tuple[Array, ...] = ()
    log_freedom: Array | None = None

    def sample(self, key: Array, raw: Array) -> Array:
        """(*, D) drawn values."""
        found: Array = self.drawn(raw, Jax(key))
        return found
