"""Searches for structures: what they find, whatever the order of columns, within constraints."""

from __future__ import annotations

import itertools
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from ppgen import BayesianNetwork
from ppgen.errors import InputError
from ppgen.inference.dag import DAG, find_cycle
from ppgen.inference.structure.boss import GrowShrinkTree, order_score, places
from ppgen.inference.structure.constraints import Constraints
from ppgen.inference.structure.expiry import Expiry
from ppgen.inference.structure.hill_climbing import hill_climb
from ppgen.models.bayesnet.settings import WIDE
from ppgen.models.bayesnet.structure.cases import Cases
from ppgen.models.bayesnet.structure.scores import NetworkScore
from ppgen.models.bayesnet.structure.search import Search, constraints_of, learn
from ppgen.models.bayesnet.structure.structure_reasons import of_directions

from .test_dag import random_dag

# a -> c <- b, c -> d, and e alone
TRUE = ((), (), (0, 1), (2,), ())


def draw(n=3000, seed=0, kinds="ddddd"):
    """Rows of TRUE; continuous nodes where kinds has "c"."""
    rng = np.random.default_rng(seed)
    codes, x = np.full((n, 5), -1), np.full((n, 5), np.nan)
    for node, parents in enumerate(TRUE):
        shift = sum(
            1.5 * (codes[:, p] if kinds[p] == "d" else x[:, p]) * (-1) ** k
            for k, p in enumerate(parents)
        )
        own = shift + rng.normal(size=n)
        if kinds[node] == "c":
            x[:, node] = own
        else:
            codes[:, node] = np.digitize(own, [-0.3, 0.8])
    sizes = tuple(0 if kind == "c" else 3 for kind in kinds)
    return Cases(tuple("abcde"), sizes, codes, x, np.ones(n))


def skeleton(dag):
    return {frozenset(edge) for edge in dag.edges}


@pytest.mark.parametrize(
    ("kinds", "score"),
    [("ddddd", "bic"), ("ddddd", "bdeu"), ("ccccc", "bic"), ("ccccc", "bge"), ("ddccc", "mixed")],
)
def test_the_graph_that_made_the_rows_is_found(kinds, score):
    found = learn(draw(kinds=kinds), Search(score=score)).dag
    assert skeleton(found) == {frozenset(pair) for pair in ("ac", "bc", "cd")}
    assert {("a", "c"), ("b", "c"), ("c", "d")} == set(found.edges)


@pytest.mark.parametrize("kinds", ["ddddd", "dcdcc"])
def test_the_graph_does_not_depend_on_the_order_of_columns_rows_or_names(kinds):
    rng = np.random.default_rng(0)
    cases = draw(100, seed=3, kinds=kinds)
    cases = Cases(*(getattr(cases, name) for name in ("names", "sizes")),
                  np.where(np.arange(5) == 4, cases.codes[:, [0]], cases.codes)
                  if kinds[0] == kinds[4] else cases.codes, cases.x, cases.weights)  # fmt: skip
    first = learn(cases, Search(restarts=2))
    for _ in range(8):
        order, rows = rng.permutation(5), rng.permutation(100)
        other = cases.permuted(order)
        assert set(learn(other, Search(restarts=2)).dag.edges) == set(first.dag.edges)
        names = tuple("vwxyz")
        renamed = Cases(names, other.sizes, other.codes, other.x, other.weights)
        back = {names[k]: cases.names[order[k]] for k in range(5)}
        edges = {(back[u], back[v]) for u, v in learn(renamed, Search(restarts=2)).dag.edges}
        if kinds != "ddddd":  # there two columns are equal, and which is which is in the names
            assert edges == set(first.dag.edges)
        shuffled = Cases(cases.names, cases.sizes, cases.codes[rows], cases.x[rows], cases.weights)
        assert set(learn(shuffled, Search(restarts=2)).dag.edges) == set(first.dag.edges)


