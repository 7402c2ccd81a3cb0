"""The scores of nodes given all sets of their candidate parents, as tables over bits.

Of node v with candidates c_0, c_1, ..., a set of them is a number whose bit k says whether c_k is
in it. Of a score local(v, P) the sums over the sets within each set S,

    A_v(S) = sum_{P within S} exp local(v, P),

are found for all S at once by adding along each bit (the zeta transform).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import Floats, Ints
from .constraints import Constraints
from .expiry import NEVER, Expiry
from .local_score import LocalScore


@dataclass(frozen=True, eq=False)
class Families:
    """One node and its candidates.

    Attributes:
        node: which.
        candidates: (m,) the nodes that may be its parents here.
        log_local: (2^m,) its score given each set of them; -inf if not admitted.
    """

    node: int
    candidates: Ints
    log_local: Floats

    @cached_property
    def log_within(self) -> Floats:
        """(2^m,) log A_v(S)."""
        return log_sums_within(self.log_local)

    def share_with(self, k: int) -> Floats:
        """(2^m,) how much of A_v(S) is from sets that hold candidate k; 0 where A_v(S) is."""
        held = self.log_local.copy()
        held.reshape(-1, 2, 1 << k)[:, 0] = -np.inf
        whole = self.log_within
        share: Floats = np.exp(log_sums_within(held) - np.where(np.isfinite(whole), whole, np.inf))
        return share

    def parents(self, members: int) -> tuple[int, ...]:
        """The nodes of a set."""
        bits = np.arange(len(self.candidates))
        return tuple(self.candidates[members >> bits & 1 == 1].tolist())


def log_sums_within(logs: Floats) -> Floats:
    """(2^m,) for each set the log sum of the sets within it, from the logs of each."""
    out = logs.copy()
    for k in range(len(out).bit_length() - 1):
        halves = out.reshape(-1, 2, 1 << k)
        halves[:, 1] = np.logaddexp(halves[:, 1], halves[:, 0])
    return out


def all_families(
    score: LocalScore,
    constraints: Constraints,
    most: int,
) -> list[Families]:
    """The families of each node.

    Args:
        score: of graphs.
        constraints: which graphs are admitted.
        most: candidates of a node: the required parents, then those that gain most: alone, and
            beside the best parents that are found by adding one at a time.
    """
    return [
        families_of(score, constraints, node, _candidates(score, constraints, node, most))
        for node in range(score.n_nodes)
    ]


def _candidates(score: LocalScore, constraints: Constraints, node: int, most: int) -> Ints:
    allowed = np.flatnonzero(constraints.allowed[:, node])
    if len(allowed) <= most:
        return allowed
    required = np.flatnonzero(constraints.required[:, node]).tolist()
    ranked = list(required)
    parents = list(required)
    alone = score.deltas(node, required)
    while len(parents) < min(constraints.max_parents, len(allowed)):
        changes = score.deltas(node, parents)
        free = [k for k in allowed.tolist() if k not in parents]
        best = max(free, key=lambda k: changes[k])
        if changes[best] <= 0:
            break
        parents.append(best)
        ranked.append(best)
    rest = sorted((k for k in allowed.tolist() if k not in ranked), key=lambda k: -alone[k])
    return np.sort(np.array([*ranked, *rest][:most], np.intp))


def families_of(
    score: LocalScore,
    constraints: Constraints,
    node: int,
    candidates: Ints,
    expired: Expiry = NEVER,
) -> Families:
    """The families of one node with parents among the candidates; if `expired`, those so far."""
    allowed = constraints.allowed[candidates, node]
    values = np.full(1 << len(candidates), -np.inf)
    needed = constraints.required[candidates, node]
    required = int((needed * (1 << np.arange(len(candidates)))).sum())
    values[0] = score.local(node, ())
    layer = [0]
    for _ in range(min(constraints.max_parents, len(candidates))):
        further = []
        for members in layer:
            if expired():
                break
            parents = [c for k, c in enumerate(candidates.tolist()) if members >> k & 1]
            changes = np.where(allowed, score.deltas(node, parents)[candidates], -np.inf)
            for k in range(members.bit_length(), len(candidates)):  # each set once, by its last
                if changes[k] > -np.inf:
                    values[members | 1 << k] = values[members] + changes[k]
                    further.append(members | 1 << k)
        layer = further
    values[np.arange(len(values)) & required != required] = -np.inf
    return Families(node, candidates, values)
