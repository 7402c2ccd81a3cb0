"""Models of groups in Pyro: the twin of `numpyro.py`, which explains the models, with the same
sites, shapes and log joint.

    eight schools        mu ~ Normal(0, 5),   tau ~ Cauchy+(5),
                         theta_j ~ Normal(mu, tau),   y_j ~ Normal(theta_j, sigma_j)

    regression by groups, with u = (x - location) / scale,
                         alpha, beta_j ~ Normal(0, 2.5),   sigma ~ Exponential(1)
    varying intercepts   v = alpha + u' beta + tau z_g,
                         tau ~ Normal+(1),   z_g ~ Normal(0, 1)
    varying slopes       v = alpha + u' beta + (1, u)' w_g,   w_g = diag(tau) L z_g,
                         tau_k ~ Normal+(1),   L ~ LKJCholesky(2),   z_g ~ Normal(0, I)
    y = location + scale Normal(v, sigma)
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

Units = Any  # (location, scale), numbers or tensors (d,), or a tensor of both, (2, d)


def eight_schools(y: Tensor | None = None, *, sigma: Tensor, centred: bool = False) -> Tensor:
    """Effects of schools that were estimated apart as y (J,) with standard errors sigma (J,). The
    twin describes each argument, here and below."""
    one = 1.0 * sigma.new_ones(())
    mu = pyro.sample("mu", dist.Normal(0 * one, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5 * one))
    with pyro.plate("schools", len(sigma)):
        if centred:
            theta = pyro.sample("theta", dist.Normal(mu, tau))
        else:
            eta = pyro.sample("eta", dist.Normal(0 * one, 1.0))
            theta = pyro.deterministic("theta", mu + tau * eta, event_dim=0)
        drawn: Tensor = pyro.sample("y", dist.Normal(theta, sigma), obs=y)
    return drawn


def varying_intercepts(
    X: Tensor,
    group: Tensor,
    y: Tensor | None = None,
    *,
    n_groups: int,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Tensor:
    """Regression of y (n,) on X (n, d) with an intercept for each `group` (n,)."""
    one = 1.0 * X.new_ones(())
    _, v, sigma = _common(X, x_units, y_units)
    tau = pyro.sample("tau", dist.HalfNormal(one))
    with pyro.plate("groups", n_groups):
        z = pyro.sample("z", dist.Normal(0 * one, 1.0))
        pyro.deterministic("effect", y_units[1] * tau * z, event_dim=0)
    v = v + tau * of_rows(z, group)
    return _observed(v, sigma, y, y_units, n_total)


def varying_slopes(
    X: Tensor,
    group: Tensor,
    y: Tensor | None = None,
    *,
    n_groups: int,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Tensor:
    """Regression of y (n,) on X (n, d) with an intercept and slopes for each `group` (n,)."""
    one = 1.0 * X.new_ones(())
    u, v, sigma = _common(X, x_units, y_units)
    k = 1 + X.shape[1]
    with pyro.plate("coefficients", k):
        tau = pyro.sample("tau", dist.HalfNormal(one))
    L = pyro.sample("L", dist.LKJCholesky(k, 2 * one))
    with pyro.plate("groups", n_groups):
        z = pyro.sample("z", dist.Normal(0 * one, 1.0).expand((k,)).to_event(1))
        w = z @ (tau[:, None] * L).T
        pyro.deterministic("effect", y_units[1] * w, event_dim=1)
    w_g = of_rows(w, group)
    v = v + w_g[:, 0] + (u * w_g[:, 1:]).sum(-1)
    return _observed(v, sigma, y, y_units, n_total)


def _common(X: Tensor, x_units: Units, y_units: Units) -> tuple[Tensor, Tensor, Tensor]:
    """u (n, d), alpha + u' beta (n,), and sigma."""
    (x_loc, x_scale), (y_loc, y_scale), one = x_units, y_units, 1.0 * X.new_ones(())
    alpha = pyro.sample("alpha", dist.Normal(0 * one, 2.5))
    with pyro.plate("inputs", X.shape[1]):
        beta = pyro.sample("beta", dist.Normal(0 * one, 2.5))
        slope = pyro.deterministic("slope", y_scale * beta / x_scale, event_dim=0)
    pyro.deterministic("intercept", y_loc + y_scale * alpha - (slope * x_loc).sum(-1))
    sigma = pyro.sample("sigma", dist.Exponential(one))
    pyro.deterministic("noise", y_scale * sigma, event_dim=0)
    u = (X - x_loc) / x_scale
    return u, alpha + u @ beta, sigma


def _observed(
    v: Tensor, sigma: Tensor, y: Tensor | None, y_units: Units, n_total: int | None
) -> Tensor:
    y_loc, y_scale = y_units
    with pyro.plate("rows", n_total or len(v), subsample_size=len(v)):
        drawn: Tensor = pyro.sample("y", dist.Normal(y_loc + y_scale * v, y_scale * sigma), obs=y)
    return drawn


def of_rows(values: Tensor, group: Tensor) -> Tensor:
    """The value (n_groups, ...) of each row's group; an IndexError where there is no such group."""
    return values[torch.where(group < 0, len(values), group)]
