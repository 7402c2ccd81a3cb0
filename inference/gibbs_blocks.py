"""Blocks of variables that Gibbs sampling draws together, and whether its chains can go everywhere.

A table with zeros ties its variables: drawn one at a time, they may never reach states that have
positive probability. Variables are joined in blocks, by the tables with zeros first and then by
those of the widest range of logarithms, while a block has few states of positive probability. If
every table with zeros lies within a block, each block can take any of its states whatever the
others are, so that the chain is irreducible. A table with zeros that ties two blocks is reported.

Reference: Jensen, Kong and Kjaerulff, "Blocking Gibbs sampling in very large probabilistic expert
systems", 1995, https://doi.org/10.1006/ijhc.1995.1029.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod

import numpy as np

from ..arrays import Array, Ints, Mask

MAX_STATES = 4096  # of a block that is joined because a table has zeros
_TRIED = 1 << 18  # combinations of states that are looked at to join blocks


@dataclass(frozen=True)
class Block:
    """Variables drawn together.

    Attributes:
        variables: their numbers, b of them.
        states: (S, b) combinations of states that no table within the block excludes.
    """

    variables: tuple[int, ...]
    states: Ints


@dataclass(frozen=True)
class _Tie:
    """What a table, at the states observed, says of the variables that are free."""

    table: int
    scope: tuple[int, ...]
    positive: Mask
    spread: float


def make_blocks(
    sizes: Sequence[int],
    scopes: Sequence[Sequence[int]],
    tables: Sequence[Array],
    hard: Mapping[int, Ints],
    cheap: int,
) -> tuple[list[Block], list[int]]:
    """The blocks of the variables without hard evidence, and the tables with zeros that tie two.

    Args:
        sizes: how many states each variable has.
        scopes: the variables of each table.
        tables: of entries at least 0.
        hard: variable -> states (n,) observed in n rows; a state is possible if it is in a row.
        cheap: most states of a block that is joined because its variables depend on each other.
    """
    ties = [_tie(t, scope, tables[t], hard) for t, scope in enumerate(scopes)]
    blocks = {v: Block((v,), np.arange(k)[:, None]) for v, k in enumerate(sizes) if v not in hard}
    for tie in sorted((t for t in ties if t.scope), key=lambda t: -t.spread):
        found = list({id(blocks[v]): blocks[v] for v in tie.scope}.values())
        joined = _joined(found, tie, cheap)
        if joined is not None:
            blocks |= dict.fromkeys(joined.variables, joined)
    broken = [
        t.table for t in ties if t.spread == np.inf and len({id(blocks[v]) for v in t.scope}) > 1
    ]
    return list({id(block): block for block in blocks.values()}.values()), broken


def _tie(number: int, scope: Sequence[int], table: Array, hard: Mapping[int, Ints]) -> _Tie:
    observed = [v for v in scope if v in hard]
    free = tuple(v for v in scope if v not in hard)
    states = np.stack([hard[v] for v in observed]) if observed else np.empty((0, 1), np.intp)
    states = np.unique(states, axis=1)
    slices = table.transpose([scope.index(v) for v in (*observed, *free)])[tuple(states)]
    slices = slices.reshape((-1, *slices.shape[slices.ndim - len(free) :]))
    positive = slices > 0
    with np.errstate(divide="ignore"):
        logs = np.log(slices)
    spread = np.ptp(logs[positive]) if positive.all() else np.inf
    return _Tie(number, free, positive.any(axis=0), float(spread))


def _joined(blocks: Sequence[Block], tie: _Tie, cheap: int) -> Block | None:
    """The block of the variables of these, without what a table excludes; None if it is large."""
    has_zeros = tie.spread == np.inf
    count = [len(block.states) for block in blocks]
    if len(blocks) > 1 and prod(count) > (_TRIED if has_zeros else cheap):
        return None
    grid = np.indices(count).reshape(len(count), -1)
    variables = tuple(chain.from_iterable(block.variables for block in blocks))
    states = np.concatenate([b.states[i] for b, i in zip(blocks, grid, strict=True)], axis=1)
    states = states[tie.positive[tuple(states[:, variables.index(v)] for v in tie.scope)]]
    fits = len(blocks) == 1 or len(states) <= (MAX_STATES if has_zeros else cheap)
    return Block(variables, states) if fits else None
