"""Normalizing flow, in Pyro over zuko.

A flow is an invertible map f = f_T o ... o f_1 with parameters theta that carries a row x in R^d,
given a context c in R^k (k may be 0), to u = f(x; c), which is standard normal. By the change of
variables

    log p(x | c) = log Normal(f(x; c); 0, I) + log |det df(x; c)/dx|,

the second term a sum over the layers. Sampling inverts f at u ~ Normal(0, I).

There is nothing to infer but theta, which is fitted by maximum likelihood: the guide is empty, and
the ELBO of the pair is the log likelihood.

Layers, by `kind`: "realnvp" affine coupling; "maf" affine autoregressive; "nsf" spline coupling;
"nsf-ar" spline autoregressive; with an LU linear map before each (see `transforms`), or only a
permutation where `lu` is False. Where `whitened`, a linear map that is not learnt stands before
them all: by the covariance of the rows trained on, with what lies far out drawn in (see
`nets.whitening`). Its log-determinant is a part of the second term as that of any layer.

References: Papamakarios, Nalisnick, Rezende, Mohamed and Lakshminarayanan, "Normalizing flows for
probabilistic modeling and inference", 2021, https://arxiv.org/abs/1912.02762; Durkan, Bekasov,
Murray and Papamakarios, "Neural spline flows", 2019, https://arxiv.org/abs/1906.04032. More in
`transforms`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.contrib.zuko import ZukoToPyro
from torch import Tensor

from ...inference.torch_state import seeded
from ..nets.whitening import Whitening
from ._zuko import DiagNormal, Flow, UnconditionalDistribution
from .architecture import Architecture
from .transforms import LU, Coupling, Masked, Whiten


def model(
    flow: Flow,
    x: Tensor | None,
    context: Tensor | None = None,
    row_weights: Tensor | None = None,
    *,
    n_total: int | None = None,
) -> Tensor:
    """Rows x ~ p(x | c), each to the power of its weight.

    Args:
        flow: f and the base, a module of zuko; it owns theta.
        x: (n, d) rows, or None to draw `n_total` of them.
        context: (n, k) what to condition on, or None.
        row_weights: (n,), or None.
        n_total: rows of the whole data, where x is a minibatch: its terms then count n_total / n.
    """
    n = (n_total or 1) if x is None else len(x)
    scale = contextlib.nullcontext() if row_weights is None else poutine.scale(scale=row_weights)
    with pyro.plate("rows", n_total or n, subsample=torch.arange(n)), scale:
        drawn: Tensor = pyro.sample("x", ZukoToPyro(flow(context)), obs=x)
    return drawn


def guide(*args: Any, **kwargs: Any) -> None:
    """Empty: a flow has no latents."""


def build(a: Architecture, seed: int = 0, whitening: Whitening | None = None) -> Flow:
    """The flow of an architecture, its weights drawn from the seed, not torch's global state.

    Args:
        whitening: of an architecture that is whitened; None where arrays are loaded next.
    """
    features = a.features
    layers: list[torch.nn.Module] = []
    if a.whitened:
        centre, matrix = torch.zeros(features), torch.eye(features)
        if whitening is not None:
            centre, matrix = map(torch.from_numpy, (whitening.centre, whitening.matrix))
        layers.append(Whiten(centre, matrix))
    with seeded(seed):
        for i in range(a.n_transforms):
            if a.lu and features > 1:
                first = list(range(features))
                layers.append(LU(torch.randperm(features).tolist() if i else first))
            if a.kind in ("maf", "nsf-ar") or features == 1:
                order = list(range(features))
                order = order if a.lu or i % 2 == 0 else order[::-1]
                layers.append(Masked(order, a))
            else:
                layers.append(Coupling([j % 2 != i % 2 for j in range(features)], a))
    base = UnconditionalDistribution(
        DiagNormal, loc=torch.zeros(features), scale=torch.ones(features), buffer=True
    )
    return Flow(layers, base)
