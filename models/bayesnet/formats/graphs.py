"""Graphs of networks for other programs: networkx, and DOT for Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....errors import InputError
from ..conditionals import Table
from ..network import Network
from .tokens import quoted

if TYPE_CHECKING:
    import networkx


def to_networkx(network: Network) -> networkx.DiGraph[Any]:
    """The graph of a network: nodes by name with their `states` (None of a continuous one).

    Raises:
        InputError: if networkx is not installed.
    """
    try:
        import networkx
    except ImportError:
        raise InputError("networkx is not installed; pip install networkx.") from None
    graph = networkx.DiGraph()
    for name, states in zip(network.names, network.states, strict=True):
        graph.add_node(name, states=list(states) or None)
    graph.add_edges_from(network.dag.edges)
    return graph


def to_dot(network: Network) -> str:
    """The graph of a network in the language of Graphviz; continuous nodes are boxes."""
    lines = ["digraph {"]
    for name, conditional in zip(network.names, network.conditionals, strict=True):
        shape = "ellipse" if isinstance(conditional, Table) else "box"
        lines.append(f"  {quoted(name)} [shape={shape}];")
    lines += [f"  {quoted(parent)} -> {quoted(child)};" for parent, child in network.dag.edges]
    return "\n".join([*lines, "}"]) + "\n"
