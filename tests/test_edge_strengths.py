"""How sure edges are: shares of resampled rows, probabilities given the rows."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen import BayesianNetwork
from ppgen.errors import InputError
from ppgen.models.bayesnet.structure.search import Search
from ppgen.models.bayesnet.structure.strengths import EdgeStrengths, edge_strengths

from .test_structure_search import draw


def test_strong_edges_are_found_in_every_resampled_set_and_weak_ones_in_some():
    found = edge_strengths(draw(400, seed=1), Search(method="hill-climbing"), "bootstrap", 20)
    at = {name: k for k, name in enumerate(found.names)}
    assert found.strengths[at["a"], at["c"]] == 1
    assert found.strengths[at["c"], at["d"]] == 1
    assert found.strengths.max() <= 1
    assert 0 < found.strengths[at["e"]].sum() < 1.5
    assert set(map(frozenset, found.averaged().edges)) == {frozenset("ac"), frozenset("bc"),
                                                           frozenset("cd")}  # fmt: skip
    table = found.table()
    assert table["strength"] == sorted(table["strength"], reverse=True)
    assert all(0.5 <= share <= 1 for share in table["direction"])


def test_an_edge_of_open_direction_counts_half_each_way():
    cases = draw(400)
    two = cases.permuted(np.array([2, 3]))  # c -> d alone: which way is not to be known
    found = edge_strengths(two, Search(), "bootstrap", 5)
    np.testing.assert_array_equal(found.probabilities, [[0, 0.5], [0.5, 0]])


def test_exact_and_drawn_probabilities_agree_whatever_the_order_of_columns():
    cases = draw(60, seed=4)
    search = Search(score="bdeu")
    exact = edge_strengths(cases, search, "exact", 0)
    drawn = edge_strengths(cases, search, "order-mcmc", 3000)
    np.testing.assert_allclose(drawn.probabilities, exact.probabilities, atol=0.03)
    order = np.array([3, 1, 4, 0, 2])
    other = edge_strengths(cases.permuted(order), search, "exact", 0)
    np.testing.assert_allclose(
        other.probabilities, exact.probabilities[np.ix_(order, order)], atol=1e-9
    )


def test_the_threshold_parts_the_strong_from_the_weak():
    # strengths near 0 and near 1 only: the threshold lies between
    values = np.array([0.02, 0.05, 0.1, 0.9, 0.95, 1.0])
    matrix = np.zeros((4, 4))
    matrix[np.tril_indices(4, -1)] = values
    found = EdgeStrengths(tuple("abcd"), matrix, "bootstrap")
    assert 0.1 <= found.threshold < 0.9
    assert len(found.averaged().edges) == 3


def test_an_averaged_graph_has_no_cycle():
    ring = np.array([[0, 0.9, 0.1], [0, 0, 0.8], [0.7, 0, 0]])
    found = EdgeStrengths(tuple("abc"), ring, "bootstrap")
    assert found.averaged(0.1).edges == [("a", "b"), ("b", "c")]
    assert found.of_edges(found.averaged(0.1)) == {("a", "b"): 0.9, ("b", "c"): 0.8}


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match=r"no method 'bootstrp'.*'bootstrap'"):
        edge_strengths(draw(50), Search(), "bootstrp", 3)


def test_a_fitted_network_says_how_sure_its_edges_are():
    cases = draw(1000)
    rows = {name: np.array(list("xyz"))[cases.codes[:, k]] for k, name in enumerate(cases.names)}
    net = BayesianNetwork(criterion="bdeu", random_state=0).fit(rows)
    exact = net.edge_strengths(rows, method="exact")
    sampled = net.edge_strengths(rows, number=10)
    assert min(exact.of_edges(net.dag_).values()) > 0.99
    assert exact.strengths[0, 2] > 0.99
    assert sampled.method == "bootstrap"
    assert set(exact.averaged().names) == set(rows)
    with pytest.raises(InputError, match="there is no method"):
        net.edge_strengths(rows, method="guess")


def test_a_network_is_learnt_by_tests_of_independence():
    cases = draw(2000)
    rows = {name: np.array(list("xyz"))[cases.codes[:, k]] for k, name in enumerate(cases.names)}
    net = BayesianNetwork(structure="pc", level=0.001).fit(rows)
    assert set(net.edges_) == {("a", "c"), ("b", "c"), ("c", "d")}
    assert "tests of independence leave 3 edges" in str(net.verdict_.reasons)
    rows["a"] = np.where(np.arange(2000) % 9 == 0, None, rows["a"])
    again = BayesianNetwork(structure="pc", level=0.001).fit(rows)
    assert set(again.edges_) == {("a", "c"), ("b", "c"), ("c", "d")}
    assert "each test counts the rows" in str(again.verdict_.reasons)


def test_strengths_print_as_their_table_and_what_is_to_be_said():
    probabilities = np.array([[0, 0.75, 0], [0.25, 0, 0.5], [0, 0, 0]])
    found = EdgeStrengths(tuple("abc"), probabilities, "exact", ("BIC approximates.",))
    lines = str(found).splitlines()
    assert lines[0].startswith("edge strengths, exact")
    assert [line.split() for line in lines[1:]] == [
        ["from", "to", "strength", "direction"],
        ["a", "b", "1", "0.75"],
        ["b", "c", "0.5", "1"],
        ["BIC", "approximates."],
    ]
    assert repr(found) == str(found)
