"""The posterior probability of each edge over all graphs of few nodes, by dynamic programming.

With a uniform prior over graphs and A_v(S) the sum of exp local(v, P) over the parents P within S,
the sum over all graphs on a set W, by their sinks T (nodes without children) and inclusion and
exclusion, is

    Z(W) = sum_{T within W, not empty} (-1)^(|T| + 1) Z(W - T) prod_{v in T} A_v(W - T).

Each graph has every node once, so that Z is linear in each A_v. Going back through the sums gives

    F_v(S) = A_v(S) / Z dZ / dA_v(S),      p(u -> v | rows) = sum_S F_v(S) A_v^u(S) / A_v(S)

for all edges at once, A_v^u(S) being the part of A_v(S) from sets of parents that hold u.

Reference: Tian and He, "Computing posterior probabilities of structural features in Bayesian
networks", 2009, https://arxiv.org/abs/1205.2612.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Floats, Ints
from ...errors import InputError
from .constraints import Constraints
from .families import Families, all_families
from .local_score import LocalScore

MOST_NODES = 13


def exact_edge_probabilities(score: LocalScore, constraints: Constraints) -> Floats:
    """(n, n) the posterior probability of each edge i -> j under a uniform prior over the admitted
    graphs.

    Args:
        score: log marginal likelihood of graphs, up to a constant.
        constraints: which graphs are admitted.

    Raises:
        InputError: above 13 nodes.
    """
    n = score.n_nodes
    if n > MOST_NODES:
        raise InputError(
            f"{n} nodes given; edge probabilities over all graphs are to be had for at most "
            f"{MOST_NODES}. Take order MCMC."
        )
    families = all_families(score, constraints, n)
    log_A = np.stack([family.log_within[_own_sets(family, n)] for family in families])
    flow = _flow(log_A)
    out = np.zeros((n, n))
    for family, F in zip(families, flow, strict=True):
        for k, u in enumerate(family.candidates):
            out[u, family.node] = F @ family.share_with(k)[_own_sets(family, n)]
    return np.clip(out, 0.0, 1.0)


def _own_sets(family: Families, n: int) -> Ints:
    """(2^n,) the candidates within each set of nodes, as a set of candidates."""
    sets = np.arange(1 << n)
    members = np.zeros(1 << n, np.intp)
    for k, candidate in enumerate(family.candidates.tolist()):
        members |= (sets >> candidate & 1) << k
    return members


def _flow(log_A: Floats) -> Floats:
    """(n, 2^n) F_v(S), from log A_v(S)."""
    n, subsets = log_A.shape
    log_Z = np.full(subsets, -np.inf)
    log_Z[0] = 0.0
    for W in range(1, subsets):
        rest, sign, logs, _ = _terms(W, log_A, log_Z)
        top = logs.max()
        if top > -np.inf:
            total = float((sign * np.exp(logs - top)).sum())
            log_Z[W] = top + np.log(total) if total > 0 else -np.inf
    into = np.zeros(subsets)  # Z(W) / Z dZ / dZ(W)
    into[-1] = 1.0
    F = np.zeros((n, subsets))
    for W in reversed(range(1, subsets)):
        if into[W] == 0 or log_Z[W] == -np.inf:
            continue
        rest, sign, logs, sinks = _terms(W, log_A, log_Z)
        share = into[W] * sign * np.exp(logs - log_Z[W])
        into[rest] += share
        for v in range(n):
            at = sinks >> v & 1 == 1
            F[v, rest[at]] += share[at]
    return F


def _terms(W: int, log_A: Floats, log_Z: Floats) -> tuple[Ints, Floats, Floats, Ints]:
    """W - T for all T within W that are not empty, the signs and the logs of the terms, and T."""
    rest = np.zeros(1, np.intp)
    nodes = [v for v in range(len(log_A)) if W >> v & 1]
    for v in nodes:
        rest = np.concatenate([rest | 1 << v, rest])
    rest = rest[1:]
    sinks = W ^ rest
    logs = log_Z[rest]
    for v in nodes:
        at = sinks >> v & 1 == 1
        logs[at] += log_A[v][rest[at]]
    sign = np.where(np.bitwise_count(sinks) & 1 == 1, 1.0, -1.0)
    return rest, sign, logs, sinks
