"""Draws from p(x | e) by elimination, against the distribution that enumeration gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from ppgen.errors import InputError
from ppgen.inference.categorical import drawn
from ppgen.inference.exact import Exact
from ppgen.inference.posterior_sampling import sample_posterior
from tests.enumeration import joint, random_graph, random_network, scopes_of


def p_value(states, product):
    """Of a chi-square test that states (draws, V) come from the joint table, cells of less than 8
    expected draws together."""
    expected = (product / product.sum()).ravel() * len(states)
    counts = np.bincount(
        np.ravel_multi_index(tuple(states.T), product.shape), minlength=expected.size
    )
    assert not counts[expected == 0].any()
    counts, expected = counts[expected > 0], expected[expected > 0]
    few = expected < 8
    pooled = [np.append(x[~few], x[few].sum() if few.any() else []) for x in (counts, expected)]
    return chisquare(*pooled).pvalue


@pytest.mark.parametrize("seed", range(6))
def test_draws_have_the_joint_distribution_given_the_evidence(seed):
    rng = np.random.default_rng(seed)
    if seed % 2:
        sizes, parents, tables = random_network(rng, n=5, zeros=0.4)
        scopes = scopes_of(parents)
    else:
        sizes, scopes, tables = random_graph(rng, n=5, m=7)
    product = joint(sizes, scopes, tables)
    state = int(np.unravel_index(product.argmax(), product.shape)[4])
    lam = {1: rng.random(sizes[1]), 4: np.eye(sizes[4])[state]}
    evidence = {1: lam[1], 4: state}
    found = sample_posterior(Exact(sizes, scopes), tables, evidence, 20_000, seed=seed)
    product = joint(sizes, scopes, tables, lam)
    np.testing.assert_allclose(found.log_z, np.log(product.sum()), rtol=1e-12)
    assert p_value(found.states, product) > 1e-4


def test_rows_of_evidence_have_draws_of_their_own_which_no_other_row_changes(monkeypatch):
    rng = np.random.default_rng(7)
    sizes, scopes, tables = random_graph(rng, n=5, m=7)
    states, lam = np.array([0, 1, -1, 1]), rng.random((4, sizes[3]))
    exact = Exact(sizes, scopes)
    found = sample_posterior(exact, tables, {0: states, 3: lam}, 5000, seed=0)
    for row in range(4):
        seen = {0: np.eye(sizes[0])[states[row]]} if states[row] >= 0 else {}
        product = joint(sizes, scopes, tables, seen | {3: lam[row]})
        np.testing.assert_allclose(found.log_z[row], np.log(product.sum()), rtol=1e-12)
        assert p_value(found.states[row], product) > 1e-4
    fewer = sample_posterior(exact, tables, {0: states[:3], 3: lam[:3]}, 5000, seed=0)
    np.testing.assert_array_equal(found.states[:3], fewer.states)
    monkeypatch.setattr("ppgen.inference.buckets._BLOCK", 1)
    monkeypatch.setattr("ppgen.inference.posterior_sampling._NUMBERS", 1)
    apart = sample_posterior(exact, tables, {0: states, 3: lam}, 5000, seed=0)
    np.testing.assert_array_equal(found.states, apart.states)
    other = sample_posterior(exact, tables, {0: states, 3: lam}, 5000, seed=1)
    assert (found.states != other.states).any()


def test_evidence_of_probability_zero_has_no_draws():
    exact, tables = Exact([2, 2], [(0,), (0, 1)]), [np.array([0.3, 0.7]), np.eye(2)]
    found = sample_posterior(exact, tables, {0: np.array([0, 1]), 1: np.array([1, 1])}, 3, seed=0)
    np.testing.assert_array_equal(found.states, [[[-1, -1]] * 3, [[1, 1]] * 3])
    np.testing.assert_allclose(found.log_z, [-np.inf, np.log(0.7)])
    one = sample_posterior(exact, tables, {0: 0, 1: 1}, 3, seed=0)
    assert one.log_z == -np.inf


def test_no_rows_have_no_draws():
    found = sample_posterior(Exact([2], [(0,)]), [np.ones(2)], {0: np.empty(0, int)}, 3, seed=0)
    assert found.states.shape == (0, 3, 1)


def test_long_chains_are_drawn():
    n = 500
    scopes, step = [(v, v + 1) for v in range(n - 1)], 1e-200 * np.array([[9.0, 1.0], [1.0, 9.0]])
    found = sample_posterior(Exact([2] * n, scopes), [step] * (n - 1), {0: 0}, 200, seed=0)
    changes = (np.diff(found.states, axis=1) != 0).mean()
    assert changes == pytest.approx(0.1, abs=0.005)


def test_a_state_of_weight_zero_is_never_drawn():
    weights = np.array([[0.0, 1.0, 0.0], [0.3, 0.0, 0.0], [0.0, 0.0, 1e-300]])
    for u in (0.0, 0.5, 1 - 2**-53):
        np.testing.assert_array_equal(drawn(weights, np.full(3, u)), [1, 0, 2])


def test_more_memory_than_allowed_is_refused():
    scopes = [(i, j) for i in range(12) for j in range(i)]
    exact, tables = Exact([2] * 12, scopes, memory=10_000), [np.ones((2, 2))] * len(scopes)
    with pytest.raises(InputError, match=r"KiB; 9.77 KiB may be used"):
        sample_posterior(exact, tables, seed=0)
