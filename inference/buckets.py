"""Elimination of one variable at a time with every message kept, and the way back.

Bucket of v: all tables and messages that have v, whose variables come after v in the order. Its
message is the sum, or the maximum, over v of their product. When all messages are known, variables
are given values in the reverse order: those that a bucket depends on then have theirs, so that

    P(x_v | x later, e)  is proportional to  prod_{f in bucket of v} f(x_v, x later).

Drawing each x_v from this draws all from P(x | e); taking its maximum, where messages are maxima,
gives the most probable states. Sums are of probabilities, each factor scaled to at most 1 with the
logarithm of the scale added up; maxima are of logarithms.

Reference: Dechter, "Bucket elimination: a unifying framework for reasoning", 1999,
https://doi.org/10.1016/S0004-3702(99)00059-4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from ..arrays import Array, Floats, Ints
from ..data.memory_limit import amount, memory_budget
from ..errors import InputError
from .elimination import Scope
from .evidence import Evidence, Reduced, enter, reduce_tables
from .exact import Exact

_BLOCK = 1 << 28  # bytes of rows that are done at once


@dataclass(frozen=True)
class Step:
    """Elimination of a variable: the factors in its bucket, and the number of its message."""

    variable: int
    inputs: tuple[int, ...]
    message: int


class Buckets:
    """What elimination in an order does to tables of these scopes.

    Args:
        sizes: how many states each variable has; that of `batch` is not looked at.
        scopes: of the tables.
        order: variables that are eliminated.
        batch: the number of the variable that stands for rows, which is the last axis where a
            table has it, and is never eliminated.

    Attributes:
        scopes: of the factors: the tables, then the messages; in the order of axes.
        steps: eliminations.
        rest: numbers of the factors that are left.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        scopes: Sequence[Sequence[int]],
        order: Sequence[int],
        batch: int,
    ) -> None:
        self.sizes, self.batch = sizes, batch
        rank = {v: i for i, v in enumerate(order)}
        later = sorted({v for scope in scopes for v in scope} - rank.keys() - {batch})
        rank |= {v: len(order) + i for i, v in enumerate(later)}
        rank[batch] = len(rank)
        self.tables = [tuple(scope) for scope in scopes]
        self.scopes: list[Scope] = [tuple(sorted(s, key=rank.__getitem__)) for s in self.tables]
        waiting: dict[int, list[int]] = {v: [] for v in order}
        self.rest: list[int] = []

        def place(factor: int) -> None:
            scope = self.scopes[factor]
            (waiting[scope[0]] if scope and scope[0] in waiting else self.rest).append(factor)

        for factor in range(len(self.scopes)):
            place(factor)
        self.steps: list[Step] = []
        for v in order:
            inputs = waiting.pop(v)
            scope = {u for f in inputs for u in self.scopes[f]} - {v}
            self.scopes.append(tuple(sorted(scope, key=rank.__getitem__)))
            self.steps.append(Step(v, tuple(inputs), len(self.scopes) - 1))
            place(len(self.scopes) - 1)

    @property
    def cliques(self) -> list[Scope]:
        """The variables of each bucket."""
        return [
            (step.variable, *(v for v in self.scopes[step.message] if v != self.batch))
            for step in self.steps
        ]

    def cells(self, n: int = 1) -> int:
        """Most cells that `sums` or `maxima` of n rows hold, and read, at once."""
        held = sum(self._cells(scope, n) for scope in self.scopes)
        return held + 2 * max(
            (self._cells(self.scopes[s.message], n) for s in self.steps), default=0
        )

    def _cells(self, scope: Scope, n: int) -> int:
        return prod(n if v == self.batch else self.sizes[v] for v in scope)

    def sums(
        self, tables: Sequence[Array], kept: dict[int, tuple[Array, Floats]] | None = None
    ) -> tuple[list[Array], Floats]:
        """All factors, each scaled to at most 1, and the sum of the logarithms of the scales, () or
        (n,). Factors that no row changes are found in `kept`, or kept there for the next time."""
        factors = self._prepared(tables)
        log_scale: Floats = np.zeros(())
        for f in range(len(self.scopes)):
            if kept is not None and f in kept:
                x, log_top = kept[f]
            else:
                if f < len(self.tables):
                    x = factors[f]
                else:
                    step = self.steps[f - len(self.tables)]
                    x = self._message(step, factors, np.multiply, np.add)
                x, log_top = _scaled(x, self.batch in self.scopes[f])
                if kept is not None and self.batch not in self.scopes[f]:
                    kept[f] = x, log_top
            factors[f : f + 1] = [x]
            log_scale = log_scale + log_top
        return factors, log_scale

    def maxima(self, log_tables: Sequence[Array]) -> list[Array]:
        """All factors, of logarithms."""
        factors = self._prepared(log_tables)
        for step in self.steps:
            factors.append(self._message(step, factors, np.add, np.maximum))
        return factors

    def at(self, step: Step, factors: Sequence[Array], states: dict[int, Ints]) -> list[Array]:
        """The factors in the bucket of a variable, where the variables eliminated later and the row
        have the numbers in `states`, arrays of one shape: each (k, ...), or (k, 1, ...) if they do
        not matter to it."""
        ndim = 1 + states[self.batch].ndim
        found: list[Array] = []
        for f in step.inputs:
            at: list[Any] = [states[u] for u in self.scopes[f][1:]]
            found.append(factors[f][(slice(None), *at)])
        return [x.reshape(x.shape + (1,) * (ndim - x.ndim)) for x in found]

    def _prepared(self, tables: Sequence[Array]) -> list[Array]:
        """Tables with their axes in the order of the factors."""
        pairs = zip(tables, self.tables, self.scopes, strict=False)
        return [np.transpose(t, [given.index(v) for v in scope]) for t, given, scope in pairs]

    def _message(
        self, step: Step, factors: Sequence[Array], product: np.ufunc, total: np.ufunc
    ) -> Array:
        """The message of a bucket, one state of its variable after the other."""
        scope = self.scopes[step.message]
        inputs = []
        for f in sorted(step.inputs, key=lambda f: factors[f].size):
            has = self.scopes[f]
            sizes = dict(zip(has, factors[f].shape, strict=True))
            k = self.sizes[step.variable]
            inputs.append(factors[f].reshape(k, *(sizes.get(u, 1) for u in scope)))
        out: Array = reduce(product, [x[0] for x in inputs])
        for state in range(1, self.sizes[step.variable]):
            out = total(out, reduce(product, [x[state] for x in inputs]))
        return out


