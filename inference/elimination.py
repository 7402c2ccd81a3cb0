"""Orders of elimination, the buckets that they make of tables, and what these cost.

To sum a product of tables over all variables, variables are summed out one after the other. Summing
out v multiplies all tables that have v, whose scopes together are the clique of v, and leaves a
table over the rest of the clique, the separator: the message to the bucket of the separator's
variable that is next in the order. Where a message covers the whole clique of the bucket that it
goes to, the two buckets are one. All figures are counted from sizes, before anything is allocated.

Min-fill eliminates next the variable whose neighbours lack the fewest edges among each other;
weighted min-fill weighs each such edge by the sizes of its ends.

References: Dechter, "Bucket elimination: a unifying framework for reasoning", 1999,
https://doi.org/10.1016/S0004-3702(99)00059-4; Kjaerulff, "Triangulation of graphs: algorithms
giving small total state space", 1990.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

Scope = tuple[int, ...]


@dataclass(frozen=True)
class Bucket:
    """The tables and messages that are multiplied at one place, and what is summed out there.

    Attributes:
        variables: summed out here; none in the last bucket.
        tables: numbers of the tables multiplied here.
        children: numbers of the buckets whose messages are multiplied here.
        clique: the variables of all of these, in the order of `Plan.order`.
        separator: the variables of the message: the clique without `variables`.
    """

    variables: Scope
    tables: tuple[int, ...]
    children: tuple[int, ...]
    clique: Scope
    separator: Scope


@dataclass(frozen=True)
class Plan:
    """Buckets, children before parents; the last has what is left, over the variables kept.

    Attributes:
        sizes: of the variables.
        scopes: of the tables.
        order: all variables of the tables, as they are summed out, then those kept.
        keep: the variables that are not summed out.
        buckets: every bucket but the last is the child of exactly one later bucket.
    """

    sizes: tuple[int, ...]
    scopes: tuple[Scope, ...]
    order: Scope
    keep: Scope
    buckets: tuple[Bucket, ...]

    @property
    def largest(self) -> Scope:
        """The clique with the most cells."""
        return max((bucket.clique for bucket in self.buckets), key=self.cells)

    @cached_property
    def total(self) -> int:
        """Cells of all cliques together."""
        return sum(self.cells(bucket.clique) for bucket in self.buckets)

    def cells(self, scope: Scope) -> int:
        """How many cells a table over these variables has."""
        return prod(self.sizes[v] for v in scope)


def make_plan(
    sizes: Sequence[int],
    scopes: Sequence[Sequence[int]],
    order: Sequence[int],
    keep: Collection[int] = (),
) -> Plan:
    """The buckets of an order of elimination, which has each variable of the tables that is not
    kept."""
    tables = tuple(tuple(scope) for scope in scopes)
    used = set().union(*tables)
    kept = tuple(v for v in keep if v in used)
    summed = [v for v in order if v in used and v not in kept]
    last = len(summed)
    position = dict.fromkeys(kept, last) | {v: i for i, v in enumerate(summed)}
    waiting_tables: list[list[int]] = [[] for _ in range(last + 1)]
    waiting_children: list[list[int]] = [[] for _ in range(last + 1)]
    for number, scope in enumerate(tables):
        waiting_tables[min((position[v] for v in scope), default=last)].append(number)
    cliques: list[set[int]] = []
    parents: list[int] = []
    for i, v in enumerate([*summed, None]):
        clique = set().union(*(tables[t] for t in waiting_tables[i]))
        clique.update(*(cliques[c] - {summed[c]} for c in waiting_children[i]))
        cliques.append(clique)
        if v is not None:
            parents.append(min((position[u] for u in clique if u != v), default=last))
            waiting_children[parents[i]].append(i)
    groups = _merged(cliques, parents, last)
    heads = sorted(set(groups))  # a group bears the number of its last bucket
    number_of = {head: i for i, head in enumerate(heads)}
    members: list[list[int]] = [[] for _ in heads]
    for i, head in enumerate(groups):
        members[number_of[head]].append(i)
    final = (*(summed[i] for group in members for i in group if i < last), *kept)
    rank = {v: i for i, v in enumerate(final)}
    buckets = []
    for group in members:
        variables = tuple(summed[i] for i in group if i < last)
        scope = tuple(sorted(cliques[group[0]], key=rank.__getitem__))
        buckets.append(
            Bucket(
                variables,
                tuple(t for i in group for t in waiting_tables[i]),
                tuple(number_of[c] for i in group for c in waiting_children[i] if c not in group),
                scope,
                tuple(v for v in scope if v not in variables),
            )
        )
    return Plan(tuple(sizes), tables, final, kept, tuple(buckets))


def _merged(cliques: list[set[int]], parents: list[int], last: int) -> list[int]:
    """The last bucket of the group that each bucket belongs to. A group is a path of buckets, each
    of which sends a message that covers the clique of the next."""
    head = list(range(last + 1))
    taken = [False] * (last + 1)
    for i, parent in enumerate(parents):
        if parent < last and not taken[parent] and len(cliques[i]) == len(cliques[parent]) + 1:
            taken[parent] = True
            head[i] = parent
    for i in range(last, -1, -1):
        head[i] = head[head[i]]
    return head


def min_fill(
    sizes: Sequence[int],
    scopes: Sequence[Sequence[int]],
    keep: Collection[int] = (),
    weighted: bool = False,
    rng: np.random.Generator | None = None,
) -> list[int]:
    """The order of elimination by min-fill. Ties are broken by the cells of the clique, and then by
    lot, or for the first variable if there is no `rng`.

    Sets of variables are held as bits of an integer.
    """
    lot = itertools.repeat(0.0) if rng is None else iter(rng.random, None)
    n = len(sizes)
    adjacent = [0] * n
    used = 0
    for scope in scopes:
        bits = sum(1 << v for v in set(scope))
        used |= bits
        for v in scope:
            adjacent[v] |= bits
    for v in range(n):
        adjacent[v] &= ~(1 << v)
    left = [v for v in range(n) if used >> v & 1 and v not in set(keep)]
    weights = sizes if weighted else [1] * n
    score = {v: (*_fill(v, adjacent, sizes, weights), next(lot), v) for v in left}
    queue = list(score.values())  # with scores that have changed since, which are passed over
    heapq.heapify(queue)
    order = []
    while score:
        least = heapq.heappop(queue)
        v = least[-1]
        if score.get(v) != least:
            continue
        del score[v]
        order.append(v)
        around = adjacent[v]
        changed = around
        for u in _bits(around):
            new = around & ~adjacent[u] & ~(1 << u)
            adjacent[u] = (adjacent[u] | around) & ~(1 << u) & ~(1 << v)
            if new:  # common neighbours of the ends of a new edge lack one fewer
                changed |= adjacent[u]
        for u in _bits(changed):
            if u in score:
                score[u] = (*_fill(u, adjacent, sizes, weights), next(lot), u)
                heapq.heappush(queue, score[u])
    return order


def _fill(
    v: int, adjacent: list[int], sizes: Sequence[int], weights: Sequence[int]
) -> tuple[int, int]:
    """Twice the weight of the edges that eliminating v adds, and the cells of its clique."""
    around = adjacent[v]
    fill, cells = 0, sizes[v]
    unit = weights is not sizes
    for u in _bits(around):
        cells *= sizes[u]
        missing = around & ~adjacent[u] & ~(1 << u)
        if unit:
            fill += missing.bit_count()
        else:
            fill += weights[u] * sum(weights[w] for w in _bits(missing))
    return fill, cells


def _bits(mask: int) -> list[int]:
    """The numbers of the bits that are set."""
    out = []
    while mask:
        low = mask & -mask
        out.append(low.bit_length() - 1)
        mask ^= low
    return out
