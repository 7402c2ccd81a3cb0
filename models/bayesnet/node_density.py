"""What each node says of rows, given its parents: log densities, tails, draws.

With every node and its parents known, log p(x) is the sum of the nodes' log densities. A row that
has gaps needs no more where the gaps are barren, without a known node below them: these are summed
out as one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr

from ...arrays import Floats, Mask
from ..gmm.conditional import draw_rows
from .conditionals import Table
from .layout import NodeRows
from .network import Network


def node_log_prob(network: Network, rows: NodeRows) -> Floats:
    """(n, N) log p(x_i | parents of i), NaN where the node or a parent is not known."""
    return _each(network, rows, log_prob_of)


def _each(
    network: Network, rows: NodeRows, of: Callable[[Network, int, NodeRows], Floats]
) -> Floats:
    """(n, N) something of each node in the rows that know it and its parents, NaN elsewhere."""
    known, out = rows.known, np.full(rows.x.shape, np.nan)
    for node, parents in enumerate(network.dag.parents):
        here = np.flatnonzero(known[:, [*parents, node]].all(axis=1))
        if len(here):
            out[here, node] = of(network, node, rows if len(here) == len(rows) else rows.take(here))
    return out


def log_prob_of(network: Network, node: int, rows: NodeRows) -> Floats:
    """(n,) log p(x_i | parents of i) of one node, where all are known."""
    conditional = network.conditionals[node]
    u = rows.codes[:, network.discrete_parents(node)]
    if isinstance(conditional, Table):
        return conditional.log_prob(np.column_stack([u, rows.codes[:, node]]))
    return conditional.log_prob(u, rows.x[:, network.continuous_parents(node)], rows.x[:, node])


def needed(network: Network, known: Mask) -> Mask:
    """(n, N) which nodes matter for the density of what is known: these and their ancestors."""
    out = known.copy()
    for node in reversed(network.dag.order):
        out[:, network.dag.parents[node]] |= out[:, [node]]
    return out


def direct_log_prob(network: Network, rows: NodeRows) -> Floats:
    """(n,) log densities of what is known of each row; NaN where a gap is not barren."""
    matters = needed(network, rows.known)
    total: Floats = np.where(matters, node_log_prob(network, rows), 0.0).sum(axis=1)
    return total


def node_log_tail(network: Network, rows: NodeRows) -> Floats:
    """(n, N) the log probability, given its parents, that a node has a value as unlikely as the
    row's or less: of a Gaussian both tails, of a table the states that are no likelier. NaN where
    the node or a parent is not known."""
    return _each(network, rows, _log_tail)


def _log_tail(network: Network, node: int, rows: NodeRows) -> Floats:
    conditional = network.conditionals[node]
    u = rows.codes[:, network.discrete_parents(node)]
    if isinstance(conditional, Table):
        probs = conditional.probs[tuple(u.T)]
        probs = np.broadcast_to(probs, (len(rows), probs.shape[-1]))
        own = np.take_along_axis(probs, rows.codes[:, node, None], axis=1)
        with np.errstate(divide="ignore"):
            logs: Floats = np.log(np.where(probs <= own * (1 + 1e-9), probs, 0.0).sum(axis=1))
        return np.minimum(logs, 0.0)
    parents = rows.x[:, network.continuous_parents(node)]
    z, _ = conditional.standardised(u, parents, rows.x[:, node])
    tails: Floats = np.log(2.0) + log_ndtr(-np.abs(z))
    return tails


def drawn(network: Network, rows: NodeRows, rng: np.random.Generator) -> NodeRows:
    """Rows with what is not known drawn from the nodes in their order, parents first: draws given
    what is known if that has no unknown ancestors."""
    out = NodeRows(rows.codes.copy(), rows.x.copy())
    n, known = len(rows), rows.known
    for node in network.dag.order:
        conditional = network.conditionals[node]
        gaps = ~known[:, node]
        if not gaps.any():
            continue
        u = out.codes[:, network.discrete_parents(node)]
        if isinstance(conditional, Table):
            probs = np.broadcast_to(conditional.probs[tuple(u.T)], (n, network.sizes[node]))
            out.codes[gaps, node] = draw_rows(probs, rng)[gaps]
        else:
            parents = out.x[:, network.continuous_parents(node)]
            out.x[gaps, node] = conditional.draw(u, parents, rng)[gaps]
    return out
