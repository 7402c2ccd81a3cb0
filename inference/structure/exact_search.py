"""The best graph over few nodes, by dynamic programming over their 2^n subsets.

The best parents of a node v within candidates C are C itself, or the best within C less one of
them; the best graph over a set W has a node v without children, a sink, whose parents are the best
within the others:

    best(v, C) = max(local(v, C), max_c best(v, C - c)),
    R(W) = max_v R(W - v) + best(v, W - v).

Reference: Silander and Myllymaki, "A simple approach for finding the globally optimal Bayesian
network structure", 2006, https://arxiv.org/abs/1206.6875.
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Floats, Ints
from ...errors import InputError
from .constraints import Constraints
from .expiry import NEVER, Expiry
from .families import families_of
from .hill_climbing import climb
from .local_score import Found, LocalScore

MOST_NODES = 20
MOST_FAMILIES = 1 << 20


def exact_search(score: LocalScore, constraints: Constraints, *, expired: Expiry = NEVER) -> Found:
    """The admitted graph with the highest score; of several, the first by the order of the nodes.

    Args:
        score: what is to be maximised.
        constraints: which graphs are admitted.
        expired: whether it is to end, with the best graph of a climb, which comes first.

    Raises:
        InputError: above 20 nodes, or 2^20 families (a node and possible parents).
    """
    _check(score.n_nodes, constraints)
    climbed, best = climb(score, constraints, expired=expired), None
    with expired.heeding():
        best = _best_of_all(score, constraints, expired)
    return climbed if best is None else best


def _best_of_all(score: LocalScore, constraints: Constraints, expired: Expiry) -> Found | None:
    """The best graph; None if it is to end before that is known."""
    n = score.n_nodes
    best, parents = [], []
    for node in range(n):
        candidates = np.delete(np.arange(n), node)
        families = families_of(score, constraints, node, candidates, expired)
        if expired():
            return None
        values, sets = _best_within(families.log_local)
        best.append(values)
        parents.append(sets)
    subsets = np.arange(1 << n)
    sizes = np.bitwise_count(subsets)
    total = np.full(1 << n, -np.inf)
    total[0] = 0.0
    sink = np.zeros(1 << n, np.int8)
    for size in range(1, n + 1):
        layer = subsets[sizes == size]
        for node in range(n):
            if expired():
                return None
            whole = layer[layer >> node & 1 == 1]
            value = total[whole ^ (1 << node)] + best[node][_without(whole, node)]
            better = value > total[whole]
            total[whole[better]] = value[better]
            sink[whole[better]] = node
    found: list[tuple[int, ...]] = [()] * n
    left = (1 << n) - 1
    while left:
        node = int(sink[left])
        left ^= 1 << node
        within = int(parents[node][_without(np.array([left]), node)[0]])
        others = [other for other in range(n) if other != node]
        found[node] = tuple(other for k, other in enumerate(others) if within >> k & 1)
    value = score.total(found)
    return Found(tuple(found), value, (value,))


def _check(n: int, constraints: Constraints) -> None:
    most = min(constraints.max_parents, n - 1)
    families = n * sum(math.comb(n - 1, k) for k in range(most + 1))
    if n > MOST_NODES or families > MOST_FAMILIES:
        raise InputError(
            f"an exact search over {n} nodes with at most {most} parents each looks at "
            f"{families:,} families; {MOST_FAMILIES:,} and {MOST_NODES} nodes are the most. Set "
            'max_parents lower, or take structure="boss".'
        )


def _without(sets: Ints, node: int) -> Ints:
    """Sets over all nodes as sets over all but one, whose bit is closed up."""
    return sets & ((1 << node) - 1) | sets >> (node + 1) << node


def _best_within(scores: Floats) -> tuple[Floats, Ints]:
    """The highest score of any subset of each set, and which; of those that are equal up to
    rounding, the smallest."""
    best, which = scores.copy(), np.arange(len(scores))
    for k in range(len(scores).bit_length() - 1):
        value, subset = best.reshape(-1, 2, 1 << k), which.reshape(-1, 2, 1 << k)
        keep = value[:, 0] >= value[:, 1] - 1e-12 * np.abs(value[:, 1])
        value[:, 1] = np.where(keep, value[:, 0], value[:, 1])
        subset[:, 1] = np.where(keep, subset[:, 0], subset[:, 1])
    return best, which
