"""Networks as pictures: where nodes stand, and what their boxes say."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from ppgen import BayesianNetwork, InputError, Likelihood
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.structure.strengths import EdgeStrengths
from ppgen.plotting import draw_graph, plot_network
from ppgen.plotting.graph_boxes import Belief
from ppgen.plotting.layered import _pooled, crossings, layered, layers
from ppgen.plotting.style import png, svg


def graph(n: int, seed: int, share: float = 0.2) -> list[list[int]]:
    """Parents of each node of a random graph."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    parents: list[list[int]] = [[] for _ in range(n)]
    for i, j in combinations(range(n), 2):
        if rng.random() < share:
            parents[order[j]].append(int(order[i]))
    return parents


def mixed() -> Network:
    """Whether a plant is watered, how high it is, and whether it flowers."""
    dag = DAG.of(["watered", "height", "leaves"], [("watered", "height"), ("height", "leaves")])
    none = np.empty(())
    return Network(
        dag,
        (
            Table(np.array([0.25, 0.75])),
            LinearGaussian(np.array([10.0, 20.0]), np.empty((2, 0)), np.array([4.0, 9.0])),
            LinearGaussian(none * 0 + 1.0, np.array([0.5]), none * 0 + 1.0),
        ),
        (("no", "yes"), (), ()),
    )


@pytest.mark.parametrize("seed", range(8))
def test_nodes_stand_below_their_parents_and_apart(seed: int) -> None:
    parents = graph(14, seed)
    widths = np.random.default_rng(seed).uniform(0.5, 2, 14)
    found = layered(parents, widths, 0.3)
    assert all(found.layer[p] < found.layer[c] for c, own in enumerate(parents) for p in own)
    assert set(found.routes) == {(p, c) for c, own in enumerate(parents) for p in own}
    for (parent, child), route in found.routes.items():
        passed = [layer for _, layer in route]
        assert passed == list(range(found.layer[parent] + 1, found.layer[child]))
    for a, b in combinations(range(14), 2):
        if found.layer[a] == found.layer[b]:
            room = abs(found.x[a] - found.x[b]) - (widths[a] + widths[b]) / 2
            assert room > 0.3 - 1e-9
    for route in found.routes.values():
        for x, layer in route:
            here = found.layer == layer
            assert (np.abs(found.x[here] - x) > widths[here] / 2).all()
    assert (found.x - widths / 2).min() > -1e-9
    assert (found.x + widths / 2).max() < found.width + 1e-9


def test_a_wide_layer_is_divided() -> None:
    fan = [[], *([0] for _ in range(40))]
    assert np.bincount(layers(fan)).max() <= 10
    assert layers([[], [0], [1], []]).tolist()[:3] == [0, 1, 2]
    assert layers([[], [0], [1], [], [2, 3]])[3] == 2  # just above its only child
    assert layers([]).tolist() == []


def test_crossings_are_counted_and_those_of_a_tree_are_gone() -> None:
    above, below = np.array([3, 1, 2]), np.array([5, 4, 6])
    links = np.array([[3, 4], [1, 5], [2, 6], [2, 5]])
    expected = 0
    for (a, b), (c, d) in combinations(links.tolist(), 2):
        left = above.tolist().index(a) - above.tolist().index(c)
        right = below.tolist().index(b) - below.tolist().index(d)
        expected += left * right < 0
    assert crossings(above, below, links) == expected == 2
    tree = [[], [0], [0], [1], [2], [1], [2]]
    found = layered(tree, np.ones(7), 0.2)
    leaves = sorted([3, 4, 5, 6], key=lambda v: found.x[v])
    assert {frozenset(leaves[:2]), frozenset(leaves[2:])} == {frozenset({3, 5}), frozenset({4, 6})}


def test_pooling_is_the_projection_on_what_does_not_fall() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        target, weight = rng.normal(size=6), rng.uniform(0.1, 2, 6)
        found = _pooled(target, weight)
        assert (np.diff(found) >= 0).all()
        loss = weight @ (found - target) ** 2
        for _ in range(50):
            other = np.sort(found + 0.1 * rng.normal(size=6))
            assert weight @ (other - target) ** 2 >= loss - 1e-12


def words(made: object) -> list[str]:
    return [text.get_text() for text in made.axes[0].texts]  # type: ignore[attr-defined]


