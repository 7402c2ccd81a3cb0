"""The sums that parameters are learnt from, as expected of rows with gaps: the E step of EM.

For each family, given what is known of each row,

    N[u, k] = sum_i w_i P(u, k | row i),       S[u] = sum_i w_i P(u | row i) E[v v' | u, row i],

v = (1, z, x), by exact inference: by elimination where all nodes are discrete, else in the
conditional Gaussian network. Rows without gaps are summed once, and rows that are equal count once,
with their weights added up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...arrays import Floats
from ...inference.conditional_gaussian import ConditionalGaussian
from ...inference.exact import Exact
from .conditionals import Table
from .families import Statistics, families, statistics
from .layout import NodeRows
from .network import Network
from .node_density import direct_log_prob

Inference = Callable[[Network], tuple[Floats, Statistics]]  # log densities of rows, and sums


class WeightedRows(NamedTuple):
    """Rows over the nodes, with weights (n,)."""

    rows: NodeRows
    weights: Floats


class IncompleteRows:
    """Weighted rows of a network's nodes, ready for EM.

    Args:
        network: whose graph and states are meant; its numbers play no part.
        rows: n rows over the nodes.
        weights: (n,), or None where all count alike.

    Raises:
        InputError: if exact inference would take more memory than there is.
    """

    def __init__(self, network: Network, rows: NodeRows, weights: Floats | None = None) -> None:
        self.all = merged(rows, weights)
        self.total = float(self.all.weights.sum())
        complete = np.asarray(self.all.rows.known.all(axis=1))
        self.complete, self.partial = (
            WeightedRows(self.all.rows.take(some), self.all.weights[some])
            for some in (complete, ~complete)
        )
        codes, x = self.complete.rows.codes, self.complete.rows.x
        of = families(network.dag, network.sizes)
        self.known = statistics(of, codes, x, self.complete.weights)
        self.infer = (_mixed if network.continuous else _discrete)(network, self.partial)

    def expected(self, network: Network) -> tuple[Statistics, float]:
        """The sums expected of all rows under a network's parameters, and the log likelihood."""
        logs = direct_log_prob(network, self.complete.rows)
        total = float(self.complete.weights @ logs)
        if not len(self.partial.rows):
            return self.known, total
        logs, sums = self.infer(network)
        both = zip(self.known, sums, strict=True)
        return tuple(a + b for a, b in both), total + float(self.partial.weights @ logs)


def merged(rows: NodeRows, weights: Floats | None = None) -> WeightedRows:
    """Rows each of which differs from the others, with the weights of those that are equal added
    up."""
    w = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    discrete = (rows.codes >= 0).any(axis=0)
    values = rows.x[:, ~np.isnan(rows.x).all(axis=0)]
    keys = np.column_stack([rows.codes[:, discrete].astype(np.int64), values.view(np.int64)])
    if not keys.shape[1]:
        return WeightedRows(rows, w)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return WeightedRows(rows, w)
    total = np.bincount(which.ravel(), w, len(first)).astype(np.float64)
    return WeightedRows(rows.take(first), total)


def _discrete(network: Network, given: WeightedRows) -> Inference:
    """Inference where all nodes are discrete."""
    of = families(network.dag, network.sizes)
    engine = Exact(network.sizes, [(*f.discrete, f.node) for f in of], names=network.names)
    evidence = _evidence(network, given.rows)

    def infer(network: Network) -> tuple[Floats, Statistics]:
        tables = [c.probs for c in network.conditionals if isinstance(c, Table)]
        logs, counts = engine.counts(tables, evidence, given.weights)
        return logs, counts

    return infer


def _mixed(network: Network, given: WeightedRows) -> Inference:
    """Inference where some nodes are continuous."""
    engine = ConditionalGaussian(network.sizes, network.dag.parents, names=network.names)
    evidence = _evidence(network, given.rows)

    def infer(network: Network) -> tuple[Floats, Statistics]:
        found = engine.statistics(network.numbers(), evidence, given.weights)
        sums: list[Floats] = []
        for node, size in enumerate(network.sizes):
            if size:
                sums.append(found.counts[node])
                continue
            moments = found.moments[node]  # of (x, z)
            order = [*range(1, moments.first.shape[-1]), 0]
            S = np.empty((*moments.weight.shape, len(order) + 1, len(order) + 1))
            S[..., 0, 0] = moments.weight
            S[..., 0, 1:] = S[..., 1:, 0] = moments.first[..., order]
            S[..., 1:, 1:] = moments.second[..., order, :][..., order]
            sums.append(S)
        return found.log_z, tuple(sums)

    return infer


def _evidence(network: Network, rows: NodeRows) -> dict[int, np.ndarray]:
    """What is known of the rows, by node; nodes of which nothing is known are left out."""
    return {
        node: np.ascontiguousarray((rows.codes if size else rows.x)[:, node])
        for node, size in enumerate(network.sizes)
        if rows.known[:, node].any()
    }
