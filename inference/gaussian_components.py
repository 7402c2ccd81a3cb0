"""What evidence leaves coupled in a conditional linear Gaussian network.

A continuous value that is observed is a number in the conditionals of its children, so that what is
not observed falls into components: two open nodes belong together if they share a family (a node
and its parents). The families that have a node of a component make its Gaussian, a function of
their discrete parents; a family without open nodes is a function of its discrete parents alone.
Which components a row has depends on its pattern of gaps, and rows that share a component are
treated together, whatever else they lack.

Reference: Lauritzen and Jensen, "Stable local computation with conditional Gaussian distributions",
2001, https://doi.org/10.1023/A:1008935617754 (there by a junction tree whose root is strong).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ..arrays import Array, Ints, Mask
from ..errors import InputError
from .dag import DAG
from .elimination import Scope


@dataclass(frozen=True, eq=False)
class Structure:
    """A graph and the numbers of states of its nodes, 0 for a continuous one."""

    sizes: tuple[int, ...]
    dag: DAG

    def __post_init__(self) -> None:
        for node in self.discrete:
            if parents := self.continuous_parents[node]:
                raise InputError(
                    f"the discrete node {self.dag.names[node]!r} has the continuous parent "
                    f"{self.dag.names[parents[0]]!r}; its parents may be discrete only."
                )

    @cached_property
    def discrete(self) -> tuple[int, ...]:
        """The discrete nodes, parents first."""
        return tuple(node for node in self.dag.order if self.sizes[node])

    @cached_property
    def continuous(self) -> tuple[int, ...]:
        """The continuous nodes, parents first."""
        return tuple(node for node in self.dag.order if not self.sizes[node])

    @cached_property
    def discrete_parents(self) -> tuple[Scope, ...]:
        """The discrete parents of each node, in order."""
        return tuple(tuple(p for p in ps if self.sizes[p]) for ps in self.dag.parents)

    @cached_property
    def continuous_parents(self) -> tuple[Scope, ...]:
        """The continuous parents of each node, in order."""
        return tuple(tuple(p for p in ps if not self.sizes[p]) for ps in self.dag.parents)

    @cached_property
    def families(self) -> tuple[Ints, Ints]:
        """The continuous nodes (f,), and for each (f, m) itself and its continuous parents, filled
        up with itself."""
        families = [(node, *self.continuous_parents[node]) for node in self.continuous]
        m = max(map(len, families), default=1)
        filled = [family + family[:1] * (m - len(family)) for family in families]
        return np.array(self.continuous, np.intp), np.array(filled, np.intp).reshape(-1, m)

    def shape(self, scope: Sequence[int]) -> tuple[int, ...]:
        """How many states these have."""
        return tuple(self.sizes[v] for v in scope)


@dataclass(frozen=True, eq=False)
class Component:
    """Families of continuous nodes that are coupled in some rows.

    Attributes:
        nodes: whose families these are, parents first.
        open: those of them that are not observed.
        constants: the parents of `nodes` that are.
        scope: the discrete parents of `nodes`.
        free: those of `scope` whose states are not given.
        rows: where nodes and evidence are so.
        leader: the least of `open`, or the only node.
    """

    nodes: Scope
    open: Scope
    constants: Scope
    scope: Scope
    free: Scope
    rows: Ints
    leader: int


def components(
    structure: Structure,
    open_: Mask,
    given: Mask,
    present: Mask,
    linked: Sequence[int] = (),
) -> Iterator[Component]:
    """The components of rows.

    Args:
        open_: (n, V) whether a continuous node is not observed.
        given: (n, V) whether the state of a discrete node is.
        present: (n, V) whether the family of a continuous node plays a part.
        linked: continuous nodes that are to be in one component, where they are open.
    """
    V = open_.shape[1]
    found = list(kinds(np.hstack([open_ & present, present])))
    rows_of = [rows for _, rows in found]
    patterns = np.array([pattern for pattern, _ in found])
    open_, present = patterns[:, :V], patterns[:, V:]
    label = _labels(structure, open_, present, linked)
    family = np.full(label.shape, V)
    nodes, members = structure.families
    family[:, nodes] = np.where(present[:, nodes], label[:, members].min(axis=2), V)
    rank = {node: i for i, node in enumerate(structure.continuous)}
    for leader in structure.continuous:
        alone = np.flatnonzero((family[:, leader] == V) & present[:, leader])
        leading = np.flatnonzero(label[:, leader] == leader)
        shapes: list[tuple[Scope, Scope, Ints]] = []
        if len(alone):
            shapes.append(((leader,), (), alone))
        led = np.hstack([family[leading] == leader, label[leading] == leader])
        for kind, where in kinds(led) if len(led) else ():
            in_it, free = (
                tuple(sorted(np.flatnonzero(part).tolist(), key=rank.__getitem__))
                for part in (kind[:V], kind[V:])
            )
            shapes.append((in_it, free, leading[where]))
        for in_it, free, where in shapes:
            rows = np.sort(np.concatenate([rows_of[p] for p in where]))
            yield from _by_states_given(structure, in_it, free, leader, rows, given)


def _labels(structure: Structure, open_: Mask, present: Mask, linked: Sequence[int]) -> Ints:
    """(p, V) the least node of the component of each open node; V for the others."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    p, V = open_.shape
    nodes, members = structure.families
    joined = open_[:, members] & present[:, nodes, None]
    first = members[np.arange(len(nodes)), joined.argmax(axis=2)]
    row, of, place = np.nonzero(joined)
    ends = [(row * V + first[row, of], row * V + members[of, place])]
    for i in linked:
        both = np.flatnonzero(open_[:, i] & open_[:, linked].any(axis=1))
        other = np.array(list(linked))[open_[both][:, linked].argmax(axis=1)]
        ends.append((both * V + i, both * V + other))
    a, b = (np.concatenate(each) for each in zip(*ends, strict=True))
    edges = csr_array((np.ones(len(a), np.int8), (a, b)), shape=(p * V, p * V))
    _, part = connected_components(edges, directed=False)
    _, least = np.unique(part, return_index=True)
    label: Ints = np.where(open_, least[part].reshape(p, V) % V, V)
    return label


