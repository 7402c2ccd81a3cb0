"""Dirichlet-process Gaussian mixture in NumPyro (twin: `pyro`).

How many components there are is not said: of infinitely many, a row is in the k-th with probability
w_k, which are broken off a stick (as standard units, y = location + scale v),

    alpha ~ Gamma(1, 1),    beta_k ~ Beta(1, alpha),    w_k = beta_k prod_{l < k} (1 - beta_l)

where beta_k is written by what it leaves, as 1 - beta_k = exp(-nu_k),

    nu_k ~ Exponential(alpha),          log w_k = log(1 - exp(-nu_k)) - sum_{l < k} nu_l:

for a small alpha nearly all shares are next to 1, where numbers end and log nu goes on evenly.

    mu_k ~ Normal(0, 1),    sigma_k ~ LogNormal(log 1/2, 1)          (d,), diagonal covariances
    z ~ Categorical(w),     v | z ~ Normal(mu_z, sigma_z).

The stick is cut after K components: the K-th is what is left of it. Densities of n rows are then
wrong by at most

    4 n exp(-(K - 1) / alpha)

in L1 (about, for alpha well below K), which is `truncation`: where draws of it are not far below 1,
take a larger K. The label z is summed out by the engine. A larger alpha has more components; about
alpha log(1 + n / alpha) of them have rows. The prior of sigma falls fast at 0, where the likelihood
has no bound. `mean` and `scale` are mu and sigma in the units of the data.

References: Sethuraman, "A constructive definition of Dirichlet priors", 1994,
https://www.jstor.org/stable/24305538; Ishwaran and James, "Gibbs sampling methods for
stick-breaking priors", 2001, https://doi.org/10.1198/016214501750332758 (theorem 2).
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

Units = Any  # (location, scale), numbers or arrays (d,), or an array of both, (2, d)


def model(
    y: Array | None = None,
    *,
    n_components: int = 10,
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
    n_columns: int = 1,
) -> Array:
    """The mixture.

    Args:
        y: (n, d) rows, or (n,) of one column; None draws `n_total` of them, (n, d).
        n_components: K, at which the stick is cut.
        y_units: location and scale of the columns of y.
        n_total: rows of the whole data if y is a minibatch.
        n_columns: d of what is drawn.
    """
    y = None if y is None else jnp.reshape(y, (len(y), -1))
    n, d = (n_total or 1, n_columns) if y is None else y.shape
    K = n_components
    alpha = numpyro.sample("alpha", dist.Gamma(1.0, 1.0))
    numpyro.deterministic("truncation", 4 * (n_total or n) * jnp.exp(-(K - 1) / alpha))
    with numpyro.plate("sticks", K - 1):
        nu = numpyro.sample("nu", dist.Exponential(alpha))
    log_w = log_weights(nu)
    y_loc, y_scale = y_units
    with numpyro.plate("components", K):
        numpyro.deterministic("w", jnp.exp(log_w))
        mu = numpyro.sample("mu", dist.Normal(0.0, 1.0).expand((d,)).to_event(1))
        log_normal = dist.LogNormal(math.log(0.5), 1.0)
        sigma = numpyro.sample("sigma", log_normal.expand((d,)).to_event(1))
        mean = numpyro.deterministic("mean", y_loc + y_scale * mu)
        scale = numpyro.deterministic("scale", y_scale * sigma)
    with numpyro.plate("rows", n_total or n, subsample_size=n):
        z = numpyro.sample("z", dist.Categorical(logits=log_w), infer={"enumerate": "parallel"})
        drawn: Array = numpyro.sample("y", dist.Normal(mean[z], scale[z]).to_event(1), obs=y)
    return drawn


def log_weights(nu: Array) -> Array:
    """log w (K,) of nu (K - 1,), of which the last component has all that is left."""
    zero = jnp.zeros(1)
    left = jnp.concatenate([zero, -jnp.cumsum(nu)])
    return left + jnp.concatenate([jnp.log(-jnp.expm1(-nu)), zero])
