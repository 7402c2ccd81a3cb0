"""The sum of a product of tables by its logarithm, of many rows with tables of their own.

Tables are held as logarithms. Densities of rows as functions of discrete variables span thousands
of nats, and different tables may contradict each other by as much: a product of numbers between 0
and 1 would be 0 although log Z is finite. A bucket with the tables f_1, f_2, ... over its clique
(y, v) sends

    m(y) = log sum_v exp F(y, v),     F = f_1 + f_2 + ...,

and with D(y) = dlogZ/dm(y), the derivative of log Z with respect to each of f_1, f_2, ... is

    D(y) exp(F(y, v) - m(y)),

summed over what the table lacks: the probability of the table's variables. In reverse, v is drawn
with probability exp(F(y, v) - m(y)) given y.

Reference: Dechter, "Bucket elimination: a unifying framework for reasoning", 1999,
https://doi.org/10.1016/S0004-3702(99)00059-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..arrays import Floats, Ints
from .categorical import drawn
from .elimination import Plan, Scope, make_plan, min_fill


@lru_cache(maxsize=4096)
def elimination_plan(sizes: tuple[int, ...], scopes: tuple[Scope, ...]) -> Plan:
    """The plan of summing out everything by min-fill."""
    return make_plan(sizes, scopes, min_fill(sizes, scopes))


class LogSum:
    """log Z of tables, and what follows from the buckets that it leaves.

    Args:
        plan: that keeps no variable.
        tables: logarithms, of each scope of the plan (b, *sizes), b the number of rows or 1.
    """

    def __init__(self, plan: Plan, tables: Sequence[Floats]) -> None:
        self.plan = plan
        self._filled: list[Floats] = []  # F of each bucket, (b, *clique)
        self._messages: list[Floats] = []
        for bucket in plan.buckets:
            F: Floats = np.zeros((1,) + (1,) * len(bucket.clique))
            for t in bucket.tables:
                F = F + _aligned(tables[t], plan.scopes[t], bucket.clique)
            for c in bucket.children:
                F = F + _aligned(self._messages[c], plan.buckets[c].separator, bucket.clique)
            self._filled.append(F)
            self._messages.append(_log_sum(F, len(bucket.variables)))

    @property
    def log_z(self) -> Floats:
        """(b,) log Z, -inf where it is 0."""
        return self._messages[-1]

    def probabilities(self) -> list[Floats]:
        """Of each table the probabilities of its variables, (b, *sizes), in the order of its scope;
        0 in rows where Z is 0."""
        plan = self.plan
        out: list[Floats] = [np.empty(0)] * len(plan.scopes)
        above: list[Floats] = [np.ones(1)] * len(plan.buckets)
        for i in range(len(plan.buckets) - 1, -1, -1):
            bucket = plan.buckets[i]
            p = self._conditional(i) * _extended(above[i], len(bucket.variables))
            for t in bucket.tables:
                out[t] = _summed(p, bucket.clique, plan.scopes[t])
            for c in bucket.children:
                above[c] = _summed(p, bucket.clique, plan.buckets[c].separator)
        return out

    def draw(self, n: int, draws: int, rng: np.random.Generator) -> dict[int, Ints]:
        """(draws, n) states of each variable, from the distribution of each of n rows."""
        states: dict[int, Ints] = {}
        for i in range(len(self.plan.buckets) - 1, -1, -1):
            bucket = self.plan.buckets[i]
            if not bucket.variables:
                continue
            # The clique has the variables of the bucket first in its order.
            p = self._conditional(i)
            rows = np.arange(n) if len(p) > 1 else np.zeros(n, np.intp)
            k = len(bucket.variables)
            p = np.moveaxis(p, range(1, k + 1), range(-k, 0))
            shape = p.shape[-k:]
            given = tuple(states[v] for v in bucket.separator)
            weights = p.reshape(*p.shape[:-k], -1)[(np.broadcast_to(rows, (draws, n)), *given)]
            flat = drawn(weights, rng.random((draws, n)))
            for v, size in zip(reversed(bucket.variables), reversed(shape), strict=True):
                # np.unravel_index is wrong here: NumPy 2.4 mixes up long arrays (n, 1).
                flat, states[v] = np.divmod(flat, size)
        return states

    def _conditional(self, i: int) -> Floats:
        """(b, *clique) exp(F - m): of the variables of a bucket given those of its separator.

        They sum to one however far from 0 logarithms are, where exp(F - m) itself does not.
        """
        F, axes = self._filled[i], tuple(range(1, len(self.plan.buckets[i].variables) + 1))
        top = F.max(axis=axes, keepdims=True)
        p = np.exp(F - np.where(np.isneginf(top), 0.0, top))
        total = p.sum(axis=axes, keepdims=True)
        conditional: Floats = p / np.where(total > 0, total, 1.0)
        return conditional


def _log_sum(F: Floats, k: int) -> Floats:
    """log sum exp over the k axes after the first."""
    if not k:
        return F
    axes = tuple(range(1, k + 1))
    top = F.max(axis=axes, keepdims=True)
    top = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        out: Floats = np.log(np.exp(F - top).sum(axis=axes)) + top.reshape(_without(top.shape, k))
    return out


def _without(shape: tuple[int, ...], k: int) -> tuple[int, ...]:
    return shape[:1] + shape[k + 1 :]


def _extended(message: Floats, k: int) -> Floats:
    """A message with k axes of one after the first."""
    return message.reshape(message.shape[:1] + (1,) * k + message.shape[1:])


def _aligned(table: Floats, scope: Scope, clique: Scope) -> Floats:
    """A table (b, *scope) with the axes of a clique."""
    order = sorted(range(len(scope)), key=lambda i: clique.index(scope[i]))
    moved = table.transpose(0, *(i + 1 for i in order))
    sizes = iter(moved.shape[1:])
    return moved.reshape(len(table), *(next(sizes) if v in scope else 1 for v in clique))


def _summed(p: Floats, clique: Scope, scope: Scope) -> Floats:
    """p (b, *clique) summed to the variables of a scope, in its order."""
    gone = tuple(i + 1 for i, v in enumerate(clique) if v not in scope)
    left = [v for v in clique if v in scope]
    kept = p.sum(axis=gone) if gone else p
    return kept.transpose(0, *(left.index(v) + 1 for v in scope))
