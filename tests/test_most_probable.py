"""Most probable states of all or of some variables, against enumeration."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.exact import Exact
from ppgen.inference.most_probable import most_probable
from ppgen.models.bayesnet.formats import read
from tests.enumeration import joint, random_graph, random_network, scopes_of


@pytest.mark.parametrize("seed", range(15))
def test_the_most_probable_states_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    if seed % 2:
        sizes, parents, tables = random_network(rng, zeros=0.3)
        scopes = scopes_of(parents)
    else:
        sizes, scopes, tables = random_graph(rng, zeros=0.1)
    lam = {1: rng.random(sizes[1]), 4: np.eye(sizes[4])[1]}
    found = most_probable(Exact(sizes, scopes), tables, {1: lam[1], 4: 1})
    product = joint(sizes, scopes, tables, lam)
    if product.max() == 0:
        assert found.log_prob == -np.inf
        return
    np.testing.assert_allclose(found.log_prob, np.log(product.max()), rtol=1e-12)
    np.testing.assert_allclose(product[tuple(found.states)], product.max(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(15))
def test_marginal_map_is_that_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    sizes, parents, tables = random_network(rng, n=7, zeros=0.2)
    scopes = scopes_of(parents)
    lam = {1: rng.random(sizes[1])}
    asked = [5, 0, 3]
    found = most_probable(Exact(sizes, scopes), tables, lam, asked)
    marginal = joint(sizes, scopes, tables, lam).sum(axis=(1, 2, 4, 6)).transpose(2, 0, 1)
    np.testing.assert_allclose(found.log_prob, np.log(marginal.max()), rtol=1e-12)
    np.testing.assert_allclose(marginal[tuple(found.states)], marginal.max(), rtol=1e-12)


def test_marginal_map_is_not_the_most_probable_states_of_all():
    # x = 0 has probability 0.4 and one way to be, x = 1 has three of 0.2 each.
    y = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    exact, tables = Exact([2, 3], [(0,), (0, 1)]), [np.array([0.4, 0.6]), y]
    np.testing.assert_array_equal(most_probable(exact, tables).states, [0, 0])
    found = most_probable(exact, tables, variables=[0])
    np.testing.assert_array_equal(found.states, [1])
    np.testing.assert_allclose(found.log_prob, np.log(0.6))


@pytest.mark.parametrize("variables", [None, (2, 5)])
def test_a_row_of_a_batch_has_the_answer_that_it_has_alone(variables, monkeypatch):
    rng = np.random.default_rng(3)
    sizes, scopes, tables = random_graph(rng, n=6, m=8)
    states, lam = np.array([0, 1, -1, 1]), rng.random((4, sizes[3]))
    exact = Exact(sizes, scopes)
    for evidence in ({0: states, 3: lam}, {0: states[[0, 1, 1, 0]]}, {1: 1, 3: lam}):
        whole = most_probable(exact, tables, evidence, variables)
        for row in range(4):
            one = {v: np.asarray(x)[row] if np.ndim(x) else x for v, x in evidence.items()}
            alone = most_probable(exact, tables, one, variables)
            np.testing.assert_array_equal(whole.states[row], alone.states)
            np.testing.assert_allclose(whole.log_prob[row], alone.log_prob, rtol=1e-12)
    monkeypatch.setattr("ppgen.inference.buckets._BLOCK", 1)
    apart = most_probable(exact, tables, evidence, variables)
    np.testing.assert_array_equal(whole.states, apart.states)


def test_of_equally_probable_states_the_first_is_taken():
    scopes = [(0, 1), (1, 2), (2, 3)]
    exact, tables = Exact([3] * 4, scopes), [0.1 * np.ones((3, 3))] * 3
    np.testing.assert_array_equal(most_probable(exact, tables).states, [0] * 4)
    np.testing.assert_array_equal(most_probable(exact, tables, variables=[3, 1]).states, [0, 0])
    rounded = [t * (1 + 1e-15 * np.arange(9).reshape(3, 3)) for t in tables]
    np.testing.assert_array_equal(most_probable(exact, rounded).states, [0] * 4)


def test_evidence_of_probability_zero_has_no_states():
    exact, tables = Exact([2, 2], [(0,), (0, 1)]), [np.array([0.3, 0.7]), np.eye(2)]
    found = most_probable(exact, tables, {0: np.array([0, 1]), 1: np.array([1, 1])})
    np.testing.assert_array_equal(found.states, [[-1, -1], [1, 1]])
    np.testing.assert_allclose(found.log_prob, [-np.inf, np.log(0.7)])


def test_long_products_do_not_underflow():
    n = 1000
    scopes = [(v, v + 1) for v in range(n - 1)]
    step = np.array([[1e-200, 3e-200], [2e-200, 1e-200]])
    found = most_probable(Exact([2] * n, scopes), [step] * (n - 1))
    there_and_back = (n - 1) // 2 * np.log(6) + np.log(3) - 200 * (n - 1) * np.log(10)
    np.testing.assert_allclose(found.log_prob, there_and_back)
    np.testing.assert_array_equal(found.states, np.arange(n) % 2)


def test_no_rows_have_no_answers():
    exact, tables = Exact([2, 3], [(0, 1)]), [np.ones((2, 3))]
    assert most_probable(exact, tables, {0: np.empty(0, int)}).states.shape == (0, 2)
    assert most_probable(exact, tables, {0: np.empty(0, int)}, [1]).log_prob.shape == (0,)


def test_everything_observed_is_what_is_observed():
    found = most_probable(Exact([2, 2], [(0, 1)]), [np.array([[1.0, 2], [3, 4]])], {0: 1, 1: 0})
    np.testing.assert_array_equal(found.states, [1, 0])
    np.testing.assert_allclose(found.log_prob, np.log(3))


def test_more_memory_than_allowed_and_variables_named_twice_are_refused():
    scopes = [(i, j) for i in range(12) for j in range(i)]
    exact, tables = Exact([2] * 12, scopes, memory=10_000), [np.ones((2, 2))] * len(scopes)
    with pytest.raises(InputError, match=r"clique has 4,096 cells: \d"):
        most_probable(exact, tables)
    with pytest.raises(InputError, match="once"):
        most_probable(exact, tables, variables=[1, 1])


@pytest.mark.skipif("PPGEN_DATA" not in os.environ, reason="PPGEN_DATA names no folder of data")
@pytest.mark.parametrize("name", ["alarm", "insurance", "hailfinder"])
def test_parts_of_published_networks_have_the_states_of_enumeration(name):
    network = read(Path(os.environ["PPGEN_DATA"]) / "bayesnets" / "bif" / f"{name}.bif.gz")
    rng, done = np.random.default_rng(0), 0
    for node in rng.permutation(len(network.names)).tolist():
        part = sorted(network.dag.ancestors([node]))
        sizes = [network.sizes[v] for v in part]
        if not len(part) >= 4 or np.prod(sizes, dtype=float) > 1e5:
            continue
        scopes = [tuple(map(part.index, (*network.dag.parents[v], v))) for v in part]
        tables = [network.conditionals[v].probs for v in part]
        exact, product = Exact(sizes, scopes), joint(sizes, scopes, tables)
        found = most_probable(exact, tables)
        np.testing.assert_allclose(found.log_prob, np.log(product.max()), rtol=1e-12)
        np.testing.assert_allclose(product[tuple(found.states)], product.max(), rtol=1e-12)
        asked = rng.choice(len(part), 3, replace=False).tolist()
        others = tuple(v for v in range(len(part)) if v not in asked)
        marginal = product.sum(axis=others).transpose(np.argsort(np.argsort(asked)))
        found = most_probable(exact, tables, variables=asked)
        np.testing.assert_allclose(found.log_prob, np.log(marginal.max()), rtol=1e-12)
        np.testing.assert_allclose(marginal[tuple(found.states)], marginal.max(), rtol=1e-12)
        done += 1
        if done == 4:
            break
    assert done
