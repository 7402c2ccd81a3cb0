"""Layers of FlowJAX whose arrays NumPy makes, with a leading axis for all T layers of a flow.

FlowJAX makes them by many small programs, or by a large one, which XLA takes seconds to compile.
What layers compute, and how weights are drawn (uniformly, to 1 / sqrt of a layer's inputs), is as
in FlowJAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from flowjax.bijections import (
    AbstractBijection,
    Coupling,
    MaskedAutoregressive,
    Permute,
    RationalQuadraticSpline,
    TriangularAffine,
)
from flowjax.utils import get_ravelled_pytree_constructor
from jax import Array

from ...arrays import Ints


class Dense(eqx.Module):
    """x -> weight x + bias."""

    weight: Any
    bias: Array

    def __call__(self, x: Array) -> Array:
        out: Array = self.weight @ x + self.bias
        return out


class Net(eqx.Module):
    """A perceptron with rectified linear units.

    Args:
        ranks: of inputs, units of each hidden layer, and outputs: an output depends on inputs of
            smaller ranks only. None: there are so many of each, and no masks.
        layers: T.
        rng: of the weights.
    """

    layers: tuple[Dense, ...]

    def __init__(
        self, sizes: Sequence[int], layers: int, rng: np.random.Generator, ranks: Any = None
    ) -> None:
        made = []
        for i, (n, m) in enumerate(pairwise(sizes)):
            most = n**-0.5 if n else 0.0
            weight: Any = jnp.asarray(rng.uniform(-most, most, (layers, m, n)))
            if ranks is not None:
                below = np.greater if i == len(sizes) - 2 else np.greater_equal
                mask = below(ranks[i + 1][:, None], ranks[i])
                masks = jnp.asarray(np.broadcast_to(mask, (layers, m, n)))
                weight = paramax.Parameterize(jnp.where, masks, weight, 0)
            made.append(Dense(weight, jnp.asarray(rng.uniform(-most, most, (layers, m)))))
        self.layers = tuple(made)

    def __call__(self, x: Array) -> Array:
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


class Sizes(NamedTuple):
    """What T layers are made of.

    Attributes:
        transformer: of one column, by what a net makes of others.
        features: columns.
        context: columns that rows are given.
        hidden: units of each hidden layer of the nets.
        layers: T.
    """

    transformer: AbstractBijection
    features: int
    context: int
    hidden: tuple[int, ...]
    layers: int

    @property
    def shapes(self) -> tuple[tuple[int], tuple[int] | None]:
        """Of a row, and of what it is given."""
        return (self.features,), (self.context,) if self.context else None


class Couplings(Coupling):
    """T coupling layers."""

    def __init__(self, sizes: Sizes, rng: np.random.Generator) -> None:
        self.transformer_constructor, n = _constructor(sizes.transformer)
        self.shape, self.cond_shape = sizes.shapes
        self.dim, self.untransformed_dim = sizes.features, sizes.features // 2
        transformed = self.dim - self.untransformed_dim
        units = [self.untransformed_dim + sizes.context, *sizes.hidden, n * transformed]
        self.conditioner: Any = Net(units, sizes.layers, rng)


class Autoregressive(MaskedAutoregressive):
    """T masked autoregressive layers."""

    def __init__(self, sizes: Sizes, rng: np.random.Generator) -> None:
        self.transformer_constructor, n = _constructor(sizes.transformer)
        self.shape, self.cond_shape = sizes.shapes
        columns, units = np.arange(sizes.features), [np.arange(width) for width in sizes.hidden]
        # What rows are given comes before all columns.
        inner = [u % len(columns) - 1 if sizes.context else u % (len(columns) - 1) for u in units]
        inputs = np.concatenate([columns, -np.ones(sizes.context, int)])
        ranks = [inputs, *inner, columns.repeat(n)]
        widths = [len(r) for r in ranks]
        self.masked_autoregressive_mlp: Any = Net(widths, sizes.layers, rng, ranks)


class Triangular(TriangularAffine):
    """T linear maps by a triangular matrix, the identity to begin with."""

    def __init__(self, features: int, layers: int, *, lower: bool) -> None:
        self.shape, self.lower = (features,), lower
        self.loc = jnp.asarray(np.zeros((layers, features)))
        start = np.log(np.expm1(1.0)) * np.eye(features)
        start = np.broadcast_to(start, (layers, features, features))
        made = _lower_triangular if lower else _upper_triangular
        self.triangular: Any = paramax.Parameterize(made, jnp.asarray(start))


class Orders(Permute):
    """T permutations (T, d)."""

    def __init__(self, orders: Ints) -> None:
        self.shape = orders.shape[1:]
        self.permutation = (jnp.asarray(orders),)
        self.inverse_permutation = (jnp.asarray(orders.argsort(axis=1)),)


class Spline(RationalQuadraticSpline):
    """A rational quadratic spline that finds its bin by comparing and takes what belongs to it by
    sums: indices would be larger programs, whose gradients scatter."""

    def __init__(self, *, knots: int, interval: float) -> None:
        super().__init__(knots=knots, interval=interval)

    def transform_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        at, inside = self._clipped(x)
        bin = self._bin(self.x_pos, at)
        left, width = bin @ self.x_pos[:-1], bin @ jnp.diff(self.x_pos)
        low, height = bin @ self.y_pos[:-1], bin @ jnp.diff(self.y_pos)
        d0, d1 = bin @ self.derivatives[:-1], bin @ self.derivatives[1:]
        slope, xi = height / width, (at - left) / width
        both = xi * (1 - xi)
        below = slope + (d1 + d0 - 2 * slope) * both
        y = low + height * (slope * xi**2 + d0 * both) / below
        return jnp.where(inside, y, x), jnp.where(inside, self._log_slope(slope, d0, d1, xi), 0.0)

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        at, inside = self._clipped(y)
        bin = self._bin(self.y_pos, at)
        left, width = bin @ self.x_pos[:-1], bin @ jnp.diff(self.x_pos)
        low, height = bin @ self.y_pos[:-1], bin @ jnp.diff(self.y_pos)
        d0, d1 = bin @ self.derivatives[:-1], bin @ self.derivatives[1:]
        slope, up = height / width, at - low
        bend = up * (d1 + d0 - 2 * slope)
        a, b, c = height * (slope - d0) + bend, height * d0 - bend, -slope * up
        xi = 2 * c / (-b - jnp.sqrt(b**2 - 4 * a * c))
        log_det = jnp.where(inside, -self._log_slope(slope, d0, d1, xi), 0.0)
        return jnp.where(inside, left + xi * width, y), log_det

    def _clipped(self, x: Any) -> tuple[Array, Array]:
        """The nearest in the interval, and whether x is within it."""
        low, high = self.interval
        return jnp.clip(x, low, high), (x >= low) & (x <= high)

    @staticmethod
    def _bin(knots: Any, at: Array) -> Array:
        """(K,) 1 at the bin between two knots, 0 elsewhere."""
        passed = (at >= knots[1:-1]).astype(knots.dtype)
        one = jnp.ones(1, knots.dtype)
        return jnp.concatenate([one, passed]) - jnp.concatenate([passed, 0 * one])

    @staticmethod
    def _log_slope(slope: Array, d0: Array, d1: Array, xi: Array) -> Array:
        both = xi * (1 - xi)
        above = d1 * xi**2 + 2 * slope * both + d0 * (1 - xi) ** 2
        below = slope + (d1 + d0 - 2 * slope) * both
        return 2 * jnp.log(slope) + jnp.log(above) - 2 * jnp.log(below)


def _constructor(transformer: AbstractBijection) -> Any:
    """What makes a transformer of a vector, and the length of that."""
    return get_ravelled_pytree_constructor(
        transformer,
        filter_spec=eqx.is_inexact_array,
        is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable),
    )


def _lower_triangular(a: Array) -> Array:
    return jnp.tril(a, -1) + _positive_diagonal(a)


def _upper_triangular(a: Array) -> Array:
    return jnp.triu(a, 1) + _positive_diagonal(a)


def _positive_diagonal(a: Array) -> Array:
    return jax.nn.softplus(a) * jnp.eye(a.shape[-1])
