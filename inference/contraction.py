"""The sum of a product of tables along a plan, and the derivatives of its logarithm.

A plan is carried out as products of two tables each, C[c] = sum A[a] B[b], the sum over variables
of a and b that are in no other factor of the bucket. Axes are in the order of elimination, so that
a table is brought to the other's axes by reshaping alone. The message m of a bucket is divided by
its largest entry s (in each row of a batch), and log s added up:

    log Z = sum log s + log (what the last bucket leaves).

In reverse, the derivative with respect to each factor is again such a product: with C' = dlogZ/dC,

    A'[a] = sum C'[c] B[b],      B'[b] = sum C'[c] A[a],      m' = (m / s)' / s.

In this s counts as a constant: log Z is log s + f(m / s), which does not depend on s, since Z is
linear in m. And A[a] A'[a] is the probability of a: one pass in reverse gives all marginals.

Arrays are NumPy's, or JAX's (`xp`), which can compile and differentiate what is done here.

References: Darwiche, "A differential approach to inference in Bayesian networks", 2003,
https://doi.org/10.1145/765568.765570; Roa-Villescas et al., "Probabilistic inference in the era of
tensor networks and differential programming", 2024, https://arxiv.org/abs/2405.14060.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from .elimination import Plan, Scope

Array = Any


@dataclass(frozen=True)
class Product:
    """C[c] = sum A[a] B[b], or the sum of A alone, as reshapes, a product and a sum.

    Axes that neighbours share the fate of are one. The batch is -1 in shapes.
    """

    left: tuple[int, ...]
    right: tuple[int, ...] | None
    summed: tuple[int, ...]

    def __call__(self, A: Array, B: Array) -> Array:
        out = A.reshape(self.left)
        if self.right is not None:
            out = out * B.reshape(self.right)
        return out.sum(axis=self.summed) if self.summed else out


@dataclass(frozen=True)
class Step:
    """One product: factor `a` times `b` (None: `a` alone) is factor `out`; `message`: of a bucket,
    to be rescaled."""

    a: int
    b: int | None
    out: int
    product: Product
    message: bool


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
        self.steps: list[Step] = []
        messages: list[int] = []
        for bucket in plan.buckets:
            factors = [*bucket.tables, *(messages[c] for c in bucket.children)]
            messages.append(self._bucket(factors, set(bucket.variables)))
        self.result = messages[-1]

    def sorted(self, scope: Sequence[int]) -> Scope:
        """Variables in the order of axes."""
        return tuple(sorted(scope, key=self._rank.__getitem__))

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

    def held(self, step: Step, n: int) -> int:
        """Cells of a product while it is formed: the whole of it before the sum, and the result."""
        both = set(self.scopes[step.a]) | set(self.scopes[step.b] if step.b is not None else ())
        whole = self.cells(tuple(both), n) if step.b is not None and step.product.summed else 0
        return whole + self.cells(self.scopes[step.out], n)

    def peak(self, n: int = 1) -> int:
        """The most cells held at once in a pass forward that lets factors go, tables included."""
        live = most = sum(self.cells(scope, n) for scope in self.scopes[: len(self.plan.scopes)])
        for step in self.steps:
            most = max(most, live + self.held(step, n))
            live += self.cells(self.scopes[step.out], n)
            for used in (step.a, step.b):
                if used is not None and used >= len(self.plan.scopes):
                    live -= self.cells(self.scopes[used], n)
        return most

    def _bucket(self, factors: list[int], variables: set[int]) -> int:
        """The steps of a bucket: always the product with the fewest cells next."""
        factors = list(factors)
        while True:
            for factor in factors:  # what only this factor has is summed out of it first
                others = set().union(*(self.scopes[f] for f in factors if f != factor))
                alone = variables & set(self.scopes[factor]) - others
                if alone:
                    factors[factors.index(factor)] = self._add(factor, None, alone)
                    break
            else:
                if len(factors) == 1:
                    break
                a, b = self._next(factors)
                factors.remove(a)
                factors.remove(b)
                others = set().union(*(self.scopes[f] for f in factors))
                both = set(self.scopes[a]) | set(self.scopes[b])
                factors.append(self._add(a, b, (variables & both) - others))
        if not factors:
            raise AssertionError("a bucket without factors")
        last = self.steps[-1] if self.steps else None
        if last is None or last.out != factors[0]:  # a table that is passed on as it is
            self._add(factors[0], None, set())
        self.steps[-1] = Step(**{**self.steps[-1].__dict__, "message": True})
        return self.steps[-1].out

    def _next(self, factors: list[int]) -> tuple[int, int]:
        def cells(pair: tuple[int, int]) -> int:
            return self.plan.cells(tuple({*self.scopes[pair[0]], *self.scopes[pair[1]]}))

        if len(factors) > 12:
            small = sorted(factors, key=self._cells)
            return small[0], small[1]
        return min(combinations(factors, 2), key=cells)

    def _add(self, a: int, b: int | None, summed: set[int]) -> int:
        both = set(self.scopes[a]) | set(self.scopes[b] if b is not None else ())
        out = self.sorted(tuple(both - summed))
        self.scopes.append(out)
        right = None if b is None else self.scopes[b]
        product = self.product(self.scopes[a], right, out)
        self.steps.append(Step(a, b, len(self.scopes) - 1, product, False))
        return len(self.scopes) - 1

    def product(self, a: Scope, b: Scope | None, out: Scope) -> Product:
        """The reshapes and sums that take factors over a and b to one over `out`."""
        left: list[int] = []
        right: list[int] = []
        sums: list[bool] = []
        before: tuple[bool, bool, bool] | None = None
        for v in self.sorted(tuple({*a, *(b or ())})):
            fate = (v in a, b is not None and v in b, v in out)
            size = self.plan.sizes[v]
            if v == self.batch:
                fate, size, before = fate, -1, None
            if fate == before:
                left[-1] *= size if fate[0] else 1
                right[-1] *= size if fate[1] else 1
            else:
                left.append(size if fate[0] else 1)
                right.append(size if fate[1] else 1)
                sums.append(not fate[2])
            before = fate
        axes = tuple(i for i, gone in enumerate(sums) if gone)
        return Product(tuple(left), None if b is None else tuple(right), axes)


@dataclass
class Forward:
    """What a forward pass leaves: the factors, the scale of each message, and the sum of the
    scales' logarithms; the last message is over the variables kept."""

    factors: list[Array]
    scales: dict[int, Array]
    log_scale: Array


