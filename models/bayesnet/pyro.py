"""Bayesian network with unknown parameters, in Pyro: the twin of `numpyro.py`, which explains the
model, with the same sites, shapes and log joint.

    theta_i[u] ~ Dirichlet(alpha_i[u])                           of a discrete node,
    s2_i[u]    ~ InverseGamma(a_i[u], b_i[u])                    of a continuous one,
    b_i[u]     ~ Normal(m_i[u], s2_i[u] Lambda_i[u]^-1)          its intercept and coefficients,

    x_i | u    ~ Categorical(theta_i[u])      or      x_i | u, z ~ Normal(b_i[u] . (1, z), s2_i[u])

    log p(row) = log sum over what is not known of prod_i p(x_i | parents)
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import biject_to, constraints

from ..gmm.pyro import log_normal
from .families import families
from .prior import ConjugatePrior
from .row_density import Backend, Parameters, RowDensity

BACKEND = Backend(torch, torch.logsumexp, log_normal)


def model(
    x: Tensor | None,
    codes: Tensor | None,
    row_weights: Tensor | None = None,
    *,
    prior: ConjugatePrior,
    gaps: Sequence[int] = (),
    n_total: int | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> tuple[dict[int, Tensor], dict[int, Tensor]] | None:
    """The joint of parameters and rows: x (n, N) with NaN and codes (n, N) with -1 where not known,
    to the power of `row_weights` (n,). The twin describes each argument."""
    of = families(prior.dag, prior.sizes)
    theta: dict[int, Tensor] = {}
    b: dict[int, Tensor] = {}
    s2: dict[int, Tensor] = {}
    nodes: tuple[Any, ...] = prior.nodes
    for f, name, p in zip(of, prior.dag.names, nodes, strict=True):
        i, q = f.node, len(f.shape)
        if f.size:
            theta[i] = pyro.sample(f"theta_{name}", dist.Dirichlet(p.alpha).to_event(q))
        else:
            s2[i] = pyro.sample(f"s2_{name}", dist.InverseGamma(p.a, p.b).to_event(q))
            tril = torch.sqrt(s2[i])[..., None, None] * torch.as_tensor(p.root())
            normal = dist.MultivariateNormal(p.m, scale_tril=tril)
            b[i] = pyro.sample(f"b_{name}", normal.to_event(q))

    if x is None or codes is None:  # draw rows
        values: dict[int, Tensor] = {}
        states: dict[int, Tensor] = {}
        with pyro.plate("rows", n_total):
            for i in prior.dag.order:
                f, name = of[i], prior.dag.names[i]
                u = tuple(states[parent] for parent in f.discrete)
                if f.size:
                    states[i] = pyro.sample(f"x_{name}", dist.Categorical(theta[i][u]))
                else:
                    mean = b[i][u][..., 0]
                    for j, parent in enumerate(f.continuous, 1):
                        mean = mean + b[i][u][..., j] * values[parent]
                    normal = dist.Normal(mean, torch.sqrt(s2[i][u]))
                    values[i] = pyro.sample(f"x_{name}", normal)
        return values, states

    density = RowDensity(of, prior.dag.order, gaps, BACKEND)
    log_p = density(Parameters(theta, b, s2), x, codes)
    n = len(log_p)
    with poutine.scale(scale=(n_total or n) / n), pyro.plate("rows", n):
        pyro.factor("row", log_p if row_weights is None else row_weights * log_p)
    return None


def guide(
    x: Tensor | None,
    codes: Tensor | None,
    row_weights: Tensor | None = None,
    *,
    prior: ConjugatePrior,
    start: Mapping[str, Tensor],
    gaps: Sequence[int] = (),
    n_total: int | None = None,
) -> None:
    """Gaussians on the unconstrained scale, from where they are in `start` (see
    `ConjugatePrior.numbers`). The rows, `gaps` and `n_total` are for the model."""

    def q(site: str, support: constraints.Constraint) -> None:
        """Independent ones, mapped onto the support."""
        loc = pyro.param(f"{site}_loc", start[f"{site}_loc"])
        scale = pyro.param(f"{site}_scale", start[f"{site}_scale"], constraint=constraints.positive)
        normal = dist.Normal(loc, scale).to_event(loc.ndim)
        pyro.sample(site, dist.TransformedDistribution(normal, [biject_to(support)]))

    for name, size in zip(prior.dag.names, prior.sizes, strict=True):
        if size:
            q(f"theta_{name}", constraints.simplex)
        else:
            q(f"s2_{name}", constraints.positive)
            loc = pyro.param(f"b_{name}_loc", start[f"b_{name}_loc"])
            root = pyro.param(
                f"b_{name}_root", start[f"b_{name}_root"], constraint=constraints.lower_cholesky
            )
            normal = dist.MultivariateNormal(loc, scale_tril=root)
            pyro.sample(f"b_{name}", normal.to_event(loc.ndim - 1))
