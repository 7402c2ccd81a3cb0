"""Exact inference among discrete variables: log Z, marginals, joint marginals, expected counts.

    Z(e) = sum_x prod_t table_t(x_scope(t)) prod_v evidence_v(x_v)

Evidence of a variable is hard (a state: the tables are cut down to it) or virtual (a likelihood for
each state). Either may be given for many rows at once. A row in which a variable is not observed
(-1) has the likelihood 1 for each of its states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..data.memory_limit import memory_budget
from ..errors import InputError
from .contraction import Forward, Program, Sweep, forward, log, reverse
from .elimination import Plan, Scope, make_plan, min_fill

Array = Any
Evidence = Mapping[int, Any]


@dataclass(frozen=True)
class Cost:
    """What an inference takes.

    Attributes:
        cells: of all cliques together.
        bytes: held at once at most.
        clique: the largest, its variables.
        n_cells: how many cells it has.
    """

    cells: int
    bytes: int
    clique: Scope
    n_cells: int


@dataclass(frozen=True)
class Marginals:
    """Attributes:
    log_z: natural logarithm of Z, () or (n,).
    probs: of each variable, (k,) or (n, k); NaN in rows where Z is 0.
    """

    log_z: Array
    probs: tuple[Array, ...]


@dataclass(frozen=True)
class Reduced:
    """Tables into which evidence has been entered.

    Attributes:
        scopes: of the tables; the first are those given, cut down to the states observed, then come
            likelihoods. The variable `batch` numbers rows and is the last axis where it occurs.
        tables: for each scope.
        fixed: the state, or states (n,), of the variables that were cut out.
        n: the number of rows; None without a batch.
        batch: the number of that variable: len(sizes) of the original.
    """

    scopes: tuple[Scope, ...]
    tables: tuple[Array, ...]
    fixed: dict[int, Array]
    n: int | None
    batch: int


class Exact:
    """Exact inference by eliminating variables.

    Args:
        sizes: number of states of each variable.
        scopes: of the tables: their variables, in the order of their axes.
        order: how the order of elimination is found, or the order itself.
        memory: bytes that may be taken; default: most of what the machine has free.
        names: of the variables, for errors.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        scopes: Sequence[Sequence[int]],
        *,
        order: str | Sequence[int] = "auto",
        memory: int | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.sizes = tuple(map(int, sizes))
        self.scopes = tuple(tuple(map(int, scope)) for scope in scopes)
        self.order, self.memory = order, memory
        self.names = tuple(names) if names is not None else tuple(map(str, range(len(sizes))))
        self._program = lru_cache(maxsize=64)(self._new_program)

    def reduced(self, tables: Sequence[Array], evidence: Evidence) -> Reduced:
        """Enter evidence: slice the tables at hard evidence, add likelihoods.

        Raises:
            InputError: for a state that a variable does not have, likelihoods of another length, or
                different numbers of rows.
        """
        batch = len(self.sizes)
        fixed: dict[int, Array] = {}
        scopes: list[Scope] = []
        likelihoods: list[Array] = []
        rows = set()
        for v, given in evidence.items():
            value = np.asarray(given)
            k = self.sizes[v]
            if value.dtype.kind in "iu":
                if value.size and not -1 <= value.min() <= value.max() < k:
                    raise InputError(
                        f"{self.names[v]!r} has the states 0 to {k - 1}; {value.min()} to "
                        f"{value.max()} given (-1: not observed)."
                    )
                if value.ndim:
                    rows.add(len(value))
                if not (value == -1).any():
                    fixed[v] = value if value.ndim else int(value)
                    continue
                if not value.ndim:
                    continue
                value = np.where(value[:, None] < 0, 1.0, np.eye(k)[value])
            elif value.shape[-1:] != (k,) or value.ndim > 2 or (value < 0).any():
                raise InputError(
                    f"the likelihood of {self.names[v]!r} has shape {value.shape}; expected ({k},) "
                    f"or (n, {k}), and no number below 0."
                )
            elif value.ndim == 2:
                rows.add(len(value))
            scopes.append((v, batch) if value.ndim == 2 else (v,))
            likelihoods.append(np.ascontiguousarray(value.T))
        if len(rows) > 1:
            raise InputError(f"evidence has {sorted(rows)} rows; give as many for each variable.")
        cut = [self._cut(t, s, fixed) for t, s in zip(tables, self.scopes, strict=True)]
        present = {v for _, scope in cut for v in scope} | {v for s in scopes for v in s}
        lonely = [v for v in range(batch) if v not in present and v not in fixed]
        return Reduced(
            (*(scope for _, scope in cut), *scopes, *((v,) for v in lonely)),
            (*(t for t, _ in cut), *likelihoods, *(np.ones(self.sizes[v]) for v in lonely)),
            fixed,
            rows.pop() if rows else None,
            batch,
        )

    def _cut(self, table: Array, scope: Scope, fixed: Mapping[int, Array]) -> tuple[Array, Scope]:
        """A table at the states observed; rows of states give it a last axis of rows."""
        observed = [v for v in scope if v in fixed]
        if not observed:
            return table, scope
        free = tuple(v for v in scope if v not in fixed)
        axes = [scope.index(v) for v in (*observed, *free)]
        states = [fixed[v] for v in observed]
        cut = table.transpose(axes)[tuple(states)]
        if all(np.ndim(state) == 0 for state in states):
            return cut, free
        return cut.transpose((*range(1, cut.ndim), 0)), (*free, len(self.sizes))

    def plan(self, scopes: Sequence[Scope], keep: Scope = ()) -> Plan:
        """The buckets of tables of these scopes, as `reduced` gives them; `keep` is not summed."""
        return self.program(scopes, keep).plan

    def program(self, scopes: Sequence[Scope], keep: Scope = ()) -> Program:
        """The products of a plan, found once for each set of scopes."""
        return self._program(tuple(scopes), tuple(keep))

    def _new_program(self, scopes: tuple[Scope, ...], keep: Scope) -> Program:
        batch = len(self.sizes)
        sizes = (*self.sizes, 1)
        if any(batch in scope for scope in scopes):
            keep = (*keep, batch)
        free = [tuple(v for v in scope if v != batch) for scope in scopes]
        order = min_fill(self.sizes, free, keep) if isinstance(self.order, str) else self.order
        return Program(make_plan(sizes, scopes, order, keep), batch)

    def cost(self, observed: Sequence[int] = ()) -> Cost:
        """What all marginals of one row take, where these variables have hard evidence.

        Raises:
            InputError: if that is more than `memory`; it names the largest clique and the ways on.
        """
        gone = set(observed)
        program = self.program([tuple(v for v in s if v not in gone) for s in self.scopes])
        cost = self._cost(program, self._sweep(program)[0].peak())
        self._check(cost)
        return cost

    def _cost(self, program: Program, peak: int) -> Cost:
        plan = program.plan
        return Cost(plan.total, 8 * peak, plan.largest, plan.cells(plan.largest))

    def _check(self, cost: Cost) -> None:
        """Raise InputError if a cost is above the memory."""
        budget = memory_budget() if self.memory is None else self.memory
        if cost.bytes <= budget:
            return
        shown = ", ".join(self.names[v] for v in cost.clique if v < len(self.names))
        raise InputError(
            f"exact inference takes {cost.bytes / 2**30:,.3g} GiB; {budget / 2**30:,.3g} GiB may "
            f"be used. The largest clique has {cost.n_cells:,} cells: {shown}. Observe or cut some "
            'of these (cutset conditioning), use method="sampling" or method="loopy" '
            "(approximate), or allow more memory."
        )

    def log_z(self, tables: Sequence[Array], evidence: Evidence | None = None, xp: Any = np) -> Any:
        """Natural logarithm of Z, () or (n,); with `xp=jax.numpy` differentiable in the tables."""
        parts = []
        for chunk in self._chunks(evidence or {}):
            problem = self.reduced(tables, chunk)
            ahead = forward(self.program(problem.scopes), problem.tables, xp)
            parts.append(_log_z(ahead, self.program(problem.scopes), xp))
        if len(parts) == 1:
            n = problem.n
            return parts[0] if n is None or xp.ndim(parts[0]) else xp.full(n, parts[0])
        return xp.concatenate(parts)

    def marginals(self, tables: Sequence[Array], evidence: Evidence | None = None) -> Marginals:
        """log Z and the marginal of every variable, in one pass forward and one in reverse."""
        parts = [self._marginals(self.reduced(tables, c)) for c in self._chunks(evidence or {})]
        if len(parts) == 1:
            return parts[0]
        probs = zip(*(part.probs for part in parts), strict=True)
        return Marginals(
            np.concatenate([part.log_z for part in parts]),
            tuple(np.concatenate(column) for column in probs),
        )

    def _sweep(self, program: Program) -> tuple[Sweep, dict[int, list[int]]]:
        """The reverse pass for all marginals, and which it reads off which factor."""
        of: dict[int, list[int]] = {}
        for v, factor in program.smallest.items():
            if v != len(self.sizes):
                of.setdefault(factor, []).append(v)
        return Sweep(program, of, rows=True), of

    def _marginals(self, problem: Reduced) -> Marginals:
        program = self.program(problem.scopes)
        sweep, of = self._sweep(program)
        self._check(self._cost(program, sweep.peak(problem.n or 1)))
        ahead = forward(program, problem.tables, np, keep=True)
        log_z = _log_z(ahead, program, np)
        dead = ~(log_z > -np.inf)
        probs: list[Any] = [None] * len(self.sizes)
        for factor, A, dA in reverse(sweep, ahead, _seed(ahead, program, 1.0), np):
            for v in of[factor]:
                p = sweep.belief(factor, (v,))(A, dA)
                probs[v] = p.reshape(self.sizes[v], -1).T if p.size > self.sizes[v] else p.ravel()
        for v, state in problem.fixed.items():
            probs[v] = np.eye(self.sizes[v])[state]
        if problem.n is None:
            return Marginals(log_z, tuple(np.where(dead, np.nan, p) for p in probs))
        shapes = [(problem.n, size) for size in self.sizes]
        full = [np.broadcast_to(p, shape) for p, shape in zip(probs, shapes, strict=True)]
        log_z = np.broadcast_to(log_z, (problem.n,))
        dead = np.broadcast_to(dead, (problem.n,))[:, None]
        return Marginals(log_z, tuple(np.where(dead, np.nan, p) for p in full))

    def joint(
        self, tables: Sequence[Array], variables: Sequence[int], evidence: Evidence | None = None
    ) -> Array:
        """The joint marginal of some variables, (k_1, ..., k_m) or (n, k_1, ..., k_m), in one pass
        forward; NaN where Z is 0."""
        parts = [
            self._joint(self.reduced(tables, c), tuple(variables))
            for c in self._chunks(evidence or {})
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _joint(self, problem: Reduced, variables: Scope) -> Array:
        free = tuple(v for v in variables if v not in problem.fixed)
        program = self.program(problem.scopes, free)
        ahead = forward(program, problem.tables, np)
        scope = program.scopes[program.result]
        batched = problem.batch in scope
        full = ahead.factors[program.result].reshape(
            (*(self.sizes[v] for v in scope if v != problem.batch), *((-1,) if batched else ()))
        )
        front = (problem.batch,) if batched else ()
        full = full.transpose([scope.index(v) for v in (*front, *free)])
        if not batched and problem.n is not None:
            full = np.broadcast_to(full, (problem.n, *full.shape))
        total = full.sum(axis=tuple(range(full.ndim - len(free), full.ndim)), keepdims=True)
        with np.errstate(invalid="ignore"):
            full = full / total
        for axis, v in enumerate(variables):
            if v in problem.fixed:
                full = self._spread(full, axis, v, problem)
        return full

    def _spread(self, full: Array, axis: int, v: int, problem: Reduced) -> Array:
        """A joint marginal with an axis for a variable that is observed."""
        one_hot = np.eye(self.sizes[v])[problem.fixed[v]]
        axis += problem.n is not None
        full = np.expand_dims(full, axis)
        shape = [1] * full.ndim
        shape[axis] = self.sizes[v]
        if one_hot.ndim == 2:
            shape[0] = len(one_hot)
        return full * one_hot.reshape(shape)

    def counts(
        self, tables: Sequence[Array], evidence: Evidence, weights: Any = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """log Z of each row (n,), and for each table the sum over rows of weight times the
        probability of its cells given the row's evidence: expected counts. Rows where Z is 0 count
        nothing."""
        totals = [np.zeros([self.sizes[v] for v in scope]) for scope in self.scopes]
        logs = []
        start = 0
        for chunk in self._chunks(evidence):
            problem = self.reduced(tables, chunk)
            n = problem.n if problem.n is not None else 1
            w = np.ones(n) if weights is None else np.asarray(weights)[start : start + n]
            start += n
            logs.append(self._counts(problem, w, totals))
        return np.concatenate(logs), tuple(totals)

    def _counts(self, problem: Reduced, weights: Array, totals: list[Array]) -> Array:
        program = self.program(problem.scopes)
        wanted = range(len(self.scopes))
        sweep = Sweep(program, wanted, rows=False)
        ahead = forward(program, problem.tables, np, keep=True)
        log_z = np.broadcast_to(_log_z(ahead, program, np), weights.shape)
        batched = problem.batch in program.scopes[program.result]
        seed = _seed(ahead, program, weights if batched else weights.sum())
        for t, A, dA in reverse(sweep, ahead, seed, np):
            scope = program.scopes[t]
            free = tuple(v for v in scope if v != problem.batch)
            P = sweep.belief(t, free)(A, dA)
            tail = (-1,) if problem.batch in scope else ()
            P = P.reshape((*(self.sizes[v] for v in free), *tail))
            self._gather(totals[t], self.scopes[t], P, scope, problem, weights)
        return log_z

    def _gather(
        self, total: Array, scope: Scope, P: Array, axes: Scope, problem: Reduced, weights: Array
    ) -> None:
        """Add the probabilities of a table that was cut down to the cells they belong to."""
        observed = [v for v in scope if v in problem.fixed]
        free = [v for v in scope if v not in problem.fixed]
        states = tuple(problem.fixed[v] for v in observed)
        view = total.transpose([scope.index(v) for v in (*observed, *free)])
        if problem.batch in axes:
            P = P.transpose([axes.index(v) for v in (problem.batch, *free)])
            if any(np.ndim(state) for state in states):
                np.add.at(view, states, P)
            else:
                view[states] += P.sum(axis=0)
        else:
            P = P.transpose([axes.index(v) for v in free])
            view[states] += P

    def _chunks(self, evidence: Evidence) -> Iterator[dict[int, Any]]:
        """Evidence of as many rows at a time as fit."""
        yield dict(evidence)


def _log_z(ahead: Forward, program: Program, xp: Any) -> Array:
    """log Z, () or (n,): the scales' logarithms and that of the last message's sum."""
    last = ahead.factors[program.result]
    batched = program.batch in program.scopes[program.result]
    total = last.reshape(-1, last.shape[-1]).sum(axis=0) if batched else last.sum()
    return ahead.log_scale + log(total, xp)


def _seed(ahead: Forward, program: Program, weight: Any) -> Array:
    """The derivative of weight times log Z with respect to the last message."""
    last = ahead.factors[program.result]
    return np.where(last > 0, weight / np.where(last > 0, last, 1.0), 0.0)
