"""Bayesian factor analysis in Pyro: the twin of `numpyro.py`, which explains the model, with the
same sites, shapes and log joint.

    W_j   ~ Normal(0, a_j)                     (d, k) loadings, a row for each column
    mu_j  ~ Normal(m_j, s_j)                   (d,)
    psi_j ~ LogNormal(log t_j, 1)              (d,) variances; one for all if the noise is isotropic
    z     ~ Normal(0, I)                       (k,)
    x | z ~ Normal(mu + W z, psi)
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Mapping

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import constraints

from .prior import Prior


def model(
    x: Tensor | None,
    row_weights: Tensor | None = None,
    *,
    prior: Prior,
    gaps: bool = False,
    n_total: int | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> Tensor | None:
    """The joint of parameters and rows x (n, d), NaN in gaps, to the power of `row_weights` (n,).
    The twin describes each argument."""
    m, t, (d, k) = prior.m, prior.t, (len(prior.m), prior.k)
    mu = pyro.sample("mu", dist.Normal(m, prior.s).to_event(1))
    if prior.isotropic:
        psi = pyro.sample("psi", dist.LogNormal(t.log().mean(), 1.0)) * m.new_ones(d)
    else:
        psi = pyro.sample("psi", dist.LogNormal(t.log(), 1.0).to_event(1))
    W = m.new_zeros(d, 0)
    if k:
        loading = dist.Normal(m.new_zeros(()), prior.a[:, None]).expand((d, k))
        W = pyro.sample("W", loading.to_event(2))

    if x is None:  # draw rows
        with pyro.plate("rows", n_total):
            z = pyro.sample("z", dist.Normal(m.new_zeros(k), 1.0).to_event(1))
            drawn: Tensor = pyro.sample("x", dist.Normal(mu + z @ W.T, psi.sqrt()).to_event(1))
            return drawn

    log_p = log_normal(x, mu, W, psi, gaps)
    n = len(log_p)
    with poutine.scale(scale=(n_total or n) / n), pyro.plate("rows", n):
        pyro.factor("row", log_p if row_weights is None else row_weights * log_p)
    return None


def guide(
    x: Tensor | None,
    row_weights: Tensor | None = None,
    *,
    prior: Prior,
    start: Mapping[str, Tensor],
    gaps: bool = False,
    n_total: int | None = None,
) -> None:
    """Mean-field: each parameter is an independent Gaussian, log psi for psi, from where it is in
    `start`. The rows, `gaps` and `n_total` are for the model."""

    def q(site: str, at: Tensor) -> tuple[Tensor, Tensor]:
        loc = pyro.param(f"{site}_loc", at)
        return loc, pyro.param(
            f"{site}_scale", torch.full_like(at, 0.05), constraint=constraints.positive
        )

    pyro.sample("mu", dist.Normal(*q("mu", start["mu"])).to_event(1))
    log_psi = dist.LogNormal(*q("psi", start["psi"].log()))
    pyro.sample("psi", log_psi.to_event(0 if prior.isotropic else 1))
    if prior.k:
        pyro.sample("W", dist.Normal(*q("W", start["W"])).to_event(2))


def log_normal(x: Tensor, mu: Tensor, W: Tensor, psi: Tensor, gaps: bool) -> Tensor:
    """log Normal(x_o; mu_o, Sigma_oo) of the observed part (o) of each row, (n,)."""
    there = ~x.isnan() if gaps else torch.ones(1, x.shape[1], dtype=torch.bool)
    A = W / psi.sqrt()[:, None]
    u = torch.where(there, (x.nan_to_num() - mu) / psi.sqrt(), 0.0)
    M = torch.eye(W.shape[1], dtype=x.dtype) + torch.einsum("nd,dk,dl->nkl", there.to(x), A, A)
    L = torch.linalg.cholesky(M)
    half = torch.linalg.solve_triangular(L, (u @ A)[:, :, None], upper=False)[:, :, 0]
    inside = u.square().sum(-1) - half.square().sum(-1)
    log_det = 2 * L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    size = torch.where(there, (2 * math.pi * psi).log(), 0.0).sum(-1)
    found: Tensor = -0.5 * (inside + log_det + size)
    return found