def test_boxes_show_what_is_believed_given_the_others() -> None:
    model = BayesianNetwork.of(mixed())
    said = words(plot_network(model))
    assert {"watered", "no", "25%", "yes", "75%"} <= set(said)
    assert "17.5 ± 5.1" in said  # sd: sqrt(0.25 4 + 0.75 9 + 0.1875 100)
    said = words(plot_network(model, {"height": 20.0}, title="high"))
    assert {"high", "= 20", "11.0 ± 1.0"} <= set(said)
    assert {"<0.1%", ">99.9%"} <= set(said)
    assert {"yes", "100%", "0%"} <= set(words(plot_network(model, {"watered": "yes"})))


def test_what_is_done_cuts_the_edges_into_it() -> None:
    model = BayesianNetwork.of(mixed())
    seen, done = plot_network(model, {"height": 30.0}), plot_network(model, do={"height": 30.0})
    assert "75%" in words(done)
    assert "75%" not in words(seen)
    assert "16.0 ± 1.0" in words(done)
    styles = [p.get_linestyle() for p in done.axes[0].patches if hasattr(p, "get_arrowstyle")]
    assert sum(style != "solid" for style in styles) == 1
    unsure = plot_network(model, {"watered": Likelihood({"no": 3.0, "yes": 1.0})})
    assert "50%" in words(unsure)
    with pytest.raises(InputError, match="a table was given"):
        plot_network(model, {"watered": ["yes", "no"]})


def test_edges_show_their_strength_and_whether_they_are_directed() -> None:
    dag = DAG.of("abc", [("a", "b"), ("c", "b"), ("a", "c")])
    made = draw_graph(dag, strengths={("a", "b"): 1.0, ("a", "c"): 0.1}, undirected={("a", "c")})
    arrows = [p for p in made.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    widths = sorted(arrow.get_linewidth() for arrow in arrows)
    assert widths[0] < widths[1] < widths[2]
    assert sum(type(arrow.get_arrowstyle()).__name__ == "Curve" for arrow in arrows) == 1
    sure = np.array([[0.0, 0.2, 0.0], [0.3, 0.0, 0.9], [0.0, 0.0, 0.0]])
    model = BayesianNetwork.of(mixed())
    made = plot_network(model, strengths=EdgeStrengths(model.dag_.names, sure, "bootstrap"))
    arrows = [p for p in made.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    assert [arrow.get_alpha() for arrow in arrows] == pytest.approx([0.6, 0.92])
    with pytest.raises(InputError, match="'z' is no node"):
        draw_graph(dag, strengths={("a", "z"): 1.0})


@pytest.mark.parametrize("seed", range(3))
def test_edges_run_past_the_boxes_between(seed: int) -> None:
    n = 16
    dag = DAG(tuple(f"node {i}" for i in range(n)), tuple(map(tuple, graph(n, seed, 0.15))))
    axes = draw_graph(dag).axes[0]
    drawn = [p for p in axes.patches if type(p).__name__ == "FancyBboxPatch"]
    edges = [p for p in axes.patches if type(p).__name__ == "FancyArrowPatch"]
    assert (len(drawn), len(edges)) == (n, len(dag.edges))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    t = np.linspace(0, 1, 30)[:, None]
    for edge in edges:
        points = edge._path_original.vertices
        curves = [points[i : i + 4] for i in range(0, len(points) - 1, 3)]
        at = np.concatenate(
            [
                (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
                for a, b, c, d in curves
            ]
        )
        assert (np.diff(at[:, 1]) > -1e-9).all()
        assert left < at[:, 0].min() < at[:, 0].max() < right
        assert top < at[:, 1].min() < at[:, 1].max() < bottom
        for box in drawn:
            x, y = at.T
            x0, y0, w, h = box.get_x(), box.get_y(), box.get_width(), box.get_height()
            inside = (x > x0) & (x < x0 + w) & (y > y0 + 1e-6) & (y < y0 + h - 1e-6)
            assert not inside.any()


def test_pictures_of_few_and_of_many_nodes_are_made() -> None:
    assert png(draw_graph(DAG(("alone",), ((),)))).startswith(b"\x89PNG")
    names = tuple(f"node{i}" for i in range(30))
    dag = DAG(names, tuple(map(tuple, graph(30, 0, 0.07))))
    states = tuple((f"s{i}", 1 / 7) for i in range(7))
    beliefs = {name: Belief(states) for name in names} | {"node3": Belief((("on", 1.0),), "", True)}
    made = draw_graph(dag, beliefs)
    assert "= on" in words(made)
    assert "node29" in svg(made, "graph", "a graph")
    assert {"3 more", "s0"} <= set(words(draw_graph(DAG(("a",), ((),)), {"a": Belief(states)})))


def test_what_has_no_graph_is_refused() -> None:
    with pytest.raises(NotFittedError):
        plot_network(BayesianNetwork([("a", "b")]))
    with pytest.raises(InputError, match="has no graph"):
        plot_network(object())
