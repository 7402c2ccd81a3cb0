"""A network as a picture: its nodes in layers with what is believed of them, its edges by strength.

`plot_network` draws a fitted or given `BayesianNetwork` with the marginals of its nodes given some
of them; `draw_graph` any graph with boxes of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from ..inference.dag import DAG
from ..models.bayesnet.structure.strengths import EdgeStrengths
from .axis import shortened
from .graph_boxes import Belief, Box, boxes
from .graph_edges import Lines, Strengths, draw_edges, heights
from .layered import Layered, layered
from .network_beliefs import beliefs_of
from .style import INK, bare, figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 0.28  # inches between boxes
_DROP = 0.42  # and between layers, at the least
_MARGIN = 0.08


def plot_network(
    model: Any,
    given: Mapping[Any, Any] | None = None,
    *,
    do: Mapping[Any, Any] | None = None,
    strengths: EdgeStrengths | Strengths | None = None,
    equivalence: bool = False,
    title: str = "",
) -> Figure:
    """The graph of a Bayesian network, each node with its distribution.

    Args:
        model: a fitted `BayesianNetwork`, or one of a network that is given.
        given: node -> state, value or `ppgen.Likelihood`; the others have their distributions
            given these.
        do: node -> state or value that it is set to from outside; edges into it are dotted.
        strengths: how sure edges are: what the model's `edge_strengths` gives, or (parent, child)
            -> from 0 to 1. Surer ones are stronger.
        equivalence: draw without heads those edges whose direction the independences leave open.
        title: above the picture.

    Raises:
        InputError: if the model is no network, or what is given is impossible.
    """
    if not getattr(getattr(model, "capabilities", None), "graph", False):
        raise InputError(
            f"a {type(model).__name__} was given, which has no graph; give a fitted "
            "BayesianNetwork."
        )
    dag: DAG = model.dag_
    if isinstance(strengths, EdgeStrengths):
        strengths = strengths.of_edges(dag)
    open_edges = _undirected(dag.cpdag(), dag) if equivalence else set()
    cut = {(a, b) for a, b in dag.edges if b in {str(name) for name in do or {}}}
    return draw_graph(
        dag,
        beliefs_of(model, given, do),
        strengths=strengths,
        undirected=open_edges,
        cut=cut,
        title=title,
    )


def draw_graph(
    dag: DAG,
    beliefs: Mapping[str, Belief] | None = None,
    *,
    strengths: Strengths | None = None,
    undirected: Collection[tuple[str, str]] = (),
    cut: Collection[tuple[str, str]] = (),
    title: str = "",
) -> Figure:
    """A directed acyclic graph in layers, parents above children.

    Args:
        beliefs: name of a node -> what its box shows.
        strengths: (parent, child) -> from 0 to 1, an edge's width and opacity.
        undirected: edges (parent, child) that are drawn without a head.
        cut: edges that are dotted.
        title: above the picture.
    """
    for pair in strengths or {}:
        for name in pair:
            if name not in dag.names:
                raise InputError(
                    f"a strength is given of {pair!r}; {name!r} is no node."
                    + did_you_mean(str(name), dag.names)
                )
    with styled():
        made = figure(1, 1)
        made.set_layout_engine("none")
        axes = made.add_axes((0, 0, 1, 1))
        bare(axes)
        drawn = boxes(dag.names, beliefs or {})
        places = layered(dag.parents, np.array([box.width for box in drawn]), _GAP)
        tops, height = _tops(places, drawn, dag.parents)
        head = 0.3 if title else 0.0
        width = max(places.width, 1.0)
        made.set_size_inches(width + 2 * _MARGIN, height + 2 * _MARGIN + head)
        axes.set(xlim=(-_MARGIN, width + _MARGIN), ylim=(height + _MARGIN, -_MARGIN - head))
        if title:
            axes.text(0, -head, shortened(title, 120), fontsize=9.5, va="top", color=INK)
        for box, x, top in zip(drawn, places.x, tops[places.layer], strict=True):
            box.draw(axes, float(x), float(top))
        draw_edges(axes, dag, places, drawn, tops, Lines(strengths, undirected, cut))
    return made


def _undirected(cpdag: NDArray[np.bool_], dag: DAG) -> set[tuple[str, str]]:
    return {(dag.names[i], dag.names[j]) for i, j in zip(*np.nonzero(cpdag & cpdag.T), strict=True)}


def _tops(
    places: Layered, drawn: Sequence[Box], parents: Sequence[Sequence[int]]
) -> tuple[NDArray[np.float64], float]:
    """The top of each layer, which leaves room for the edges that come from above; the height."""
    tall = heights(places, drawn)
    depth = len(tall)
    passing = np.zeros(depth, int)
    for child, own in enumerate(parents):
        for parent in own:
            passing[places.layer[parent] + 1 : places.layer[child] + 1] += 1
    drops = np.where(np.arange(depth) > 0, _DROP + 0.012 * passing, 0.0)
    tops = np.cumsum(drops) + np.concatenate([[0.0], np.cumsum(tall)[:-1]])[:depth]
    return tops, float(tops[-1] + tall[-1]) if depth else 0.0
