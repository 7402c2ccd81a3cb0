"""Bayesian neural networks in Pyro: the twin of `numpyro.py`, which explains the models, with the
same sites, shapes and log joint.

    h_0 = u,    h_l = tanh(h_l-1 W_l + b_l)   for l <= H,    f = h_H W_H+1 + b_H+1
    W_l = tau_l Z_l / sqrt(m_l-1),   Z_l ~ Normal(0, 1),   b_l ~ Normal(0, 1),   tau_l ~ Normal+(1)

    regression       y = location + scale v,   v ~ Normal(f, sigma),   sigma ~ Exponential(1)
    classification   y ~ Categorical(softmax(f))
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pyro
import pyro.distributions as dist
from torch import Tensor

Units = Any  # (location, scale), numbers or tensors (d,), or a tensor of both, (2, d)


def regression(
    X: Tensor,
    y: Tensor | None = None,
    *,
    width: int = 16,
    depth: int = 1,
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Tensor:
    """Regression of y (n,) on X (n, d). The twin describes each argument, here and below."""
    f = network(X, width, depth, 1, x_units)[:, 0]
    sigma = pyro.sample("sigma", dist.Exponential(f.new_ones(())))
    y_loc, y_scale = y_units
    pyro.deterministic("noise", y_scale * sigma)
    with pyro.plate("rows", n_total or len(X), subsample_size=len(X)):
        drawn: Tensor = pyro.sample("y", dist.Normal(y_loc + y_scale * f, y_scale * sigma), obs=y)
    return drawn


def classification(
    X: Tensor,
    y: Tensor | None = None,
    *,
    n_classes: int,
    width: int = 16,
    depth: int = 1,
    x_units: Units = (0.0, 1.0),
    n_total: int | None = None,
) -> Tensor:
    """Classification: y (n,) of 0, ..., n_classes - 1."""
    f = network(X, width, depth, n_classes, x_units)
    with pyro.plate("rows", n_total or len(X), subsample_size=len(X)):
        drawn: Tensor = pyro.sample("y", dist.Categorical(logits=f), obs=y)
    return drawn


def network(X: Tensor, width: int, depth: int, n_outputs: int, x_units: Units) -> Tensor:
    """f of each row, (n, n_outputs)."""
    sizes, one = [X.shape[1], *[width] * depth, n_outputs], 1.0 * X.new_ones(())
    with pyro.plate("layers", depth + 1):
        tau = pyro.sample("tau", dist.HalfNormal(one))
    h: Tensor = (X - x_units[0]) / x_units[1]
    for l, (m, n) in enumerate(pairwise(sizes), start=1):
        Z = pyro.sample(f"Z_{l}", dist.Normal(0 * one, 1.0).expand((m, n)).to_event(2))
        b = pyro.sample(f"b_{l}", dist.Normal(0 * one, 1.0).expand((n,)).to_event(1))
        h = h @ (tau[l - 1] * Z / math.sqrt(m)) + b
        if l <= depth:
            h = h.tanh()
    return h
