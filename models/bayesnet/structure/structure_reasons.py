"""What is said in a verdict of a structure that was learnt."""

from __future__ import annotations

import numpy as np

from ....inference.dag import DAG, oriented
from ....inference.structure.constraints import Constraints
from ....inference.structure.pc import Pattern
from ....verdict import Reason
from ..settings import WIDE
from .cases import Cases


def of_directions(dag: DAG, constraints: Constraints) -> list[str]:
    """How many edges could as well point the other way: those that the equivalent graphs turn which
    are admitted."""
    partial = dag.cpdag()
    lines = partial & partial.T
    fixed = lines & (constraints.required | ~constraints.allowed.T)  # i - j that must be i -> j
    partial[fixed.T] = False
    partial = oriented(partial)
    open_ones = int((partial & partial.T).sum()) // 2
    if not open_ones:
        return []
    return [
        f"the rows do not say which way {open_ones} of the {len(dag.edges)} edges point: graphs "
        "with these turned have the same score"
    ]


def of_tests(pattern: Pattern) -> list[str]:
    """How many edges tests of independence leave."""
    lines = np.triu(pattern.partial & pattern.partial.T).sum()
    arrows = (pattern.partial & ~pattern.partial.T).sum()
    said = f"{pattern.tests} tests of independence leave {arrows + lines} edges, {lines} of open "
    said += "direction"
    if pattern.conflicts:
        said += f"; they contradict each other at {pattern.conflicts} colliders"
    return [said]


def of_width(columns: int) -> str:
    """That so many columns were searched by hill climbing."""
    return (
        f"the structure of {columns} columns was looked for by hill climbing, as above {WIDE}; "
        'structure="boss" is the slower, better search'
    )


def of_gaps(cases: Cases, rounds: int, *, tests: bool) -> list[str]:
    """How rows with gaps were made use of: drawn in so many rounds, or where they are known."""
    if cases.complete:
        return []
    share = 1 - cases.known.mean()
    whole = int(cases.known.all(axis=1).sum())
    missing = f"{share:.1%} of values are missing, {whole} of {len(cases)} rows are complete: "
    if rounds:
        return [
            f"{missing}the structure is the best for rows whose gaps are drawn given the rest of "
            f"the row under the structure before, in {rounds} rounds; values are taken to be "
            "missing at random"
        ]
    counts = "each test counts the rows where its nodes are known"
    if not tests:
        counts = "each node's score counts the rows where it and its parents are known"
    return [
        f"{missing}{counts}, which is unbiased only where values are missing completely at random"
    ]


def cut_short(*, exact: bool, interrupted: bool) -> Reason:
    """That a search ended before its end; `exact` if it was among all graphs."""
    search = "exact search for a structure" if exact else "search for a structure"
    what = f"the {search} was interrupted" if interrupted else f"the budget ended the {search}"
    what += "; the best so far was taken"
    if not exact:
        return Reason("warn", f"{what}.", "Raise the budget, or lower max_parents.")
    advice = 'Raise the budget, lower max_parents, or take structure="boss".'
    return Reason("warn", f"{what}, and a better one may be left.", advice)
