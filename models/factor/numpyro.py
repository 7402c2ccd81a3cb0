"""Bayesian factor analysis in NumPyro (twin: `pyro`).

A row is x in R^d. With k factors,

    W_j   ~ Normal(0, a_j)                     (d, k) loadings, a row for each column
    mu_j  ~ Normal(m_j, s_j)                   (d,)
    psi_j ~ LogNormal(log t_j, 1)              (d,) variances; one for all if the noise is isotropic
    z     ~ Normal(0, I)                       (k,)
    x | z ~ Normal(mu + W z, psi)

and the factors z are integrated out: x ~ Normal(mu, Sigma) with Sigma = W W' + diag(psi). With
A = psi^-1/2 W, u = psi^-1/2 (x - mu), both 0 where x is missing, and M = I + A'A,

    log p(x) = -1/2 [ u'u - (A'u)' M^-1 (A'u) + log |M| + sum_o log 2 pi psi_o ]

over the observed entries o, so that gaps (NaN) are integrated out too. Row weights r_i make it a
power likelihood, prod_i p(x_i)^r_i: weight 2 counts as the row given twice. A rotation of W changes
nothing: draws are turned to one W afterwards (`rotation.aligned`). The prior of psi falls faster
than any power at 0, where the likelihood may rise (Heywood cases).

Reference: Bishop, "Bayesian PCA", 1999,
https://papers.nips.cc/paper/1998/hash/c88d8d0a6097754525e02c2246d8d27f-Abstract.html.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro import handlers
from numpyro.distributions import constraints

from .prior import Prior


def model(
    x: Array | None,
    row_weights: Array | None = None,
    *,
    prior: Prior,
    gaps: bool = False,
    n_total: int | None = None,
    start: Mapping[str, Array] | None = None,
) -> Array | None:
    """The joint of parameters and rows.

    Args:
        x: (n, d) rows, NaN in gaps; None draws `n_total` rows.
        row_weights: (n,) powers of the rows, or None.
        prior: k and the numbers in the prior.
        gaps: whether x may have NaN; if not, M is the same for all rows.
        n_total: rows of the whole data if x is a minibatch: its terms then count n_total / n.
        start: for the guide; not used here. SVI calls both with the same arguments.
    """
    d, k = len(prior.m), prior.k
    mu = numpyro.sample("mu", dist.Normal(prior.m, prior.s).to_event(1))
    if prior.isotropic:
        psi = numpyro.sample("psi", dist.LogNormal(jnp.log(prior.t).mean(), 1.0)) * jnp.ones(d)
    else:
        psi = numpyro.sample("psi", dist.LogNormal(jnp.log(prior.t), 1.0).to_event(1))
    W = jnp.zeros((d, 0))
    if k:
        loading = dist.Normal(0.0, prior.a[:, None]).expand((d, k))
        W = numpyro.sample("W", loading.to_event(2))

    if x is None:  # draw rows
        with numpyro.plate("rows", n_total):
            z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand((k,)).to_event(1))
            normal = dist.Normal(mu + z @ W.T, jnp.sqrt(psi)).to_event(1)
            drawn: Array = numpyro.sample("x", normal)
            return drawn

    log_p = log_normal(x, mu, W, psi, gaps)
    n = len(log_p)
    with handlers.scale(scale=(n_total or n) / n), numpyro.plate("rows", n):
        numpyro.factor("row", log_p if row_weights is None else row_weights * log_p)
    return None


def guide(
    x: Array | None,
    row_weights: Array | None = None,
    *,
    prior: Prior,
    start: Mapping[str, Array],
    gaps: bool = False,
    n_total: int | None = None,
) -> None:
    """Mean-field: each parameter is an independent Gaussian, log psi for psi, from where it is in
    `start`. The rows, `gaps` and `n_total` are for the model."""

    def q(site: str, at: Array) -> tuple[Array, Array]:
        loc = numpyro.param(f"{site}_loc", at)
        scale = jnp.full_like(at, 0.05)
        return loc, numpyro.param(f"{site}_scale", scale, constraint=constraints.positive)

    numpyro.sample("mu", dist.Normal(*q("mu", start["mu"])).to_event(1))
    log_psi = dist.LogNormal(*q("psi", jnp.log(start["psi"])))
    numpyro.sample("psi", log_psi.to_event(0 if prior.isotropic else 1))
    if prior.k:
        numpyro.sample("W", dist.Normal(*q("W", start["W"])).to_event(2))


def log_normal(x: Array, mu: Array, W: Array, psi: Array, gaps: bool) -> Array:
    """log Normal(x_o; mu_o, Sigma_oo) of the observed part (o) of each row, (n,)."""
    there = ~jnp.isnan(x) if gaps else jnp.ones((1, x.shape[1]), bool)
    A = W / jnp.sqrt(psi)[:, None]
    u = jnp.where(there, (jnp.nan_to_num(x) - mu) / jnp.sqrt(psi), 0.0)
    M = jnp.eye(W.shape[1]) + jnp.einsum("nd,dk,dl->nkl", there.astype(x.dtype), A, A)
    L = jnp.linalg.cholesky(M)
    b = u @ A
    half = jnp.linalg.solve(L, b[:, :, None])[:, :, 0]
    inside = jnp.square(u).sum(-1) - jnp.square(half).sum(-1)
    log_det = 2 * jnp.log(jnp.diagonal(L, axis1=-2, axis2=-1)).sum(-1)
    size = jnp.where(there, jnp.log(2 * math.pi * psi), 0.0).sum(-1)
    return -0.5 * (inside + log_det + size)
