"""A model whose discrete latent sites are summed out, as tables over their states.

With everything else fixed (a draw theta of the continuous sites) a model with discrete latent sites
x and observations y is a product of tables, one for each site s and entry of its plates:

    p(x, y | theta) = prod_s f_s(x, y).

`enumerated_numpyro` and `enumerated_pyro` read the tables, as logarithms, from one run of the model
in which every discrete site has all its states at once, each along an axis of its own. What follows
from them (`pointwise`, `discrete_posterior`) is the same for both backends.

Scales (of subsampling, of weights) are left out: tables are those of single observations. Masked
observations count 0. A masked discrete site is one that is not there: its states share a
probability of 1, where both backends count 1 for each.

Memory is counted from the sizes of the tables before these are made, and draws are taken in blocks.

Reference: Obermeyer et al., "Tensor variable elimination for plated factor graphs", 2019,
https://arxiv.org/abs/1902.03210.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, Floats
from ..data.memory_limit import amount, memory_budget
from ..errors import InputError
from .enumerated_groups import Factor, Group, Kind, groups_of, unnamed
from .log_sum_product import log_sum

Draws = Mapping[str, Array]  # site -> (b, ...) in its support
_BLOCK = 1 << 28  # bytes of tables that are worth having at once


@dataclass(frozen=True)
class Enumerated:
    """A model, with its data, as tables.

    Attributes:
        factors: what its tables are, in the order of the model.
        support: discrete site -> (K, ...) values of its states.
        tables: draws -> the logarithms of each factor's table, (b, *shape) in float64.
        weights: observed site -> what its log density is multiplied by in the model beyond what
            subsampling asks for, of those where it is not 1.
    """

    factors: Sequence[Factor]
    support: Mapping[str, Array]
    tables: Callable[[Draws], list[Floats]]
    weights: Mapping[str, Array] = field(default_factory=dict)

    @cached_property
    def groups(self) -> list[Group]:
        """Sites that discrete sites couple."""
        return groups_of(self.factors)

    @property
    def bytes_of_a_draw(self) -> int:
        """What a draw takes at its peak: tables twice, on the way from the backend, and three
        times the cliques of a group."""
        made = sum(math.prod(f.shape) for f in self.factors)
        return 8 * (2 * made + 3 * max((g.cells for g in self.groups), default=0))

    def blocks(self, draws: Draws, keep: int = 0) -> Iterator[tuple[slice, list[Floats]]]:
        """Draws by number, and their tables.

        Args:
            draws: of the continuous sites.
            keep: bytes that stay of each draw.

        Raises:
            InputError: if the tables of one draw take more memory than there is.
        """
        n = len(next(iter(draws.values()))) if draws else 1
        budget = max(0, memory_budget() - keep * n)
        each = max(1, self.bytes_of_a_draw)
        if each > budget:
            raise InputError(self._too_large(each, budget))
        most = max(1, min(n, min(budget, _BLOCK) // each))
        size = math.ceil(n / math.ceil(n / most))
        for start in range(0, n, size):
            block = slice(start, min(start + size, n))
            tables = self.tables({name: value[block] for name, value in draws.items()})
            yield (
                block,
                [
                    normalised(factor, table) if factor.kind == "discrete" else table
                    for factor, table in zip(self.factors, tables, strict=True)
                ],
            )

    def _too_large(self, each: int, budget: int) -> str:
        largest = max(self.factors, key=lambda f: math.prod(f.shape))
        states = largest.shape[: len(largest.variables)]
        over = " x ".join(f"{v.site} ({k})" for v, k in zip(largest.variables, states, strict=True))
        rows = math.prod(largest.shape[len(states) :])
        return (
            f"summing out the discrete sites takes {amount(each)} for a single draw, and "
            f"{amount(budget)} may be used; the largest table is that of site {largest.site!r}, "
            f"{math.prod(states):,} states ({over}) for each of {rows:,} entries of its plates. "
            "Give the rows in parts, or let the site depend on fewer discrete sites at once (in a "
            "chain by markov or scan)."
        )


def lengths_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> frozenset[int]:
    """The lengths of the arrays that a model is called with."""
    shapes = [np.shape(value) for value in (*args, *kwargs.values()) if hasattr(value, "shape")]
    return frozenset(shape[0] for shape in shapes if shape)


def states_of(site: str, fn: Any) -> Any:
    """(K, ...) the values of a discrete site's states.

    Args:
        site: its name.
        fn: its distribution.

    Raises:
        InputError: if there is no finite list of them.
    """
    if not getattr(fn, "has_enumerate_support", False):
        raise InputError(
            f"site {site!r} is a latent without draws, and its {type(fn).__name__} has no finite "
            "list of states that could be summed over. Give its draws if it is continuous, or sum "
            "it out in the model (of counts: a distribution with finite support)."
        )
    values = fn.enumerate_support(expand=False)
    return values.reshape(len(values), *values.shape[1 + len(fn.batch_shape) :])


def weighed(scales: Mapping[str, Any]) -> dict[str, Array]:
    """The scales of sites that are not 1."""
    found = {site: np.asarray(scale, np.float64) for site, scale in scales.items()}
    return {site: w for site, w in found.items() if not np.allclose(w, 1, rtol=1e-9, atol=0)}


def kind_of(discrete: bool, drawn: bool) -> Kind:
    """Of a site that is discrete, or else has draws, or else data."""
    return "discrete" if discrete else "latent" if drawn else "observed"


def normalised(factor: Factor, table: Floats) -> Floats:
    """The table of a discrete site, so that its states sum to 1 given what they depend on."""
    axis = 1 + factor.variables.index(factor.variable)
    total = np.expand_dims(log_sum(table, (axis,)), axis)
    return np.where(np.isneginf(total), table, table - total)


class Axes(NamedTuple):
    """Which axis of a site's log density (None: it has none, and is repeated) is of what, and its
    size."""

    variables: dict[str, tuple[int | None, int]]
    plates: dict[str, tuple[int | None, int]]

    @classmethod
    def of(
        cls,
        shape: Sequence[int],
        labels: Mapping[int, str],
        frames: Iterable[tuple[str, int, int]],
        own: str | None,
        passed: int | None = None,
    ) -> Axes:
        """Of a log density.

        Args:
            shape: its shape.
            labels: dimension (negative) -> the discrete site that it has the states of.
            frames: the name, dimension and size of each plate.
            own: the discrete site whose log density it is; None of an observed one.
            passed: a dimension that is left out.
        """
        plates_at = {dim: (name, size) for name, dim, size in frames}
        out = cls({}, {})
        for dim in range(min([-len(shape), *plates_at]), 0):
            if dim == passed:
                continue
            axis = dim + len(shape) if dim >= -len(shape) else None
            size = 1 if axis is None else shape[axis]
            if dim in plates_at:
                plate, whole = plates_at[dim]
                out.plates[plate] = (axis if size == whole else None, whole)
            elif size > 1 and dim in labels:
                out.variables[labels[dim]] = (axis, size)
            elif size > 1:
                out.plates[unnamed(dim)] = (axis, size)
        if own is not None:
            out.variables.setdefault(own, (None, 1))
        return out

    @property
    def shape(self) -> tuple[int, ...]:
        """That the log density gets."""
        return tuple(size for _, size in (*self.variables.values(), *self.plates.values()))

    def moved(self, value: Any, permute: Callable[..., Any], first: Sequence[int] = ()) -> Any:
        """The log density with these axes, of size 1 where it has none.

        Args:
            value: an array.
            permute: `torch.permute` or `jax.numpy.permute_dims`.
            first: axes that come before.
        """
        found = [axis for axis, _ in (*self.variables.values(), *self.plates.values())]
        there = [*first, *(axis for axis in found if axis is not None)]
        nothing = [axis for axis in range(value.ndim) if axis not in there]  # of size 1
        sizes = [1 if axis is None else value.shape[axis] for axis in (*first, *found)]
        return permute(value, tuple(there + nothing)).reshape(sizes)
