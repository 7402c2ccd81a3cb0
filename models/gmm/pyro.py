"""Bayesian Gaussian mixture over continuous and categorical columns, in Pyro: the twin of
`numpyro.py`, which explains the model, with the same sites, shapes and log joint.

    w        ~ Dirichlet(alpha, ..., alpha)
    mu_k     ~ Normal(m, s)                                        (d,)
    sigma_k  ~ LogNormal(log t, 1)                                 (d,)
    L_k      ~ LKJCholesky(eta),    Sigma_k = diag(sigma_k) L_k L_k' diag(sigma_k)
    B_j,k    ~ Dirichlet(beta, ..., beta)                          levels of categorical column j
    z        ~ Categorical(w),   x | z ~ Normal(mu_z, Sigma_z),   c_j | z ~ Categorical(B_j,z)

or, with nu_k ~ Gamma(2, 0.1), x | z ~ t_nu_z(mu_z, Sigma_z).
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import biject_to, constraints

from .prior import Prior


def model(
    x: Tensor | None,
    codes: Tensor | None,
    row_weights: Tensor | None = None,
    *,
    prior: Prior,
    gaps: bool = False,
    n_total: int | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor | None, list[Tensor]] | None:
    """The joint of parameters and rows: x (n, d) with NaN and codes (n, c) with -1 in gaps, to the
    power of `row_weights` (n,). The twin describes each argument."""
    k, m, typical, kind = prior.k, prior.m, prior.t, prior.covariance_type
    d = len(m)
    w = pyro.sample("w", dist.Dirichlet(m.new_full((k,), prior.alpha)))
    components = pyro.plate("components", k)
    with components:
        mu = pyro.sample("mu", dist.Normal(m, prior.s).to_event(1)) if d else m.new_zeros(k, 0)
        B = [
            pyro.sample(f"B_{j}", dist.Dirichlet(m.new_full((v,), prior.beta)))
            for j, v in enumerate(prior.n_levels)
        ]
        nu = pyro.sample("nu", dist.Gamma(m.new_tensor(2.0), 0.1)) if prior.student and d else None
    L = None
    with contextlib.nullcontext() if kind == "tied" else components:
        if kind == "spherical" and d:
            sigma = pyro.sample("sigma", dist.LogNormal(typical.log().mean(), 1.0))[:, None]
        elif d:
            sigma = pyro.sample("sigma", dist.LogNormal(typical.log(), 1.0).to_event(1))
        else:
            sigma = m.new_ones(0)
        if kind in ("full", "tied") and d > 1:
            L = pyro.sample("L", dist.LKJCholesky(d, m.new_tensor(prior.eta)))

    if x is None and codes is None:  # draw rows
        with pyro.plate("rows", n_total):
            z = pyro.sample("z", dist.Categorical(w))
            if d:
                tril = cholesky(mu, sigma, L)[z]
                normal = dist.MultivariateNormal(mu[z], scale_tril=tril)
                t = None if nu is None else dist.MultivariateStudentT(nu[z], mu[z], tril)
                x = pyro.sample("x", normal if t is None else t)
            return x, [pyro.sample(f"c_{j}", dist.Categorical(B_j[z])) for j, B_j in enumerate(B)]

    log_p = log_components(x, codes, w, mu, sigma, L, B, gaps, nu).logsumexp(-1)
    n = len(log_p)
    with poutine.scale(scale=(n_total or n) / n), pyro.plate("rows", n):
        pyro.factor("row", log_p if row_weights is None else row_weights * log_p)
    return None


def guide(
    x: Tensor | None,
    codes: Tensor | None,
    row_weights: Tensor | None = None,
    *,
    prior: Prior,
    start: Mapping[str, Tensor],
    gaps: bool = False,
    n_total: int | None = None,
) -> None:
    """Mean-field: each parameter is an independent Gaussian mapped onto its support (ADVI), from
    where it is in `start`. The rows, `gaps` and `n_total` are for the model."""

    def q(site: str, support: constraints.Constraint) -> Tensor:
        to_support = biject_to(support)
        at = to_support.inv(start[site])
        loc = pyro.param(f"{site}_loc", at)
        scale = pyro.param(f"{site}_scale", torch.full_like(at, 0.05), constraints.positive)
        event_dim = to_support.domain.event_dim
        if site == "mu" or (site == "sigma" and prior.covariance_type != "spherical"):
            event_dim = 1
        normal = dist.Normal(loc, scale).to_event(event_dim)
        value: Tensor = pyro.sample(site, dist.TransformedDistribution(normal, [to_support]))
        return value

    q("w", constraints.simplex)
    components = pyro.plate("components", prior.k)
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
    x: Tensor | None,
    codes: Tensor | None,
    w: Tensor,
    mu: Tensor,
    sigma: Tensor,
    L: Tensor | None,
    B: Sequence[Tensor],
    gaps: bool,
    nu: Tensor | None = None,
) -> Tensor:
    """log w_k + log Normal(x; mu_k, Sigma_k) + sum_j log B_j,k[c_j] of what is observed, (n, k);
    with `nu` (k,), of Student's t."""
    n = len(next(a for a in (x, codes) if a is not None))
    log_p = w.log().expand(n, -1)
    if codes is not None:
        for j, B_j in enumerate(B):
            c = codes[:, j, None].long()
            log_p = log_p + torch.where(c < 0, 0.0, B_j.log().T[c[:, 0].clamp(min=0)])
    if x is None or mu.shape[-1] == 0:
        return log_p
    if nu is not None:
        return log_p + log_t(x, mu, cholesky(mu, sigma, L), nu, gaps)
    if L is None:
        log_x: Tensor = dist.Normal(mu, sigma).log_prob(x.nan_to_num()[:, None])
        return log_p + torch.where(x.isnan()[:, None], 0.0, log_x).sum(-1)
    return log_p + log_normal(x, mu, cholesky(mu, sigma, L), gaps)


