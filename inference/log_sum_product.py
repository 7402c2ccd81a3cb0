"""The sum of a product of tables by its logarithm, of many rows with tables of their own.

Tables are held as logarithms. Densities of rows as functions of discrete variables span thousands
of nats, and different tables may contradict each other by as much: a product of numbers between 0
and 1 would be 0 although log Z is finite. A bucket with the tables f_1, f_2, ... over its clique
(y, v) sends

    m(y) = log sum_v exp F(y, v),     F = f_1 + f_2 + ...,

and with D(y) = dlogZ/dm(y), the derivative of log Z with respect to each of f_1, f_2, ... is

    D(y) exp(F(y, v) - m(y)),

summed over what the table lacks: the probability of the table's variables. In reverse, v is drawn
with probability exp(F(y, v) - m(y)) given y. Without the table itself, the sum of exp(log D' + the
others of f_1, f_2, ...), where D' = dZ/dm(y), is what all other tables leave for its variables. A
maximum in place of the sum finds the most probable states.

Reference: Dechter, "Bucket elimination: a unifying framework for reasoning", 1999,
https://doi.org/10.1016/S0004-3702(99)00059-4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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
                F = F + aligned(tables[t], plan.scopes[t], bucket.clique)
            for c in bucket.children:
                F = F + aligned(self._messages[c], plan.buckets[c].separator, bucket.clique)
            self._filled.append(F)
            self._messages.append(self._reduced(F, len(bucket.variables)))

    @staticmethod
    def _reduced(F: Floats, k: int) -> Floats:
        """The message of a bucket: F without the k axes after the first."""
        return log_sum(F, tuple(range(1, k + 1)))

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

    def without(self, tables: Sequence[Floats], wanted: Collection[int]) -> dict[int, Floats]:
        """Of each table wanted the log of the product of all other tables, summed over the
        variables that it lacks: (b, *sizes), in the order of its scope.

        Args:
            tables: those of the start.
            wanted: numbers of tables.
        """
        plan, out = self.plan, dict[int, Floats]()
        above: list[Floats] = [np.zeros(1)] * len(plan.buckets)
        for i in range(len(plan.buckets) - 1, -1, -1):
            clique, k = plan.buckets[i].clique, len(plan.buckets[i].variables)
            scopes = [plan.scopes[t] for t in plan.buckets[i].tables]
            scopes += [plan.buckets[c].separator for c in plan.buckets[i].children]
            parts = [tables[t] for t in plan.buckets[i].tables]
            parts += [self._messages[c] for c in plan.buckets[i].children]
            there = [aligned(p, scope, clique) for p, scope in zip(parts, scopes, strict=True)]
            others = _sums_of_others(there, _extended(above[i], k))
            for t, other in zip(plan.buckets[i].tables, others, strict=False):
                if t in wanted:
                    out[t] = _log_summed(other, clique, plan.scopes[t])
            for c, other in zip(reversed(plan.buckets[i].children), reversed(others), strict=False):
                above[c] = _log_summed(other, clique, plan.buckets[c].separator)
        return out

    def draw(self, n: int, draws: int, rng: np.random.Generator) -> dict[int, Ints]:
        """(draws, n) states of each variable, from the distribution of each of n rows."""
        return self._read(n, draws, lambda weights: drawn(weights, rng.random((draws, n))))

    def _read(self, n: int, draws: int, pick: Callable[[Floats], Ints]) -> dict[int, Ints]:
        """(draws, n) states of each variable, in reverse: those of a bucket as `pick` says of their
        weights (draws, n, k) given what has been read."""
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
            flat = pick(weights)
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


class LogMax(LogSum):
    """The most probable states of tables; `log_z` is the log of their product there."""

    @staticmethod
    def _reduced(F: Floats, k: int) -> Floats:
        return F.max(axis=tuple(range(1, k + 1))) if k else F

    def states(self, n: int) -> dict[int, Ints]:
        """(n,) of each variable; of states equally probable the lowest."""
        found = self._read(n, 1, lambda weights: weights.argmax(axis=-1))
        return {v: states[0] for v, states in found.items()}


def log_sum(F: Floats, axes: tuple[int, ...]) -> Floats:
    """log sum exp over axes."""
    if not axes:
        return F
    top = F.max(axis=axes, keepdims=True)
    top = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        out: Floats = np.log(np.exp(F - top).sum(axis=axes)) + top.squeeze(axes)
    return out


def _sums_of_others(parts: Sequence[Floats], base: Floats) -> list[Floats]:
    """Of each part the sum of all others and `base`, without a difference."""
    after, out = [base], []
    for part in reversed(parts[1:]):
        after.append(after[-1] + part)
    before: Floats | float = 0.0
    for part in parts:
        out.append(before + after.pop())
        before = before + part
    return out


def _extended(message: Floats, k: int) -> Floats:
    """A message with k axes of one after the first."""
    return message.reshape(message.shape[:1] + (1,) * k + message.shape[1:])


def aligned(table: Floats, scope: Scope, clique: Scope) -> Floats:
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


def _log_summed(F: Floats, clique: Scope, scope: Scope) -> Floats:
    """log sum exp of F (b, *clique) to the variables of a scope, in its order."""
    gone = tuple(i + 1 for i, v in enumerate(clique) if v not in scope)
    left = [v for v in clique if v in scope]
    return log_sum(F, gone).transpose(0, *(left.index(v) + 1 for v in scope))
