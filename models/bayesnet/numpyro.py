"""Bayesian network with unknown parameters, in NumPyro (twin: `pyro`).

Nodes i have discrete parents, in states u, and if they are continuous, continuous parents z too.
For each configuration u,

    theta_i[u] ~ Dirichlet(alpha_i[u])                           of a discrete node,
    s2_i[u]    ~ InverseGamma(a_i[u], b_i[u])                    of a continuous one,
    b_i[u]     ~ Normal(m_i[u], s2_i[u] Lambda_i[u]^-1)          its intercept and coefficients,

and a row has, parents before their children,

    x_i | u    ~ Categorical(theta_i[u])      or      x_i | u, z ~ Normal(b_i[u] . (1, z), s2_i[u]).

Gaps and hidden nodes are summed out, states exactly by elimination and values as a normal density's
marginal (see `row_density`):

    log p(row) = log sum over what is not known of prod_i p(x_i | parents).

Row weights r make it a power likelihood, prod p(row)^r: weight 2 counts as the row given twice.

The guide takes the parameters as independent, but for the intercept and the coefficients of one
regression, each Gaussian on the unconstrained scale (ADVI). It begins with the moments there of the
posterior that expected counts give (`prior`), which is the posterior if no row has gaps.

References: Spiegelhalter and Lauritzen, "Sequential updating of conditional probabilities on
directed graphical structures", 1990, https://doi.org/10.1002/net.3230200507; Kucukelbir et al.,
"Automatic differentiation variational inference", 2017, https://arxiv.org/abs/1603.00788.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro import handlers
from numpyro.distributions import biject_to, constraints

from ..gmm.numpyro import log_normal
from .families import families
from .prior import ConjugatePrior
from .row_density import Backend, Parameters, RowDensity

BACKEND = Backend(jnp, jax.nn.logsumexp, log_normal)


def model(
    x: Array | None,
    codes: Array | None,
    row_weights: Array | None = None,
    *,
    prior: ConjugatePrior,
    gaps: Sequence[int] = (),
    n_total: int | None = None,
    start: Mapping[str, Array] | None = None,
) -> tuple[dict[int, Array], dict[int, Array]] | None:
    """The joint of parameters and rows.

    Args:
        x: (n, N) values, NaN where not known and for discrete nodes; None, as `codes`, to draw
            `n_total` rows; their values and states are returned by node.
        codes: (n, N) states, -1 where not known and for continuous nodes.
        row_weights: (n,) powers of the rows, or None.
        prior: the graph, and the numbers in the prior.
        gaps: the nodes that some row does not know.
        n_total: rows of the whole data if these are a minibatch: its terms then count n_total / n.
        start: for the guide; not used here. SVI calls both with the same arguments.
    """
    of = families(prior.dag, prior.sizes)
    theta: dict[int, Array] = {}
    b: dict[int, Array] = {}
    s2: dict[int, Array] = {}
    nodes: tuple[Any, ...] = prior.nodes
    for f, name, p in zip(of, prior.dag.names, nodes, strict=True):
        i, q = f.node, len(f.shape)
        if f.size:
            theta[i] = numpyro.sample(f"theta_{name}", dist.Dirichlet(p.alpha).to_event(q))
        else:
            s2[i] = numpyro.sample(f"s2_{name}", dist.InverseGamma(p.a, p.b).to_event(q))
            tril = jnp.sqrt(s2[i])[..., None, None] * jnp.asarray(p.root())
            normal = dist.MultivariateNormal(p.m, scale_tril=tril)
            b[i] = numpyro.sample(f"b_{name}", normal.to_event(q))

    if x is None or codes is None:  # draw rows
        values: dict[int, Array] = {}
        states: dict[int, Array] = {}
        with numpyro.plate("rows", n_total):
            for i in prior.dag.order:
                f, name = of[i], prior.dag.names[i]
                u = tuple(states[parent] for parent in f.discrete)
                if f.size:
                    states[i] = numpyro.sample(f"x_{name}", dist.Categorical(theta[i][u]))
                else:
                    mean = b[i][u][..., 0]
                    for j, parent in enumerate(f.continuous, 1):
                        mean = mean + b[i][u][..., j] * values[parent]
                    normal = dist.Normal(mean, jnp.sqrt(s2[i][u]))
                    values[i] = numpyro.sample(f"x_{name}", normal)
        return values, states

    density = RowDensity(of, prior.dag.order, gaps, BACKEND)
    log_p = density(Parameters(theta, b, s2), x, codes)
    n = len(log_p)
    with handlers.scale(scale=(n_total or n) / n), numpyro.plate("rows", n):
        numpyro.factor("row", log_p if row_weights is None else row_weights * log_p)
    return None


def guide(
    x: Array | None,
    codes: Array | None,
    row_weights: Array | None = None,
    *,
    prior: ConjugatePrior,
    start: Mapping[str, Array],
    gaps: Sequence[int] = (),
    n_total: int | None = None,
) -> None:
    """Gaussians on the unconstrained scale, from where they are in `start` (see
    `ConjugatePrior.numbers`). The rows, `gaps` and `n_total` are for the model."""

    def q(site: str, support: constraints.Constraint) -> None:
        """Independent ones, mapped onto the support."""
        loc = numpyro.param(f"{site}_loc", start[f"{site}_loc"])
        scale = numpyro.param(
            f"{site}_scale", start[f"{site}_scale"], constraint=constraints.positive
        )
        normal = dist.Normal(loc, scale).to_event(loc.ndim)
        numpyro.sample(site, dist.TransformedDistribution(normal, [biject_to(support)]))

    for name, size in zip(prior.dag.names, prior.sizes, strict=True):
        if size:
            q(f"theta_{name}", constraints.simplex)
        else:
            q(f"s2_{name}", constraints.positive)
            loc = numpyro.param(f"b_{name}_loc", start[f"b_{name}_loc"])
            root = numpyro.param(
                f"b_{name}_root", start[f"b_{name}_root"], constraint=constraints.lower_cholesky
            )
            normal = dist.MultivariateNormal(loc, scale_tril=root)
            numpyro.sample(f"b_{name}", normal.to_event(loc.ndim - 1))
