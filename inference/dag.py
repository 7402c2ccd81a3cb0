"""Directed acyclic graphs whose nodes are numbers: orders, ancestors, d-separation, equivalence.

Two graphs say the same of independences if and only if they have the same skeleton and the same
colliders x -> z <- y without an edge between x and y; the graph of what all of such a class agree
on (its compelled arrows, all else undirected) is the completed partially directed graph (CPDAG).

References: Verma and Pearl, "Equivalence and synthesis of causal models", 1990,
https://arxiv.org/abs/1304.1108; Meek, "Causal inference and causal explanation with background
knowledge", 1995, https://arxiv.org/abs/1302.4972; Shachter, "Bayes-ball", 1998,
https://arxiv.org/abs/1301.7412.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean


@dataclass(frozen=True)
class DAG:
    """A directed acyclic graph.

    Attributes:
        names: of the nodes; everything else has their numbers.
        parents: of each node, in the order in which its conditional has them.

    Raises:
        InputError: if there is a cycle, which is printed, or a node is its own parent.
    """

    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if cycle := find_cycle(self.parents):
            shown = " -> ".join(self.names[node] for node in cycle)
            raise InputError(
                f"the edges have a cycle, {shown}; a Bayesian network has none. Leave out or turn "
                "one of them."
            )

    @classmethod
    def of(cls, names: Iterable[str], edges: Iterable[Sequence[str]]) -> Self:
        """The graph of these edges (parent, child); a node's parents in the order of its edges.

        Raises:
            InputError: for an unknown node (the nearest is named), an edge given twice, or a cycle.
        """
        nodes = tuple(names)
        number = {name: node for node, name in enumerate(nodes)}
        parents: list[list[int]] = [[] for _ in nodes]
        for edge in edges:
            if isinstance(edge, str) or len(edge) != 2:
                raise InputError(f"edge {edge!r} given; expected a pair (parent, child).")
            for name in edge:
                if name not in number:
                    raise InputError(
                        f"edge {edge[0]!r} -> {edge[1]!r} names {name!r}, which is no node."
                        + did_you_mean(str(name), nodes)
                    )
            parent, child = (number[name] for name in edge)
            if parent in parents[child]:
                raise InputError(f"edge {edge[0]!r} -> {edge[1]!r} is given twice; give it once.")
            parents[child].append(parent)
        return cls(nodes, tuple(map(tuple, parents)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """The edges (parent, child) by name."""
        return [
            (self.names[parent], self.names[child])
            for child, parents in enumerate(self.parents)
            for parent in parents
        ]

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The children of each node."""
        out: list[list[int]] = [[] for _ in self.names]
        for child, parents in enumerate(self.parents):
            for parent in parents:
                out[parent].append(child)
        return tuple(map(tuple, out))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The nodes, parents before children; of those that could be next, the first named."""
        missing = [len(parents) for parents in self.parents]
        ready = [node for node, count in enumerate(missing) if not count]
        out: list[int] = []
        while ready:
            node = min(ready)
            ready.remove(node)
            out.append(node)
            for child in self.children[node]:
                missing[child] -= 1
                if not missing[child]:
                    ready.append(child)
        return tuple(out)

    def ancestors(self, nodes: Iterable[int]) -> set[int]:
        """These nodes and all that lead to them: what is left when barren nodes are pruned."""
        seen: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(self.parents[node])
        return seen

    def reachable(self, sources: Iterable[int], given: Collection[int]) -> set[int]:
        """The nodes that are not d-separated from the sources by those given (the Bayes ball)."""
        given = set(given)
        above = self.ancestors(given)
        stack = [(node, True) for node in sources]  # (node, whether the ball comes from a child)
        seen: set[tuple[int, bool]] = set()
        while stack:
            node, upward = visit = stack.pop()
            if visit in seen:
                continue
            seen.add(visit)
            if node not in given:
                stack.extend((child, False) for child in self.children[node])
                if upward:
                    stack.extend((parent, True) for parent in self.parents[node])
            if not upward and node in above:
                stack.extend((parent, True) for parent in self.parents[node])
        return {node for node, _ in seen if node not in given}

    def adjacency(self) -> NDArray[np.bool_]:
        """(n, n) whether there is an edge from i to j."""
        out = np.zeros((len(self), len(self)), bool)
        for child, parents in enumerate(self.parents):
            out[list(parents), child] = True
        return out

    def cpdag(self) -> NDArray[np.bool_]:
        """(n, n) the CPDAG: i -> j where [i, j] alone is true, i - j where [j, i] is as well."""
        edges = self.adjacency()
        out = edges | edges.T
        for node, parents in enumerate(self.parents):
            for a, b in combinations(parents, 2):
                if not (edges[a, b] or edges[b, a]):
                    out[node, [a, b]] = False
        return oriented(out)


def find_cycle(parents: Sequence[Sequence[int]]) -> list[int]:
    """A cycle of edges parent -> child, its first node again at its end; empty if there is none."""
    state = [0] * len(parents)  # 1: on the path, 2: done
    for root in range(len(parents)):
        path, stack = [], [(root, iter(parents[root]))]
        if state[root]:
            continue
        state[root] = 1
        path.append(root)
        while stack:
            node, rest = stack[-1]
            parent = next(rest, None)
            if parent is None:
                state[node] = 2
                stack.pop()
                path.pop()
            elif state[parent] == 1:
                cycle = [*path[path.index(parent) :], parent]
                return cycle[::-1]
            elif not state[parent]:
                state[parent] = 1
                path.append(parent)
                stack.append((parent, iter(parents[parent])))
    return []


def oriented(partial: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A partially directed graph, as `DAG.cpdag` gives it, with the arrows that Meek's four rules
    compel besides those that it has."""
    out = partial.copy()
    n = len(out)
    changed = True
    while changed:
        changed = False
        for i, j in zip(*np.nonzero(out & out.T), strict=True):
            if not (out[i, j] and out[j, i]):
                continue
            arrow_in_i = out[:, i] & ~out[i]
            arrow_in_j = out[:, j] & ~out[j]
            adjacent_j = out[:, j] | out[j]
            line_i = out[i] & out[:, i]
            both = np.flatnonzero(line_i & arrow_in_j)  # i - k -> j
            compelled = (
                np.any(arrow_in_i & ~adjacent_j & (np.arange(n) != j))  # k -> i, k not by j
                or np.any(out[i] & ~out[:, i] & arrow_in_j)  # i -> k -> j
                or any(not (out[a, b] or out[b, a]) for a, b in combinations(both, 2))
                or any(  # i - k, k -> l -> j, k not by j
                    out[k, m] and not out[m, k] and not adjacent_j[k] and (out[i, m] or out[m, i])
                    for k in np.flatnonzero(line_i)
                    for m in np.flatnonzero(arrow_in_j)
                )
            )
            if compelled:
                out[j, i] = False
                changed = True
    return out


def extended(partial: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...] | None:
    """The parents in a graph with the edges and the colliders of a partially directed one, its
    lines turned one way or the other; None if there is no such graph.

    Again and again a node is taken that no arrow leaves, and whose lines lead to nodes that are
    joined to all of its neighbours: its lines are turned towards it.

    Reference: Dor and Tarsi, "A simple algorithm to construct a consistent extension of a partially
    oriented graph", 1992, https://ftp.cs.ucla.edu/pub/stat_ser/r185-dor-tarsi.pdf.
    """
    left = partial.copy()
    parents: list[tuple[int, ...]] = [()] * len(partial)
    rest = set(range(len(partial)))
    while rest:
        for node in sorted(rest):
            out, into = left[node], left[:, node]
            if (out & ~into).any():
                continue
            joined = out | into
            lines = np.flatnonzero(out & into)
            if all(not (joined & ~(left[k] | left[:, k]))[np.arange(len(left)) != k].any()
                   for k in lines):  # fmt: skip
                parents[node] = tuple(np.flatnonzero(joined).tolist())
                left[node], left[:, node] = False, False
                rest.remove(node)
                break
        else:
            return None
    return tuple(parents)
