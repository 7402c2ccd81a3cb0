"""Bayesian Gaussian mixture over continuous and categorical columns, in NumPyro (twin: `pyro`).

A row is x in R^d and codes c_1, c_2, ... of its categorical columns. With K = k components,

    w        ~ Dirichlet(alpha, ..., alpha)
    mu_k     ~ Normal(m, s)                                        (d,)
    sigma_k  ~ LogNormal(log t, 1)                                 (d,)
    L_k      ~ LKJCholesky(eta),    Sigma_k = diag(sigma_k) L_k L_k' diag(sigma_k)
    B_j,k    ~ Dirichlet(beta, ..., beta)                          levels of categorical column j
    z        ~ Categorical(w),   x | z ~ Normal(mu_z, Sigma_z),   c_j | z ~ Categorical(B_j,z)

and the label z is summed out:

    log p(x, c) = logsumexp_k [ log w_k + log Normal(x; mu_k, Sigma_k) + sum_j log B_j,k[c_j] ].

With Student's t in place of the normal, nu_k ~ Gamma(2, 0.1) are its degrees of freedom and
x | z ~ t_nu_z(mu_z, Sigma_z), its marginals again being t of the columns that are there.

`covariance_type`: "full" as above; "tied" has one sigma and one L; "diag" has no L; "spherical" has
one number sigma_k. Gaps (NaN in x, -1 in codes) are integrated out: a Gaussian's marginal is the
Gaussian of the columns that are there. Row weights r_i make it a power likelihood,
prod_i p(x_i, c_i)^r_i: weight 2 counts as the row given twice.

The prior of sigma is log-normal because the likelihood grows like a power of 1 / sigma where a
component sits on one point: with a prior that has mass near 0 the posterior density would have no
bound there; this one falls faster than any power.

References: Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines
and extended onion method", 2009, https://doi.org/10.1016/j.jmva.2009.04.008; Kucukelbir et al.,
"Automatic differentiation variational inference", 2017, https://arxiv.org/abs/1603.00788; Juarez
and Steel, "Model-based clustering of non-Gaussian panel data based on skew-t distributions", 2010,
https://doi.org/10.1198/jbes.2009.07145 (the prior of nu).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln
from numpyro import handlers
from numpyro.distributions import biject_to, constraints

from .prior import Prior


def model(
    x: Array | None,
    codes: Array | None,
    row_weights: Array | None = None,
    *,
    prior: Prior,
    gaps: bool = False,
    n_total: int | None = None,
    start: Mapping[str, Array] | None = None,
) -> tuple[Array | None, list[Array]] | None:
    """The joint of parameters and rows.

    Args:
        x: (n, d) rows, NaN in gaps; None leaves the continuous columns out.
        codes: (n, c) levels, -1 in gaps; None leaves the categorical columns out. If x is None too,
            `n_total` rows are drawn.
        row_weights: (n,) powers of the rows, or None.
        prior: K, the numbers in the prior, and the covariance type.
        gaps: whether x may have NaN; if not, each covariance is factored only once.
        n_total: rows of the whole data if x is a minibatch: its terms then count n_total / n.
        start: for the guide; not used here. SVI calls both with the same arguments.
    """
    k, m, typical, kind = prior.k, prior.m, prior.t, prior.covariance_type
    d = len(m)
    w = numpyro.sample("w", dist.Dirichlet(jnp.full(k, prior.alpha)))
    components = numpyro.plate("components", k)
    with components:
        mu = numpyro.sample("mu", dist.Normal(m, prior.s).to_event(1)) if d else jnp.zeros((k, 0))
        B = [
            numpyro.sample(f"B_{j}", dist.Dirichlet(jnp.full(v, prior.beta)))
            for j, v in enumerate(prior.n_levels)
        ]
        nu = numpyro.sample("nu", dist.Gamma(2.0, 0.1)) if prior.student and d else None
    L = None
    with contextlib.nullcontext() if kind == "tied" else components:
        if kind == "spherical" and d:
            sigma = numpyro.sample("sigma", dist.LogNormal(jnp.log(typical).mean(), 1.0))[:, None]
        elif d:
            sigma = numpyro.sample("sigma", dist.LogNormal(jnp.log(typical), 1.0).to_event(1))
        else:
            sigma = jnp.ones(0)
        if kind in ("full", "tied") and d > 1:
            L = numpyro.sample("L", dist.LKJCholesky(d, prior.eta))

    if x is None and codes is None:  # draw rows
        with numpyro.plate("rows", n_total):
            z = numpyro.sample("z", dist.Categorical(w))
            if d:
                tril = cholesky(mu, sigma, L)[z]
                normal = dist.MultivariateNormal(mu[z], scale_tril=tril)
                t = None if nu is None else dist.MultivariateStudentT(nu[z], mu[z], tril)
                x = numpyro.sample("x", normal if t is None else t)
            return x, [
                numpyro.sample(f"c_{j}", dist.Categorical(B_j[z])) for j, B_j in enumerate(B)
            ]

    log_p = jax.nn.logsumexp(log_components(x, codes, w, mu, sigma, L, B, gaps, nu), -1)
    n = len(log_p)
    with handlers.scale(scale=(n_total or n) / n), numpyro.plate("rows", n):
        numpyro.factor("row", log_p if row_weights is None else row_weights * log_p)
    return None


def guide(
    x: Array | None,
    codes: Array | None,
    row_weights: Array | None = None,
    *,
    prior: Prior,
    start: Mapping[str, Array],
    gaps: bool = False,
    n_total: int | None = None,
) -> None:
    """Mean-field: each parameter is an independent Gaussian mapped onto its support (ADVI), from
    where it is in `start`. The rows, `gaps` and `n_total` are for the model."""

    def q(site: str, support: constraints.Constraint) -> Array:
        to_support = biject_to(support)
        at = to_support.inv(start[site])
        loc = numpyro.param(f"{site}_loc", at)
        scale = numpyro.param(
            f"{site}_scale", jnp.full_like(at, 0.05), constraint=constraints.positive
        )
        event_dim = to_support.domain.event_dim
        if site == "mu" or (site == "sigma" and prior.covariance_type != "spherical"):
            event_dim = 1
        normal = dist.Normal(loc, scale).to_event(event_dim)
        value: Array = numpyro.sample(site, dist.TransformedDistribution(normal, [to_support]))
        return value

    q("w", constraints.simplex)
    components = numpyro.plate("components", prior.k)
    with components:
        if "mu" in start:
            q("mu", constraints.real)
        if "nu" in start:
            q("nu", constraints.positive)
        for j in range(len(prior.n_levels)):
            q(f"B_{j}", constraints.simplex)
    with contextlib.nullcontext() if prior.covariance_type == "tied" else components:
        if "sigma" in start:
            q("sigma", constraints.positive)
        if "L" in start:
            q("L", constraints.corr_cholesky)


def log_components(
    x: Array | None,
    codes: Array | None,
    w: Array,
    mu: Array,
    sigma: Array,
    L: Array | None,
    B: Sequence[Array],
    gaps: bool,
    nu: Array | None = None,
) -> Array:
    """log w_k + log Normal(x; mu_k, Sigma_k) + sum_j log B_j,k[c_j] of what is observed, (n, k);
    with `nu` (k,), of Student's t."""
    n = len(next(a for a in (x, codes) if a is not None))
    log_p = jnp.broadcast_to(jnp.log(w), (n, len(w)))
    if codes is not None:
        for j, B_j in enumerate(B):
            c = codes[:, j, None]
            log_p = log_p + jnp.where(c < 0, 0.0, jnp.log(B_j).T[jnp.maximum(c[:, 0], 0)])
    if x is None or mu.shape[-1] == 0:
        return log_p
    if nu is not None:
        return log_p + log_t(x, mu, cholesky(mu, sigma, L), nu, gaps)
    if L is None:
        log_x: Array = dist.Normal(mu, sigma).log_prob(jnp.nan_to_num(x)[:, None])
        return log_p + jnp.where(jnp.isnan(x)[:, None], 0.0, log_x).sum(-1)
    return log_p + log_normal(x, mu, cholesky(mu, sigma, L), gaps)


