"""Decomposable scores, which all searches maximise:

    score(G) = sum_v local(v, parents of v in G).

Reference: Heckerman, Geiger and Chickering, "Learning Bayesian networks: the combination of
knowledge and statistical data", 1995, https://doi.org/10.1007/BF00994016.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Floats

Parents = tuple[tuple[int, ...], ...]


class LocalScore(ABC):
    """A decomposable score of graphs over nodes 0 ... n - 1; what was computed once is kept.

    Attributes:
        n_nodes: how many nodes there are.
    """

    def __init__(self, n_nodes: int) -> None:
        self.n_nodes = n_nodes
        self._locals: dict[tuple[int, frozenset[int]], float] = {}
        self._changes: dict[tuple[int, frozenset[int]], Floats] = {}

    @abstractmethod
    def _local(self, node: int, parents: tuple[int, ...]) -> float:
        """The score of a node given these parents, in ascending order."""

    def _deltas(self, node: int, parents: tuple[int, ...]) -> Floats:
        """What `deltas` gives; to be written anew where many are cheaper than one by one."""
        own = set(parents)
        here = self.local(node, parents)
        out = np.full(self.n_nodes, -np.inf)
        for other in range(self.n_nodes):
            if other != node:
                there = self.local(node, own ^ {other})
                out[other] = there - here if there > -np.inf else -np.inf
        return out

    def local(self, node: int, parents: Iterable[int]) -> float:
        """The score of a node given its parents; -inf where it cannot have them."""
        key = node, frozenset(parents)
        if (found := self._locals.get(key)) is None:
            found = self._beside(node, key[1])
            if found is None:
                found = self._local(node, tuple(sorted(key[1])))
            self._locals[key] = found
        return found

    def _beside(self, node: int, parents: frozenset[int]) -> float | None:
        """The score of a node where it is known from that without one of the parents."""
        for parent in parents:
            key = node, parents - {parent}
            if (changes := self._changes.get(key)) is not None:
                return self._locals[key] + float(changes[parent])
        return None

    def deltas(self, node: int, parents: Collection[int]) -> Floats:
        """(n_nodes,) how the node's score changes if one other node becomes a parent, or, of the
        parents, ceases to be one; -inf for the node itself and where it cannot."""
        key = node, frozenset(parents)
        if (found := self._changes.get(key)) is None:
            self.local(node, key[1])
            found = self._changes[key] = self._deltas(node, tuple(sorted(key[1])))
            found.setflags(write=False)
        return found

    def total(self, parents: Sequence[Iterable[int]]) -> float:
        """The score of a graph, given the parents of each node."""
        return sum(self.local(node, own) for node, own in enumerate(parents))

    @property
    def evaluated(self) -> int:
        """How many scores of a node given some parents were computed."""
        return len(self._locals) + sum(len(found) - 1 for found in self._changes.values())


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        parents: of each node, ascending.
        score: of the graph.
        trace: the score after each step of the search.
        ties: how many steps were taken although another was as good: the graph is then one of
            several with this score, chosen by the order of the nodes.
    """

    parents: Parents
    score: float
    trace: tuple[float, ...]
    ties: int = 0
