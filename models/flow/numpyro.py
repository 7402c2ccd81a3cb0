"""Normalizing flow, in NumPyro over FlowJAX: the twin of `pyro.py`, where the model is explained.

    log p(x | c) = log Normal(f(x; c); 0, I) + log |det df(x; c)/dx|,     f = f_T o ... o f_1,

with the same kinds of layers f_t, behind the same whitening. The permuted LU linear map, or the
permutation alone, follows each of them. FlowJAX parameterises its splines otherwise (free slopes at
the ends), so the two agree in what they can fit, not number by number.

Reference: Ward, "FlowJAX", 2025, https://github.com/danielward27/flowjax.
"""

from __future__ import annotations

import contextlib
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import paramax
from flowjax.bijections import (
    AbstractBijection,
    Affine,
    Chain,
    Invert,
    Scan,
    Vmap,
)
from flowjax.distributions import StandardNormal, Transformed
from flowjax.experimental.numpyro import distribution_to_numpyro, register_params
from jax import Array
from numpyro import handlers

from ..nets.whitening import BEND, FARTHEST, Whitening
from .architecture import Architecture
from .numpyro_layers import Autoregressive, Couplings, Orders, Sizes, Spline, Triangular


def model(
    flow: Transformed,
    x: Array | None,
    context: Array | None = None,
    row_weights: Array | None = None,
    *,
    n_total: int | None = None,
) -> Array:
    """Rows x ~ p(x | c), each to the power of its weight; the arrays of `flow` are where theta
    starts, at the site "flow"."""
    n = (n_total or 1) if x is None else len(x)
    flow = register_params("flow", flow)
    scale = contextlib.nullcontext() if row_weights is None else handlers.scale(scale=row_weights)
    with numpyro.plate("rows", n_total or n, subsample_size=n), scale:
        drawn: Array = numpyro.sample("x", distribution_to_numpyro(flow, context), obs=x)
    return drawn


def guide(*args: Any, **kwargs: Any) -> None:
    """Empty: a flow has no latents."""


class Whiten(AbstractBijection):
    """y' = beta(W (x - m)), which is not trained (see `nets.whitening`)."""

    shape: tuple[int, ...]
    cond_shape: ClassVar[None] = None  # type: ignore[misc]
    centre: Any
    matrix: Any

    def __init__(self, centre: Array, matrix: Array) -> None:
        self.shape = centre.shape
        self.centre, self.matrix = paramax.NonTrainable(centre), paramax.NonTrainable(matrix)

    def transform_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        y = self.matrix @ (x - self.centre)
        extra = jnp.log1p(jnp.maximum(jnp.abs(y) - BEND, 0.0))
        log_det = jnp.log(jnp.diagonal(self.matrix)).sum() - extra.sum()
        return jnp.clip(y, -BEND, BEND) + jnp.sign(y) * extra, log_det

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        extra = jnp.clip(jnp.abs(y) - BEND, 0.0, FARTHEST)
        y = jnp.clip(y, -BEND, BEND) + jnp.sign(y) * jnp.expm1(extra)
        x = jax.scipy.linalg.solve_triangular(self.matrix, y, lower=True) + self.centre
        return x, extra.sum() - jnp.log(jnp.diagonal(self.matrix)).sum()


def build(a: Architecture, seed: int = 0, whitening: Whitening | None = None) -> Transformed:
    """The flow of an architecture, its weights drawn from the seed.

    Args:
        whitening: of an architecture that is whitened; None where arrays are loaded next.
    """
    features = a.features
    univariate: AbstractBijection = _affine()
    if a.kind.startswith("nsf"):
        univariate = Spline(knots=a.bins - 1, interval=a.tail_bound)
    layers: AbstractBijection = Scan(_stacked(a, univariate, np.random.default_rng(seed)))
    if a.whitened:
        centre, matrix = jnp.zeros(features), jnp.eye(features)
        if whitening is not None:
            centre, matrix = jnp.asarray(whitening.centre), jnp.asarray(whitening.matrix)
        layers = Chain([Whiten(centre, matrix), layers])
    # Inverted: the layers run from rows to noise, which is what a density needs.
    base = StandardNormal((features,))  # type: ignore[call-arg]
    return Transformed(base, Invert(layers))


def _stacked(
    a: Architecture, univariate: AbstractBijection, rng: np.random.Generator
) -> AbstractBijection:
    """The layers of a flow, with a leading axis for them."""
    d, n = a.features, a.n_transforms
    if d == 1 and not a.context:
        one = Vmap(eqx.filter_vmap(lambda _: univariate)(jnp.arange(1)), in_axes=eqx.if_array(0))
        same: AbstractBijection = eqx.filter_vmap(lambda _: one)(jnp.arange(n))
        return same
    made = Autoregressive if d == 1 or a.kind in ("maf", "nsf-ar") else Couplings
    hidden = (a.hidden[0],) * len(a.hidden)
    core = made(Sizes(univariate, d, a.context, hidden, n), rng)
    if d == 1:
        return core
    steps: list[AbstractBijection] = [core]
    if a.lu:
        steps += [Triangular(d, n, lower=False), Triangular(d, n, lower=True)]
    orders = np.tile(np.arange(d), (n, 1))
    orders = orders[:, ::-1] if d == 2 else rng.permuted(orders, axis=1)
    return Chain([*steps, Orders(orders)])


def _affine() -> AbstractBijection:
    smallest = 1e-3
    start = jnp.log(jnp.expm1(1 - smallest))
    scale: Any = paramax.Parameterize(lambda a: jax.nn.softplus(a) + smallest, start)
    affine: AbstractBijection = eqx.tree_at(lambda f: f.scale, Affine(), scale)
    return affine
