"""Exact inference among discrete variables: log Z, marginals, joint marginals, expected counts.

    Z(e) = sum_x prod_t table_t(x_scope(t)) prod_v evidence_v(x_v)

A plan of elimination (`elimination`) is carried out on NumPy as it stands: nothing is compiled. On
one core the same pass compiled by JAX took 7.4 us a row of alarm where NumPy took 4.2, after 18 s
of compiling, so that JAX serves derivatives alone (`log_z`). Every message is divided by its
largest entry, so products may be as long as they like; rows in which numbers do not span what is
multiplied are done again by logarithms (`extreme_rows`).

Reference: Koller and Friedman, "Probabilistic graphical models", 2009, chapters 9 and 10,
https://mitpress.mit.edu/9780262013192/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from ..data.memory_limit import amount, memory_budget
from ..errors import InputError
from .contraction import Peak, Program, forward, log_of_z
from .elimination import Plan, Scope
from .evidence import Entered, add_to_cells, enter, reduce_scopes, reduce_tables
from .evidence import Evidence as Evidence
from .evidence import Reduced as Reduced
from .extreme_rows import ByLogs, by_logs
from .orders import find_plan
from .reverse_pass import Sweep, reverse, seed

Array = Any

_LEAST_ROWS, _MOST_ROWS = 32, 1024  # done at once; more gain nothing
_NAMED = 40  # variables of a clique that are listed
_SMALL = 1 << 26  # bytes that are always there
_FEW_CELLS = 1 << 16  # of all cliques
_CHUNK = 1 << 23  # cells of the rows that are done at once, about: more leave the cache


@dataclass(frozen=True)
class Cost:
    """What an inference takes.

    Attributes:
        cells: of all cliques together.
        bytes: held at once at most.
        clique: the largest, its variables.
        n_cells: how many cells it has; they need not all be held at once.
        names: of its variables, where these have some.
    """

    cells: int
    bytes: int
    clique: Scope
    n_cells: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Marginals:
    """Marginals of all variables.

    Attributes:
        log_z: natural logarithm of Z, () or (n,).
        probs: of each variable, (k,) or (n, k); NaN where Z is 0.
    """

    log_z: Array
    probs: tuple[Array, ...]


class Exact:
    """Exact inference by eliminating variables.

    Evidence is variable -> a state (int), states (n,) with -1 where a row does not observe it, or
    likelihoods (k,) or (n, k). With an axis of n rows anywhere, answers have that axis first.

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
        self.order = order if isinstance(order, str) else tuple(order)
        self.memory = memory
        self.names = tuple(map(str, range(len(sizes)))) if names is None else tuple(names)

    def reduced(self, tables: Sequence[Array], evidence: Evidence) -> Reduced:
        """Evidence entered into the tables: what `plan` and colleagues of this class work on.

        Raises:
            InputError: if the evidence does not fit the variables.
        """
        return reduce_tables(self.sizes, self.scopes, tables, self.entered(evidence))

    def plan(self, scopes: Sequence[Scope], keep: Scope = ()) -> Plan:
        """The buckets of tables of these scopes, as `reduced` gives them; `keep` is not summed."""
        return self.program(scopes, keep).plan

    def program(self, scopes: Sequence[Scope], keep: Scope = ()) -> Program:
        """The steps of a plan; found once for each set of scopes."""
        return _program(self.sizes, tuple(scopes), keep, self.order)

    def cost(self, observed: Sequence[int] = ()) -> Cost:
        """What all marginals of one row take, where these variables have hard evidence.

        Raises:
            InputError: if that is more than `memory`; it names the largest clique and the ways on.
        """
        scopes = reduce_scopes(
            self.sizes, self.scopes, Entered(dict.fromkeys(observed, 0), {}, None)
        )
        sweep = _marginal_sweep(self.sizes, tuple(scopes), self.order)
        return self.affordable(sweep.program, sweep.peak)

    def affordable(self, program: Program, peak: Peak, n: int = 1) -> Cost:
        """What n rows of a program take; InputError if that is too much."""
        plan = program.plan
        size = 8 * (peak.cells + (n - 1) * peak.row)
        cost = Cost(plan.total, size, plan.largest, plan.cells(plan.largest))
        budget = self._budget(cost.bytes)
        if cost.bytes > budget:
            names = [self.names[v] for v in cost.clique if v < len(self.names)]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            raise InputError(
                f"exact inference takes {amount(cost.bytes)}; {amount(budget)} may be used. "
                f"The largest clique has {cost.n_cells:,} cells: "
                f"{', '.join(names[:_NAMED])}{more}. Observe some of these, use "
                'method="cutset" (exact, in less memory), "sampling" or "loopy" (approximate), or '
                "allow more memory."
            )
        return cost

    def log_z(self, tables: Sequence[Array], evidence: Evidence | None = None, xp: Any = np) -> Any:
        """Natural logarithm of Z, () or (n,); with `xp=jax.numpy`, arrays of JAX, differentiable in
        the tables."""
        entered = self.entered(evidence)
        program = self.program(reduce_scopes(self.sizes, self.scopes, entered))
        parts = []
        for rows, problem in self._chunks(tables, entered, program, program):
            ahead = forward(program, problem.tables, xp)
            part = log_of_z(program, ahead, xp)
            if xp is np and ahead.lost.any():
                part = np.broadcast_to(part, (problem.n or 1,)).copy()
                for few, again in self._again(tables, entered.rows(rows), ahead.lost):
                    part[few] = again.log_z
                part = part if entered.n is not None else part[0]
            parts.append(part)
        if entered.n is None:
            return parts[0]
        if len(parts) == 1 and not xp.ndim(parts[0]):  # no row differs from another
            return xp.full(entered.n, parts[0])
        return xp.concatenate(parts) if parts else xp.zeros(0)

    def marginals(self, tables: Sequence[Array], evidence: Evidence | None = None) -> Marginals:
        """log Z and the marginal of every variable, in one pass forward and one in reverse."""
        entered = self.entered(evidence)
        scopes = tuple(reduce_scopes(self.sizes, self.scopes, entered))
        sweep = _marginal_sweep(self.sizes, scopes, self.order)
        n = entered.n if entered.n is not None else 1
        log_z, states = np.empty(n), np.empty((sum(self.sizes), n))
        ends = accumulate(self.sizes)
        probs = [states[end - k : end] for k, end in zip(self.sizes, ends, strict=True)]  # (k, n)
        for rows, problem in self._chunks(tables, entered, sweep.program, sweep):
            ahead = forward(sweep.program, problem.tables, np, keep=True)
            log_z[rows] = log_of_z(sweep.program, ahead, np)
            start = seed(sweep.program, ahead, 1.0)
            for factor, A, dA in reverse(sweep, ahead, start, np):
                for v in sweep.read[factor]:
                    P = sweep.belief(factor, (v,))(A, dA, np)
                    probs[v][:, rows] = P.reshape(self.sizes[v], -1)
            for few, again in self._again(tables, entered.rows(rows), ahead.lost):
                log_z[rows][few] = again.log_z
                for v in (v for v in range(len(probs)) if v not in entered.fixed):
                    probs[v][:, rows][:, few] = again.marginal(v).T
        for v, state in entered.fixed.items():
            probs[v][:] = np.eye(self.sizes[v])[:, np.atleast_1d(state)]
        states[:, np.isneginf(log_z)] = np.nan
        if entered.n is None:
            return Marginals(log_z[0], tuple(p[:, 0] for p in probs))
        return Marginals(log_z, tuple(p.T for p in probs))

    def joint(
        self, tables: Sequence[Array], variables: Sequence[int], evidence: Evidence | None = None
    ) -> Array:
        """The joint marginal of some variables, (k_1, ..., k_m) or (n, k_1, ..., k_m), in one pass
        forward; NaN where Z is 0."""
        return self.log_z_and_joint(tables, variables, evidence)[1]

    def log_z_and_joint(
        self, tables: Sequence[Array], variables: Sequence[int], evidence: Evidence | None = None
    ) -> tuple[Array, Array]:
        """log Z, () or (n,), and the joint marginal of some variables, as `joint` has it."""
        entered = self.entered(evidence)
        free = tuple(v for v in variables if v not in entered.fixed)
        program = self.program(reduce_scopes(self.sizes, self.scopes, entered), free)
        n = entered.n if entered.n is not None else 1
        log_z, out = np.empty(n), np.zeros((n, *(self.sizes[v] for v in variables)))
        axes = [v for v in program.scopes[program.result] if v != program.batch]
        order = [axes.index(v) for v in free]
        fixed = [i for i, v in enumerate(variables) if v in entered.fixed]
        rest = [i for i, v in enumerate(variables) if v not in entered.fixed]
        view = out.transpose([0, *(1 + i for i in fixed), *(1 + i for i in rest)])
        for rows, problem in self._chunks(tables, entered, program, program):
            ahead = forward(program, problem.tables, np)
            log_z[rows] = log_of_z(program, ahead, np)
            last = ahead.factors[program.result]
            P = last.reshape((*(self.sizes[v] for v in axes), -1)).transpose((len(axes), *order))
            total = P.sum(axis=tuple(range(1, P.ndim)), keepdims=True)
            states = (problem.fixed[variables[i]] for i in fixed)
            view[np.arange(n)[rows], *states] = P / np.where(total > 0, total, 1.0)
            for few, again in self._again(tables, entered.rows(rows), ahead.lost, free):
                log_z[rows][few] = again.log_z
                states = (again.problem.fixed[variables[i]] for i in fixed)
                view[np.arange(n)[rows][few], *states] = again.probs[-1]
        out[np.isneginf(log_z)] = np.nan
        return (log_z, out) if entered.n is not None else (log_z[0], out[0])

    def counts(
        self, tables: Sequence[Array], evidence: Evidence, weights: Any = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """log Z of each row (n,), and for each table the sum over rows of weight times the
        probability of its cells given the row's evidence: expected counts. Rows where Z is 0 count
        nothing."""
        entered = self.entered(evidence)
        scopes = tuple(reduce_scopes(self.sizes, self.scopes, entered))
        sweep = _count_sweep(self.sizes, scopes, len(self.scopes), self.order)
        program = sweep.program
        n = entered.n if entered.n is not None else 1
        w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
        log_z = np.empty(n)
        totals = tuple(np.zeros([self.sizes[v] for v in scope]) for scope in self.scopes)
        for rows, problem in self._chunks(tables, entered, program, sweep):
            ahead = forward(program, problem.tables, np, keep=True)
            log_z[rows] = log_of_z(program, ahead, np)
            again_of = list(self._again(tables, entered.rows(rows), ahead.lost))
            here = w[rows].copy()
            for few, again in again_of:
                log_z[rows][few] = again.log_z
                for t, scope in enumerate(self.scopes):
                    P = np.nan_to_num(np.moveaxis(again.probs[t], 0, -1)) * here[few]
                    add_to_cells(totals[t], scope, P, again.scopes[t], again.problem.fixed)
                here[few] = 0.0
            batched = program.batch in program.scopes[program.result]
            start = seed(program, ahead, here if batched else here.sum())
            for t, A, dA in reverse(sweep, ahead, start, np):
                free = tuple(v for v in program.scopes[t] if v != program.batch)
                P = sweep.belief(t, free)(A, dA, np)
                add_to_cells(totals[t], self.scopes[t], P, free, problem.fixed)
        return log_z, totals

    def _again(
        self, tables: Sequence[Array], entered: Entered, lost: Array, joint: Scope = ()
    ) -> Iterator[tuple[Any, ByLogs]]:
        """Numbers of rows in which something was lost, and their answers, as many at a time as fit;
        none where not one fits."""
        where = np.flatnonzero(np.broadcast_to(lost, (entered.n or 1,)))
        if len(where):
            size = 24 * self.program(reduce_scopes(self.sizes, self.scopes, entered)).plan.total
            step = min(_LEAST_ROWS, self._budget(_LEAST_ROWS * size) // size)
            for few in (where[start : start + step] for start in range(0, len(where), step or 1)):
                if step:
                    yield few, by_logs(self.sizes, self.scopes, tables, entered.rows(few), joint)

    def _budget(self, size: int) -> int:
        """Bytes that may be taken. What the machine has free is not asked for small sizes."""
        if self.memory is not None:
            return self.memory
        return _SMALL if size <= _SMALL else memory_budget()

    def _chunks(
        self,
        tables: Sequence[Array],
        entered: Entered,
        program: Program,
        of: Program | Sweep,
    ) -> Iterator[tuple[slice, Reduced]]:
        """Problems of as many rows at a time as fit; InputError if not one does. What `of` holds is
        not counted for a row of few cells, unless `memory` was given."""
        step = n = 1 if entered.n is None else entered.n
        if self.memory is not None or program.plan.total > _FEW_CELLS:
            self.affordable(program, of.peak)
        if entered.n is not None and of.peak.row:
            peak = of.peak
            most = self._budget(8 * (peak.cells + _MOST_ROWS * peak.row)) // 8
            room = 1 + (most - peak.cells) // peak.row
            step = max(1, min(_MOST_ROWS, room, max(_LEAST_ROWS, _CHUNK // peak.row)))
        for start in range(0, n, max(step, 1)):
            rows = slice(start, min(n, start + step))
            yield rows, reduce_tables(self.sizes, self.scopes, tables, entered.rows(rows))

    def entered(self, evidence: Evidence | None) -> Entered:
        """Evidence by sort; InputError if it does not fit the variables."""
        return enter(evidence or {}, self.sizes, self.names)


@lru_cache(maxsize=256)
def _program(
    sizes: tuple[int, ...], scopes: tuple[Scope, ...], keep: Scope, order: str | Scope
) -> Program:
    """The steps for tables of these scopes, where len(sizes) is the variable that numbers rows."""
    batch = len(sizes)
    return Program(find_plan((*sizes, 1), scopes, keep, order, batch), batch)


@lru_cache(maxsize=256)
def _marginal_sweep(sizes: tuple[int, ...], scopes: tuple[Scope, ...], order: str | Scope) -> Sweep:
    """The reverse pass for all marginals, each read off the smallest factor that has it."""
    program = _program(sizes, scopes, (), order)
    read: dict[int, list[int]] = {}
    for v, factor in program.smallest.items():
        if v != program.batch:
            read.setdefault(factor, []).append(v)
    return Sweep(program, read, rows=True)


@lru_cache(maxsize=256)
def _count_sweep(
    sizes: tuple[int, ...], scopes: tuple[Scope, ...], n_tables: int, order: str | Scope
) -> Sweep:
    """The reverse pass for expected counts of the first tables."""
    program = _program(sizes, scopes, (), order)
    return Sweep(program, {t: [] for t in range(n_tables)}, rows=False)
