"""The most probable states of all variables (MPE), or of some with the others summed out (MAP).

MPE eliminates every variable by maximum; states are then read off in the reverse order. Marginal
MAP of variables M,

    argmax_m sum_r prod_t table_t(m, r) prod_v evidence_v,

must sum over all others before it takes a maximum, so the order of elimination is constrained, and
its cliques can be larger than those of MPE. Among states equally probable within rounding, that
with the lowest number is taken, of the variables eliminated last first.

Reference: Dechter, "Bucket elimination: a unifying framework for reasoning", 1999,
https://doi.org/10.1016/S0004-3702(99)00059-4; Park and Darwiche, "Complexity results and
approximation strategies for MAP explanations", 2004, https://doi.org/10.1613/jair.1236.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ..arrays import Array, Floats, Ints
from ..errors import InputError
from .buckets import Buckets, blocks, log
from .elimination import Scope, min_fill
from .evidence import Evidence, Reduced
from .exact import Exact

_EQUAL = 1e-12  # of a logarithm, within which states are equally probable


@dataclass(frozen=True)
class MostProbable:
    """States and their probability.

    Attributes:
        states: (V,) or (n, V) of all variables, or of those asked for, in the order asked; -1 in
            rows where the evidence has probability zero.
        log_prob: () or (n,) logarithm, in nats, of the product of all tables and likelihoods at
            the states (MPE), or of its sum over the other variables (MAP): log p(states, e). Minus
            log Z it is the logarithm of their probability given the evidence.
    """

    states: Ints
    log_prob: Floats


def most_probable(
    exact: Exact,
    tables: Sequence[Array],
    evidence: Evidence | None = None,
    variables: Sequence[int] | None = None,
) -> MostProbable:
    """The most probable states given the evidence.

    Args:
        exact: the model's sizes and scopes, and the memory that may be taken.
        tables: of entries at least 0.
        evidence: variable -> hard or virtual evidence, as `Exact` takes it.
        variables: those asked for (marginal MAP); None: all (MPE).

    Raises:
        InputError: if a variable is asked for twice, or it takes more memory than it may.
    """
    if variables is not None and len(set(variables)) < len(variables):
        raise InputError(f"variables {list(variables)} asked for; name each once.")
    asked = list(range(len(exact.sizes))) if variables is None else list(variables)

    def stages(problem: Reduced) -> tuple[Buckets, Buckets]:
        return _stages(exact, problem, variables)

    states, log_probs = [], []
    for block in blocks(exact, tables, evidence or {}, stages):
        summed, maximised = block.stages
        factors, log_scale = summed.sums(block.problem.tables)
        logs = maximised.maxima([log(factors[f]) for f in summed.rest])
        log_prob = log_scale + sum((logs[f] for f in maximised.rest), np.zeros(block.n))
        found = {block.problem.batch: np.arange(block.n)}
        for step in reversed(maximised.steps):
            total = reduce(np.add, maximised.at(step, logs, found))
            found[step.variable] = np.broadcast_to(_first_largest(total), block.n)
        for v, state in block.problem.fixed.items():
            found[v] = np.broadcast_to(state, block.n)
        rows = np.stack([found[v] for v in asked], axis=1)
        states.append(np.where(np.isneginf(log_prob)[:, None], -1, rows))
        log_probs.append(log_prob)
    whole, log_prob = np.concatenate(states), np.concatenate(log_probs)
    if block.problem.n is None:
        return MostProbable(whole[0], log_prob[0])
    return MostProbable(whole, log_prob)


def _stages(
    exact: Exact, problem: Reduced, variables: Sequence[int] | None
) -> tuple[Buckets, Buckets]:
    """The variables that are summed out, and of what that leaves, those that are maximised."""
    sizes, batch = exact.sizes, problem.batch
    if variables is None:
        order = [v for v in exact.plan(problem.scopes).order if v != batch]
        nothing = Buckets(sizes, problem.scopes, [], batch)
        return nothing, Buckets(sizes, nothing.scopes, order, batch)
    both = []
    for weighted in (False, True):
        order = min_fill(sizes, _free(problem.scopes, batch), tuple(variables), weighted)
        summed = Buckets(sizes, problem.scopes, order, batch)
        left = [summed.scopes[f] for f in summed.rest]
        order = min_fill(sizes, _free(left, batch), (), weighted)
        both.append((summed, Buckets(sizes, left, order, batch)))
    return min(both, key=lambda stages: sum(buckets.cells() for buckets in stages))


def _free(scopes: Sequence[Scope], batch: int) -> list[Scope]:
    """Scopes without the variable that stands for rows."""
    return [tuple(v for v in scope if v != batch) for scope in scopes]


def _first_largest(x: Floats) -> Ints:
    """Along the first axis, the first of the entries that are largest within rounding."""
    top = x.max(axis=0)
    with np.errstate(invalid="ignore"):
        slack = _EQUAL * (1 + np.abs(top))
        out: Ints = (x >= np.where(np.isfinite(top), top - slack, top)).argmax(axis=0)
    return out
