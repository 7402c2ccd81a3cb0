"""The edges of a graph, drawn from box to box past those between."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats
from ..inference.dag import DAG
from .graph_boxes import Box
from .layered import Layered
from .style import ACCENT, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Strengths = Mapping[tuple[str, str], float]

_CLEAR = 0.05  # inches between an edge that passes and a box
_PULL = 0.42  # of the way between two points, where an edge's control points stand
_SPREAD = 0.6  # share of a box's width that edges begin and end on


@dataclass(frozen=True)
class Lines:
    """How edges are drawn."""

    strengths: Strengths | None
    undirected: Collection[tuple[str, str]]
    cut: Collection[tuple[str, str]]

    def of(self, pair: tuple[str, str]) -> dict[str, Any]:
        """Of one edge, as matplotlib's arrows take it."""
        headless = pair in self.undirected
        how: dict[str, Any] = {
            "arrowstyle": "-" if headless else "-|>,head_length=4,head_width=2",
            "fill": not headless,
            "mutation_scale": 1.0,
            "joinstyle": "miter",
            "linestyle": (0, (1, 2)) if pair in self.cut else "solid",
        }
        if self.strengths is None:
            return {**how, "linewidth": 0.9, "color": MUTED}
        strength = float(np.clip(self.strengths.get(pair, 0.0), 0, 1))
        width, alpha = 0.5 + 1.7 * strength, 0.2 + 0.8 * strength
        return {**how, "linewidth": width, "alpha": alpha, "color": ACCENT}


def heights(places: Layered, drawn: Sequence[Box]) -> list[float]:
    """The height of each layer."""
    tall = [0.0] * (int(places.layer.max(initial=-1)) + 1)
    for layer, box in zip(places.layer.tolist(), drawn, strict=True):
        tall[layer] = max(tall[layer], box.height)
    return tall


def draw_edges(
    axes: Axes,
    dag: DAG,
    places: Layered,
    drawn: Sequence[Box],
    tops: Floats,
    lines: Lines,
) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    tall = heights(places, drawn)
    ends = _ends(dag, places, drawn)
    for (parent, child), route in places.routes.items():
        begin, end = ends[parent, child]
        points = [(begin, float(tops[places.layer[parent]] + drawn[parent].height))]
        after = [*route[1:], (end, int(places.layer[child]))]
        for (x, r), (ahead, below) in zip(route, after, strict=False):
            # Slanted where it passes a layer, as far as that has room, unless it turns there.
            x0, y0 = points[-1]
            top, bottom = float(tops[r]), float(tops[r] + tall[r])
            before, beyond = (x - x0) / (top - y0), (ahead - x) / (float(tops[below]) - bottom)
            slope = min(before, beyond, key=abs) if before * beyond > 0 else 0.0
            room = max(0.0, _room(places, drawn, x, r) - _CLEAR)
            shift = float(np.clip(0.5 * slope * tall[r], -room, room))
            points += [(x - shift, top), (x + shift, bottom)]
        points.append((end, float(tops[places.layer[child]])))
        path = _smooth(points)
        drawn_path = Path(path, [Path.MOVETO, *[Path.CURVE4] * (len(path) - 1)])
        pair = dag.names[parent], dag.names[child]
        axes.add_artist(FancyArrowPatch(path=drawn_path, zorder=1, **lines.of(pair)))


def _room(places: Layered, drawn: Sequence[Box], x: float, layer: int) -> float:
    """How far a place in a layer is from the nearest box."""
    here = np.flatnonzero(places.layer == layer).tolist()
    return min((abs(places.x[v] - x) - drawn[v].width / 2 for v in here), default=np.inf)


def _smooth(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Beziers through points that go down, vertical at both ends and without overshoot: x is a
    monotone cubic of y between them (Fritsch and Carlson, "Monotone piecewise cubic interpolation",
    1980, https://doi.org/10.1137/0717021)."""
    slopes = [(x1 - x0) / (y1 - y0) for (x0, y0), (x1, y1) in pairwise(points)]
    middle = [2 * a * b / (a + b) if a * b > 0 else 0.0 for a, b in pairwise(slopes)]
    tangents = [0.0, *middle, 0.0]
    path = [points[0]]
    for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        third = _PULL * (y1 - y0)
        first, last = tangents[i] * third, tangents[i + 1] * third
        path += [(x0 + first, y0 + third), (x1 - last, y1 - third), (x1, y1)]
    return path


def _ends(
    dag: DAG, places: Layered, drawn: Sequence[Box]
) -> dict[tuple[int, int], tuple[float, float]]:
    """Where each edge leaves its parent and reaches its child, in the order in which they come."""
    out: dict[tuple[int, int], list[float]] = {edge: [0.0, 0.0] for edge in places.routes}
    for node in range(len(dag)):
        for side in (0, 1):
            own = [edge for edge in places.routes if edge[side] == node]
            near = 0 if side == 0 else -1

            def towards(edge: tuple[int, int], side: int = side, near: int = near) -> float:
                route = places.routes[edge]
                return route[near][0] if route else float(places.x[edge[1 - side]])

            own.sort(key=towards)
            room = min(_SPREAD * drawn[node].width, 0.16 * (len(own) - 1))
            at = places.x[node] + np.linspace(-room / 2, room / 2, len(own)) * (len(own) > 1)
            for edge, x in zip(own, at, strict=True):
                out[edge][side] = float(x)
    return {edge: (begin, end) for edge, (begin, end) in out.items()}
