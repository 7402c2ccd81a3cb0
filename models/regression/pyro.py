"""Linear, logistic and Poisson regression in Pyro: the twin of `numpyro.py`, which explains the
models, with the same sites, shapes and log joint.

    alpha  ~ Normal(0, 2.5)             eta = alpha + u' beta,    u = (x - location) / scale
    beta_j ~ Normal(0, 2.5)             j = 1, ..., d

    linear     y = location + scale v,  v ~ Normal(eta, sigma),  sigma ~ Exponential(1)
    logistic   y ~ Bernoulli(1 / (1 + exp(-eta)))
    poisson    y ~ Poisson(exposure * rate * exp(eta)),  alpha and beta_j ~ Normal(0, 1)

With a horseshoe, of p_0 inputs guessed to be relevant,

    beta_j = tau l_j z_j,       l_j^2 = c^2 lambda_j^2 / (c^2 + tau^2 lambda_j^2)
    z_j ~ Normal(0, 1),         lambda_j ~ Cauchy+(1)
    tau ~ Cauchy+(s p_0 / ((d - p_0) sqrt(n)))
    c^2 ~ InverseGamma(nu / 2, nu slab_scale^2 / 2),   nu = 4.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

Units = Any  # (location, scale), numbers or tensors (d,), or a tensor of both, (2, d)

NU = 4.0


def linear(
    X: Tensor,
    y: Tensor | None = None,
    *,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    horseshoe: float | None = None,
    slab_scale: float = 2.0,
    n_total: int | None = None,
) -> Tensor:
    """Linear regression of y (n,) on X (n, d). The twin describes each argument."""
    n, one = n_total or len(X), 1.0 * X.new_ones(())
    inputs = pyro.plate("inputs", X.shape[1])
    alpha = pyro.sample("alpha", dist.Normal(0 * one, 2.5))
    sigma = pyro.sample("sigma", dist.Exponential(one))
    beta = slopes(inputs, n, horseshoe, slab_scale, sigma, 2.5 * one)
    y_loc, y_scale = y_units
    in_data_units(inputs, alpha, beta, x_units, y_loc, y_scale)
    pyro.deterministic("noise", y_scale * sigma, event_dim=0)
    eta = predictor(X, alpha, beta, x_units)
    with pyro.plate("rows", n, subsample_size=len(X)):
        drawn: Tensor = pyro.sample("y", dist.Normal(y_loc + y_scale * eta, y_scale * sigma), obs=y)
    return drawn


def logistic(
    X: Tensor,
    y: Tensor | None = None,
    *,
    x_units: Units = (0.0, 1.0),
    horseshoe: float | None = None,
    slab_scale: float = 2.0,
    n_total: int | None = None,
) -> Tensor:
    """Logistic regression: y (n,) of 0 and 1; the other arguments are those of `linear`."""
    n, one = n_total or len(X), 1.0 * X.new_ones(())
    inputs = pyro.plate("inputs", X.shape[1])
    alpha = pyro.sample("alpha", dist.Normal(0 * one, 2.5))
    beta = slopes(inputs, n, horseshoe, slab_scale, 2 * one, 2.5 * one)
    in_data_units(inputs, alpha, beta, x_units)
    eta = predictor(X, alpha, beta, x_units)
    y = y if y is None else y.to(eta)
    with pyro.plate("rows", n, subsample_size=len(X)):
        drawn: Tensor = pyro.sample("y", dist.Bernoulli(logits=eta), obs=y)
    return drawn


def poisson(
    X: Tensor,
    y: Tensor | None = None,
    exposure: Tensor | None = None,
    *,
    x_units: Units = (0.0, 1.0),
    rate: float = 1.0,
    horseshoe: float | None = None,
    slab_scale: float = 1.0,
    n_total: int | None = None,
) -> Tensor:
    """Poisson regression: y (n,) counts for `exposure` (n,), `rate` expected for an exposure of 1
    where x is at its location; the other arguments are those of `linear`."""
    n, one = n_total or len(X), 1.0 * X.new_ones(())
    inputs = pyro.plate("inputs", X.shape[1])
    alpha = pyro.sample("alpha", dist.Normal(0 * one, 1.0))
    beta = slopes(inputs, n, horseshoe, slab_scale, one, one)
    in_data_units(inputs, alpha, beta, x_units, math.log(rate))
    eta = math.log(rate) + predictor(X, alpha, beta, x_units)
    mean = eta.exp() if exposure is None else exposure * eta.exp()
    y = y if y is None else y.to(mean)  # of whole numbers torch takes lgamma in single precision
    with pyro.plate("rows", n, subsample_size=len(X)):
        drawn: Tensor = pyro.sample("y", dist.Poisson(mean), obs=y)
    return drawn


def slopes(
    inputs: pyro.plate,
    n: int,
    horseshoe: float | None,
    slab_scale: float,
    s: Tensor,
    prior_scale: Tensor,
) -> Tensor:
    """beta (d,), normal or by the horseshoe; s is what one row says of a slope."""
    one = torch.ones_like(prior_scale)
    if horseshoe is None:
        with inputs:
            normal: Tensor = pyro.sample("beta", dist.Normal(0 * one, prior_scale))
            return normal
    tau_0 = s * horseshoe / (inputs.size - horseshoe) / math.sqrt(n)
    tau = pyro.sample("tau", dist.HalfCauchy(tau_0))
    c2 = pyro.sample("c2", dist.InverseGamma(NU / 2 * one, NU / 2 * slab_scale**2))
    with inputs:
        lambda_ = pyro.sample("lambda", dist.HalfCauchy(one))
        z = pyro.sample("z", dist.Normal(0 * one, 1.0))
        beta: Tensor = pyro.deterministic(
            "beta", tau * regularised(lambda_, tau, c2) * z, event_dim=0
        )
    return beta


def regularised(lambda_: Tensor, tau: Tensor, c2: Tensor) -> Tensor:
    """l_j = c lambda_j / sqrt(c^2 + tau^2 lambda_j^2)."""
    return c2.sqrt() * lambda_ / (c2 + (tau * lambda_) ** 2).sqrt()


def predictor(X: Tensor, alpha: Tensor, beta: Tensor, x_units: Units) -> Tensor:
    """eta = alpha + u' beta of each row, (n,)."""
    x_loc, x_scale = x_units
    eta: Tensor = alpha + beta @ ((X - x_loc) / x_scale).T
    return eta


def in_data_units(
    inputs: pyro.plate,
    alpha: Tensor,
    beta: Tensor,
    x_units: Units,
    y_loc: Any = 0.0,
    y_scale: Any = 1.0,
) -> None:
    """`intercept` and `slope`: alpha and beta for inputs and predictor in the units of the data."""
    x_loc, x_scale = x_units
    slope = y_scale * beta / x_scale
    with inputs:
        pyro.deterministic("slope", slope, event_dim=0)
    at_zero = (slope * x_loc).sum(-1).reshape(alpha.shape)
    pyro.deterministic("intercept", y_loc + y_scale * alpha - at_zero, event_dim=0)
