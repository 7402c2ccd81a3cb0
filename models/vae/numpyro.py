"""Variational autoencoder, in NumPyro.

A row x comes from latents z in R^k through a decoder net with parameters theta; an encoder net with
parameters phi guesses z from x. Given a context c (none where nothing is conditioned on),

    z ~ p(z),                       x ~ p(x | z, c),                       (model)
    z ~ q(z | x, c),                                                       (guide)

    ELBO(x) = E_q [ log p(x | z, c) ] - KL( q(z | x, c) || p(z) )  <=  log p(x | c).

Both nets are told c in every layer, h -> W h + b + g U c (`nets.conditioned`), so that c is heard
before the latents, drawn without it, can say what it says.

With two layers, z_2 ~ p(z_2), z_1 | z_2 ~ Normal(m(z_2), diag s(z_2)^2), and x given z_1; the guide
goes up again: q(z_1 | x, c) q(z_2 | z_1).

This is what backend "numpyro" trains: `inference.local_numpyro` reads these sites. It is the twin
of `pyro.py`, for rows of numbers and levels; priors are Normal(0, I) or a learnt mixture of
Gaussians, posteriors Gaussian. theta and phi have the names and shapes that torch gives them, and
what comes after a fit is computed by the Pyro pair: whoever edits one edits both, and a fit whose
pairs differ is refused.

References: as in `pyro`.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import constraints

from .nets_jax import Nets, split
from .observation_jax import Observation


class Values(dist.Distribution):  # type: ignore[misc]
    """p(x | z) as a distribution over rows (D,)."""

    support = constraints.real_vector
    pytree_data_fields = ("observation", "raw")

    def __init__(self, observation: Observation, raw: Array) -> None:
        self.observation, self.raw = observation, raw
        super().__init__(raw.shape[:-1], (observation.n_values,), validate_args=False)

    def expand(self, batch_shape: Any) -> Values:
        return Values(
            self.observation, jnp.broadcast_to(self.raw, (*batch_shape, self.raw.shape[-1]))
        )

    def log_prob(self, x: Array) -> Array:
        found: Array = self.observation.log_prob(self.raw, x)
        return found

    def sample(self, key: Array, sample_shape: Any = ()) -> Array:
        raw = jnp.broadcast_to(self.raw, (*sample_shape, *self.raw.shape))
        return self.observation.sample(key, raw)


def q_1(nets: Nets, x: Array, context: Array | None = None) -> Any:
    """q(z_1 | x, c)."""
    return normal(*split(nets.encode(x, context)))


def p_x(nets: Nets, z_1: Array, context: Array | None = None) -> Values:
    """p(x | z_1, c)."""
    return Values(nets.observation, nets.decode(z_1, context))


def prior(nets: Nets) -> Any:
    """p(z) of the last layer."""
    if nets.architecture.prior == "normal":
        zero = jnp.zeros(nets.architecture.latent[-1])
        return normal(zero, zero)
    logits, m, log_s = nets.mixture()
    return dist.MixtureSameFamily(
        dist.Categorical(logits=logits, validate_args=False), normal(m, log_s), validate_args=False
    )


def normal(m: Array, log_s: Array) -> Any:
    """Normal(m, diag s^2) over the last axis."""
    return dist.Normal(m, jnp.exp(log_s), validate_args=False).to_event(1)


def model(
    nets: Nets, x: Array | None, context: Array | None = None, *, n_total: int | None = None
) -> Array:
    """Rows x ~ p(x | c), as in `pyro`; `nets` is where theta and phi, the site "nets", start."""
    n = (n_total or 1) if x is None else x.shape[-2]
    nets = _registered(nets)
    with numpyro.plate("rows", n_total or n, subsample_size=n):
        if nets.n_layers == 1:
            z_1 = numpyro.sample("z_1", prior(nets))
        else:
            z_2 = numpyro.sample("z_2", prior(nets))
            z_1 = numpyro.sample("z_1", normal(*nets.p_1(z_2)))
        rows: Array = numpyro.sample("x", p_x(nets, z_1, context), obs=x)
    return rows


def guide(
    nets: Nets, x: Array, context: Array | None = None, *, n_total: int | None = None
) -> Array:
    """Latents z_1 (n, k) ~ q(z_1 | x, c), and z_2 ~ q(z_2 | z_1) of two layers."""
    n, nets = len(x), _registered(nets)
    with numpyro.plate("rows", n_total or n, subsample_size=n):
        z_1: Array = numpyro.sample("z_1", q_1(nets, x, context))
        if nets.n_layers == 2:
            numpyro.sample("z_2", normal(*nets.q_2(z_1)))
    return z_1


def _registered(nets: Nets) -> Nets:
    """The nets with theta and phi as NumPyro has them."""
    return nets.given(numpyro.param("nets", nets.learnt), nets.key)
