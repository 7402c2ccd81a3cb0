"""What is estimated of networks by likelihood weighting, where no exact engine answers: densities,
marginals and draws of rows, given what is known of them.

That is so for flows with an unknown parent, and for flows that are unknown above what is known.
Draws depend on the seed, and on a row's place among those that are worked on together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array, Floats
from ...inference.weighting import Node, Weighted, gaussian_node, table_node, weigh
from .conditionals import LinearGaussian, Table
from .flow_node import FlowConditional
from .layout import NodeRows
from .network import Network

DRAWS = 2000  # of a row


def nodes_of(network: Network) -> list[Node]:
    """What likelihood weighting must know of each node."""
    out = []
    for node, conditional in enumerate(network.conditionals):
        discrete, continuous = network.discrete_parents(node), network.continuous_parents(node)
        if isinstance(conditional, Table):
            out.append(table_node(discrete, conditional.probs))
        elif isinstance(conditional, LinearGaussian):
            numbers = conditional.intercept, conditional.coefficients, conditional.variance
            out.append(gaussian_node(discrete, continuous, *numbers))
        else:
            out.append(_flow_node(discrete, continuous, conditional))
    return out


def _flow_node(
    discrete: tuple[int, ...], continuous: tuple[int, ...], flow: FlowConditional
) -> Node:
    """A continuous node that is a flow."""

    def parts(values: Sequence[Array], m: int) -> tuple[NDArray[np.integer], Floats]:
        codes = np.empty((m, len(discrete)), np.int64)
        x = np.empty((m, len(continuous)))
        for j, value in enumerate(values):
            if j < len(discrete):
                codes[:, j] = value
            else:
                x[:, j - len(discrete)] = value
        return codes, x

    def draw(values: Sequence[Array], m: int, rng: np.random.Generator) -> Array:
        return flow.draw(*parts(values, m), rng)

    def log_prob(own: Array, values: Sequence[Array]) -> Floats:
        return flow.log_prob(*parts(values, len(own)), own)

    return Node((*discrete, *continuous), draw, log_prob)


def log_prob(network: Network, evidence: Mapping[int, Any]) -> tuple[Floats, Floats]:
    """(n,) log densities of evidence of n rows, and their standard errors."""
    blocks = [block.summary for block in _weighted(network, evidence, ())]
    values, stderr = ([getattr(b, name) for b in blocks] for name in ("log_mean", "stderr"))
    return np.concatenate(values), np.concatenate(stderr)


def marginals(
    network: Network, evidence: Mapping[int, Any], targets: Collection[int]
) -> tuple[Floats, dict[int, Floats], dict[int, Floats], dict[int, Floats]]:
    """Log densities of evidence of n rows (n,); of discrete targets the probabilities (n, k), of
    continuous ones the means and variances (n,)."""
    logs: list[Floats] = []
    parts: dict[int, list[Any]] = {node: [] for node in targets}
    for block in _weighted(network, evidence, targets):
        logs.append(block.summary.log_mean)
        for node in targets:
            if network.sizes[node]:
                parts[node].append(block.probs([node]).value)
            else:
                mean = block.mean(block.values[node]).value
                off = block.values[node] - mean[:, None]
                parts[node].append(np.stack([mean, block.mean(off**2).value], axis=-1))
    whole = {node: np.concatenate(part) for node, part in parts.items()}
    probs = {node: part for node, part in whole.items() if network.sizes[node]}
    rest = {node: part for node, part in whole.items() if node not in probs}
    means = {node: part[:, 0] for node, part in rest.items()}
    return np.concatenate(logs), probs, means, {node: part[:, 1] for node, part in rest.items()}


def fill(
    network: Network,
    rows: NodeRows,
    evidence: Mapping[int, Any],
    nodes: Sequence[int],
    rng: np.random.Generator,
) -> Floats:
    """Fill the gaps of some nodes of rows, in place, with one of their weighted draws, chosen by
    weight; return (n,) log densities of the evidence."""
    logs, start = [], 0
    for block in _weighted(network, evidence, nodes, int(rng.integers(1 << 62))):
        logs.append(block.summary.log_mean)
        n = len(logs[-1])
        possible = np.isfinite(logs[-1])[:, None]
        edges = np.cumsum(np.where(possible, block.shares, 1.0), axis=1)
        point = rng.random((n, 1)) * edges[:, -1:]
        chosen = (point >= edges).sum(axis=1).clip(max=edges.shape[1] - 1)
        here = slice(start, start + n)
        for node in nodes:
            value = block.values[node][np.arange(n), chosen]
            column = (rows.codes if network.sizes[node] else rows.x)[here, node]
            gaps = column < 0 if network.sizes[node] else np.isnan(column)
            column[gaps] = value[gaps]
        start += n
    return np.concatenate(logs)


def _weighted(
    network: Network, evidence: Mapping[int, Any], targets: Collection[int], seed: int = 0
) -> Iterator[Weighted]:
    needed = network.dag.ancestors([*evidence, *targets])
    order = [node for node in network.dag.order if node in needed]
    return weigh(nodes_of(network), order, evidence, DRAWS, seed=seed)
