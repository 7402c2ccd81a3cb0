"""Structure from tests of independence: PC, in a form that does not depend on the order of nodes.

Nodes that some set of neighbours separates are not joined: sets of size 0, 1, 2, ... are tried,
those of one size against the neighbours that there were before any edge fell (PC-stable). Of every
a - b - c without an edge between a and c, b is a collider, a -> b <- c, if it is not in the set
that separates a and c best, that with the highest p-value (max-p). Rules that never make a cycle or
a new collider then orient what follows (Meek); what is left could be either way, and is turned so
that a graph without cycles results.

References: Spirtes, Glymour and Scheines, "Causation, prediction, and search", 2000,
https://doi.org/10.7551/mitpress/1754.001.0001; Colombo and Maathuis, "Order-independent
constraint-based causal structure learning", 2014, https://arxiv.org/abs/1211.3295; Ramsey,
"Improving accuracy and scalability of the PC algorithm by maximizing p-value", 2016,
https://arxiv.org/abs/1610.00378.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...arrays import Mask
from ..dag import extended, find_cycle, oriented
from .constraints import Constraints
from .expiry import NEVER, Expiry
from .local_score import Parents

PValue = Callable[[int, int, tuple[int, ...]], float]


@dataclass(frozen=True, eq=False)
class Pattern:
    """What the tests say.

    Attributes:
        partial: (n, n) i -> j where [i, j] alone is true, i - j where [j, i] is as well.
        parents: of each node, in one of the graphs that agree with it.
        conflicts: colliders that the tests ask for, but others forbid.
        tests: how many there were.
    """

    partial: Mask
    parents: Parents
    conflicts: int
    tests: int


class Tests:
    """Tests of independence, each done once.

    Args:
        p_value: of the independence of two nodes given others; NaN where there is no test.
    """

    def __init__(self, p_value: PValue) -> None:
        self._p_value = p_value
        self._done: dict[tuple[int, int, tuple[int, ...]], float] = {}

    def __call__(self, a: int, b: int, given: tuple[int, ...]) -> float:
        key = min(a, b), max(a, b), tuple(sorted(given))
        if key not in self._done:
            self._done[key] = self._p_value(*key)
        return self._done[key]

    def __len__(self) -> int:
        return len(self._done)


def pc(
    p_value: PValue,
    constraints: Constraints,
    *,
    level: float = 0.01,
    max_given: int | None = None,
    expired: Expiry = NEVER,
) -> Pattern:
    """The graphs that tests of independence leave.

    Args:
        p_value: of the independence of two nodes given others; NaN where there is no test of it.
        constraints: which edges there must or may be. `max_parents` plays no part.
        level: of the tests: at higher p-values nodes count as independent.
        max_given: the most nodes that are conditioned on; None is any number.
        expired: whether it is to end: no more sets are tried then.
    """
    n = len(constraints.allowed)
    tests = Tests(p_value)
    may = constraints.allowed | constraints.allowed.T
    must = constraints.required | constraints.required.T
    joined = may & ~np.eye(n, dtype=bool)
    size = 0
    most = n if max_given is None else max_given
    with expired.heeding():
        while size <= most and joined.sum(axis=0).max(initial=0) > size and not expired():
            before = joined.copy()
            for a, b in combinations(range(n), 2):
                if joined[a, b] and not must[a, b]:
                    sets = _sets(before, a, b, size)
                    if any(tests(a, b, given) > level for given in sets):
                        joined[[a, b], [b, a]] = False
            size += 1
    partial, conflicts = _with_colliders(joined, tests, constraints, min(size, most))
    partial = oriented(partial)
    parents = extended(partial)
    if parents is None:
        parents = _without_cycles(partial)
    return Pattern(partial, parents, conflicts, len(tests))


def _sets(joined: Mask, a: int, b: int, size: int) -> Iterator[tuple[int, ...]]:
    """Sets of this size among the neighbours of a, then among those of b, but these two."""
    seen = set()
    for node, other in ((a, b), (b, a)):
        neighbours = [k for k in np.flatnonzero(joined[node]).tolist() if k != other]
        for given in combinations(neighbours, size):
            if given not in seen:
                seen.add(given)
                yield given


def _with_colliders(
    joined: Mask, tests: Tests, constraints: Constraints, most: int
) -> tuple[Mask, int]:
    """The edges, oriented where constraints and colliders say so, those found most surely first;
    and how many colliders were left out, as they would turn an arrow or close a cycle."""
    partial = joined.copy()
    one_way = joined & constraints.allowed & ~constraints.allowed.T
    partial[(one_way | constraints.required).T] = False
    found = []
    for b in range(len(joined)):
        for a, c in combinations(np.flatnonzero(joined[b]).tolist(), 2):
            if joined[a, c]:
                continue
            sets = [given for size in range(most + 1) for given in _sets(joined, a, c, size)]
            values = np.nan_to_num([tests(a, c, given) for given in sets], nan=-1.0)
            best = int(values.argmax())
            if b not in sets[best]:
                found.append((-values[best], a, b, c))
    conflicts = 0
    for _, a, b, c in sorted(found):
        further = partial.copy()
        further[b, [a, c]] = False
        arrows = further & ~further.T
        if further[a, b] and further[c, b] and not find_cycle(_parents(arrows)):
            partial = further
        else:
            conflicts += 1
    return partial, conflicts


def _without_cycles(partial: Mask) -> Parents:
    """A graph with these edges where no turning of the lines avoids further colliders: the arrows
    first, then the lines, each the way that closes no cycle."""
    arrows = np.argwhere(partial & ~partial.T).tolist()
    lines = [(i, j) for i, j in np.argwhere(partial & partial.T).tolist() if i < j]
    edges = np.zeros_like(partial)
    for i, j in (*arrows, *lines):
        edges[i, j] = True
        if find_cycle(_parents(edges)):
            edges[i, j], edges[j, i] = False, True
    return _parents(edges)


def _parents(edges: Mask) -> Parents:
    return tuple(tuple(np.flatnonzero(column).tolist()) for column in edges.T)
