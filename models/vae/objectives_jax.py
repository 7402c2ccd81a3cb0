"""What a variational autoencoder is trained on, in JAX: the twin of `objectives.py`, which has the
formulas and the references."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import Array
from jax.lax import stop_gradient
from jax.scipy.special import logsumexp

from .nets_jax import Nets
from .numpyro import normal, p_x, prior


class Terms(NamedTuple):
    """Of each draw (K, n): log p(x | z), log p(z), log q(z | x)."""

    log_x: Array
    log_p: Array
    log_q: Array

    @property
    def log_w(self) -> Array:
        """(K, n) log weights."""
        return self.log_x + self.log_p - self.log_q


def draw(nets: Nets, encoded: Array, samples: int, key: Array) -> list[Array]:
    """Latents (K, n, k) of each layer."""
    first, second = jr.split(key)
    m, log_s = nets.q_1(encoded)
    z = [m + jnp.exp(log_s) * jr.normal(first, (samples, *m.shape), m.dtype)]
    if nets.n_layers == 2:
        m, log_s = nets.q_2(z[0])
        z.append(m + jnp.exp(log_s) * jr.normal(second, m.shape, m.dtype))
    return z


def terms(
    nets: Nets,
    z: list[Array],
    encoded: Array,
    x: Array,
    context: Array | None = None,
    *,
    fixed: bool = False,
) -> Terms:
    """The terms of latents z; `fixed` holds phi in log q, not in z."""
    q = nets.given(stop_gradient(nets.learnt), nets.key) if fixed else nets
    log_q = normal(*q.q_1(stop_gradient(encoded) if fixed else encoded)).log_prob(z[0])
    log_p = prior(nets).log_prob(z[-1])
    if nets.n_layers == 2:
        log_q = log_q + normal(*q.q_2(z[0])).log_prob(z[1])
        log_p = log_p + normal(*nets.p_1(z[1])).log_prob(z[0])
    return Terms(p_x(nets, z[0], context).log_prob(x), log_p, log_q)


def kl_per_latent(nets: Nets, encoded: Array) -> Array | None:
    """(n, k) KL_j = (m^2 + s^2 - 1) / 2 - log s, or None where there is no closed form."""
    if nets.architecture.prior != "normal" or nets.n_layers > 1:
        return None
    m, log_s = nets.q_1(encoded)
    return 0.5 * (m**2 + jnp.exp(2 * log_s) - 1) - log_s


def elbo(
    nets: Nets,
    x: Array,
    key: Array,
    context: Array | None = None,
    *,
    beta: float | Array = 1.0,
    free_bits: float = 0.0,
    weights: Array | None = None,
    samples: int = 1,
) -> Array:
    """The mean over rows (weighted) of the bound, with beta and free bits in it."""
    encoded = nets.encode(x, context)
    z = draw(nets, encoded, samples, key)
    kl = kl_per_latent(nets, encoded)
    if kl is not None:
        log_x = p_x(nets, z[0], context).log_prob(x).mean(0)
        each = _mean(kl, weights)
        return _mean(log_x, weights) - beta * jnp.maximum(each, free_bits).sum()
    t = terms(nets, z, encoded, x, context, fixed=True)
    whole = _mean((t.log_q - t.log_p).mean(0), weights)
    allowed = free_bits * sum(layer.shape[-1] for layer in z)
    if allowed:
        whole = jnp.maximum(whole, allowed)
    return _mean(t.log_x.mean(0), weights) - beta * whole


def iwae(
    nets: Nets,
    x: Array,
    key: Array,
    context: Array | None = None,
    *,
    samples: int,
    weights: Array | None = None,
    doubly: bool = False,
) -> Array:
    """The mean over rows (weighted) of log (1/K) sum_k w_k; `doubly` with DReG's gradient."""
    encoded = nets.encode(x, context)
    z = draw(nets, encoded, samples, key)
    if not doubly:
        log_w = terms(nets, z, encoded, x, context).log_w
        return _mean(logsumexp(log_w, 0) - math.log(samples), weights)

    def fixed(learnt: dict[str, Array], z: list[Array]) -> Array:
        of = nets.given(learnt, nets.key)
        return terms(of, z, stop_gradient(encoded), x, context, fixed=True).log_w

    # One pass gives d log w by theta and by each direct use of z; what z owes to phi comes after,
    # through the products with z below, so that it is multiplied by v once more.
    log_w, pull = jax.vjp(fixed, *stop_gradient((nets.learnt, z)))
    v = jax.nn.softmax(log_w, 0)
    share = jnp.ones(x.shape[0]) if weights is None else weights
    by_theta, by_z = pull(v * share)
    parts = [(by_theta[name] * p).sum() for name, p in nets.learnt.items()]
    parts += [(v[..., None] * g * layer).sum() for g, layer in zip(by_z, z, strict=True)]
    linear = jnp.stack(parts).sum() / x.shape[0]
    bound = _mean(logsumexp(log_w, 0) - math.log(samples), weights)
    return bound + linear - stop_gradient(linear)


def held_terms(
    nets: Nets, x: Array, key: Array, context: Array | None = None, *, samples: int, whole: bool
) -> Array:
    """(n, 1 + J) of each row, without weights, beta or free bits: as on torch."""
    encoded = nets.encode(x, context)
    z = draw(nets, encoded, samples, key)
    if whole:
        log_w = terms(nets, z, encoded, x, context).log_w
        return (logsumexp(log_w, 0) - math.log(samples))[:, None]
    kl = kl_per_latent(nets, encoded)
    if kl is not None:
        return jnp.concatenate([p_x(nets, z[0], context).log_prob(x).mean(0)[:, None], kl], 1)
    t = terms(nets, z, encoded, x, context)
    return jnp.stack([t.log_x.mean(0), (t.log_q - t.log_p).mean(0)], 1)


def _mean(values: Array, weights: Array | None) -> Array:
    """Mean over rows, the first axis; weights have mean 1 over all rows of the data."""
    return values.mean(0) if weights is None else (values.T * weights).T.mean(0)