def prepared(program: Program, tables: Sequence[Array]) -> list[Array]:
    """Tables with their axes in the order of the program."""
    out = []
    for table, scope in zip(tables, program.plan.scopes, strict=True):
        axes = tuple(scope.index(v) for v in program.sorted(scope))
        out.append(table.transpose(axes) if axes != tuple(range(len(axes))) else table)
    return out


def forward(program: Program, tables: Sequence[Array], xp: Any, keep: bool = False) -> Forward:
    """Sum out along a program. `keep`: every factor, as `reverse` needs them."""
    factors: list[Array] = prepared(program, tables)
    factors += [None] * len(program.steps)
    scales: dict[int, Array] = {}
    logs: Array = 0.0
    for step in program.steps:
        out = step.product(factors[step.a], None if step.b is None else factors[step.b])
        if step.message:
            out, scale = rescaled(out, program.batch in program.scopes[step.out], xp)
            scales[step.out] = scale
            logs = logs + log(scale, xp)
        factors[step.out] = out
        if not keep:
            factors[step.a] = None
            if step.b is not None:
                factors[step.b] = None
    return Forward(factors, scales, logs)


def rescaled(message: Array, batched: bool, xp: Any) -> tuple[Array, Array]:
    """A message divided by its largest entry, and that entry; 0 stays 0. The scale is a constant
    of differentiation (see above)."""
    if batched:
        rows = message.reshape(-1, message.shape[-1])
        top = rows.max(axis=0) if rows.shape[0] > 1 else rows[0]
    else:
        top = message.max()
    top = constant(top, xp)
    return message / xp.where(top > 0, top, 1.0), top