def test_a_climb_ends_where_no_step_is_better():
    cases = draw(200, seed=1)
    score = NetworkScore(cases, "bdeu")
    found = hill_climb(score, Constraints.none(5), restarts=3)
    edges = {(p, v) for v, own in enumerate(found.parents) for p in own}
    best = found.score
    for u in range(5):
        for v in range(5):
            steps = [edges ^ {(u, v)}]
            if (u, v) in edges:
                steps.append((edges - {(u, v)}) | {(v, u)})
            for step in steps if u != v else ():
                parents = [[p for p, c in step if c == node] for node in range(5)]
                if not find_cycle(parents):
                    assert score.total(parents) <= best + 1e-9
    assert max(found.trace) == pytest.approx(best)


def test_constraints_are_respected():
    search = Search(
        required=[("d", "a"), ("e", "a")],
        forbidden=[("a", "c")],
        tiers=[["d", "e"], ["a", "b"]],
        max_parents=2,
        restarts=2,
    )
    dag = learn(draw(500), search).dag
    assert {("d", "a"), ("e", "a")} <= set(dag.edges)
    assert not {("a", "c"), ("a", "d"), ("b", "d"), ("b", "e")} & set(dag.edges)
    assert max(map(len, dag.parents)) <= 2


def test_discrete_nodes_get_no_continuous_parents():
    dag = learn(draw(kinds="dcdcd"), Search(score="mixed")).dag
    for child, parents in enumerate(dag.parents):
        assert "dcdcd"[child] == "c" or all("dcdcd"[p] == "d" for p in parents)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"required": [("a", "b"), ("b", "c"), ("c", "a")]}, "cycle, .* -> .* -> .* -> "),
        ({"required": [("a", "b")], "forbidden": [("a", "b")]}, "'a' -> 'b' is .* forbidden"),
        ({"required": [("a", "b")], "tiers": [["b"], ["a"]]}, "from a later tier"),
        ({"required": [("a", "b"), ("c", "b")], "max_parents": 1}, "2 edges into 'b'"),
        ({"required": [("x", "b")]}, "names 'x', which is no node"),
        ({"forbidden": ["ab"]}, "expected a pair"),
        ({"forbidden": [("a", "a")]}, "leads from a node to it"),
        ({"tiers": [["a"], ["a"]]}, "'a' is in two tiers"),
        ({"tiers": ["ab"]}, "a list of nodes for each tier"),
        ({"required": [("e", "a")]}, "a discrete node has no continuous parents"),
    ],
)
def test_constraints_that_cannot_be_met_are_refused(asked, said):
    with pytest.raises(InputError, match=said):
        learn(draw(50, kinds="ddddc"), Search(**asked))


def test_a_search_that_is_out_of_time_gives_the_best_so_far():
    found = learn(draw(), expired=Expiry(lambda: 0.0))
    assert len(found.trace) == 2
    assert len(found.dag.edges) == 1


@pytest.mark.parametrize("stage", ["families", "subsets"])
def test_an_exact_search_that_is_out_of_time_gives_the_graph_of_a_climb(stage):
    cases = draw(300, seed=3)
    asked, climbed = itertools.count(), learn(cases, Search(method="hill-climbing", restarts=0))
    steps = len(climbed.trace) - 1  # after each it is asked
    after = steps + {"families": 10, "subsets": 5 * 17 + 10}[stage]
    found = learn(
        cases, Search(method="exact"), expired=Expiry(lambda: 0.0 if next(asked) >= after else 9.0)
    )
    assert next(asked) > after
    assert found.dag == climbed.dag
    assert found.trace == climbed.trace
    whole = learn(cases, Search(method="exact"), expired=Expiry(lambda: 9.0))
    assert len(whole.trace) == 1
    assert whole.score >= found.score - 1e-9