@dataclass(frozen=True)
class Block:
    """Rows of evidence that are done at once: which, how many, the tables that they make, and how
    the variables of these are eliminated, in one stage or several."""

    rows: slice
    n: int
    problem: Reduced
    stages: Sequence[Buckets]


def blocks(
    exact: Exact,
    tables: Sequence[Array],
    evidence: Evidence,
    stages: Callable[[Reduced], Sequence[Buckets]],
) -> Iterator[Block]:
    """Evidence of as many rows at a time as are done well together. One without rows is one row.

    Args:
        exact: the model, and the memory that may be taken.
        tables: of the model.
        evidence: as `Exact` takes it.
        stages: how the variables of a problem are eliminated.

    Raises:
        InputError: if one row takes more memory than may be taken; it names the largest clique.
    """
    entered = enter(evidence, exact.sizes, exact.names)

    def problem(rows: slice) -> Reduced:
        return reduce_tables(exact.sizes, exact.scopes, tables, entered.rows(rows))

    whole = problem(slice(None))
    found = stages(whole)

    def size(n: int) -> int:
        return 8 * sum(buckets.cells(n) for buckets in found)

    budget = memory_budget() if exact.memory is None else exact.memory
    if size(1) > budget:
        cliques = [clique for buckets in found for clique in buckets.cliques]
        largest = max(cliques, key=lambda clique: prod(exact.sizes[v] for v in clique))
        shown = ", ".join(exact.names[v] for v in largest)
        raise InputError(
            f"eliminating the variables takes {amount(size(1))}; {amount(budget)} may be used. "
            f"The largest clique has {prod(exact.sizes[v] for v in largest):,} "
            f"cells: {shown}. Observe some of these, ask for fewer variables, or allow more memory."
        )
    n = 1 if whole.n is None else whole.n
    step = max(1, n)
    while step > 1 and size(step) > min(budget, _BLOCK):
        step = (step + 1) // 2
    for start in range(0, max(n, 1), step):
        rows = slice(start, min(start + step, n))
        part = whole if step >= n else problem(rows)
        yield Block(rows, rows.stop - rows.start, part, found)


def _scaled(x: Array, batched: bool) -> tuple[Array, Floats]:
    """x divided by its largest entry, of each row in a batch, and the logarithm of that."""
    top = x.max(axis=tuple(range(x.ndim - batched)))
    return x / np.where(top > 0, top, 1.0), log(top)


def log(x: Array) -> Floats:
    """Natural logarithm, -inf of 0."""
    with np.errstate(divide="ignore"):
        out: Floats = np.log(x)
    return out
