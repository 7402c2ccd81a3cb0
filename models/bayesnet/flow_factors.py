"""Flows in exact inference: a flow that is known with its parents is a number, which multiplies
what the network says without it; a flow that is not known, with nothing known below it, is barren.
Of any other the exact engines cannot sum out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .flow_node import FlowConditional
from .network import Network

Evidence = Mapping[int, Any]


def known_flows(network: Network, evidence: Evidence) -> tuple[int, ...]:
    """The flows that are known with their parents in every row."""
    parents = network.dag.parents
    return tuple(
        node
        for node in network.flows
        if all(_known(network, v, evidence) for v in (*parents[node], node))
    )


def exact_for(network: Network, nodes: Collection[int], evidence: Evidence) -> bool:
    """Whether no flow is to be summed out to know these nodes and what they depend on."""
    if not network.flows:
        return True
    unknown = set(network.flows) - set(known_flows(network, evidence))
    return not unknown & network.dag.ancestors(nodes)


def log_factor(network: Network, nodes: Collection[int], evidence: Evidence) -> Any:
    """() or (n,) what the known flows among some nodes add to the log density of evidence that
    `Network.cut` gives: their own log density in the place of a standard normal's."""
    total: Any = 0.0
    for node in set(known_flows(network, evidence)) & set(nodes):
        flow = network.conditionals[node]
        assert isinstance(flow, FlowConditional)
        discrete, continuous = network.discrete_parents(node), network.continuous_parents(node)
        values = [np.asarray(evidence[v]) for v in (*discrete, *continuous, node)]
        shape = np.broadcast_shapes(*(value.shape for value in values))
        columns = [np.broadcast_to(value, shape).reshape(-1) for value in values]
        n, q = len(columns[0]), len(discrete)
        codes = np.array(columns[:q], dtype=np.int64).reshape(q, n).T
        x = np.array(columns[q:-1], dtype=np.float64).reshape(len(continuous), n).T
        own = np.asarray(columns[-1], dtype=np.float64)
        standard = -0.5 * own**2 - 0.5 * np.log(2 * np.pi)
        total = total + (flow.log_prob(codes, x, own) - standard).reshape(shape)
    return total


def _known(network: Network, node: int, evidence: Evidence) -> bool:
    """Whether a node has a state or a value in every row."""
    if node not in evidence:
        return False
    value = np.asarray(evidence[node])
    if network.sizes[node]:
        return value.dtype.kind in "iu" and bool((value >= 0).all())
    return not np.isnan(value).any()