def all_graphs(n):
    """The parents of each node in every directed acyclic graph."""
    masks = [[p for p in range(n) if p != v] for v in range(n)]
    choices = [
        [tuple(p for k, p in enumerate(own) if bits >> k & 1) for bits in range(1 << len(own))]
        for own in masks
    ]
    return [parents for parents in product(*choices) if not find_cycle(parents)]


GRAPHS = all_graphs(4)


@pytest.mark.parametrize(
    ("kinds", "name"),
    [("dddd", "bdeu"), ("dddd", "bic"), ("cccc", "bge"), ("cccc", "bic"), ("ddcc", "mixed")],
)
@pytest.mark.parametrize("constrained", [False, True])
def test_exact_search_is_enumeration_of_all_graphs(kinds, name, constrained):
    assert len(GRAPHS) == 543
    cases = draw(60, seed=5, kinds=kinds + "d")
    cases = Cases(cases.names[:4], cases.sizes[:4], cases.codes[:, :4], cases.x[:, :4], np.ones(60))
    search = Search(score=name, method="exact")
    if constrained:
        search = replace(search, required=[("b", "a")], forbidden=[("b", "c")], max_parents=2)
    constraints = constraints_of(cases, search)
    score = NetworkScore(cases, name)
    best = max(score.total(graph) for graph in GRAPHS if constraints.admits(graph))
    found = learn(cases, search)
    assert found.score == pytest.approx(best, rel=1e-12)
    assert score.total(found.dag.parents) == pytest.approx(best, rel=1e-12)
    assert constraints.admits(found.dag.parents)


def test_exact_search_over_many_nodes_is_refused():
    n = 25
    cases = Cases(
        tuple(f"v{k}" for k in range(n)), (2,) * n, np.zeros((9, n), int), np.full((9, n), np.nan),
        np.ones(9),
    )  # fmt: skip
    with pytest.raises(InputError, match='take structure="boss"'):
        learn(cases, Search(method="exact"))


@pytest.mark.parametrize("name", ["bic", "mixed"])
def test_the_order_search_meets_the_best_graph(name):
    """On few nodes it finds what the exact search finds."""
    kinds = "ddddd" if name == "bic" else "dcdcc"
    for seed in range(4):
        cases = draw(300, seed=seed, kinds=kinds)
        best = learn(cases, Search(method="exact", score=name)).score
        found = learn(cases, Search(method="boss", score=name, restarts=3))
        assert found.score == pytest.approx(best, rel=1e-12)


def test_moving_a_node_scores_the_graph_of_each_order():
    cases = draw(200, seed=2)
    score = NetworkScore(cases, "bic")
    trees = [GrowShrinkTree(score, Constraints.none(5), node) for node in range(5)]
    order = [3, 0, 4, 2, 1]
    for node in range(5):
        rest = [other for other in order if other != node]
        for place, value in enumerate(places(trees, order, node)):
            moved = [*rest[:place], node, *rest[place:]]
            assert value == pytest.approx(order_score(trees, moved), rel=1e-12)


@pytest.mark.parametrize("method", ["boss", "hill-climbing", "exact"])
def test_every_search_stays_among_the_admitted_graphs(method):
    rng = np.random.default_rng(0)
    for seed in range(6):
        cases = draw(80, seed=seed, kinds="ddddd" if seed % 2 else "ddccc")
        order = [0, 1, *(2 + rng.permutation(3))]
        edges = [("abcde"[order[i]], "abcde"[order[j]]) for i, j in combinations(range(5), 2)]
        required = [edge for edge in edges if rng.random() < 0.2]
        turned = [(v, u) for u, v in edges if rng.random() < 0.3]
        search = Search(
            method=method, score="bic", required=required, forbidden=turned, max_parents=3,
            restarts=2, seed=seed,
        )  # fmt: skip
        found = learn(cases, search)
        assert constraints_of(cases, search).admits(found.dag.parents)
        total = NetworkScore(cases, "bic").total(found.dag.parents)
        assert found.score == pytest.approx(total, rel=1e-11)