def cholesky(mu: Array, sigma: Array, L: Array | None) -> Array:
    """(k, d, d) Cholesky factors diag(sigma_k) L_k of the covariances."""
    sigma = jnp.broadcast_to(sigma, mu.shape)
    return sigma[..., None] * jnp.eye(mu.shape[-1]) if L is None else sigma[..., None] * L


def log_normal(x: Array, mu: Array, scale_tril: Array, gaps: bool) -> Array:
    """log Normal(x_o; mu_o, Sigma_oo) of the observed part (o) of each row and component, (n, k).

    In the covariance, rows and columns of gaps are replaced by those of the identity, and in x - mu
    by 0: the density is then that of x_o times, for each gap, that of a standard normal at 0, which
    is divided out again.
    """
    if not gaps:
        log_p: Array = dist.MultivariateNormal(mu, scale_tril=scale_tril).log_prob(x[:, None])
        return log_p
    there = ~jnp.isnan(x)
    r = jnp.where(there[:, None], jnp.nan_to_num(x)[:, None] - mu, 0.0)
    both = there[:, None, :, None] & there[:, None, None, :]
    sigma = jnp.where(both, scale_tril @ scale_tril.mT, jnp.eye(x.shape[-1]))
    tril = jnp.linalg.cholesky(sigma)
    log_p = dist.MultivariateNormal(jnp.zeros_like(r), scale_tril=tril).log_prob(r)
    return log_p + 0.5 * math.log(2 * math.pi) * (~there).sum(-1, keepdims=True)


def log_t(x: Array, mu: Array, scale_tril: Array, nu: Array, gaps: bool) -> Array:
    """log t_nu(x_o; mu_o, Sigma_oo) of the observed part (o) of each row and component, (n, k);
    what gaps are replaced by adds nothing to its distance or determinant."""
    there = ~jnp.isnan(x)
    r = jnp.where(there[:, None], jnp.nan_to_num(x)[:, None] - mu, 0.0)
    if gaps:
        both = there[:, None, :, None] & there[:, None, None, :]
        sigma = jnp.where(both, scale_tril @ scale_tril.mT, jnp.eye(x.shape[-1]))
        scale_tril = jnp.linalg.cholesky(sigma)
        y = solve_triangular(scale_tril, r[..., None], lower=True)[..., 0]
    else:
        y = solve_triangular(scale_tril, r.transpose(1, 2, 0), lower=True).transpose(2, 0, 1)
    log_det = jnp.log(jnp.diagonal(scale_tril, axis1=-2, axis2=-1)).sum(-1)
    size, distance = there.sum(-1, keepdims=True), jnp.square(y).sum(-1)
    at_middle = gammaln((nu + size) / 2) - gammaln(nu / 2) - size / 2 * jnp.log(math.pi * nu)
    return at_middle - log_det - (nu + size) / 2 * jnp.log1p(distance / nu)
