"""Densities and masses of single values given what a decoder says of them, in JAX: the twin of
`densities.py`, which has the formulas and the references.

`sample` draws by a key.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import Array
from jax.nn import log_sigmoid, sigmoid, softplus

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian:
    """Real values around l with standard deviation s."""

    @staticmethod
    def log_prob(x: Array, l: Array, log_s: Array) -> Array:
        return -0.5 * ((x - l) * jnp.exp(-log_s)) ** 2 - log_s - _HALF_LOG_2PI

    @staticmethod
    def mean(l: Array, log_s: Array) -> Array:
        return l

    @staticmethod
    def sample(key: Array, l: Array, log_s: Array) -> Array:
        return l + jnp.exp(log_s) * jr.normal(key, l.shape, l.dtype)


class Bernoulli:
    """0 or 1 with log odds l."""

    @staticmethod
    def log_prob(x: Array, l: Array) -> Array:
        return x * l - softplus(l)

    @staticmethod
    def mean(l: Array) -> Array:
        return sigmoid(l)

    @staticmethod
    def sample(key: Array, l: Array) -> Array:
        return (jr.uniform(key, l.shape, l.dtype) < sigmoid(l)).astype(l.dtype)


class ContinuousBernoulli:
    """Values in [0, 1] with density proportional to e^(l x)."""

    @staticmethod
    def log_prob(x: Array, l: Array) -> Array:
        return x * l - _log_norm(l)

    @staticmethod
    def mean(l: Array) -> Array:
        small = jnp.abs(l) < 1e-2
        safe = jnp.where(small, 1.0, l)
        return jnp.where(small, 0.5 + l / 12, -1 / jnp.expm1(-safe) - 1 / safe)

    @staticmethod
    def sample(key: Array, l: Array) -> Array:
        u, size = jr.uniform(key, l.shape, l.dtype), jnp.maximum(jnp.abs(l), 1e-4)
        below = jnp.log1p((1 - u) * jnp.expm1(-size)) / size  # x - 1 where l > 0
        return jnp.clip(jnp.where(l < 0, -below, 1 + below), 0, 1)


def _log_norm(l: Array) -> Array:
    """log((e^l - 1) / l) = l / 2 + log(sinh(u) / u), u = |l| / 2."""
    u = jnp.abs(l) / 2
    small = u < 0.1
    safe = jnp.where(small, 1.0, u)
    large = safe + jnp.log1p(-jnp.exp(-2 * safe)) - jnp.log(2 * safe)
    return l / 2 + jnp.where(small, u**2 / 6 - u**4 / 180, large)


class DiscretisedLogistic:
    """Levels -1 ... 1 in steps of 2 h: the mass of a logistic around l of scale s in each cell."""

    @staticmethod
    def log_prob(x: Array, l: Array, log_s: Array, h: float) -> Array:
        # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - e^(b - a)): nothing cancels.
        inverse = jnp.exp(-log_s)
        a, b = (x + h - l) * inverse, (x - h - l) * inverse
        inside = log_sigmoid(a) + log_sigmoid(-b) + jnp.log(-jnp.expm1(-2 * h * inverse))
        upper = jnp.where(x > 1 - h, log_sigmoid(-b), inside)
        return jnp.where(x < h - 1, log_sigmoid(a), upper)

    @staticmethod
    def mean(l: Array, log_s: Array) -> Array:
        s = jnp.exp(log_s)
        return jnp.clip(s * (softplus((l + 1) / s) - softplus((l - 1) / s)) - 1, -1, 1)

    @staticmethod
    def sample(key: Array, l: Array, log_s: Array, h: float) -> Array:
        u = jnp.clip(jr.uniform(key, l.shape, l.dtype), 1e-6, 1 - 1e-6)
        x = jnp.clip(l + jnp.exp(log_s) * jax.scipy.special.logit(u), -1, 1)
        return jnp.round((x + 1) / (2 * h)) * (2 * h) - 1


class Categorical:
    """One of the levels along the last axis of l; levels that a column lacks have l = -inf."""

    @staticmethod
    def log_prob(x: Array, l: Array) -> Array:
        log_p, index = jnp.broadcast_arrays(jax.nn.log_softmax(l), x.astype(jnp.int32)[..., None])
        return jnp.take_along_axis(log_p, index[..., :1], -1)[..., 0]

    @staticmethod
    def mean(l: Array) -> Array:
        """The likeliest level."""
        return l.argmax(-1).astype(l.dtype)

    @staticmethod
    def sample(key: Array, l: Array) -> Array:
        return jr.categorical(key, l).astype(l.dtype)