def test_columns_of_one_state_and_few_rows_are_no_trouble():
    for sizes in ((), (1,), (0,), (1, 1, 2), (0, 1, 2)):
        for n in (1, 2, 20):
            rng = np.random.default_rng(n)
            codes = np.array([rng.integers(0, s, n) if s else [-1] * n for s in sizes], int)
            x = np.array([[np.nan] * n if s else rng.normal(size=n) for s in sizes])
            names = tuple("abc"[: len(sizes)])
            cases = Cases(names, sizes, codes.reshape(-1, n).T, x.reshape(-1, n).T, np.ones(n))
            for name in ("bic", "mixed"):
                found = learn(cases, Search(score=name, restarts=1))
                assert np.isfinite(found.score)
                assert not any("a" in edge for edge in found.dag.edges if sizes[0] == 1)


@pytest.mark.parametrize(
    ("kinds", "edges", "tiers", "open_ones"),
    [
        ("ddd", [("a", "b"), ("b", "c")], [], 2),
        ("ddd", [("a", "b"), ("c", "b")], [], 0),
        ("ddd", [("a", "b"), ("b", "c")], [["a"], ["b"]], 0),
        ("ddd", [("a", "b"), ("b", "c")], [["b"], ["c"]], 1),
        ("dcc", [("a", "b"), ("b", "c")], [], 0),
        ("dcc", [("a", "b"), ("b", "c"), ("a", "c")], [], 1),
    ],
)
def test_edges_that_could_as_well_be_turned_are_counted(kinds, edges, tiers, open_ones):
    """A collider, a tier and a discrete child of a continuous node settle a direction, and with it
    those that would make another collider."""
    sizes = tuple(0 if kind == "c" else 2 for kind in kinds)
    nothing = np.empty((0, 3))
    cases = Cases(tuple("abc"), sizes, nothing.astype(int), nothing, np.empty(0))
    said = of_directions(DAG.of("abc", edges), constraints_of(cases, Search(tiers=tiers)))
    assert bool(said) == bool(open_ones)
    assert not said or f"which way {open_ones} of the {len(edges)} edges point" in said[0]


def of_random_tables(d, seed, n=500):
    """Rows of a random graph of d nodes of two and three states."""
    rng, dag = np.random.default_rng(seed), random_dag(d, seed)
    sizes = tuple(2 + node % 2 for node in range(d))
    codes = np.zeros((n, d), int)
    for node in dag.order:
        parents = list(dag.parents[node])
        table = rng.dirichlet(np.full(sizes[node], 0.7), size=tuple(sizes[p] for p in parents))
        rows = np.broadcast_to(table[tuple(codes[:, parents].T)], (n, sizes[node]))
        codes[:, node] = (rows.cumsum(axis=1)[:, :-1] < rng.random((n, 1))).sum(axis=1)
    return Cases(dag.names, sizes, codes, np.full((n, d), np.nan), np.ones(n))


@pytest.mark.parametrize("seed", [8, 17, 23])
def test_further_searches_find_the_best_of_few_nodes_where_one_does_not(seed):
    cases = of_random_tables(7, seed)
    best = learn(cases, Search(method="exact")).score
    assert learn(cases, Search(restarts=0)).score < best - 5
    assert learn(cases, Search()).score == pytest.approx(best, abs=1e-6)


def test_wide_tables_are_searched_by_hill_climbing_and_said_to_be():
    def search(n_columns, **given):
        x = np.random.default_rng(0).normal(size=(40, n_columns))
        rows = {f"x{k}": x[:, k] for k in range(n_columns)}
        net = BayesianNetwork(max_parents=0, **given).fit(rows)
        return str(net.verdict_.reasons)

    assert 'structure="boss" is the slower, better search' in search(WIDE + 1)
    assert "hill climbing" not in search(WIDE)
    assert "hill climbing" not in search(WIDE + 1, structure="boss")
    assert "hill climbing" not in search(WIDE + 1, structure="hill-climbing")
