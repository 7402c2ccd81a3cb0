"""Fitted densities in NumPyro.

Numbers are kept in double precision and become arrays where the distribution is used: it computes
in double precision under `jax.enable_x64(True)`, wherever it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import Transform
from numpyro.distributions.util import validate_sample

from ...arrays import Ints
from .change import Change
from .columns import Columns
from .components import Components

Part = tuple[Any, Ints]  # a distribution, and the places of its columns in a value


class Support(constraints.Constraint):  # type: ignore[misc]
    """Vectors whose entries are in the supports of columns."""

    event_dim = 1

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    @property
    def is_discrete(self) -> bool:
        return self.columns.is_discrete

    def __call__(self, x: Any) -> Any:
        return self.columns.inside(jnp, x, jnp.asarray).all(-1)

    def feasible_like(self, prototype: Any) -> Any:
        return jnp.broadcast_to(self.columns.interior(), jnp.shape(prototype))

    def __repr__(self) -> str:
        return f"Support({', '.join(self.columns.names)})"

    def __hash__(self) -> int:
        return id(self.columns)

    def eq(self, other: object, static: bool = False) -> bool:
        return isinstance(other, Support) and self.columns is other.columns

    def tree_flatten(self) -> Any:
        return (), ((), {"columns": self.columns})


class Units(Transform):  # type: ignore[misc]
    """The line (..., D) to values, by a `Change`."""

    def __init__(self, change: Change, codomain: Any) -> None:
        self.change, self._codomain = change, codomain

    @property
    def domain(self) -> Any:
        return constraints.real_vector

    @property
    def codomain(self) -> Any:
        return self._codomain

    def __call__(self, x: Any) -> Any:
        return self.change.values(jnp, _floats(x))

    def _inverse(self, y: Any) -> Any:
        return self.change.encoded(jnp, _floats(y))

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        return self.change.log_slope(jnp, _floats(x))

    def tree_flatten(self) -> Any:
        return (), ((), {"change": self.change, "_codomain": self._codomain})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Units) and self.change is other.change

    def __hash__(self) -> int:
        return id(self.change)


@biject_to.register(Support)  # type: ignore[untyped-decorator]
def _biject_to_support(support: Support) -> Units:
    return Units(support.columns.unconstrained(), support)


class FittedRows(dist.Distribution):  # type: ignore[misc]
    """Rows (D,) of a fitted density, in the units of the data.

    Args:
        encoded: makes the distribution of encoded rows, of the precision that JAX has when it is
            called.
        columns: of the rows.
        batch_shape: of `encoded`.
    """

    pytree_aux_fields = ("encoded", "columns")

    def __init__(
        self, encoded: Callable[[], Any], columns: Columns, batch_shape: tuple[int, ...] = ()
    ) -> None:
        self.encoded, self.columns = encoded, columns
        super().__init__(batch_shape, (len(columns),))

    @property
    def support(self) -> Any:
        return constraints.real_vector if self.columns.real else Support(self.columns)

    @cached_property
    def _units(self) -> Units:
        return Units(self.columns.change, self.support)

    def native(self) -> Any:
        """The same of NumPyro's own distributions, in the precision that JAX has now: for handlers
        that look for these, as `TransformReparam`."""
        if self.columns.plain and self.columns.real:
            return self.encoded()
        return dist.TransformedDistribution(self.encoded(), [self._units])

    @validate_sample  # type: ignore[untyped-decorator]
    def log_prob(self, value: Any) -> Any:
        """(...,) log densities; -inf outside the support."""
        x = _floats(value)
        inside = self.columns.inside(jnp, x, jnp.asarray).all(-1)
        x = jnp.where(inside[..., None], x, jnp.asarray(self.columns.interior(), x.dtype))
        z = self._units._inverse(x)
        values = self.encoded().log_prob(z) - self.columns.change.log_slope(jnp, z)
        return jnp.where(inside, values, -jnp.inf)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """(..., D) draws."""
        return self._units(self.encoded().sample(key, sample_shape))


class Joined(dist.Distribution):  # type: ignore[misc]
    """Independent distributions, each of some of the columns: vectors of these, or, of one column,
    numbers."""

    pytree_data_fields = ("parts",)
    pytree_aux_fields = ("places",)
    support = constraints.real_vector

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = [part for part, _ in parts]
        self.places = tuple(tuple(map(int, places)) for _, places in parts)
        shapes = [part.batch_shape for part in self.parts]
        super().__init__(jnp.broadcast_shapes(*shapes), (sum(map(len, self.places)),))

    def log_prob(self, value: Any) -> Any:
        total: Any = 0.0
        for part, places in zip(self.parts, self.places, strict=True):
            own = value[..., np.array(places)]
            level = own[..., 0].astype(jnp.int32) if not part.event_shape else own
            total = total + part.log_prob(level)
        return total

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        shape = (*sample_shape, *self.batch_shape)
        drawn, order = [], np.concatenate(self.places).argsort()
        for part, each in zip(self.parts, jax.random.split(key, len(self.parts)), strict=True):
            own = part.expand(self.batch_shape).sample(each, sample_shape)
            drawn.append(_floats(own.reshape(*shape, -1)))
        return jnp.concatenate(drawn, -1)[..., order]


class ByFunction(dist.Distribution):  # type: ignore[misc]
    """Encoded rows (D,) whose density and draws are functions.

    Args:
        size: D.
        log_prob: (..., D) rows -> (...,).
        sample: (key, shape) -> rows (*shape, D).
    """

    pytree_aux_fields = ("functions",)
    support = constraints.real_vector

    def __init__(
        self,
        size: int,
        log_prob: Callable[[Array], Array],
        sample: Callable[[Array, tuple[int, ...]], Array],
        batch_shape: tuple[int, ...] = (),
    ) -> None:
        self.functions = log_prob, sample
        super().__init__(batch_shape, (size,))

    def log_prob(self, value: Any) -> Any:
        shape = jnp.broadcast_shapes(jnp.shape(value), (*self.batch_shape, *self.event_shape))
        return self.functions[0](jnp.broadcast_to(value, shape))

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        return self.functions[1](key, (*sample_shape, *self.batch_shape))


def of_components(parts: Sequence[Components], columns: Columns) -> FittedRows:
    """The distribution of a product of mixtures."""

    def encoded() -> Any:
        made = [
            (_mixture(part), np.concatenate([part.continuous, part.discrete])) for part in parts
        ]
        alone = len(made) == 1 and (made[0][1] == np.arange(len(columns))).all()
        return made[0][0] if alone and made[0][0].event_shape else Joined(made)

    return FittedRows(encoded, columns)


def _mixture(part: Components) -> Any:
    """Over its continuous columns, then its discrete ones."""
    d, single = part.means.shape[1], len(part.weights) == 1

    def array(numbers: Any) -> Any:
        return jnp.asarray(numbers[0] if single else numbers)

    one: list[Part] = [(_normals(part, array), np.arange(d))] if d else []
    for j, table in enumerate(part.tables):
        one.append((dist.Categorical(probs=array(table)), np.array([d + j])))
    component = one[0][0] if len(one) == 1 and d else Joined(one)
    if single:
        return component
    with np.errstate(divide="ignore"):
        logs = jnp.asarray(np.log(part.weights))
    return dist.MixtureSameFamily(dist.Categorical(logits=logs), component)


def _normals(part: Components, array: Callable[[Any], Any]) -> Any:
    mean = array(part.means)
    if part.tril is not None:
        tril = jnp.broadcast_to(array(part.tril), (*mean.shape, mean.shape[-1]))
        if part.dof is not None:
            return dist.MultivariateStudentT(array(part.dof), mean, tril)
        return dist.MultivariateNormal(mean, scale_tril=tril)
    if part.dof is not None:  # of independent directions, not of independent columns
        tril = array(part.scale)[..., None] * jnp.eye(mean.shape[-1])
        return dist.MultivariateStudentT(array(part.dof), mean, tril)
    if part.loadings is not None and part.loadings.shape[2]:
        W, diagonal = array(part.loadings), jnp.square(array(part.scale))
        return dist.LowRankMultivariateNormal(mean, W, diagonal)
    return dist.Normal(mean, array(part.scale)).to_event(1)


def _floats(x: Any) -> Any:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))
