"""Normalizing flow, in NumPyro over FlowJAX: the twin of `pyro.py`, where the model is explained.

    log p(x | c) = log Normal(f(x; c); 0, I) + log |det df(x; c)/dx|,     f = f_T o ... o f_1,

with the same kinds of layers f_t, behind the same whitening. The permuted LU linear map, or the
permutation alone, follows each of them. FlowJAX parameterises its splines otherwise (free slopes at
the ends), so the two agree in what they can fit, not number by number.

Reference: Ward, "FlowJAX", 2025, https://github.com/danielward27/flowjax.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpyro
import paramax
from flowjax.bijections import (
    AbstractBijection,
    Affine,
    Chain,
    Coupling,
    Invert,
    MaskedAutoregressive,
    Permute,
    RationalQuadraticSpline,
    Scan,
    TriangularAffine,
    Vmap,
)
from flowjax.distributions import StandardNormal, Transformed
from flowjax.experimental.numpyro import distribution_to_numpyro, register_params
from flowjax.utils import get_ravelled_pytree_constructor
from jax import Array
from numpyro import handlers

from ..nets.whitening import BEND, FARTHEST, Whitening
from .architecture import Architecture


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
        univariate = RationalQuadraticSpline(knots=a.bins - 1, interval=a.tail_bound)
    net: dict[str, Any] = {
        "transformer": univariate,
        "dim": features,
        "cond_dim": a.context or None,
        "nn_width": a.hidden[0],
        "nn_depth": len(a.hidden),
    }

    def layer(key: Array) -> AbstractBijection:
        net_key, permutation_key = jr.split(key)
        if features == 1 and not a.context:
            return Vmap(
                eqx.filter_vmap(lambda _: univariate)(jnp.arange(1)), in_axes=eqx.if_array(0)
            )
        if features == 1 or a.kind in ("maf", "nsf-ar"):
            core: AbstractBijection = MaskedAutoregressive(net_key, **net)
        else:
            core = Coupling(net_key, untransformed_dim=features // 2, **net)
        if features == 1:
            return core
        steps = [core]
        if a.lu:
            eye, zero = jnp.eye(features), jnp.zeros(features)
            steps += [TriangularAffine(zero, eye, lower=False), TriangularAffine(zero, eye)]
        order = jnp.arange(2)[::-1] if features == 2 else jr.permutation(permutation_key, features)
        return Chain([*steps, Permute(order)])

    keys = jr.split(jr.key(seed), a.n_transforms)
    layers: AbstractBijection = Scan(_at_once(layer, keys, univariate))
    if a.whitened:
        centre, matrix = jnp.zeros(features), jnp.eye(features)
        if whitening is not None:
            centre, matrix = jnp.asarray(whitening.centre), jnp.asarray(whitening.matrix)
        layers = Chain([Whiten(centre, matrix), layers])
    # Inverted: the layers run from rows to noise, which is what a density needs.
    base = StandardNormal((features,))  # type: ignore[call-arg]
    return Transformed(base, Invert(layers))


def _at_once(
    layer: Callable[[Array], AbstractBijection], keys: Array, univariate: AbstractBijection
) -> AbstractBijection:
    """The layers of keys, with a leading axis, by one program: many small ones would take
    seconds to compile. What makes a `univariate` of a vector holds arrays of that program, which
    are gone with it, and is made anew."""
    layers: AbstractBijection = eqx.filter_jit(eqx.filter_vmap(layer))(keys)
    if not isinstance(_core(layers), Coupling | MaskedAutoregressive):
        return layers
    made = get_ravelled_pytree_constructor(
        univariate,
        filter_spec=eqx.is_inexact_array,
        is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable),
    )[0]
    out: AbstractBijection = eqx.tree_at(lambda a: _core(a).transformer_constructor, layers, made)
    return out


def _core(layer: Any) -> Any:
    """What a layer does before its linear maps and its permutation."""
    return layer.bijections[0] if isinstance(layer, Chain) else layer


def _affine() -> AbstractBijection:
    smallest = 1e-3
    start = jnp.log(jnp.expm1(1 - smallest))
    scale: Any = paramax.Parameterize(lambda a: jax.nn.softplus(a) + smallest, start)
    affine: AbstractBijection = eqx.tree_at(lambda f: f.scale, Affine(), scale)
    return affine
