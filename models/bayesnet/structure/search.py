"""The structure of a network from rows.

Nodes are sorted by what their columns hold before the search and put back after it, so that the
graph does not depend on where columns stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ....errors import unknown
from ....inference.dag import DAG
from ....inference.structure.boss import boss
from ....inference.structure.constraints import Constraints
from ....inference.structure.exact_search import exact_search
from ....inference.structure.expiry import NEVER, Expiry
from ....inference.structure.hill_climbing import climb, hill_climb
from ....inference.structure.local_score import Found, LocalScore
from ....inference.structure.pc import pc
from ..settings import WIDE
from . import structure_reasons
from .cases import Cases
from .independence import IndependenceTest
from .scores import NetworkScore, ScoreName
from .structural_em import fill_and_search

RESTARTS, FEW = 10, 20

Method = Literal["boss", "hill-climbing", "exact", "pc"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """How a structure is looked for.

    Attributes:
        method: "hill-climbing" over graphs with a tabu list; "boss", a search over orders from
            what that finds, and a last climb; "exact" for few nodes; "pc" by tests of independence.
            None: "boss", or "hill-climbing" of more than `settings.WIDE` nodes.
        score: what it maximises; see `scores`.
        equivalent_sample_size: of BDeu's prior, in rows.
        max_parents: the most parents of a node, or None for any number.
        required: edges (parent, child) that there must be.
        forbidden: edges that there must not be.
        tiers: groups of nodes from first to last: no edge leads from a later into an earlier one.
        tabu: of climbs, how many graphs seen last are not to be returned to.
        restarts: further searches from changed graphs or orders; the best of all is taken. None:
            ten of at most 20 nodes, whose local maxima lie apart, and none of more.
        level: of the tests of "pc".
        seed: of where these begin.
    """

    method: Method | None = None
    score: ScoreName = "bic"
    equivalent_sample_size: float = 1.0
    max_parents: int | None = None
    required: Iterable[Sequence[str]] = ()
    forbidden: Iterable[Sequence[str]] = ()
    tiers: Iterable[Iterable[str]] = ()
    tabu: int = 10
    restarts: int | None = None
    level: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Learnt:
    """A structure that was found.

    Attributes:
        dag: the graph.
        score: of it, in nats.
        trace: the score after each step of the search.
        ties: steps for which there was another as good.
        reasons: what is to be said of it in a verdict.
    """

    dag: DAG
    score: float
    trace: tuple[float, ...]
    ties: int
    reasons: tuple[str, ...]


def learn(cases: Cases, search: Search | None = None, *, expired: Expiry = NEVER) -> Learnt:
    """Find the structure with the best score.

    Args:
        cases: the rows.
        search: how; the defaults if not given.
        expired: whether it is to end: the best graph so far is taken then.

    Raises:
        InputError: if the score is not one for such nodes, or no graph is admitted.
    """
    search = Search() if search is None else search
    wide = search.method is None and len(cases.names) > WIDE
    search = replace(search, method=search.method or method_of(len(cases.names)))
    order = cases.content_order()
    inner = cases.permuted(order)
    constraints = constraints_of(cases, search).permuted(order)

    def find(rows: Cases, search: Search = search, constraints: Constraints = constraints) -> Found:
        score = NetworkScore(rows, search.score, search.equivalent_sample_size)
        return _found(score, constraints, search, expired)

    def first(rows: Cases) -> Found:
        most = max(2, int(constraints.required.sum(axis=0).max(initial=0)))
        few = replace(constraints, max_parents=min(most, constraints.max_parents))
        return find(rows, replace(search, method="hill-climbing", restarts=0), few)

    rounds, reasons, tests = 0, [], search.method == "pc"
    if tests:
        pattern = pc(IndependenceTest(inner), constraints, level=search.level, expired=expired)
        value = NetworkScore(inner, search.score, search.equivalent_sample_size).total(
            pattern.parents
        )
        found = Found(pattern.parents, value, (value,))
        reasons = structure_reasons.of_tests(pattern)
    elif cases.complete or cases.outside is not None:
        found = find(inner)
    else:
        rng = np.random.default_rng(search.seed)
        found, rounds = fill_and_search(inner, first, find, rng, expired)
    parents: list[tuple[int, ...]] = [()] * len(order)
    for node, own in zip(order, found.parents, strict=True):
        parents[node] = tuple(sorted(order[list(own)].tolist()))
    dag = DAG(cases.names, tuple(parents))
    if not tests and cases.outside is None:
        reasons = structure_reasons.of_directions(dag, constraints_of(cases, search))
    if wide:
        reasons.append(structure_reasons.of_width(len(cases.names)))
    reasons += structure_reasons.of_gaps(cases, rounds, tests=tests)
    return Learnt(dag, found.score, found.trace, found.ties, tuple(reasons))


def method_of(nodes: int) -> Method:
    """How structures of so many nodes are looked for, where that is left open."""
    return "hill-climbing" if nodes > WIDE else "boss"


def restarts_of(nodes: int) -> int:
    """How many further searches there are of so many nodes, where that is left open."""
    return RESTARTS if nodes <= FEW else 0


def constraints_of(cases: Cases, search: Search) -> Constraints:
    """The constraints of a search; discrete nodes have no continuous parents."""
    discrete = np.array(cases.sizes) > 0
    return Constraints.of(
        cases.names,
        required=search.required,
        forbidden=search.forbidden,
        tiers=search.tiers,
        max_parents=search.max_parents,
        allowed=discrete[:, None] | ~discrete[None, :],
    )


def _found(score: LocalScore, constraints: Constraints, search: Search, expired: Expiry) -> Found:
    """What the search finds."""
    rng = np.random.default_rng(search.seed)
    if search.method not in get_args(Method):
        raise unknown("method", str(search.method), get_args(Method))
    if search.method == "exact":
        return exact_search(score, constraints, expired=expired)
    tabu, restarts = search.tabu, search.restarts
    restarts = restarts_of(score.n_nodes) if restarts is None else restarts
    if search.method == "hill-climbing":
        return hill_climb(
            score, constraints, tabu=tabu, restarts=restarts, rng=rng, expired=expired
        )
    start = climb(score, constraints, tabu=tabu, expired=expired)
    if expired():
        return start
    order = DAG(tuple(map(str, range(score.n_nodes))), start.parents).order
    best = boss(score, constraints, order, restarts=restarts, rng=rng, expired=expired)
    if best.score < start.score:  # time was up, or parents serve together only
        best = replace(start, trace=start.trace + best.trace)
    if expired():
        return best
    last = climb(score, constraints, best.parents, tabu=tabu, expired=expired)
    return replace(
        last, trace=start.trace + best.trace + last.trace[1:], ties=start.ties + last.ties
    )
