"""Linear, logistic and Poisson regression in NumPyro (twin: `pyro`).

A row is x in R^d and y. Inputs and, in linear regression, y are taken in units of their own,
`x_units` = (location, scale) and `y_units`, which `ppgen.models.units.units(X, y)` reads off data;
those of standardised data, (0, 1), are the default. With u = (x - location) / scale,

    alpha  ~ Normal(0, 2.5)             eta = alpha + u' beta
    beta_j ~ Normal(0, 2.5)             j = 1, ..., d

    linear     y = location + scale v,  v ~ Normal(eta, sigma),  sigma ~ Exponential(1)
    logistic   y ~ Bernoulli(1 / (1 + exp(-eta)))
    poisson    y ~ Poisson(exposure * rate * exp(eta)),  alpha and beta_j ~ Normal(0, 1)

so that a scale of x may move y by some scales, or its odds by some powers of e: weakly informative.
`intercept`, `slope` and `noise` are alpha, beta and sigma in the units of the data: for x as it is
given, the predictor is intercept + x' slope.

Horseshoe: where a number of relevant inputs p_0 is guessed (`horseshoe`), each slope is shrunk to 0
unless the data speak against it (the regularised horseshoe, not centred),

    beta_j = tau l_j z_j,       l_j^2 = c^2 lambda_j^2 / (c^2 + tau^2 lambda_j^2)
    z_j ~ Normal(0, 1),         lambda_j ~ Cauchy+(1)
    tau ~ Cauchy+(s p_0 / ((d - p_0) sqrt(n)))
    c^2 ~ InverseGamma(nu / 2, nu slab_scale^2 / 2),   nu = 4.

Slopes far above c are those of the slab, Normal(0, c^2); those far below are the horseshoe's,
Normal(0, tau^2 lambda_j^2). s is what one row says of a slope: sigma, or 2 (a probability of 1/2),
or 1 (a count of 1; larger counts say more, for which tau is wider than it need be).

References: Gelman, Jakulin, Pittau and Su, "A weakly informative default prior distribution for
logistic and other regression models", 2008, https://doi.org/10.1214/08-AOAS191; Piironen and
Vehtari, "Sparsity information and regularization in the horseshoe and other shrinkage priors",
2017, https://doi.org/10.1214/17-EJS1337SI.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

Units = Any  # (location, scale), numbers or arrays (d,), or an array of both, (2, d)

NU = 4.0


def linear(
    X: Array,
    y: Array | None = None,
    *,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    horseshoe: float | None = None,
    slab_scale: float = 2.0,
    n_total: int | None = None,
) -> Array:
    """Linear regression.

    Args:
        X: (n, d) inputs.
        y: (n,) numbers; None draws them.
        x_units: location and scale of the inputs.
        y_units: location and scale of y.
        horseshoe: guess of how many inputs are relevant, above 0 and below d; None has none.
        slab_scale: of the slopes that are not shrunk.
        n_total: rows of the whole data if X is a minibatch.
    """
    n, inputs = n_total or len(X), numpyro.plate("inputs", X.shape[1])
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 2.5))
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    beta = slopes(inputs, n, horseshoe, slab_scale, sigma, 2.5)
    y_loc, y_scale = y_units
    in_data_units(inputs, alpha, beta, x_units, y_loc, y_scale)
    numpyro.deterministic("noise", y_scale * sigma)
    eta = predictor(X, alpha, beta, x_units)
    with numpyro.plate("rows", n, subsample_size=len(X)):
        drawn: Array = numpyro.sample(
            "y", dist.Normal(y_loc + y_scale * eta, y_scale * sigma), obs=y
        )
    return drawn


def logistic(
    X: Array,
    y: Array | None = None,
    *,
    x_units: Units = (0.0, 1.0),
    horseshoe: float | None = None,
    slab_scale: float = 2.0,
    n_total: int | None = None,
) -> Array:
    """Logistic regression: y (n,) of 0 and 1; the other arguments are those of `linear`."""
    n, inputs = n_total or len(X), numpyro.plate("inputs", X.shape[1])
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 2.5))
    beta = slopes(inputs, n, horseshoe, slab_scale, 2.0, 2.5)
    in_data_units(inputs, alpha, beta, x_units)
    eta = predictor(X, alpha, beta, x_units)
    with numpyro.plate("rows", n, subsample_size=len(X)):
        drawn: Array = numpyro.sample("y", dist.Bernoulli(logits=eta), obs=y)
    return drawn


def poisson(
    X: Array,
    y: Array | None = None,
    exposure: Array | None = None,
    *,
    x_units: Units = (0.0, 1.0),
    rate: float = 1.0,
    horseshoe: float | None = None,
    slab_scale: float = 1.0,
    n_total: int | None = None,
) -> Array:
    """Poisson regression.

    Args:
        y: (n,) counts; None draws them.
        exposure: (n,) above 0, what the count is proportional to, such as time or persons; None: 1.
        rate: what is expected for an exposure of 1 where x is at its location.
        X, x_units, horseshoe, slab_scale, n_total: those of `linear`.
    """
    n, inputs = n_total or len(X), numpyro.plate("inputs", X.shape[1])
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 1.0))
    beta = slopes(inputs, n, horseshoe, slab_scale, 1.0, 1.0)
    in_data_units(inputs, alpha, beta, x_units, math.log(rate))
    eta = math.log(rate) + predictor(X, alpha, beta, x_units)
    mean = jnp.exp(eta) if exposure is None else exposure * jnp.exp(eta)
    with numpyro.plate("rows", n, subsample_size=len(X)):
        drawn: Array = numpyro.sample("y", dist.Poisson(mean), obs=y)
    return drawn


def slopes(
    inputs: numpyro.plate,
    n: int,
    horseshoe: float | None,
    slab_scale: float,
    s: Array | float,
    prior_scale: float,
) -> Array:
    """beta (d,), normal or by the horseshoe; s is what one row says of a slope."""
    if horseshoe is None:
        with inputs:
            normal: Array = numpyro.sample("beta", dist.Normal(0.0, prior_scale))
            return normal
    tau_0 = s * horseshoe / (inputs.size - horseshoe) / math.sqrt(n)
    tau = numpyro.sample("tau", dist.HalfCauchy(tau_0))
    c2 = numpyro.sample("c2", dist.InverseGamma(NU / 2, NU / 2 * slab_scale**2))
    with inputs:
        lambda_ = numpyro.sample("lambda", dist.HalfCauchy(1.0))
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
        beta: Array = numpyro.deterministic("beta", tau * regularised(lambda_, tau, c2) * z)
    return beta


def regularised(lambda_: Array, tau: Array, c2: Array) -> Array:
    """l_j = c lambda_j / sqrt(c^2 + tau^2 lambda_j^2)."""
    return jnp.sqrt(c2) * lambda_ / jnp.sqrt(c2 + (tau * lambda_) ** 2)


def predictor(X: Array, alpha: Array, beta: Array, x_units: Units) -> Array:
    """eta = alpha + u' beta of each row, (n,)."""
    x_loc, x_scale = x_units
    eta: Array = alpha + beta @ ((X - x_loc) / x_scale).T
    return eta


def in_data_units(
    inputs: numpyro.plate,
    alpha: Array,
    beta: Array,
    x_units: Units,
    y_loc: Any = 0.0,
    y_scale: Any = 1.0,
) -> None:
    """`intercept` and `slope`: alpha and beta for inputs and predictor in the units of the data."""
    x_loc, x_scale = x_units
    slope = y_scale * beta / x_scale
    with inputs:
        numpyro.deterministic("slope", slope)
    at_zero = (slope * x_loc).sum(-1).reshape(alpha.shape)
    numpyro.deterministic("intercept", y_loc + y_scale * alpha - at_zero)