def constant(x: Array, xp: Any) -> Array:
    """What JAX is not to differentiate."""
    if xp is np:
        return x
    import jax

    return jax.lax.stop_gradient(x)


def log(x: Array, xp: Any) -> Array:
    """Logarithms, -inf of 0."""
    positive = x > 0
    return xp.where(positive, xp.log(xp.where(positive, x, 1.0)), -xp.inf)


class Sweep:
    """The reverse pass of a program: derivatives of the sum of what the last bucket leaves.

    Args:
        program: that keeps nothing but the batch.
        wanted: the factors whose derivatives are asked for.
        rows: keep the derivative of each row apart; else those of factors that are the same in all
            rows are summed over rows.
    """

    def __init__(self, program: Program, wanted: Collection[int], rows: bool) -> None:
        self.program, self.wanted = program, frozenset(wanted)
        batch = program.batch
        needed = set(wanted)
        for step in program.steps:
            if step.a in needed or step.b in needed:
                needed.add(step.out)
        self.scopes: dict[int, Scope] = {program.result: program.scopes[program.result]}
        self.steps: list[tuple[Step, list[tuple[int, int | None, Product]]]] = []
        for step in reversed(program.steps):
            if step.out not in needed:
                continue
            given = self.scopes[step.out]
            todo: list[tuple[int, int | None, Product]] = []
            for factor, other in ((step.a, step.b), (step.b, step.a)):
                if factor is None or factor not in needed:
                    continue
                beside = None if other is None else program.scopes[other]
                kept = set(program.scopes[factor]) | ({batch} if rows else set())
                out = program.sorted(tuple(kept & {*given, *(beside or ())}))
                self.scopes[factor] = out
                todo.append((factor, other, program.product(given, beside, out)))
            self.steps.append((step, todo))

    def peak(self, n: int = 1) -> int:
        """The most cells held at once, forward and in reverse, tables included."""
        program = self.program
        live = most = sum(program.cells(s, n) for s in program.scopes[: len(program.plan.scopes)])
        for step in program.steps:
            most = max(most, live + program.held(step, n))
            live += program.cells(program.scopes[step.out], n)
        for step, todo in self.steps:
            for factor, other, product in todo:
                beside = () if other is None else program.scopes[other]
                whole = program.cells(tuple({*self.scopes[step.out], *beside}), n)
                size = program.cells(self.scopes[factor], n)
                most = max(most, live + size + (whole if product.summed else 0))
                live += size
                if factor in self.wanted:
                    has = {*program.scopes[factor], *self.scopes[factor]}
                    most = max(most, live + program.cells(tuple(has), n))
            live -= program.cells(self.scopes[step.out], n)
            for used in (step.a, step.b):
                if used is not None:
                    live -= program.cells(program.scopes[used], n)
        return most

    def belief(self, factor: int, scope: Scope) -> Product:
        """The product of a factor with its derivative, summed down to `scope` (and the batch)."""
        batch = self.program.batch
        has = {*self.program.scopes[factor], *self.scopes[factor]}
        out = self.program.sorted((*scope, *({batch} & has)))
        return self.program.product(self.program.scopes[factor], self.scopes[factor], out)


def reverse(
    sweep: Sweep, ahead: Forward, seed: Array, xp: Any
) -> Iterator[tuple[int, Array, Array]]:
    """(number, factor, derivative) of each wanted factor, given the derivative with respect to the
    last message. Factors are let go as soon as they are used."""
    program = sweep.program
    derivatives = {program.result: seed}
    if program.result in sweep.wanted:
        yield program.result, ahead.factors[program.result], seed
    for step, todo in sweep.steps:
        given = derivatives.pop(step.out)
        if step.message:
            scale = ahead.scales[step.out]
            given = given / xp.where(scale > 0, scale, 1.0)
        for factor, other, product in todo:
            derivatives[factor] = product(given, None if other is None else ahead.factors[other])
        for factor, _, _ in todo:
            if factor in sweep.wanted:
                yield factor, ahead.factors[factor], derivatives[factor]
        for used in (step.a, step.b):
            if used is not None:
                ahead.factors[used] = None
