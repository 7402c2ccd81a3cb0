"""Rows with gaps in some of which values were set from outside, ready for EM.

A row in which some nodes were set is one of the network without edges into them: it says nothing of
these nodes given their parents, and its density is that of the others,

    log p(row | do(set)) = log p_cut(row) - sum over what was set of log p_cut(x_i),

p_cut having the set nodes without parents. Rows in which the same nodes were set go together.

Reference: Cooper and Yoo, "Causal discovery from a mixture of experimental and observational data",
1999, https://arxiv.org/abs/1301.6686.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Floats, Mask
from ...errors import InputError
from .expected_counts import IncompleteRows, merged
from .families import Statistics, families
from .layout import NodeRows
from .network import Network


class IntervenedRows:
    """Weighted rows of a network's nodes; as `IncompleteRows`, which the groups are.

    Args:
        outside: (n, N) which values were set from outside.

    Raises:
        InputError: if a value that was set is missing.
    """

    def __init__(
        self, network: Network, rows: NodeRows, weights: Floats | None, outside: Mask
    ) -> None:
        self.all = merged(rows, weights)
        w = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.total = float(w.sum())
        self.groups: list[tuple[list[int], IncompleteRows, float]] = []
        for node, name in enumerate(network.names):
            if (outside[:, node] & ~rows.known[:, node]).any():
                raise InputError(
                    f"{name!r} was set from outside in rows in which it is missing; say to what "
                    "value, or leave these rows out."
                )
        patterns, which = np.unique(outside, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            here, done = (
                np.flatnonzero(which.reshape(-1) == number),
                np.flatnonzero(pattern).tolist(),
            )
            some, cut = rows.take(here), network.cut(done)
            alone = sum((_log_alone(cut, node, some) for node in done), np.zeros(len(here)))
            self.groups.append((done, IncompleteRows(cut, some, w[here]), float(w[here] @ alone)))

    def expected(self, network: Network) -> tuple[Statistics, float]:
        """The sums expected of all rows under a network's parameters, and the log likelihood."""
        sums, total = _nothing(network), 0.0
        for done, rows, alone in self.groups:
            found, log_likelihood = rows.expected(network.cut(done))
            total += log_likelihood - alone
            sums = tuple(
                sum_ if node in done else sum_ + found[node] for node, sum_ in enumerate(sums)
            )
        return sums, total


def _nothing(network: Network) -> Statistics:
    """The sums over no rows."""
    return tuple(
        np.zeros((*f.shape, f.size) if f.size else (*f.shape, *2 * (len(f.continuous) + 2,)))
        for f in families(network.dag, network.sizes)
    )


def _log_alone(cut: Network, node: int, rows: NodeRows) -> Floats:
    """(n,) log probabilities or densities of a node that was cut."""
    if cut.sizes[node]:
        return np.full(len(rows), -np.log(cut.sizes[node]))
    none = np.empty((len(rows), 0))
    return cut.linear(node).log_prob(none.astype(np.int64), none, rows.x[:, node])
