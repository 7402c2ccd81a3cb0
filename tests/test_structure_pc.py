"""Structures from tests of independence: exact where the tests are, whatever the order of nodes."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.inference.dag import DAG, extended, find_cycle
from ppgen.inference.structure.constraints import Constraints
from ppgen.inference.structure.pc import pc
from ppgen.models.bayesnet.structure.cases import Cases
from ppgen.models.bayesnet.structure.independence import IndependenceTest

from .test_dag import random_dag
from .test_structure_search import draw


def oracle(dag: DAG):
    """p-values of a graph's own independences: 1 or 0."""
    return lambda a, b, given: float(b not in dag.reachable([a], set(given)))


@pytest.mark.parametrize("seed", range(15))
def test_with_true_independences_the_equivalence_class_is_found(seed):
    dag = random_dag(8, seed, 0.35)
    found = pc(oracle(dag), Constraints.none(8))
    np.testing.assert_array_equal(found.partial, dag.cpdag())
    np.testing.assert_array_equal(DAG(dag.names, found.parents).cpdag(), dag.cpdag())
    assert found.conflicts == 0


def test_contradictory_tests_still_give_a_graph_without_cycles():
    rng = np.random.default_rng(0)
    for _ in range(20):
        answers = {}

        def p_value(a, b, given, answers=answers):
            return answers.setdefault((a, b, given), float(rng.random() < 0.3))

        found = pc(p_value, Constraints.none(7))
        assert not find_cycle(found.parents)
        edges = np.zeros((7, 7), bool)
        for child, parents in enumerate(found.parents):
            edges[list(parents), child] = True
        np.testing.assert_array_equal(edges | edges.T, found.partial | found.partial.T)


def test_constraints_are_kept():
    dag = DAG.of("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
    fixed = Constraints.of("abcd", required=[("c", "b")], forbidden=[("c", "d"), ("d", "c")])
    found = pc(oracle(dag), fixed)
    assert 2 in found.parents[1]
    assert not found.partial[[2, 3], [3, 2]].any()
    # b <- c is required, and not c -> b -> a with a collider at b: what follows is oriented
    assert found.partial[1, 0]
    assert not found.partial[0, 1]


def test_a_pattern_that_no_graph_has_cannot_be_extended():
    square = np.zeros((4, 4), bool)
    for i in range(4):
        square[i, (i + 1) % 4] = square[(i + 1) % 4, i] = True
    assert extended(square) is None


@pytest.mark.parametrize("kinds", ["ddddd", "ccccc", "ddccc", "dcccc"])
def test_the_graph_that_made_the_rows_is_found(kinds):
    cases = draw(kinds=kinds)
    discrete = np.array(cases.sizes) > 0
    allowed = discrete[:, None] | ~discrete[None, :]
    fixed = Constraints.of(cases.names, allowed=allowed)
    found = pc(IndependenceTest(cases), fixed, level=0.001)
    joined = {frozenset(pair) for pair in np.argwhere(found.partial).tolist()}
    assert joined == {frozenset(pair) for pair in ((0, 2), (1, 2), (2, 3))}
    if kinds in ("ddddd", "ccccc"):
        assert found.parents == ((), (), (0, 1), (2,), ())


@pytest.mark.parametrize("kinds", ["ddd", "ccc", "dcc", "ddc"])
def test_p_values_are_uniform_where_nodes_are_independent(kinds):
    # c is made of s alone, beside b: a false alarm in 5 % of 200 tables, within 4 deviations
    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        s = rng.integers(3, size=400) if kinds[0] == "d" else rng.normal(size=400)
        columns = [s]
        for kind in kinds[1:]:
            own = 0.8 * s + rng.normal(size=400)
            columns.append(np.digitize(own, [0.5, 1.5]) if kind == "d" else own)
        sizes = tuple(3 * (kind == "d") for kind in kinds)
        codes = np.stack(
            [c if n else np.full(400, -1) for c, n in zip(columns, sizes, strict=True)]
        )
        x = np.stack(
            [np.full(400, np.nan) if n else c for c, n in zip(columns, sizes, strict=True)]
        )
        cases = Cases(tuple("sab"), sizes, codes.T.astype(int), x.T, np.ones(400))
        values.append(IndependenceTest(cases)(1, 2, (0,)))
    share = np.mean(np.array(values) < 0.05)
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 200)


def test_a_weight_of_two_is_the_row_twice_and_rows_set_from_outside_do_not_count():
    cases = draw(300, kinds="ddccc")
    half = Cases(cases.names, cases.sizes, cases.codes[:150], cases.x[:150], np.full(150, 2.0))
    rows = np.repeat(np.arange(150), 2)
    twice = Cases(cases.names, cases.sizes, cases.codes[rows], cases.x[rows], np.ones(300))
    for question in ((0, 1, ()), (2, 3, (0,)), (0, 2, (3,))):
        assert IndependenceTest(half)(*question) == pytest.approx(
            IndependenceTest(twice)(*question), rel=1e-9
        )
    outside = np.zeros((300, 5), bool)
    outside[150:, 2] = True
    with_set = Cases(cases.names, cases.sizes, cases.codes, cases.x, np.ones(300), outside)
    first = Cases(cases.names, cases.sizes, cases.codes[:150], cases.x[:150], np.ones(150))
    kept, alone = IndependenceTest(with_set), IndependenceTest(first)
    np.testing.assert_allclose(kept(2, 3, (0,)), alone(2, 3, (0,)), rtol=0.05)


def test_two_discrete_nodes_have_no_test_given_a_continuous_one():
    assert np.isnan(IndependenceTest(draw(100, kinds="ddccc"))(0, 1, (2,)))


def test_where_values_are_missing_a_test_does_not_depend_on_where_zero_lies():
    cases = draw(60, kinds="ddccc")
    x = np.where(np.arange(60)[:, None] % 5 == 0, np.nan, cases.x)
    from_far = Cases(cases.names, cases.sizes, cases.codes, x + 1000.0, cases.weights)
    near = Cases(cases.names, cases.sizes, cases.codes, x, cases.weights)
    for question in ((2, 3, (0, 1)), (0, 2, (1, 3)), (1, 4, (0,))):
        far = IndependenceTest(from_far)(*question)
        assert far == pytest.approx(IndependenceTest(near)(*question), rel=1e-6)