def _by_states_given(
    structure: Structure, nodes: Scope, open_: Scope, leader: int, rows: Ints, given: Mask
) -> Iterator[Component]:
    """A component, split by which of its discrete parents have states given."""
    scope = tuple(sorted(set().union(*(structure.discrete_parents[i] for i in nodes))))
    above = set().union(*(structure.continuous_parents[i] for i in nodes))
    constants = tuple(sorted(above.difference(open_)))
    for kind, where in kinds(given[rows][:, scope]):
        free = tuple(v for v, fixed in zip(scope, kind, strict=True) if not fixed)
        yield Component(nodes, open_, constants, scope, free, rows[where], leader)


def kinds(rows: Array) -> Iterator[tuple[Array, Ints]]:
    """The different rows of an array (n, m), and the numbers of those that are equal to each."""
    if not rows.shape[1]:
        if len(rows):
            yield rows[0], np.arange(len(rows))
        return
    rows = np.ascontiguousarray(rows)
    as_one = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    order = np.argsort(as_one, kind="stable")
    ends = np.flatnonzero(as_one[order][1:] != as_one[order][:-1]) + 1
    for same in np.split(order, ends) if len(rows) else []:
        yield rows[same[0]], same


def configurations(
    structure: Structure, component: Component, codes: Ints
) -> tuple[Ints, Ints | None]:
    """The configurations of a component's scope that occur in its rows.

    Returns:
        numbers (Q,) of configurations of the scope, and for each row and each configuration of
        what is free there (n, u), which of the Q it is; None where all rows have all.
    """
    sizes = structure.shape(component.scope)
    strides = {v: prod(sizes[i + 1 :]) for i, v in enumerate(component.scope)}
    grid = np.zeros(1, np.intp)
    for v in component.free:
        grid = (grid[:, None] + strides[v] * np.arange(structure.sizes[v])).reshape(-1)
    if component.free == component.scope:
        return grid, None
    fixed = [v for v in component.scope if v not in component.free]
    base = codes[component.rows][:, fixed] @ np.array([strides[v] for v in fixed])
    bases, base_of = np.unique(base, return_inverse=True)
    numbers = bases[:, None] + grid
    u = len(grid)
    return numbers.reshape(-1), base_of.reshape(-1)[:, None] * u + np.arange(u)
