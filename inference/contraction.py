"""The sum of a product of tables along a plan.

A plan is carried out as products of two tables each, C[c] = sum A[a] B[b], the sum over variables
of a and b that are in no other factor of the bucket. Axes are in the order of elimination, so that
a table is brought to the other's axes by reshaping alone. The message m of a bucket is divided by
its largest entry s (in each row of a batch), and log s added up:

    log Z = sum log s + log (what the last bucket leaves).

In derivatives s counts as a constant: log Z is log s + f(m / s), which does not depend on s, since
Z is linear in m.

Arrays are NumPy's, or JAX's (`xp`), which can compile and differentiate what is done here.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from .elimination import Plan, Scope
from .product import Product, product_of

Array = Any
_FEW = 12  # factors, of which all pairs are looked at
_WHOLE = 4  # tables and messages, of which a product is rescaled
_TINY = 1e-300  # what is divided by at least
_SAFE = 1e-150, 1e150  # what the largest entry lies between where nothing was lost


class Peak(NamedTuple):
    """The most cells held at once: for one row, and for each row more."""

    cells: int
    row: int

    @classmethod
    def of(cls, peak: Callable[[int], int]) -> Peak:
        """Of what n rows hold."""
        one = peak(1)
        return cls(one, peak(2) - one)


@dataclass(frozen=True)
class Step:
    """One product: factor `a` times `b` (None: `a` alone) is factor `out`, which is rescaled if it
    is the message of a bucket or of some factors."""

    a: int
    b: int | None
    out: int
    product: Product
    rescale: bool


class Program:
    """What a plan computes, step by step; factors are numbered, the tables first.

    Args:
        plan: whose last variable of `keep` may be `batch`.
        batch: the variable that numbers rows, which is kept; None if there is none.
    """

    def __init__(self, plan: Plan, batch: int | None = None) -> None:
        self.plan = plan
        self.batch = -1 if batch is None else batch
        self._rank = {v: i for i, v in enumerate(plan.order)}
        self.scopes: list[Scope] = [self.sorted(scope) for scope in plan.scopes]
        self.axes = [self._axes(scope) for scope in plan.scopes]
        self._weight = [1] * len(self.scopes)  # tables in each factor since it was rescaled
        self.steps: list[Step] = []
        messages: list[int] = []
        for bucket in plan.buckets:
            factors = [*bucket.tables, *(messages[c] for c in bucket.children)]
            messages.append(self._bucket(factors, set(bucket.variables)))
        self.result = messages[-1]

    def sorted(self, scope: Sequence[int]) -> Scope:
        """Variables in the order of axes."""
        return tuple(sorted(scope, key=self._rank.__getitem__))

    def _axes(self, scope: Scope) -> tuple[int, ...] | None:
        """How the axes of a table are to be ordered; None if they are."""
        axes = tuple(scope.index(v) for v in self.sorted(scope))
        return None if axes == tuple(range(len(axes))) else axes

    @cached_property
    def smallest(self) -> dict[int, int]:
        """For each variable the smallest factor that has it and is an input of a step."""
        out: dict[int, int] = {}
        for step in self.steps:
            for factor in (step.a, step.b):
                if factor is not None:
                    for v in self.scopes[factor]:
                        if v not in out or self._cells(factor) < self._cells(out[v]):
                            out[v] = factor
        return out

    def _cells(self, factor: int) -> int:
        return self.plan.cells(self.scopes[factor])

    def cells(self, scope: Scope, n: int) -> int:
        """Cells of a table over these variables, of n rows if it has the batch."""
        return self.plan.cells(scope) * (n if self.batch in scope else 1)

    def held(self, product: Product, a: Scope, b: Scope | None, out: Scope, n: int) -> int:
        """Cells that a product of tables over a and b allocates."""
        return product.held(self.cells(a, n), self.cells(b or (), n), self.cells(out, n))

    def step_held(self, step: Step, n: int) -> int:
        """Cells that a step allocates."""
        b = None if step.b is None else self.scopes[step.b]
        return self.held(step.product, self.scopes[step.a], b, self.scopes[step.out], n)

    @cached_property
    def peak(self) -> Peak:
        """The most cells held at once in a pass forward that lets factors go, tables included."""
        return Peak.of(self._peak)

    def _peak(self, n: int) -> int:
        live = most = sum(self.cells(scope, n) for scope in self.scopes[: len(self.plan.scopes)])
        for step in self.steps:
            most = max(most, live + self.step_held(step, n))
            live += self.cells(self.scopes[step.out], n)
            for used in (step.a, step.b):
                if used is not None and used >= len(self.plan.scopes):
                    live -= self.cells(self.scopes[used], n)
        return most

    def _bucket(self, factors: list[int], variables: set[int]) -> int:
        """The steps of a bucket: always the product with the fewest cells next, summed over what no
        other factor has."""
        count = Counter(v for f in factors for v in self.scopes[f] if v in variables)
        for place, factor in enumerate(factors):
            alone = {v for v in self.scopes[factor] if count[v] == 1}
            if alone:
                factors[place] = self._add(factor, None, alone)
        factors.sort(key=self._cells)
        while len(factors) > 1:
            a, b = self._next(factors)
            factors.remove(a)
            factors.remove(b)
            count.subtract(set(self.scopes[a]) & set(self.scopes[b]) & variables)
            both = {*self.scopes[a], *self.scopes[b]} & variables
            insort(factors, self._add(a, b, {v for v in both if count[v] == 1}), key=self._cells)
        (last,) = factors
        if not self.steps or self.steps[-1].out != last:  # a table that is passed on as it is
            last = self._add(last, None, set())
        self.steps[-1] = replace(self.steps[-1], rescale=True)
        self._weight[last] = 1
        return last

    def _next(self, factors: list[int]) -> tuple[int, int]:
        """Two of these, from the smallest to the largest, with the smallest product; of many the
        first two."""

        def cells(pair: tuple[int, int]) -> int:
            return self.plan.cells(tuple({*self.scopes[pair[0]], *self.scopes[pair[1]]}))

        if len(factors) > _FEW:
            return factors[0], factors[1]
        return min(combinations(factors, 2), key=cells)

    def _add(self, a: int, b: int | None, summed: set[int]) -> int:
        both = set(self.scopes[a]) | set(self.scopes[b] if b is not None else ())
        out = self.sorted(tuple(both - summed))
        self.scopes.append(out)
        right = None if b is None else self.scopes[b]
        product = self.product(self.scopes[a], right, out)
        weight = self._weight[a] + (0 if b is None else self._weight[b])
        self._weight.append(1 if weight >= _WHOLE else weight)
        self.steps.append(Step(a, b, len(self.scopes) - 1, product, weight >= _WHOLE))
        return len(self.scopes) - 1

    def product(self, a: Scope, b: Scope | None, out: Scope) -> Product:
        """The reshapes and sums that take factors over a and b to one over `out`."""
        runs: list[list[int]] = []  # of variables that are in the same of a, b and out
        before = None
        for v in self.sorted(tuple({*a, *(b or ())})):
            if v != self.batch and self.plan.sizes[v] == 1:
                continue
            fate = (v in a, b is not None and v in b, v in out)
            if fate != before or v == self.batch:
                runs.append([])
            runs[-1].append(v)
            before = fate if v != self.batch else None
        sizes = [-1 if self.batch in run else self.plan.cells(tuple(run)) for run in runs]
        has = [
            tuple(i for i, run in enumerate(runs) if run[0] in scope) for scope in (a, b or (), out)
        ]
        return product_of(tuple(sizes), has[0], None if b is None else has[1], has[2])


@dataclass
class Forward:
    """What a forward pass leaves.

    Attributes:
        factors: the last message is over the variables kept.
        inverses: one over the scale of those that were rescaled.
        log_scale: the sum of the scales' logarithms.
        lost: () or (n,) whether entries were so small, though everything was rescaled, that the
            product may have lost what counts.
    """

    factors: list[Array]
    inverses: dict[int, Array]
    log_scale: Array
    lost: Array


def forward(program: Program, tables: Sequence[Array], xp: Any, keep: bool = False) -> Forward:
    """Sum out along a program. `keep`: every factor, as `reverse` needs them.

    Where an entry is so large or small that something may have been lost between two scalings, all
    is done again, and every table and product rescaled (on NumPy; JAX cannot look).
    """
    ahead, safe = _forward(program, tables, xp, keep, everything=False)
    if not safe:
        ahead.factors.clear()
        ahead, _ = _forward(program, tables, xp, keep, everything=True)
    return ahead


def _forward(
    program: Program, tables: Sequence[Array], xp: Any, keep: bool, everything: bool
) -> tuple[Forward, bool]:
    """The pass, and whether all that was looked at was of a safe size."""
    factors: list[Array] = [
        table if axes is None else table.transpose(axes)
        for table, axes in zip(tables, program.axes, strict=True)
    ]
    if xp is np:  # or products would inherit the strides of views, and be slow
        factors = [np.ascontiguousarray(table, dtype=np.float64) for table in factors]
    ahead = Forward([*factors, *[None] * len(program.steps)], {}, 0.0, np.False_)
    safe = True

    def rescale(factor: int, fresh: bool) -> None:
        nonlocal safe
        x, batched = ahead.factors[factor], program.batch in program.scopes[factor]
        top = largest(x, batched, xp)
        scale = xp.maximum(top, _TINY)
        ahead.inverses[factor] = 1.0 / scale
        ahead.log_scale = ahead.log_scale + xp.log(scale)
        if xp is not np:
            ahead.factors[factor] = x * ahead.inverses[factor]
            return
        out = x if fresh and isinstance(x, np.ndarray) else None  # else it may be the caller's
        ahead.factors[factor] = np.multiply(x, ahead.inverses[factor], out=out)
        low, high = (top.min(initial=1.0), top.max(initial=1.0)) if batched else (top, top)
        safe = safe and bool(_SAFE[0] < low and high < _SAFE[1])
        if everything and factor >= len(factors):
            ahead.lost = ahead.lost | ~(top > _SAFE[0])

    with np.errstate(over="ignore", invalid="ignore"):
        if everything:
            for factor in range(len(factors)):
                rescale(factor, fresh=False)
        for step in program.steps:
            B = None if step.b is None else ahead.factors[step.b]
            ahead.factors[step.out] = step.product(ahead.factors[step.a], B, xp)
            if step.rescale or everything:
                rescale(step.out, fresh=B is not None or bool(step.product.summed))
            if not keep:
                ahead.factors[step.a] = None
                if step.b is not None:
                    ahead.factors[step.b] = None
    return ahead, safe


def largest(x: Array, batched: bool, xp: Any) -> Array:
    """The largest entry of a factor, in each row if it has rows; a constant to derivatives."""
    if batched:
        rows = x.reshape(-1, x.shape[-1])
        top = rows.max(axis=0) if rows.shape[0] > 1 else rows[0]
    else:
        top = x.max()
    if xp is np:
        return top
    from jax.lax import stop_gradient

    return stop_gradient(top)


def log_of_z(program: Program, ahead: Forward, xp: Any) -> Array:
    """log Z, () or (n,): the scales' logarithms and that of the last message's sum."""
    last = ahead.factors[program.result]
    if program.batch in program.scopes[program.result]:
        total = last.reshape(-1, last.shape[-1]).sum(axis=0)
    else:
        total = last.sum()
    return ahead.log_scale + _log(total, xp)


def _log(x: Array, xp: Any) -> Array:
    """Logarithms, -inf of 0, with derivatives where they are finite."""
    positive = x > 0
    return xp.where(positive, xp.log(xp.where(positive, x, 1.0)), -xp.inf)
