"""Bayesian neural networks in NumPyro (twin: `pyro`).

A row is x in R^d and y. With u = (x - location) / scale and layers l = 1, ..., H + 1 of m_l units,

    h_0 = u,    h_l = tanh(h_l-1 W_l + b_l)   for l <= H,    f = h_H W_H+1 + b_H+1
    W_l = tau_l Z_l / sqrt(m_l-1),   Z_l ~ Normal(0, 1),   b_l ~ Normal(0, 1),   tau_l ~ Normal+(1)

    regression       y = location + scale v,   v ~ Normal(f, sigma),   sigma ~ Exponential(1)
    classification   y ~ Categorical(softmax(f))

Divided by the root of the units that come in, weights give f a prior that does not depend on the
width; tau_l, common to a layer, lets the data say how far from linear f is. Units may be
renumbered and their signs be flipped without a change of f, so that weights of different chains
differ where their predictions agree: judge chains by `log_likelihood` or predictions.

References: Neal, "Bayesian learning for neural networks", 1996,
https://doi.org/10.1007/978-1-4612-0745-0; Izmailov, Vikram, Hoffman and Wilson, "What are Bayesian
neural network posteriors really like?", 2021, https://arxiv.org/abs/2104.14421.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

Units = Any  # (location, scale), numbers or arrays (d,), or an array of both, (2, d)


def regression(
    X: Array,
    y: Array | None = None,
    *,
    width: int = 16,
    depth: int = 1,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Array:
    """Regression.

    Args:
        X: (n, d) inputs.
        y: (n,) numbers; None draws them.
        width: units of a hidden layer.
        depth: H, hidden layers.
        x_units, y_units: location and scale of inputs and y.
        n_total: rows of the whole data if X is a minibatch.
    """
    f = network(X, width, depth, 1, x_units)[:, 0]
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    y_loc, y_scale = y_units
    numpyro.deterministic("noise", y_scale * sigma)
    with numpyro.plate("rows", n_total or len(X), subsample_size=len(X)):
        drawn: Array = numpyro.sample("y", dist.Normal(y_loc + y_scale * f, y_scale * sigma), obs=y)
    return drawn


def classification(
    X: Array,
    y: Array | None = None,
    *,
    n_classes: int,
    width: int = 16,
    depth: int = 1,
    x_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Array:
    """Classification: y (n,) of 0, ..., n_classes - 1; the other arguments are those of
    `regression`."""
    f = network(X, width, depth, n_classes, x_units)
    with numpyro.plate("rows", n_total or len(X), subsample_size=len(X)):
        drawn: Array = numpyro.sample("y", dist.Categorical(logits=f), obs=y)
    return drawn


def network(X: Array, width: int, depth: int, n_outputs: int, x_units: Units) -> Array:
    """f of each row, (n, n_outputs)."""
    sizes = [X.shape[1], *[width] * depth, n_outputs]
    with numpyro.plate("layers", depth + 1):
        tau = numpyro.sample("tau", dist.HalfNormal(1.0))
    h: Array = (X - x_units[0]) / x_units[1]
    for l, (m, n) in enumerate(pairwise(sizes), start=1):
        Z = numpyro.sample(f"Z_{l}", dist.Normal(0.0, 1.0).expand((m, n)).to_event(2))
        b = numpyro.sample(f"b_{l}", dist.Normal(0.0, 1.0).expand((n,)).to_event(1))
        h = h @ (tau[l - 1] * Z / math.sqrt(m)) + b
        if l <= depth:
            h = jnp.tanh(h)
    return h
