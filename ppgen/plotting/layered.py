"""Where the nodes of a directed graph stand in a picture, and how its edges run (Sugiyama).

Each node stands in a layer below those of its parents: as far down as its parents allow, or as near
above its children where it has more of these. An edge over several layers passes a place of its own
in each between, and is straight there as far as others let it. The order within the layers is that
with the fewest crossings that sweeps find, which order each layer by the means of its neighbours'
places and then swap neighbours. Places x minimise

    sum over edges of w (x_i - x_j)^2     with     x_i+1 - x_i >= the room that both need

layer by layer, each by the pooling of adjacent violators.

References: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", 1981, https://doi.org/10.1109/TSMC.1981.4308636; Gansner, Koutsofios, North and Vo,
"A technique for drawing directed graphs", 1993, https://doi.org/10.1109/32.221135.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..arrays import Floats, Ints

_STARTS = 6  # orders that the sweeps begin with
_SWEEPS = 12
_PLACING = 40  # sweeps that place the nodes
_WIDE = 1.3  # nodes in a layer at most, times the root of their number
_LANE = 0.12  # of a node's gap: room of an edge that passes, in inches

Edge = tuple[int, int]


@dataclass(frozen=True)
class Layered:
    """A picture of a graph with n nodes.

    Attributes:
        layer: (n,) of each node, 0 at the top.
        x: (n,) middle of each node, the least of the edge of a node being 0.
        routes: (parent, child) -> (x, layer) of what lies between both.
        width: of all.
    """

    layer: Ints
    x: Floats
    routes: dict[Edge, list[tuple[float, int]]]
    width: float


def layered(parents: Sequence[Sequence[int]], widths: Floats, gap: float) -> Layered:
    """The picture of an acyclic graph.

    Args:
        parents: of each node.
        widths: (n,) of the nodes.
        gap: between neighbours.
    """
    n = len(parents)
    layer = layers(parents)
    edges = [(p, c) for c, own in enumerate(parents) for p in own]
    rank, sizes = layer.tolist(), list(widths)
    paths: dict[Edge, list[int]] = {}
    links: list[Edge] = []
    for parent, child in edges:
        between = range(layer[parent] + 1, layer[child])
        paths[parent, child] = list(range(len(rank), len(rank) + len(between)))
        rank += between
        sizes += [_LANE] * len(between)
        chain = [parent, *paths[parent, child], child]
        links += pairwise(chain)
    graph = _Graph(np.array(rank, dtype=np.intp), np.array(links, dtype=np.intp).reshape(-1, 2))
    orders = _ordered(graph)
    x = _placed(graph, orders, np.array(sizes, dtype=np.float64), gap, n)
    left = float((x[:n] - widths / 2).min()) if n else 0.0
    x = x - min(left, float(x.min(initial=0.0)))
    routes = {edge: [(float(x[v]), rank[v]) for v in path] for edge, path in paths.items()}
    right = float((x[:n] + widths / 2).max(initial=0.0))
    return Layered(layer, x[:n], routes, max(right, float(x.max(initial=0.0))))


def layers(parents: Sequence[Sequence[int]], most: int | None = None) -> Ints:
    """(n,) the layer of each node, with at most so many in one: longest paths from above, those
    that lead furthest first; then nearer to the children."""
    n = len(parents)
    most = most or max(6, round(_WIDE * n**0.5))
    children: list[list[int]] = [[] for _ in range(n)]
    for child, own in enumerate(parents):
        for parent in own:
            children[parent].append(child)
    order = _topological(parents, children)
    above, below = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    for node in order:
        above[node] = max((above[p] + 1 for p in parents[node]), default=0)
    for node in reversed(order):
        below[node] = max((below[c] + 1 for c in children[node]), default=0)
    layer, taken = np.zeros(n, dtype=np.intp), np.zeros(2 * n + 1, dtype=np.intp)

    def move(node: int, to: int) -> None:
        layer[node] = to
        taken[to] += 1

    for node in sorted(order, key=lambda v: (above[v], -below[v])):
        free = max((layer[p] + 1 for p in parents[node]), default=0)
        move(node, int(free + np.argmax(taken[free:] < most)))
    for node in reversed(order):
        if len(children[node]) > len(parents[node]):
            nearest = min(layer[c] for c in children[node]) - 1
            for to in range(nearest, layer[node], -1):
                if taken[to] < most:
                    taken[layer[node]] -= 1
                    move(node, to)
                    break
    _, found = np.unique(layer, return_inverse=True)
    return np.asarray(found, dtype=np.intp)


def _topological(parents: Sequence[Sequence[int]], children: Sequence[Sequence[int]]) -> list[int]:
    """The nodes, parents before children."""
    missing, order = [len(own) for own in parents], []
    ready = [node for node, count in enumerate(missing) if not count]
    while ready:
        order.append(node := ready.pop(0))
        for child in children[node]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return order


@dataclass(frozen=True)
class _Graph:
    """Nodes, with those that edges pass, in layers `rank`; links (m, 2) go from one to the next."""

    rank: Ints
    links: Ints

    def below(self, r: int) -> Ints:
        """The links from layer r."""
        return np.asarray(self.links[self.rank[self.links[:, 0]] == r])


def _ordered(graph: _Graph) -> list[Ints]:
    """The nodes of each layer from left to right."""
    depth = int(graph.rank.max(initial=-1)) + 1
    between = [graph.below(r) for r in range(depth - 1)]
    best: list[Ints] = [np.flatnonzero(graph.rank == r) for r in range(depth)]
    fewest, rng = _all_crossings(best, between), np.random.default_rng(0)
    for start in range(_STARTS):
        orders = [np.flatnonzero(graph.rank == r) for r in range(depth)]
        if start:
            orders = [rng.permutation(order) for order in orders]
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            for r in range(1, depth) if down else range(depth - 2, -1, -1):
                links = between[r - 1] if down else between[r][:, ::-1]
                orders[r] = _by_means(orders[r], orders[r - 1 if down else r + 1], links)
            _swap(orders, between)
            count = _all_crossings(orders, between)
            if count < fewest:
                best, fewest = [order.copy() for order in orders], count
        if not fewest:
            break
    return best


def _by_means(order: Ints, fixed: Ints, links: Ints) -> Ints:
    """A layer ordered by the means of its neighbours' places in a fixed one; a node without
    neighbours stays where it is."""
    place = {int(v): i for i, v in enumerate(fixed)}
    own = {int(v): i for i, v in enumerate(order)}
    sums = np.zeros((len(order), 2))
    for a, b in links.tolist():
        sums[own[b]] += place[a], 1
    scale = len(fixed) / max(1, len(order))
    means = [s / c if c else i * scale for i, (s, c) in enumerate(sums)]
    found: Ints = order[np.argsort(means, kind="stable")]
    return found


def _swap(orders: list[Ints], between: Sequence[Ints]) -> None:
    """Swap neighbours as long as that takes crossings away, in place."""
    for r, order in enumerate(orders):
        sides = []
        if r:
            sides.append((between[r - 1][:, ::-1], orders[r - 1]))
        if r < len(between):
            sides.append((between[r], orders[r + 1]))
        near: list[dict[int, list[int]]] = []
        for links, other in sides:
            place = {int(v): i for i, v in enumerate(other)}
            found: dict[int, list[int]] = {int(v): [] for v in order}
            for own, there in links.tolist():
                found[own].append(place[there])
            near.append(found)
        for _ in range(len(order)):
            changed = False
            for i in range(len(order) - 1):
                a, b = int(order[i]), int(order[i + 1])
                gain = sum((p > q) - (p < q) for f in near for p in f[a] for q in f[b])
                if gain > 0:
                    order[i], order[i + 1] = b, a
                    changed = True
            if not changed:
                break


def _all_crossings(orders: Sequence[Ints], between: Sequence[Ints]) -> int:
    return sum(crossings(orders[r], orders[r + 1], links) for r, links in enumerate(between))


def crossings(above: Ints, below: Ints, links: Ints) -> int:
    """How many pairs of links (m, 2) between two ordered layers cross."""
    if not len(links):
        return 0
    a = np.argsort(above)[np.searchsorted(above, links[:, 0], sorter=np.argsort(above))]
    b = np.argsort(below)[np.searchsorted(below, links[:, 1], sorter=np.argsort(below))]
    return int(((a[:, None] < a) & (b[:, None] > b)).sum())


def _placed(graph: _Graph, orders: Sequence[Ints], widths: Floats, gap: float, n: int) -> Floats:
    """x of all nodes; those from number n on are passed by edges."""
    x = np.zeros(len(widths))
    room = []
    for order in orders:
        w = widths[order]
        passed = (order[1:] >= n).astype(int) + (order[:-1] >= n)
        between = (w[1:] + w[:-1]) / 2 + gap * np.array([1.0, 0.5, 0.2])[passed]
        room.append(np.concatenate([[0.0], between.cumsum()]))
        x[order] = room[-1] - room[-1][-1] / 2
    bends = (graph.links >= n).sum(axis=1) if len(graph.links) else np.zeros(0, int)
    weight = np.array([1.0, 2.0, 8.0])[bends]
    neighbours: list[list[tuple[int, float]]] = [[] for _ in widths]
    for (a, b), w in zip(graph.links.tolist(), weight.tolist(), strict=True):
        neighbours[a].append((b, w))
        neighbours[b].append((a, w))
    for sweep in range(_PLACING):
        down = sweep % 2 == 0
        for r in range(len(orders)) if down else range(len(orders) - 1, -1, -1):
            order = orders[r]
            target, force = x[order].copy(), np.full(len(order), 0.05)
            for i, v in enumerate(order.tolist()):
                if neighbours[v]:
                    at, w = np.array([(x[u], w) for u, w in neighbours[v]]).T
                    target[i], force[i] = np.average(at, weights=w), w.sum()
            x[order] = _pooled(target - room[r], force) + room[r]
    return x


def _pooled(target: Floats, weight: Floats) -> Floats:
    """The values nearest to a target that do not fall, by the pooling of adjacent violators."""
    blocks: list[list[float]] = []  # mean, weight, number
    for t, w in zip(target.tolist(), weight.tolist(), strict=True):
        blocks.append([t, w, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (m1, w1, k1), (m2, w2, k2) = blocks[-2], blocks.pop()
            blocks[-1] = [(m1 * w1 + m2 * w2) / (w1 + w2), w1 + w2, k1 + k2]
    return np.concatenate([np.full(int(k), m) for m, _, k in blocks])
