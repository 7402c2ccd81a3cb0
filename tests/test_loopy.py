"""Loopy belief propagation: exact on trees, near on graphs with cycles, and it says which."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.loopy import loopy
from tests.enumeration import joint, marginals, random_graph, random_network, random_tree, scopes_of


@pytest.mark.parametrize("damping", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(10))
def test_it_is_exact_on_trees(seed, damping):
    rng = np.random.default_rng(seed)
    sizes, scopes, tables = random_tree(rng)
    lam = {2: rng.random(sizes[2]), 4: np.eye(sizes[4])[1]}
    found = loopy(sizes, scopes, tables, {2: lam[2], 4: 1}, damping=damping)
    log_z, probs = marginals(joint(sizes, scopes, tables, lam))
    assert found.converged
    np.testing.assert_allclose(found.log_z, log_z, atol=1e-8)
    for expected, p in zip(probs, found.probs, strict=True):
        np.testing.assert_allclose(p, expected, atol=1e-8)


def test_a_network_that_is_a_polytree_is_exact_with_deterministic_tables():
    either = np.zeros((2, 2, 2))
    either[..., 1] = [[0, 1], [1, 1]]
    either[..., 0] = 1 - either[..., 1]
    noisy = np.array([[0.9, 0.1], [0.2, 0.8]])
    sizes, scopes = [2] * 5, [(0,), (1,), (0, 1, 2), (2, 3), (1, 4)]
    tables = [np.array([0.99, 0.01]), np.array([0.9, 0.1]), either, noisy, noisy]
    lam = {3: np.eye(2)[1], 4: np.eye(2)[0]}
    found = loopy(sizes, scopes, tables, {3: 1, 4: 0})
    log_z, probs = marginals(joint(sizes, scopes, tables, lam))
    np.testing.assert_allclose(found.log_z, log_z, atol=1e-8)
    np.testing.assert_allclose(np.stack(found.probs), np.stack(probs), atol=1e-8)


def test_it_is_near_on_graphs_with_cycles_and_says_that_it_is_approximate():
    errors = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sizes, parents, tables = random_network(rng, n=7, most_parents=2)
        scopes = scopes_of(parents)
        found = loopy(sizes, scopes, tables, {6: 0})
        _, probs = marginals(joint(sizes, scopes, tables, {6: np.eye(sizes[6])[0]}))
        errors.append(max(abs(p - q).max() for p, q in zip(probs, found.probs, strict=True)))
        assert "approximate" in str(found.reasons()[0])
    assert np.median(errors) < 0.05
    assert max(errors) > 1e-6  # some graph had a cycle, so that the answer was none but near


def test_a_row_of_a_batch_has_the_answer_that_it_has_alone():
    rng = np.random.default_rng(3)
    sizes, scopes, tables = random_graph(rng, n=6, m=9)
    states = np.array([0, 1, -1, 0])
    lam = rng.random((4, sizes[1]))
    found = loopy(sizes, scopes, tables, {0: states, 1: lam})
    assert len(set(found.iterations)) > 1
    for row in range(4):
        alone = loopy(sizes, scopes, tables, {0: int(states[row]), 1: lam[row]})
        np.testing.assert_allclose(found.log_z[row], alone.log_z, rtol=1e-12)
        assert found.iterations[row] == alone.iterations
        for p, q in zip(found.probs, alone.probs, strict=True):
            np.testing.assert_allclose(p[row], q, rtol=1e-12)


def test_evidence_of_probability_zero_is_said_and_other_rows_have_answers():
    copy = np.eye(2)
    sizes, scopes, tables = [2, 2, 2], [(0,), (0, 1), (1, 2)], [np.array([0.3, 0.7]), copy, copy]
    found = loopy(sizes, scopes, tables, {0: np.array([0, 0]), 2: np.array([1, 0])})
    assert found.log_z[0] == -np.inf
    assert np.isnan(found.probs[1][0]).all()
    np.testing.assert_allclose(found.log_z[1], np.log(0.3))


def test_long_chains_do_not_underflow():
    n = 3000
    scopes, step = [(v, v + 1) for v in range(n - 1)], np.array([[1e-30, 2e-30], [3e-30, 1e-30]])
    found = loopy([2] * n, scopes, [step] * (n - 1), damping=0.0, max_iter=2 * n, tol=1e-12)
    expected = (n - 1) * (np.log(1 + np.sqrt(6)) - 30 * np.log(10))  # of the largest eigenvalue
    np.testing.assert_allclose(found.log_z, expected, rtol=1e-5)


def test_messages_that_do_not_settle_are_reported():
    rng = np.random.default_rng(0)
    spin = np.array([[1.0, -1.0], [-1.0, 1.0]])
    scopes = [(i, j) for i in range(9) for j in range(i)] + [(i,) for i in range(9)]
    tables = [
        np.exp(2 * rng.normal() * spin if len(scope) == 2 else rng.normal() * spin[0])
        for scope in scopes
    ]
    found = loopy([2] * 9, scopes, tables, damping=0.0, max_iter=30)
    assert not found.converged
    assert found.iterations == 30
    assert "did not settle" in " ".join(map(str, found.reasons()))


def test_variables_and_tables_without_neighbours_count():
    sizes, scopes, tables = [2, 3, 2], [(), (1,)], [np.array(0.5), np.array([1.0, 2.0, 3.0])]
    found = loopy(sizes, scopes, tables, {2: np.array([0.2, 0.6])})
    np.testing.assert_allclose(found.log_z, np.log(0.5 * 2 * 6 * 0.8))
    np.testing.assert_allclose(found.probs[2], [0.25, 0.75])
    np.testing.assert_allclose(loopy([2, 2], [], []).log_z, np.log(4))


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({0: 2}, "2 given"),
        ({0: np.array([0, 1]), 1: np.array([0, 1, 1])}, "rows"),
        ({0: np.array([0.5])}, "shape"),
        ({0: np.array([0.5, -1.0])}, "below 0"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(evidence, words):
    with pytest.raises(InputError, match=words):
        loopy([2, 2], [(0, 1)], [np.ones((2, 2))], evidence)
