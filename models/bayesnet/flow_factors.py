"""Flows in exact inference, where none is to be summed out.

A flow that is known with its parents is a number, which multiplies what the network says without
it. One of which a single discrete parent is not known is a number for each state of that parent:

    p(y | u, z) as a likelihood of u.

A flow that is not known, with nothing known below it, is barren.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ...arrays import Floats
from .flow_node import FlowConditional
from .network import Network

Evidence = Mapping[int, Any]


def factors(network: Network, evidence: Evidence) -> tuple[int, ...]:
    """The flows that are numbers or likelihoods, in every row: known with their parents, but for
    one discrete parent at most of which no state is known."""
    out = []
    for node in network.flows:
        parents = network.dag.parents[node]
        unknown = [v for v in (*parents, node) if not _known(network, v, evidence)]
        if not unknown or (len(unknown) == 1 and _is_open(network, unknown[0], evidence)):
            out.append(node)
    return tuple(out)


def exact_for(network: Network, nodes: Collection[int], evidence: Evidence) -> bool:
    """Whether no flow is to be summed out to know these nodes and what they depend on."""
    if not network.flows:
        return True
    others = set(network.flows) - set(factors(network, evidence))
    return not others & network.dag.ancestors(nodes)


def entered(
    network: Network, nodes: Collection[int], evidence: Evidence
) -> tuple[dict[int, Any], Any]:
    """Evidence, with the likelihoods that flows among some nodes are, and () or (n,) what else
    these add to the log density that `Network.cut` gives: their own log density in the place of a
    standard normal's."""
    out, total = dict(evidence), 0.0
    for node in set(factors(network, evidence)) & set(nodes):
        own = np.asarray(evidence[node], dtype=np.float64)
        total = total + 0.5 * own**2 + 0.5 * np.log(2 * np.pi)
        parents = network.dag.parents[node]
        unknown = [v for v in parents if not _known(network, v, evidence)]
        if not unknown:
            total = total + _log_prob(network, node, evidence)
            continue
        (parent,) = unknown
        states = range(network.sizes[parent])
        logs = np.stack([_log_prob(network, node, {**evidence, parent: k}) for k in states], -1)
        most = logs.max(axis=-1)
        likelihood = np.exp(logs - most[..., None])
        out[parent] = likelihood * out[parent] if parent in out else likelihood
        total = total + most
    return out, total


def _log_prob(network: Network, node: int, evidence: Evidence) -> Floats:
    """() or (n,) log densities of a flow that is known with its parents."""
    flow = network.conditionals[node]
    assert isinstance(flow, FlowConditional)
    discrete, continuous = network.discrete_parents(node), network.continuous_parents(node)
    values = [np.asarray(evidence[v]) for v in (*discrete, *continuous, node)]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    columns = [np.broadcast_to(value, shape).reshape(-1) for value in values]
    n, q = len(columns[0]), len(discrete)
    codes = np.array(columns[:q], dtype=np.int64).reshape(q, n).T
    x = np.array(columns[q:-1], dtype=np.float64).reshape(len(continuous), n).T
    return flow.log_prob(codes, x, np.asarray(columns[-1], dtype=np.float64)).reshape(shape)


def _known(network: Network, node: int, evidence: Evidence) -> bool:
    """Whether a node has a state or a value in every row."""
    if node not in evidence:
        return False
    value = np.asarray(evidence[node])
    if network.sizes[node]:
        return value.dtype.kind in "iu" and bool((value >= 0).all())
    return not np.isnan(value).any()


def _is_open(network: Network, node: int, evidence: Evidence) -> bool:
    """Whether a node is discrete and has no state in any row."""
    if not network.sizes[node]:
        return False
    return node not in evidence or np.asarray(evidence[node]).dtype.kind == "f"
