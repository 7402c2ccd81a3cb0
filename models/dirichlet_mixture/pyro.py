"""Dirichlet-process Gaussian mixture in Pyro: the twin of `numpyro.py`, which explains the model,
with the same sites, shapes and log joint.

    alpha ~ Gamma(1, 1),    nu_k ~ Exponential(alpha),    beta_k = 1 - exp(-nu_k) ~ Beta(1, alpha)
    log w_k = log(1 - exp(-nu_k)) - sum_{l < k} nu_l
    mu_k ~ Normal(0, 1),    sigma_k ~ LogNormal(log 1/2, 1)          (d,), diagonal covariances
    z ~ Categorical(w),     v | z ~ Normal(mu_z, sigma_z),           y = location + scale v
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


def model(
    y: Tensor | None = None,
    *,
    n_components: int = 10,
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
    n_columns: int = 1,
) -> Tensor:
    """The mixture of rows y (n, d). The twin describes each argument."""
    y = None if y is None else y.reshape(len(y), -1)
    n, d = (n_total or 1, n_columns) if y is None else y.shape
    K = n_components
    zero = torch.zeros(d, dtype=torch.get_default_dtype() if y is None else y.dtype)
    one = zero.new_ones(())
    alpha = pyro.sample("alpha", dist.Gamma(one, one))
    pyro.deterministic("truncation", 4 * (n_total or n) * torch.exp(-(K - 1) / alpha))
    with pyro.plate("sticks", K - 1):
        nu = pyro.sample("nu", dist.Exponential(alpha))
    log_w = log_weights(nu)
    y_loc, y_scale = y_units
    with pyro.plate("components", K):
        pyro.deterministic("w", log_w.exp(), event_dim=0)
        mu = pyro.sample("mu", dist.Normal(zero, 1.0).to_event(1))
        sigma = pyro.sample("sigma", dist.LogNormal(zero + math.log(0.5), 1.0).to_event(1))
        mean = pyro.deterministic("mean", y_loc + y_scale * mu, event_dim=1)
        scale = pyro.deterministic("scale", y_scale * sigma, event_dim=1)
    with pyro.plate("rows", n_total or n, subsample_size=n):
        z = pyro.sample("z", dist.Categorical(logits=log_w), infer={"enumerate": "parallel"})
        drawn: Tensor = pyro.sample("y", dist.Normal(mean[z], scale[z]).to_event(1), obs=y)
    return drawn


def log_weights(nu: Tensor) -> Tensor:
    """log w (K,) of nu (K - 1,), of which the last component has all that is left."""
    zero = nu.new_zeros(1)
    left = torch.cat([zero, -nu.cumsum(-1)])
    return left + torch.cat([(-torch.expm1(-nu)).log(), zero])
