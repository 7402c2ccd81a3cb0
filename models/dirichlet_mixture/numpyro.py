"""Dirichlet-process Gaussian mixture in NumPyro (twin: `pyro`).

How many components there are is not said: of infinitely many, a row is in the k-th with probability
w_k, which are broken off a stick (as standard units, y = location + scale v),

    alpha ~ Gamma(1, 1),    beta_k ~ Beta(1, alpha),    w_k = beta_k prod_{l < k} (1 - beta_l)
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
        y: (n, d) rows; None draws `n_total` of them.
        n_components: K, at which the stick is cut.
        y_units: location and scale of the columns of y.
        n_total: rows of the whole data if y is a minibatch.
        n_columns: d of what is drawn.
    """
    n, d = (n_total or 1, n_columns) if y is None else y.shape
    K = n_components
    alpha = numpyro.sample("alpha", dist.Gamma(1.0, 1.0))
    numpyro.deterministic("truncation", 4 * (n_total or n) * jnp.exp(-(K - 1) / alpha))
    with numpyro.plate("sticks", K - 1):
        beta = numpyro.sample("beta", dist.Beta(1.0, alpha))
    y_loc, y_scale = y_units
    with numpyro.plate("components", K):
        w = numpyro.deterministic("w", weights(beta))
        mu = numpyro.sample("mu", dist.Normal(0.0, 1.0).expand((d,)).to_event(1))
        log_normal = dist.LogNormal(math.log(0.5), 1.0)
        sigma = numpyro.sample("sigma", log_normal.expand((d,)).to_event(1))
        mean = numpyro.deterministic("mean", y_loc + y_scale * mu)
        scale = numpyro.deterministic("scale", y_scale * sigma)
    with numpyro.plate("rows", n_total or n, subsample_size=n):
        z = numpyro.sample("z", dist.Categorical(w), infer={"enumerate": "parallel"})
        drawn: Array = numpyro.sample("y", dist.Normal(mean[z], scale[z]).to_event(1), obs=y)
    return drawn


def weights(beta: Array) -> Array:
    """w (K,) of the shares beta (K - 1,) of what is left of the stick."""
    left = jnp.cumprod(1 - beta)
    one = jnp.ones(1)
    return jnp.concatenate([beta, one]) * jnp.concatenate([one, left])
