"""Blocks of variables that Gibbs sampling draws together, and whether its chains can go everywhere.

A block is drawn exactly, by elimination, given the variables that it leaves as they are: so it may
be as large as elimination is cheap. The first block is all variables but those that must be held
for its cliques to be small; further blocks have those that were held, and hold others. A model with
small cliques is one block, and its draws are independent.

A table with zeros that has variables both of a block and held by it may keep chains from states of
positive probability, unless the states of the block that it allows are the same whatever the others
are. Where no table does so, for any block, each can be drawn as it is in any possible state, one
after the other: the chain is irreducible. Tables that do are reported.

Reference: Jensen, Kong and Kjaerulff, "Blocking Gibbs sampling in very large probabilistic expert
systems", 1995, https://doi.org/10.1006/ijhc.1995.1029.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log

import numpy as np

from ..arrays import Array, Ints, Mask
from .buckets import Buckets
from .elimination import Scope, min_fill


def make_blocks(
    sizes: Sequence[int], scopes: Sequence[Sequence[int]], free: Collection[int], cells: int
) -> list[list[int]]:
    """Blocks that cover the variables, each in the order of its elimination.

    Args:
        sizes: how many states each variable has.
        scopes: of the tables.
        free: the variables that are to be drawn.
        cells: the most that the tables and messages of a block have, where that is possible.
    """
    left = set(free)
    blocks: list[list[int]] = []
    while left:
        block = _block(sizes, scopes, set(free), left if blocks else set(), cells)
        blocks.append(block)
        left -= set(block)
    return blocks


def _block(
    sizes: Sequence[int],
    scopes: Sequence[Sequence[int]],
    free: set[int],
    wanted: set[int],
    cells: int,
) -> list[int]:
    """The order of elimination of a block, which has one of those wanted at least."""
    inside = set(free)
    while True:
        kept = [tuple(v for v in scope if v in inside) for scope in scopes]
        kept += [(v,) for v in inside]
        order = min_fill(sizes, kept)
        buckets = Buckets(sizes, kept, order, len(sizes))
        if buckets.cells() <= cells or len(inside) == 1:
            return order
        held = _heaviest(buckets, inside - wanted) or _heaviest(buckets, inside)
        inside -= set(held[: len(inside) - 1])


def _heaviest(buckets: Buckets, among: set[int]) -> list[int]:
    """Of the largest clique those that are in the most cells, a quarter of them."""
    cliques = [(step.variable, *buckets.scopes[step.message]) for step in buckets.steps]
    sizes = [float(np.prod([buckets.sizes[v] for v in c])) for c in cliques]
    weight = dict.fromkeys(among, 0.0)
    for clique, size in zip(cliques, sizes, strict=True):
        for v in among.intersection(clique):
            weight[v] += size / log(max(buckets.sizes[v], 2))
    for i in np.argsort(sizes)[::-1]:
        if found := sorted(among.intersection(cliques[i]), key=lambda v: -weight[v]):
            return found[: -(-len(found) // 4)]
    return []


def tied_tables(
    scopes: Sequence[Scope],
    tables: Sequence[Array],
    hard: Mapping[int, Ints],
    blocks: Sequence[Collection[int]],
) -> list[int]:
    """Numbers of the tables with zeros that tie a block to what it holds.

    Args:
        scopes, tables: of the model.
        hard: variable -> states (n,) observed in n rows.
        blocks: variables of each.
    """
    sets = [set(block) for block in blocks]
    out = []
    for number, (scope, table) in enumerate(zip(scopes, tables, strict=True)):
        free = [v for v in scope if v not in hard]
        cut = [block for block in sets if 0 < len(block.intersection(free)) < len(free)]
        positive = _positive(scope, table, hard) if cut else np.ones(1, bool)
        if not positive.all() and any(_ties(positive, [v in b for v in free]) for b in cut):
            out.append(number)
    return out


def _positive(scope: Scope, table: Array, hard: Mapping[int, Ints]) -> Mask:
    """Where a table is positive, at the states observed: an axis for these, then the free ones."""
    observed = [v for v in scope if v in hard]
    free = [v for v in scope if v not in hard]
    states = np.stack([hard[v] for v in observed]) if observed else np.empty((0, 1), np.intp)
    at = tuple(np.unique(states, axis=1))
    ordered = np.transpose(table, [scope.index(v) for v in (*observed, *free)])
    return np.asarray(ordered[at] > 0 if observed else ordered[None] > 0)


def _ties(positive: Mask, inside: Sequence[bool]) -> bool:
    """Whether the states that are possible inside depend on those outside."""
    a = [axis for axis, here in enumerate(inside, start=1) if here]
    b = [axis for axis, here in enumerate(inside, start=1) if not here]
    rows = int(np.prod([positive.shape[axis] for axis in a]))
    both = positive.transpose([0, *a, *b]).reshape(len(positive), rows, -1)
    product = both.any(axis=2, keepdims=True) & both.any(axis=1, keepdims=True)
    return bool((both != product).any())
