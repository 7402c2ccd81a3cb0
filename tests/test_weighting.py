"""Likelihood weighting against enumeration and Gaussian algebra; its standard errors calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.weighting import Node, Weighted, gaussian_node, reasons_of, table_node, weigh
from tests.enumeration import joint, marginals, random_network, scopes_of

ROWS = 400  # of the same evidence: so many independent runs


def one_block(*args, **how) -> Weighted:
    (block,) = weigh(*args, **how)
    return block


def network(seed, **how):
    rng = np.random.default_rng(seed)
    sizes, parents, tables = random_network(rng, **how)
    return sizes, parents, tables, [table_node(*both) for both in zip(parents, tables, strict=True)]


def within(z, limit=1.96, expected=0.95, tolerance=0.03):
    """Whether z-scores, (runs, ...), are within their limits as often as they should be."""
    return abs(np.mean(np.abs(z) < limit) - expected) < tolerance


@pytest.mark.parametrize("seed", range(3))
def test_standard_errors_of_marginals_and_of_log_z_are_calibrated(seed):
    sizes, parents, tables, nodes = network(seed, n=5)
    lam = np.random.default_rng(seed).random(sizes[3])
    evidence = {4: np.zeros(ROWS, int), 3: np.broadcast_to(lam, (ROWS, sizes[3]))}
    found = one_block(nodes, range(5), evidence, 1000, seed=seed)
    product = joint(sizes, scopes_of(parents), tables, {4: np.eye(sizes[4])[0], 3: lam})
    log_z, probs = marginals(product)
    assert within((found.summary.log_mean - log_z) / found.summary.stderr)
    for node in range(4):
        estimate = found.probs([node])
        assert within((estimate.value - probs[node]) / estimate.stderr)
        assert abs(estimate.value.mean(axis=0) - probs[node]).max() < 0.005
    pair = found.probs([2, 0])
    expected = product.sum(axis=(1, 3, 4)).T / product.sum()
    assert pair.value.shape == (ROWS, sizes[2], sizes[0])
    assert within((pair.value - expected) / pair.stderr)


def test_a_state_that_is_not_drawn_is_not_said_to_be_impossible():
    nodes = [table_node((), np.array([1e-4, 1 - 1e-4]))]
    found = one_block(nodes, [0], {}, 100, seed=0).probs([0])
    assert found.value[0, 0] == 0
    assert found.stderr[0, 0] == pytest.approx(0.01)


def test_gaussian_nodes_have_the_posterior_of_gaussian_algebra():
    # u picks the mean of z; y = 1 + 2 z + noise is observed.
    p, b0, y = np.array([0.3, 0.7]), np.array([-1.0, 1.0]), 2.0
    nodes = [
        table_node((), p),
        gaussian_node([0], [], b0, np.empty((2, 0)), np.array([1.0, 0.25])),
        gaussian_node([], [1], np.array(1.0), np.array([2.0]), np.array(0.5)),
    ]
    found = one_block(nodes, range(3), {2: np.full(ROWS, y)}, 1500, seed=1)
    prior = np.array([1.0, 0.25])
    variance = 4 * prior + 0.5
    density = p * np.exp(-0.5 * (y - 1 - 2 * b0) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
    given_u = b0 + 2 * prior / variance * (y - 1 - 2 * b0)
    post = density / density.sum()
    assert within((found.summary.log_mean - np.log(density.sum())) / found.summary.stderr)
    mean, probs = found.mean(found.values[1]), found.probs([0])
    assert within((mean.value - post @ given_u) / mean.stderr)
    assert within((probs.value - post) / probs.stderr)


def test_any_conditional_can_be_a_node():
    exponential = Node(
        (0,),
        lambda values, m, rng: rng.exponential(1.0 + values[0], m),
        lambda x, values: -np.log1p(values[0]) - x / (1.0 + values[0]),
    )
    found = one_block([table_node((), np.ones(2) / 2), exponential], [0, 1], {1: 3.0}, 4000, seed=0)
    density = np.exp(-3.0), np.exp(-1.5) / 2
    estimate = found.probs([0])
    assert abs(estimate.value[0, 0] - density[0] / sum(density)) < 4 * estimate.stderr[0, 0]


def test_rows_that_observe_different_nodes_have_answers_of_their_own():
    sizes, parents, tables, nodes = network(5, n=4)
    states = {1: np.array([0, -1, 1]), 3: np.array([-1, -1, 0])}
    found = one_block(nodes, range(4), states, 20000, seed=2)
    for row in range(3):
        lam = {v: np.eye(sizes[v])[x[row]] for v, x in states.items() if x[row] >= 0}
        log_z, probs = marginals(joint(sizes, scopes_of(parents), tables, lam))
        assert abs(found.summary.log_mean[row] - log_z) < 4 * found.summary.stderr[row] + 1e-12
        for node in range(4):
            estimate = found.probs([node])
            off = abs(estimate.value[row] - probs[node])
            assert (off < 4 * estimate.stderr[row]).all()


def test_the_draws_of_a_row_depend_on_no_row_after_it_nor_on_blocks(monkeypatch):
    _, _, _, nodes = network(6, n=4)
    states = np.array([0, 1, -1, 0, 1])
    whole = one_block(nodes, range(4), {2: states}, 50, seed=3)
    fewer = one_block(nodes, range(4), {2: states[:2]}, 50, seed=3)
    monkeypatch.setattr("ppgen.inference.weighting._NUMBERS", 600)
    parts = list(weigh(nodes, range(4), {2: states}, 50, seed=3))
    assert len(parts) > 1
    for node in range(4):
        np.testing.assert_array_equal(whole.values[node][:2], fewer.values[node])
        joined = np.concatenate([part.values[node] for part in parts])
        np.testing.assert_array_equal(whole.values[node], joined)


def test_evidence_that_no_draw_agrees_with_is_said():
    nodes = [table_node((), np.array([0.5, 0.5])), table_node((0,), np.eye(3)[:2])]
    found = one_block(nodes, [0, 1], {1: np.array([2, 0])}, 1000, seed=0)
    assert found.summary.log_mean[0] == -np.inf
    assert np.isnan(found.probs([0]).value[0]).all()
    np.testing.assert_allclose(found.probs([0]).value[1], [1, 0])
    assert "no draw agrees with the evidence of 1 of 2 rows" in str(
        reasons_of([found.summary], 1000)[1]
    )


def test_few_effective_draws_are_said():
    nodes = [table_node((), np.array([0.01, 0.99])), table_node((0,), np.eye(2))]
    good, poor = (one_block(nodes, [0, 1], known, 2000, seed=0).summary for known in ({}, {1: 0}))
    assert len(reasons_of([good], 2000)) == 1
    assert "1 of 2 rows have few effective draws" in str(reasons_of([good, poor], 2000)[1])


def test_barren_nodes_can_be_left_out_and_evidence_on_them_is_refused():
    _, _, _, nodes = network(7, n=5)
    assert set(one_block(nodes, range(3), {}, 10, seed=0).values) == {0, 1, 2}
    with pytest.raises(InputError, match=r"nodes \[4\]"):
        one_block(nodes, range(3), {4: 0}, 10, seed=0)


def test_an_observed_function_of_continuous_parents_is_refused():
    fixed = gaussian_node([], [], np.array(1.0), np.empty(0), np.array(0.0))
    with pytest.raises(InputError, match="without variance"):
        one_block([fixed], [0], {0: 1.0}, 10, seed=0)


def test_numbers_of_rows_that_differ_are_refused():
    _, _, _, nodes = network(8, n=3)
    nodes.append(gaussian_node([], [], np.array(1.0), np.empty(0), np.array(1.0)))
    with pytest.raises(InputError, match="3 rows"):
        one_block(nodes, range(4), {0: np.zeros(2, int), 3: np.zeros(3)}, 10, seed=0)
