"""Structures from rows with gaps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.structure.cases import Cases
from ppgen.models.bayesnet.structure.search import Search, learn
from ppgen.models.bayesnet.structure.structural_em import sweep

from .test_structure_search import draw, skeleton

TRUE = {frozenset(pair) for pair in ("ac", "bc", "cd")}


@pytest.mark.parametrize(
    ("kinds", "score"), [("ddddd", "bdeu"), ("ccccc", "bge"), ("ddccc", "bic")]
)
def test_the_graph_is_found_whatever_the_order_of_columns(kinds, score):
    cases = draw(1500, kinds=kinds)
    gaps = np.random.default_rng(0).random((1500, 5)) < 0.15
    cases.codes[gaps] = -1
    cases.x[gaps] = np.nan
    found = learn(cases, Search(score=score))
    assert skeleton(found.dag) == TRUE
    assert "% of values are missing" in found.reasons[-1]
    assert "rounds" in found.reasons[-1]
    order = np.array([3, 1, 4, 0, 2])
    again = learn(cases.permuted(order), Search(score=score))
    assert set(again.dag.edges) == set(found.dag.edges)
    assert again.score == found.score


def test_rows_without_gaps_of_interventions_are_scored_where_they_are_known():
    cases = draw(2000)
    cases.codes[np.random.default_rng(0).random((2000, 5)) < 0.05] = -1
    outside = np.zeros((2000, 5), bool)
    outside[:100, 2] = True
    cases = Cases(cases.names, cases.sizes, cases.codes, cases.x, cases.weights, outside)
    found = learn(cases)
    assert skeleton(found.dag) >= TRUE
    assert "each node's score counts the rows" in found.reasons[-1]


def test_constraints_hold_where_rows_have_gaps():
    cases = draw(500)
    cases.codes[np.random.default_rng(0).random((500, 5)) < 0.2] = -1
    dag = learn(cases, Search(required=[("d", "a"), ("e", "a")], forbidden=[("a", "c")])).dag
    assert {("d", "a"), ("e", "a")} <= set(dag.edges)
    assert ("a", "c") not in dag.edges


def test_sweeps_draw_from_the_posterior_of_gaps_among_states():
    rng = np.random.default_rng(0)
    parents = ((), (0,), (0, 1), (2,))
    probs = [rng.dirichlet(np.ones(2), [2] * len(own)) for own in parents]
    dag = DAG(tuple("abcd"), parents)
    network = Network(dag, tuple(map(Table, probs)), ((0, 1),) * 4)
    joint = np.zeros((2,) * 4)
    for x in product(range(2), repeat=4):
        each = (probs[v][(*(x[p] for p in own), x[v])] for v, own in enumerate(parents))
        joint[x] = np.prod(list(each))
    n = 20_000
    rows = NodeRows(np.tile([0, 0, 0, 1], (n, 1)).astype(np.int32), np.full((n, 4), np.nan))
    gaps = np.tile([True, False, True, False], (n, 1))
    for _ in range(12):
        sweep(network, rows, gaps, rng)
    expected = joint[:, 0, :, 1] / joint[:, 0, :, 1].sum()
    drawn = np.bincount(2 * rows.codes[:, 0] + rows.codes[:, 2], minlength=4) / n
    assert drawn == pytest.approx(expected.ravel(), abs=5 * 0.5 / np.sqrt(n))
    assert (rows.codes[:, [1, 3]] == [0, 1]).all()


def test_sweeps_draw_from_the_posterior_of_gaps_among_values():
    """s -> x -> y, and s -> y: the gap x given s and y, in closed form."""
    slope, variance = np.array([[0.5], [-1.0]]), np.array([0.3, 0.7])
    conditionals = (
        Table(np.array([0.4, 0.6])),
        LinearGaussian(np.array([0.0, 2.0]), np.empty((2, 0)), np.array([1.0, 0.5])),
        LinearGaussian(np.array([1.0, -1.0]), slope, variance),
    )
    dag = DAG(("s", "x", "y"), ((), (0,), (0, 1)))
    network = Network(dag, conditionals, ((0, 1), (), ()))
    n = 40_000
    codes = np.tile([1, -1, -1], (n, 1)).astype(np.int32)
    x = np.tile([np.nan, 0.0, 0.4], (n, 1))
    rows = NodeRows(codes, x)
    sweep(network, rows, np.tile([False, True, False], (n, 1)), np.random.default_rng(0))
    precision = 1 / 0.5 + 1.0 / 0.7
    mean = (2.0 / 0.5 - 1.0 * (0.4 + 1.0) / 0.7) / precision
    assert rows.x[:, 1].mean() == pytest.approx(mean, abs=5 / np.sqrt(n * precision))
    assert rows.x[:, 1].var() == pytest.approx(1 / precision, rel=5 * np.sqrt(2 / n))
    gaps = np.tile([True, False, False], (n, 1))
    sweep(
        network,
        NodeRows(codes, x := np.tile([np.nan, 1.2, 0.4], (n, 1))),
        gaps,
        np.random.default_rng(1),
    )
    density = [
        p * np.exp(-((1.2 - m) ** 2) / 2 / v - (0.4 - b - k * 1.2) ** 2 / 2 / w) / np.sqrt(v * w)
        for p, m, v, b, k, w in ((0.4, 0, 1, 1, 0.5, 0.3), (0.6, 2, 0.5, -1, -1, 0.7))
    ]
    assert rows.codes[:, 0].mean() == pytest.approx(
        density[1] / sum(density), abs=5 * 0.5 / np.sqrt(n)
    )
