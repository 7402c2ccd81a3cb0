"""Models of groups in NumPyro (twin: `pyro`).

Eight schools: an effect theta_j of each school was estimated as y_j with standard error sigma_j,

    mu ~ Normal(0, 5),   tau ~ Cauchy+(5),
    theta_j ~ Normal(mu, tau),   y_j ~ Normal(theta_j, sigma_j).

Not centred: theta_j = mu + tau eta_j with eta_j ~ Normal(0, 1), the same distribution, whose
posterior has no funnel: where tau is small, theta_j must be near mu, which chains on theta_j hardly
ever enter.

Regression by groups: a row is x in R^d, its group g and y. With u = (x - location) / scale,

    alpha, beta_j ~ Normal(0, 2.5),   sigma ~ Exponential(1)
    varying intercepts   v = alpha + u' beta + tau z_g,
                         tau ~ Normal+(1),   z_g ~ Normal(0, 1)
    varying slopes       v = alpha + u' beta + (1, u)' w_g,   w_g = diag(tau) L z_g,
                         tau_k ~ Normal+(1),   L ~ LKJCholesky(2),   z_g ~ Normal(0, I)
    y = location + scale Normal(v, sigma)

so that the effects w_g of groups are Normal(0, diag(tau) L L' diag(tau)), shrunk to 0 by as much as
groups are alike. In the units of y, `intercept` and `slope` are those of a group at w_g = 0,
`effect` is what a group adds where x is at its location, and per scale of each input.

References: Rubin, "Estimation in parallel randomized experiments", 1981,
https://doi.org/10.3102/10769986006004377; Papaspiliopoulos, Roberts and Sköld, "A general framework
for the parametrization of hierarchical models", 2007, https://doi.org/10.1214/088342307000000014;
Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and extended
onion method", 2009, https://doi.org/10.1016/j.jmva.2009.04.008.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

Units = Any  # (location, scale), numbers or arrays (d,), or an array of both, (2, d)


def eight_schools(y: Array | None = None, *, sigma: Array, centred: bool = False) -> Array:
    """Effects of schools that were estimated apart.

    Args:
        y: (J,) estimates; None draws them.
        sigma: (J,) standard errors, in points, as the priors are.
        centred: theta_j itself is the site, instead of eta_j.
    """
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
    with numpyro.plate("schools", len(sigma)):
        if centred:
            theta = numpyro.sample("theta", dist.Normal(mu, tau))
        else:
            eta = numpyro.sample("eta", dist.Normal(0.0, 1.0))
            theta = numpyro.deterministic("theta", mu + tau * eta)
        drawn: Array = numpyro.sample("y", dist.Normal(theta, sigma), obs=y)
    return drawn


def varying_intercepts(
    X: Array,
    group: Array,
    y: Array | None = None,
    *,
    n_groups: int,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Array:
    """Regression with an intercept for each group.

    Args:
        X: (n, d) inputs.
        group: (n,) numbers of the groups, from 0 to n_groups - 1.
        y: (n,) numbers; None draws them.
        n_groups: number of groups. Those without rows are drawn as any group would be: leave a
            number free, and what is predicted for it is for a group not seen.
        x_units, y_units: location and scale of inputs and y.
        n_total: rows of the whole data if X is a minibatch.
    """
    _, v, sigma = _common(X, x_units, y_units)
    tau = numpyro.sample("tau", dist.HalfNormal(1.0))
    with numpyro.plate("groups", n_groups):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
        numpyro.deterministic("effect", y_units[1] * tau * z)
    v = v + tau * of_rows(z, group)
    return _observed(v, sigma, y, y_units, n_total)


def varying_slopes(
    X: Array,
    group: Array,
    y: Array | None = None,
    *,
    n_groups: int,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Array:
    """Regression with an intercept and slopes for each group; the arguments are those of
    `varying_intercepts`."""
    u, v, sigma = _common(X, x_units, y_units)
    k = 1 + X.shape[1]
    with numpyro.plate("coefficients", k):
        tau = numpyro.sample("tau", dist.HalfNormal(1.0))
    L = numpyro.sample("L", dist.LKJCholesky(k, 2.0))
    with numpyro.plate("groups", n_groups):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand((k,)).to_event(1))
        w = z @ (tau[:, None] * L).T
        numpyro.deterministic("effect", y_units[1] * w)
    w_g = of_rows(w, group)
    v = v + w_g[:, 0] + (u * w_g[:, 1:]).sum(-1)
    return _observed(v, sigma, y, y_units, n_total)


def _common(X: Array, x_units: Units, y_units: Units) -> tuple[Array, Array, Array]:
    """u (n, d), alpha + u' beta (n,), and sigma."""
    (x_loc, x_scale), (y_loc, y_scale) = x_units, y_units
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 2.5))
    with numpyro.plate("inputs", X.shape[1]):
        beta = numpyro.sample("beta", dist.Normal(0.0, 2.5))
        slope = numpyro.deterministic("slope", y_scale * beta / x_scale)
    numpyro.deterministic("intercept", y_loc + y_scale * alpha - (slope * x_loc).sum(-1))
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    numpyro.deterministic("noise", y_scale * sigma)
    u = (X - x_loc) / x_scale
    return u, alpha + u @ beta, sigma


def _observed(
    v: Array, sigma: Array, y: Array | None, y_units: Units, n_total: int | None
) -> Array:
    y_loc, y_scale = y_units
    with numpyro.plate("rows", n_total or len(v), subsample_size=len(v)):
        drawn: Array = numpyro.sample("y", dist.Normal(y_loc + y_scale * v, y_scale * sigma), obs=y)
    return drawn


def of_rows(values: Array, group: Array) -> Array:
    """The value (n_groups, ...) of each row's group, NaN where there is no such group."""
    there = jnp.where(group < 0, len(values), group)
    rows: Array = jnp.take(values, there, axis=0, mode="fill", fill_value=jnp.nan)
    return rows
