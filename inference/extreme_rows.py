"""Rows whose products span more than floating-point numbers do, again by logarithms.

Where two factors of a product contradict each other by more than 300 orders of magnitude, as those
of thousands of observed children and of one that is certain do, what is left of a product may be
0 although Z is not. Such rows are told by the entries that are small when everything is rescaled;
they are few, and are summed by logarithms, which takes longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .elimination import Scope
from .evidence import Entered, Reduced, reduce_tables
from .log_sum_product import LogSum, elimination_plan

Array = Any


@dataclass(frozen=True)
class ByLogs:
    """Answers of some rows.

    Attributes:
        problem: the tables that evidence was entered into.
        scopes: of them, without the variable that numbers rows.
        log_z: (b,), -inf where Z is 0.
        probs: for each table the probabilities of its variables, (b, *sizes), NaN where Z is 0.
    """

    problem: Reduced
    scopes: list[Scope]
    log_z: Array
    probs: list[Array]

    def marginal(self, v: int) -> Array:
        """(b, k) of a variable that evidence did not fix."""
        t = min((t for t, s in enumerate(self.scopes) if v in s), key=lambda t: self.probs[t].size)
        gone = tuple(1 + i for i, u in enumerate(self.scopes[t]) if u != v)
        p = self.probs[t].sum(axis=gone)
        return np.broadcast_to(p, (len(self.log_z), p.shape[1]))


def by_logs(
    sizes: tuple[int, ...],
    scopes: Sequence[Scope],
    tables: Sequence[Array],
    entered: Entered,
    joint: Scope = (),
) -> ByLogs:
    """log Z and probabilities of all rows entered; the last table is over `joint`."""
    problem = reduce_tables(sizes, scopes, tables, entered)
    free = [tuple(v for v in scope if v != problem.batch) for scope in problem.scopes]
    logs = []
    with np.errstate(divide="ignore"):
        for table, scope in zip(problem.tables, problem.scopes, strict=True):
            x = np.log(table)
            logs.append(np.moveaxis(x, -1, 0) if problem.batch in scope else x[None])
    free.append(joint)
    logs.append(np.zeros((1, *(sizes[v] for v in joint))))
    found = LogSum(elimination_plan(sizes, tuple(free)), logs)
    log_z = np.broadcast_to(found.log_z, (problem.n or 1,))
    dead = np.isneginf(log_z)
    probs = [
        np.where(dead.reshape(-1, *(1,) * (p.ndim - 1)), np.nan, p) for p in found.probabilities()
    ]
    return ByLogs(problem, free, log_z, probs)
