"""Fitted densities in Pyro, in double precision."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import biject_to, constraints, transform_to
from torch.distributions.transforms import Transform

from ...arrays import Ints
from .change import Change
from .columns import Columns
from .components import Components

Part = tuple[Any, Ints]  # a distribution, and the places of its columns in a value

_MOST_LEVELS = 10_000  # rows up to which a distribution of levels can be enumerated


class Support(constraints.Constraint):
    """Vectors whose entries are in the supports of columns."""

    event_dim = 1

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        super().__init__()

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.columns.is_discrete

    def check(self, value: Tensor) -> Tensor:
        found: Tensor = self.columns.inside(torch, value, torch.as_tensor).all(-1)
        return found

    def __repr__(self) -> str:
        return f"Support({', '.join(self.columns.names)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Support) and self.columns is other.columns

    def __hash__(self) -> int:
        return id(self.columns)


class Units(Transform):
    """The line (..., D) to values, by a `Change`."""

    domain = constraints.real_vector
    bijective = True

    def __init__(self, columns: Columns, change: Change, codomain: Any) -> None:
        super().__init__()
        self.change, self.codomain = change.on(torch.as_tensor), codomain
        self._key, self.interior = change, columns.interior()

    def _call(self, x: Tensor) -> Tensor:
        found: Tensor = self.change.values(torch, x)
        return found

    def _inverse(self, y: Tensor) -> Tensor:
        found: Tensor = self.change.encoded(torch, y)
        return found

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """(...,) of encoded x."""
        found: Tensor = self.change.log_slope(torch, x)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Units) and self._key is other._key

    __hash__ = None  # type: ignore[assignment]


def _onto_support(support: Support) -> Units:
    return Units(support.columns, support.columns.unconstrained(), support)


biject_to.register(Support, _onto_support)
transform_to.register(Support, _onto_support)


class Joined(dist.TorchDistribution):
    """Independent distributions, each of some of the columns: vectors of these, or, of one column,
    numbers."""

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 (as torch has it)
    support = constraints.real_vector

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = [(part, torch.as_tensor(places)) for part, places in parts]
        size = sum(len(places) for _, places in self.parts)
        shape = torch.broadcast_shapes(*(part.batch_shape for part, _ in self.parts))
        super().__init__(shape, torch.Size([size]), validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        total: Any = 0.0
        for part, places in self.parts:
            own = value[..., places]
            total = total + part.log_prob(own if part.event_shape else own[..., 0])
        return torch.as_tensor(total)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        drawn = []
        for part, _ in self.parts:
            own = part.expand(self.batch_shape).sample(sample_shape)
            drawn.append((own if part.event_shape else own[..., None]).double())
        order = torch.cat([places for _, places in self.parts]).argsort()
        return torch.cat(drawn, -1)[..., order]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Joined:
        return Joined([(part.expand(batch_shape), places.numpy()) for part, places in self.parts])


class ByFunction(dist.TorchDistribution):
    """Encoded rows (D,) whose density and draws are functions.

    Args:
        size: D.
        log_prob: (..., D) rows -> (...,).
        sample: shape -> rows (*shape, D).
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012
    support = constraints.real_vector

    def __init__(
        self,
        size: int,
        log_prob: Callable[[Tensor], Tensor],
        sample: Callable[[tuple[int, ...]], Tensor],
        batch_shape: Any = torch.Size(),  # noqa: B008
    ) -> None:
        self.functions = log_prob, sample
        super().__init__(torch.Size(batch_shape), torch.Size([size]), validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(value.shape, self.batch_shape + self.event_shape)
        return self.functions[0](value.expand(shape))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        with torch.no_grad():
            return self.functions[1]((*sample_shape, *self.batch_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> ByFunction:
        return ByFunction(self.event_shape[0], *self.functions, batch_shape)


class Levels(dist.TorchDistribution):
    """Rows (D,) of level numbers, which can be enumerated.

    Args:
        log_probs: (levels of column 1, ..., levels of column D).
        support: of the rows.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012
    has_enumerate_support = True

    def __init__(self, log_probs: Tensor, support: Support, batch_shape: Any = ()) -> None:
        self.log_probs, self._support = log_probs, support
        size = torch.Size([log_probs.dim()])
        super().__init__(torch.Size(batch_shape), size, validate_args=None)

    @property
    def support(self) -> Support:
        return self._support

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        shape = torch.broadcast_shapes(value.shape, self.batch_shape + self.event_shape)
        return self.log_probs[tuple(value.expand(shape).long().unbind(-1))]

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        shape = torch.Size(sample_shape) + self.batch_shape
        flat = torch.distributions.Categorical(logits=self.log_probs.reshape(-1)).sample(shape)
        return torch.stack(torch.unravel_index(flat, self.log_probs.shape), -1).double()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """(rows, *batch_shape, D) all rows, the last column fastest."""
        every = torch.cartesian_prod(*(torch.arange(n) for n in self.log_probs.shape)).double()
        every = every.reshape(-1, *(1 for _ in self.batch_shape), self.log_probs.dim())
        return every.expand(-1, *self.batch_shape, -1) if expand else every

    def expand(self, batch_shape: Any, _instance: Any = None) -> Levels:
        return Levels(self.log_probs, self._support, batch_shape)


class InUnits(dist.TransformedDistribution):  # type: ignore[misc]
    """Values of encoded rows, whose log density outside the support is -inf."""

    def log_prob(self, value: Tensor) -> Tensor:
        """(...,) of values (..., D)."""
        (units,) = self.transforms
        inside = units.codomain.check(value)
        within = torch.as_tensor(units.interior).to(value)
        found: Tensor = super().log_prob(torch.where(inside[..., None], value, within))
        return torch.where(inside, found, -math.inf)


def in_units(encoded: Any, columns: Columns) -> Any:
    """The distribution of values, of that of encoded ones; where all are levels, and few rows are
    possible, one that can be enumerated."""
    if columns.plain and columns.real:
        return encoded
    support = constraints.real_vector if columns.real else Support(columns)
    units = Units(columns, columns.change, support)
    sizes = columns.levels.tolist()
    if all(sizes) and math.prod(sizes) <= _MOST_LEVELS and not encoded.batch_shape:
        every = torch.tensor(list(itertools.product(*map(range, sizes))), dtype=torch.float64)
        return Levels(encoded.log_prob(every).reshape(sizes), Support(columns))
    return InUnits(encoded, [units])


def of_components(parts: Sequence[Components], columns: Columns) -> Any:
    """The distribution of a product of mixtures."""
    made = [(_mixture(part), np.concatenate([part.continuous, part.discrete])) for part in parts]
    alone = len(made) == 1 and (made[0][1] == np.arange(len(columns))).all()
    return in_units(made[0][0] if alone else Joined(made), columns)


def _mixture(part: Components) -> Any:
    """Over its continuous columns, then its discrete ones."""
    d, single = part.means.shape[1], len(part.weights) == 1

    def tensor(numbers: Any) -> Tensor:
        return torch.tensor(np.array(numbers[0] if single else numbers))

    one: list[Part] = [(_normals(part, tensor), np.arange(d))] if d else []
    for j, table in enumerate(part.tables):
        one.append((dist.Categorical(probs=tensor(table)), np.array([d + j])))
    component = one[0][0] if len(one) == 1 and d else Joined(one)
    if single:
        return component
    weights = dist.Categorical(probs=torch.tensor(np.array(part.weights)))
    return dist.MixtureSameFamily(weights, component)


def _normals(part: Components, tensor: Callable[[Any], Tensor]) -> Any:
    mean = tensor(part.means)
    if part.tril is not None:
        tril = tensor(part.tril).expand(*mean.shape, mean.shape[-1])
        if part.dof is not None:
            return dist.MultivariateStudentT(tensor(part.dof), mean, tril)
        return dist.MultivariateNormal(mean, scale_tril=tril)
    scale = tensor(part.scale)
    if part.dof is not None:  # of independent directions, not of independent columns
        return dist.MultivariateStudentT(tensor(part.dof), mean, torch.diag_embed(scale))
    if part.loadings is not None and part.loadings.shape[2]:
        return dist.LowRankMultivariateNormal(mean, tensor(part.loadings), scale.square())
    return dist.Normal(mean, scale).to_event(1)
