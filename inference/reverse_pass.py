"""All marginals of a product of tables from one pass in reverse over log Z.

With C' = dlogZ/dC, the derivatives of the factors of C[c] = sum A[a] B[b] are products again,

    A'[a] = sum C'[c] B[b],      B'[b] = sum C'[c] A[a],

and those of a message m that was divided by s are m' = (m / s)' / s. As Z is linear in each factor,
A[a] A'[a] = P(a | evidence).

References: Darwiche, "A differential approach to inference in Bayesian networks", 2003,
https://doi.org/10.1145/765568.765570; Roa-Villescas et al., "Probabilistic inference in the era of
tensor networks and differential programming", 2024, https://arxiv.org/abs/2405.14060.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .contraction import Forward, Peak, Program, Step
from .elimination import Scope
from .product import Product

Array = Any


class Sweep:
    """The reverse pass of a program: derivatives of the sum of what the last bucket leaves.

    Args:
        program: that keeps nothing but the batch.
        read: the factors whose derivatives are asked for, with what is to be read off each.
        rows: keep the derivative of each row apart; else those of factors that are the same in all
            rows are summed over rows.
    """

    def __init__(self, program: Program, read: Mapping[int, Sequence[int]], rows: bool) -> None:
        self.program, self.read = program, read
        self._beliefs: dict[tuple[int, Scope], Product] = {}
        batch = program.batch
        needed = set(read)
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

    @cached_property
    def peak(self) -> Peak:
        """The most cells held at once, forward and in reverse, tables included."""
        return Peak.of(self._peak)

    def _peak(self, n: int) -> int:
        program = self.program
        live = most = sum(program.cells(s, n) for s in program.scopes[: len(program.plan.scopes)])
        for step in program.steps:
            most = max(most, live + program.step_held(step, n))
            live += program.cells(program.scopes[step.out], n)
        for step, todo in self.steps:
            for factor, other, product in todo:
                beside = None if other is None else program.scopes[other]
                out = self.scopes[factor]
                held = program.held(product, self.scopes[step.out], beside, out, n)
                most = max(most, live + held)
                live += program.cells(out, n)
            live -= program.cells(self.scopes[step.out], n)
            for used in (step.a, step.b):
                if used is not None:
                    live -= program.cells(program.scopes[used], n)
        return most

    def belief(self, factor: int, scope: Scope) -> Product:
        """The product of a factor with its derivative, summed down to `scope` (and the batch)."""
        if (factor, scope) not in self._beliefs:
            a, b, batch = self.program.scopes[factor], self.scopes[factor], self.program.batch
            out = self.program.sorted((*scope, *({batch} & {*a, *b})))
            self._beliefs[factor, scope] = self.program.product(a, b, out)
        return self._beliefs[factor, scope]


def reverse(
    sweep: Sweep, ahead: Forward, seed: Array, xp: Any
) -> Iterator[tuple[int, Array, Array]]:
    """(number, factor, derivative) of each wanted factor, given the derivative with respect to the
    last message. Factors are let go as soon as they are used."""
    program = sweep.program
    derivatives = {program.result: seed}
    if program.result in sweep.read:
        yield program.result, ahead.factors[program.result], seed
    for step, todo in sweep.steps:
        given = derivatives.pop(step.out)
        with np.errstate(over="ignore", invalid="ignore"):  # in rows in which something was lost
            if step.out in ahead.inverses:
                given = given * ahead.inverses[step.out]
            for factor, other, product in todo:
                B = None if other is None else ahead.factors[other]
                derivatives[factor] = product(given, B, xp)
        for factor, _, _ in todo:
            if factor in sweep.read:
                yield factor, ahead.factors[factor], derivatives[factor]
        for used in (step.a, step.b):
            if used is not None:
                ahead.factors[used] = None


def seed(program: Program, ahead: Forward, weight: Any, xp: Any = np) -> Array:
    """The derivative of weight times log Z with respect to the last message."""
    last = ahead.factors[program.result]
    return xp.where(last > 0, weight / xp.where(last > 0, last, 1.0), 0.0)
