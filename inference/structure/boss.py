"""Best order score search (BOSS): a search over orders of the nodes.

Given an order, each node's parents are grown from the nodes before it, the best addition first, and
then shrunk, the best removal first, while the score gains. The order is improved by moving one node
at a time to the place that is best for the whole graph, until no move gains.

What a node's parents become depends on which nodes stand before it only through the choices on the
way, so that a tree remembers them (a grow-shrink tree): from the parents so far, its branches are
the additions that gain, best first, and a walk takes the first that stands before the node.

Reference: Andrews, Ramsey, Sanchez-Romero, Camchong and Kummerfeld, "Fast scalable and accurate
discovery of DAGs using the best order score search and grow-shrink trees", 2023,
https://arxiv.org/abs/2310.17679.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...arrays import Floats
from .constraints import Constraints
from .expiry import NEVER, Expiry
from .hill_climbing import ROUNDING
from .local_score import Found, LocalScore


class GrowShrinkTree:
    """The parents of one node, given which nodes stand before it.

    Args:
        score: what is to be maximised.
        constraints: which graphs are admitted.
        node: whose parents.
    """

    def __init__(self, score: LocalScore, constraints: Constraints, node: int) -> None:
        self.score, self.node = score, node
        self.required = frozenset(np.flatnonzero(constraints.required[:, node]).tolist())
        self.needed = sum(1 << parent for parent in self.required)
        self.allowed = constraints.allowed[:, node]
        self.max_parents = constraints.max_parents
        self.root = Branching(self.required)

    def best(self, before: int) -> tuple[float, frozenset[int]]:
        """The score and the parents, given the nodes before as bits of a number; -inf if a
        required parent is not among them."""
        if self.needed & ~before:
            return -np.inf, self.required
        here = self.root
        while True:
            if here.shrunk is None:
                self._look(here)
            for bit, further in here.additions:
                if bit & before:
                    here = here.after(bit, further)
                    break
            else:
                assert here.shrunk is not None
                return here.shrunk

    def _look(self, here: Branching) -> None:
        """Find what can be added to these parents, and what is left when they are shrunk."""
        changes = self.score.deltas(self.node, here.parents)
        rounding = ROUNDING * abs(self.score.local(self.node, here.parents))
        if len(here.parents) < self.max_parents:
            gains = np.where(self.allowed, changes, -np.inf)
            gains[list(here.parents)] = -np.inf
            order = np.argsort(-gains, kind="stable")
            here.additions = [(1 << int(k), int(k)) for k in order if gains[k] > rounding]
        parents = here.parents
        while free := sorted(parents - self.required):
            changes = self.score.deltas(self.node, parents)
            worst = max(free, key=lambda k: changes[k])
            if changes[worst] <= rounding:
                break
            parents -= {worst}
        here.shrunk = self.score.local(self.node, parents), parents


class Branching:
    """A place in a grow-shrink tree.

    Attributes:
        parents: those so far.
        additions: the nodes whose addition gains, as bits and numbers, best first.
        shrunk: the score and the parents that are left when no more can be added.
    """

    __slots__ = ("additions", "branches", "parents", "shrunk")

    def __init__(self, parents: frozenset[int]) -> None:
        self.parents = parents
        self.additions: list[tuple[int, int]] = []
        self.shrunk: tuple[float, frozenset[int]] | None = None
        self.branches: dict[int, Branching] = {}

    def after(self, bit: int, node: int) -> Branching:
        """The place after an addition."""
        if bit not in self.branches:
            self.branches[bit] = Branching(self.parents | {node})
        return self.branches[bit]


def boss(
    score: LocalScore,
    constraints: Constraints,
    order: Sequence[int],
    *,
    restarts: int = 0,
    rng: np.random.Generator | None = None,
    expired: Expiry = NEVER,
) -> Found:
    """Improve an order until no move of one node gains.

    Args:
        score: what is to be maximised.
        constraints: which graphs are admitted.
        order: to begin with; required edges lead forward in it.
        restarts: how many further searches, each from the best order so far with a fifth of its
            nodes moved to random places.
        rng: for these.
        expired: whether it is to end, with the best order so far.
    """
    trees = [GrowShrinkTree(score, constraints, node) for node in range(score.n_nodes)]
    rng = np.random.default_rng(0) if rng is None else rng
    best, trace = -np.inf, tuple[float, ...]()
    with expired.heeding():
        best, order, trace = _improved(trees, list(order), expired)
        for _ in range(restarts):
            if expired():
                break
            other = _improved(trees, _shaken(order, constraints, rng), expired)
            trace += other.trace
            if other.total > best + ROUNDING * abs(best):
                best, order = other.total, other.order
    before = 0
    parents: list[tuple[int, ...]] = [()] * len(order)
    for node in order:
        parents[node] = tuple(sorted(trees[node].best(before)[1]))
        before |= 1 << node
    return Found(tuple(parents), score.total(parents), trace)


class _Order(NamedTuple):
    total: float
    order: list[int]
    trace: tuple[float, ...]


def _improved(trees: Sequence[GrowShrinkTree], order: list[int], expired: Expiry) -> _Order:
    total = order_score(trees, order)
    trace, moved = [total], True
    with expired.heeding():
        while moved:
            moved = False
            for node in sorted(order):
                if expired():
                    break
                scores = places(trees, order, node)
                here, place = order.index(node), int(scores.argmax())
                if scores[place] > scores[here] + ROUNDING * abs(total):
                    rest = [other for other in order if other != node]
                    order = [*rest[:place], node, *rest[place:]]
                    total, moved = float(scores[place]), True
                    trace.append(total)
    return _Order(total, order, tuple(trace))


def _shaken(order: Sequence[int], constraints: Constraints, rng: np.random.Generator) -> list[int]:
    """The order with a fifth of its nodes, four at least, moved to random places, but parents that
    are required before their children."""
    rest = list(order)
    for node in rng.choice(order, min(len(order), max(4, len(order) // 5)), replace=False):
        rest.remove(node)
        rest.insert(int(rng.integers(len(rest) + 1)), int(node))
    out: list[int] = []
    while rest:
        missing = constraints.required[rest][:, rest].any(axis=0)
        out.append(rest.pop(int(missing.argmin())))
    return out


def places(trees: Sequence[GrowShrinkTree], order: Sequence[int], node: int) -> Floats:
    """(n,) the score of the graph with a node moved to each place."""
    rest = [other for other in order if other != node]
    bit = 1 << node
    out = np.zeros(len(order))
    before, score = 0, 0.0
    for place in range(len(order)):
        out[place] = score + trees[node].best(before)[0]
        if place < len(rest):
            score += trees[rest[place]].best(before)[0]
            before |= 1 << rest[place]
    score = 0.0
    for place in reversed(range(len(rest))):
        before &= ~(1 << rest[place])
        score += trees[rest[place]].best(before | bit)[0]
        out[place] += score
    return out


def order_score(trees: Sequence[GrowShrinkTree], order: Sequence[int]) -> float:
    """The score of the graph of an order."""
    before, total = 0, 0.0
    for node in order:
        total += trees[node].best(before)[0]
        before |= 1 << node
    return total
