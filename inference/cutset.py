"""Cutset conditioning: exact answers in less memory, for more time.

Where the cliques of a model are too large, some variables C, the cutset, are held at each of their
assignments c in turn, each of which leaves a problem with smaller cliques:

    Z = sum_c Z_c,        P(x_v | e) = sum_c (Z_c / Z) P(x_v | c, e).

The cutset is chosen greedily until what is left fits: of the variables whose cliques hold the most
cells, the one that leaves the least work. Time grows with the number of assignments, the product of
the sizes of C, which is known before the first of them. Evidence that makes Z_c zero is no error.

Reference: Pearl, "Probabilistic reasoning in intelligent systems", 1988,
https://doi.org/10.1016/C2009-0-27609-4; Bidyuk and Dechter, "Cutset sampling for Bayesian
networks", 2007, https://doi.org/10.1613/jair.2149.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, prod

import numpy as np

from ..arrays import Array
from ..data.memory_limit import amount, memory_budget
from ..errors import InputError
from .elimination import Plan
from .evidence import Entered, Evidence, enter, is_hard, reduce_scopes
from .exact import Cost, Exact, Marginals

_MOST = 1 << 20  # assignments, beyond which nobody would wait
_TRIED = 4  # variables of which the one that leaves the least work is chosen


@dataclass(frozen=True)
class Partial:
    """The sum over the first `done` of `total` assignments.

    Attributes:
        done, total: how many.
        marginals: `log_z` is a lower bound of log Z, and the marginals are those given that the
            cutset has one of these assignments. When all are done, both are exact.
    """

    done: int
    total: int
    marginals: Marginals


class Cutset:
    """Exact inference in the memory that a model may take, where one elimination does not fit.

    Args:
        exact: the model, and the memory.
        observed: variables that will have hard evidence.

    Attributes:
        variables: the cutset; none where all fits at once.
        assignments: how often what is left is solved.
        cost: of solving it once.

    Raises:
        InputError: if it takes more than 2^20 assignments.
    """

    def __init__(self, exact: Exact, observed: Sequence[int] = ()) -> None:
        self.exact = exact
        self._solver, self.cost = self._planned(exact.order, observed)
        budget = memory_budget() if exact.memory is None else exact.memory
        held: tuple[int, ...] = tuple(observed)
        while self.cost.bytes > budget:
            # Held variables fall out of the order at hand; another may be better for what is left.
            order = dict.fromkeys([*self._plan(held).order, *range(len(exact.sizes))])
            plans = {v: self._planned(tuple(order), (*held, v)) for v in self._heaviest(held)}
            best = min(plans, key=lambda v: plans[v][1].cells * exact.sizes[v])
            held = (*held, best)
            both = plans[best], self._planned(exact.order, held)
            self._solver, self.cost = min(both, key=lambda plan: plan[1].cells)
            if prod(exact.sizes[v] for v in held[len(observed) :]) > _MOST:
                raise InputError(
                    f"cutset conditioning within {amount(budget)} would take more than "
                    f'{_MOST:,} assignments. Allow more memory, or use method="sampling" or '
                    'method="loopy" (approximate).'
                )
        self.variables = held[len(observed) :]
        self.assignments = prod(exact.sizes[v] for v in self.variables)

    def _planned(self, order: str | Sequence[int], held: Sequence[int]) -> tuple[Exact, Cost]:
        """An engine that takes any memory, and what it takes where these are held."""
        exact = self.exact
        engine = Exact(exact.sizes, exact.scopes, order=order, memory=1 << 62, names=exact.names)
        return engine, engine.cost(held)

    def _plan(self, held: Sequence[int]) -> Plan:
        entered = Entered(dict.fromkeys(held, 0), {}, None)
        return self._solver.plan(reduce_scopes(self.exact.sizes, self.exact.scopes, entered))

    def _heaviest(self, held: Sequence[int]) -> list[int]:
        """The variables whose cliques hold the most cells, for each bit that holding them adds."""
        sizes, plan = self.exact.sizes, self._plan(held)
        weight = dict.fromkeys(plan.order, 0.0)
        for bucket in plan.buckets:
            for v in bucket.clique:
                weight[v] += plan.cells(bucket.clique) * (1 - 1 / sizes[v]) / log(max(sizes[v], 2))
        return sorted(weight, key=lambda v: -weight[v])[:_TRIED]

    def steps(self, tables: Sequence[Array], evidence: Evidence) -> Iterator[Partial]:
        """The sum over assignments, after each of them: report it, or stop.

        Args:
            tables: of entries at least 0.
            evidence: hard or virtual, without an axis of rows.

        Raises:
            InputError: for evidence of several rows.
        """
        entered = enter(evidence, self.exact.sizes, self.exact.names)
        if entered.n is not None:
            raise InputError(
                f"evidence has {entered.n} rows; steps of cutset conditioning take one at a time."
            )
        lam = {v: x[0] for v, x in entered.by_row(self.exact.sizes).items()}
        weights = [lam.get(v, np.ones(self.exact.sizes[v])) for v in self.variables]
        possible = [np.flatnonzero(weight).tolist() for weight in weights]
        total = prod(map(len, possible))
        log_z, probs = -np.inf, [np.full(k, np.nan) for k in self.exact.sizes]
        for done, states in enumerate(product(*possible), start=1):
            given = dict(evidence) | dict(zip(self.variables, states, strict=True))
            found = self._solver.marginals(tables, given)
            weight = float(np.prod([w[state] for w, state in zip(weights, states, strict=True)]))
            log_z_c = float(found.log_z) + log(weight)
            if log_z_c > -np.inf:
                both = np.logaddexp(log_z, log_z_c)
                old, new = np.exp(log_z - both), np.exp(log_z_c - both)
                probs = [
                    new * p if old == 0 else old * sofar + new * p
                    for sofar, p in zip(probs, found.probs, strict=True)
                ]
                log_z = float(both)
            yield Partial(done, total, Marginals(np.asarray(log_z), tuple(probs)))
        if not total:
            yield Partial(0, 0, Marginals(np.asarray(log_z), tuple(probs)))

    def marginals(
        self,
        tables: Sequence[Array],
        evidence: Evidence | None = None,
        report: Callable[[Partial], object] | None = None,
    ) -> Marginals:
        """log Z and all marginals, as `Exact.marginals` gives them; rows of evidence one after the
        other, `report` after each assignment of each."""
        given = {v: np.asarray(x) for v, x in (evidence or {}).items()}
        n = enter(given, self.exact.sizes, self.exact.names).n
        found = []
        for row in range(1 if n is None else n):
            one = {v: x[row] if x.ndim > (not is_hard(x)) else x for v, x in given.items()}
            for partial in self.steps(tables, one):
                if report is not None:
                    report(partial)
            found.append(partial.marginals)
        if n is None:
            return found[0]
        probs = zip(*(row.probs for row in found), strict=True)
        return Marginals(np.stack([row.log_z for row in found]), tuple(map(np.stack, probs)))
