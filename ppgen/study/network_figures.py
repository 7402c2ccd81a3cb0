"""The graphs that a study's models of networks found: a picture and a table of edges for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models import registry
from ..plotting.graph import draw_graph, plot_network
from .cell_results import CellResult
from .drawn import Drawn, Gallery
from .store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_EDGES = 60
"""Edges that a table holds, those that most fits have first."""


@dataclass(frozen=True)
class EdgeFound:
    """An edge of the first fit: whether the independences leave its direction open, and how many
    fits have it, in this direction and in either."""

    parent: str
    child: str
    open: bool
    fits: int
    either: int


@dataclass(frozen=True)
class NetworkFound:
    """The graph of a model's first fit, among all its `fits`."""

    label: str
    picture: Drawn
    edges: Sequence[EdgeFound]
    fits: int


def draw_networks(
    store: Store, models: Mapping[str, Sequence[CellResult]], gallery: Gallery
) -> list[NetworkFound]:
    """The graphs of all models that have one.

    Args:
        models: label -> the finished cells of a model.
    """
    found = []
    for label, cells in models.items():
        if not cells or cells[0].cell.model not in registry.names():
            continue  # a report is made of stored cells, whoever made them
        if registry.get(cells[0].cell.model).capabilities.graph:
            fits = [registry.load(store.cell(c.cell) / "run") for c in cells]
            found.append(_found(label, fits, gallery))
    return found


def _found(label: str, fits: Sequence[Any], gallery: Gallery) -> NetworkFound:
    dag, counts = fits[0].dag_, Counter(edge for fit in fits for edge in fit.dag_.edges)
    number, partial = {name: i for i, name in enumerate(dag.names)}, dag.cpdag()
    edges = [
        EdgeFound(
            a, b, bool(partial[number[b], number[a]]), counts[a, b], counts[a, b] + counts[b, a]
        )
        for a, b in dag.edges
    ]
    strengths = {(e.parent, e.child): e.fits / len(fits) for e in edges} if len(fits) > 1 else None
    made = _picture(fits[0], strengths)
    ordered = sorted(edges, key=lambda e: (-e.fits, -e.either))
    title = f"The graph of {label}"
    return NetworkFound(label, gallery.keep(f"graph-{label}", made, title), ordered, len(fits))


def _picture(fit: Any, strengths: Mapping[tuple[str, str], float] | None) -> Figure:
    """With marginals, unless these would take more memory than there is."""
    try:
        return plot_network(fit, strengths=strengths)
    except InputError:
        return draw_graph(fit.dag_, strengths=strengths)