def cholesky(mu: Tensor, sigma: Tensor, L: Tensor | None) -> Tensor:
    """(k, d, d) Cholesky factors diag(sigma_k) L_k of the covariances."""
    sigma = sigma.expand(mu.shape)
    return torch.diag_embed(sigma) if L is None else sigma[..., None] * L


def log_normal(x: Tensor, mu: Tensor, scale_tril: Tensor, gaps: bool) -> Tensor:
    """log Normal(x_o; mu_o, Sigma_oo) of the observed part (o) of each row and component, (n, k);
    each gap becomes a standard normal at 0, which is divided out again."""
    if not gaps:
        log_p: Tensor = dist.MultivariateNormal(mu, scale_tril=scale_tril).log_prob(x[:, None])
        return log_p
    there = ~x.isnan()
    r = torch.where(there[:, None], x.nan_to_num()[:, None] - mu, 0.0)
    both = there[:, None, :, None] & there[:, None, None, :]
    sigma = torch.where(both, scale_tril @ scale_tril.mT, torch.eye(x.shape[-1], dtype=x.dtype))
    tril = torch.linalg.cholesky(sigma)
    log_p = dist.MultivariateNormal(torch.zeros_like(r), scale_tril=tril).log_prob(r)
    return log_p + 0.5 * math.log(2 * math.pi) * (~there).to(x).sum(-1, keepdim=True)


def log_t(x: Tensor, mu: Tensor, scale_tril: Tensor, nu: Tensor, gaps: bool) -> Tensor:
    """log t_nu(x_o; mu_o, Sigma_oo) of the observed part (o) of each row and component, (n, k);
    what gaps are replaced by adds nothing to its distance or determinant."""
    there = ~x.isnan()
    r = torch.where(there[:, None], x.nan_to_num()[:, None] - mu, 0.0)
    if gaps:
        both = there[:, None, :, None] & there[:, None, None, :]
        sigma = torch.where(both, scale_tril @ scale_tril.mT, torch.eye(x.shape[-1], dtype=x.dtype))
        scale_tril = torch.linalg.cholesky(sigma)
        y = torch.linalg.solve_triangular(scale_tril, r[..., None], upper=False)[..., 0]
    else:
        columns = r.permute(1, 2, 0)
        y = torch.linalg.solve_triangular(scale_tril, columns, upper=False).permute(2, 0, 1)
    log_det = scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    size, distance = there.to(x).sum(-1, keepdim=True), y.square().sum(-1)
    at_middle = ((nu + size) / 2).lgamma() - (nu / 2).lgamma() - size / 2 * (math.pi * nu).log()
    out: Tensor = at_middle - log_det - (nu + size) / 2 * (distance / nu).log1p()
    return out
