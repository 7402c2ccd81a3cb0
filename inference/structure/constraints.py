"""What is known of the edges before the search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ...arrays import Ints, Mask
from ...errors import InputError, did_you_mean
from ..dag import find_cycle


@dataclass(frozen=True, eq=False)
class Constraints:
    """Which graphs are admitted.

    Attributes:
        allowed: (n, n) whether i may be a parent of j.
        required: (n, n) whether i must be a parent of j.
        max_parents: the most parents of a node.
    """

    allowed: Mask
    required: Mask
    max_parents: int

    @classmethod
    def none(cls, n: int) -> Self:
        """All graphs over n nodes."""
        return cls(~np.eye(n, dtype=bool), np.zeros((n, n), bool), n)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        *,
        required: Iterable[Sequence[str]] = (),
        forbidden: Iterable[Sequence[str]] = (),
        tiers: Iterable[Iterable[str]] = (),
        max_parents: int | None = None,
        allowed: Mask | None = None,
    ) -> Self:
        """Constraints by name.

        Args:
            names: of the nodes.
            required: edges (parent, child) that there must be.
            forbidden: edges that there must not be, in this direction.
            tiers: groups of nodes from first to last: no edge leads from a later into an earlier
                one. Nodes that are not named may be anywhere.
            max_parents: the most parents of a node, or None for any number.
            allowed: (n, n) whether i can be a parent of j at all: a table has no continuous ones.

        Raises:
            InputError: for unknown nodes, and where no graph is admitted: the required edges have a
                cycle, which is printed, or are forbidden, or are more than `max_parents`.
        """
        n = len(names)
        number = {name: node for node, name in enumerate(names)}
        out = cls.none(n)
        for parent, child in _edges("required", required, number):
            out.required[parent, child] = True
        reason = np.full((n, n), "", object)
        if allowed is not None:
            reason[~allowed] = "a discrete node has no continuous parents"
        for later, earlier in _against(tiers, number):
            reason[later, earlier] = "it leads from a later tier into an earlier one"
        for edge in _edges("forbidden", forbidden, number):
            reason[edge] = "it is forbidden"
        out.allowed[:] &= reason == ""
        for parent, child in np.argwhere(out.required & ~out.allowed):
            raise InputError(
                f"the edge {names[parent]!r} -> {names[child]!r} is required, but "
                f"{reason[parent, child]}. Drop one of the two."
            )
        if cycle := find_cycle([tuple(np.flatnonzero(column)) for column in out.required.T]):
            shown = " -> ".join(names[node] for node in cycle)
            raise InputError(f"the required edges have a cycle, {shown}. Leave out one of them.")
        most = n if max_parents is None else max_parents
        count = out.required.sum(axis=0)
        if n and count.max() > most:
            child = int(count.argmax())
            raise InputError(
                f"{count[child]} edges into {names[child]!r} are required, more than max_parents, "
                f"{most}. Allow more parents."
            )
        return cls(out.allowed, out.required, most)

    def permuted(self, order: Ints) -> Constraints:
        """The same of nodes in another order: node i is what was `order[i]`."""
        at = np.ix_(order, order)
        return Constraints(self.allowed[at], self.required[at], self.max_parents)

    def admits(self, parents: Sequence[Sequence[int]]) -> bool:
        """Whether a graph is admitted."""
        edges = np.zeros_like(self.allowed)
        for child, own in enumerate(parents):
            edges[list(own), child] = True
        within = edges.sum(axis=0, initial=0).max(initial=0) <= self.max_parents
        return bool(within and (edges <= self.allowed).all() and (self.required <= edges).all())


def _edges(
    what: str, edges: Iterable[Sequence[str]], number: dict[str, int]
) -> list[tuple[int, int]]:
    """Edges by number."""
    out = []
    for edge in edges:
        if isinstance(edge, str) or len(edge) != 2:
            raise InputError(f"{what} edge {edge!r} given; expected a pair (parent, child).")
        for name in edge:
            _check(f"the {what} edge {edge[0]!r} -> {edge[1]!r}", name, number)
        if edge[0] == edge[1]:
            raise InputError(f"the {what} edge {edge[0]!r} -> {edge[1]!r} leads from a node to it.")
        out.append((number[edge[0]], number[edge[1]]))
    return out


def _against(tiers: Iterable[Iterable[str]], number: dict[str, int]) -> Iterable[tuple[int, int]]:
    """Edges from a later tier into an earlier one."""
    before: list[int] = []
    for k, tier in enumerate(tiers, 1):
        if isinstance(tier, str):
            raise InputError(f"tier {tier!r} given; expected a list of nodes for each tier.")
        for name in (own := list(tier)):
            _check(f"tier {k}", name, number)
        nodes = [number[name] for name in own]
        if twice := set(nodes) & set(before):
            name = next(name for name, node in number.items() if node in twice)
            raise InputError(f"{name!r} is in two tiers; name it in one.")
        yield from ((later, earlier) for later in nodes for earlier in before)
        before.extend(nodes)


def _check(where: str, name: str, number: dict[str, int]) -> None:
    if name not in number:
        raise InputError(
            f"{where} names {name!r}, which is no node." + did_you_mean(str(name), number)
        )
