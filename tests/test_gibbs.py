"""Gibbs sampling against enumeration: standard errors, blocks, zeros, and where it starts."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.gibbs import gibbs
from ppgen.inference.gibbs_blocks import make_blocks, tied_tables
from ppgen.inference.gibbs_chains import ChainSettings
from tests.enumeration import joint, marginals, random_graph, random_network, scopes_of

FEW = ChainSettings(num_warmup=30, num_samples=100, num_chains=8, block_cells=1)
COPY = np.eye(2)


@pytest.mark.parametrize("seed", range(2))
def test_standard_errors_are_calibrated(seed):
    rng = np.random.default_rng(seed)
    sizes, scopes, tables = random_graph(rng, n=7, m=9)
    tables = [table + 0.05 for table in tables]
    rows, lam = 60, rng.random(sizes[2])
    evidence = {0: np.zeros(rows, int), 2: lam}
    found = gibbs(sizes, scopes, tables, evidence, FEW, seed=seed)
    _, probs = marginals(joint(sizes, scopes, tables, {0: np.eye(sizes[0])[0], 2: lam}))
    z = [
        ((p - q) / s)[:, q > 0]
        for p, s, q in zip(found.probs[1:], found.stderr[1:], probs[1:], strict=True)
        if (s > 1e-12).all()
    ]
    assert np.mean(np.abs(np.concatenate([x.ravel() for x in z])) < 1.96) > 0.92
    for p, q in zip(found.probs, probs, strict=True):
        np.testing.assert_allclose(p.mean(axis=0), q, atol=0.004)


def near(found, sizes, scopes, tables, lam, limit=5.0, row=None):
    """Whether all marginals are within so many standard errors."""
    _, probs = marginals(joint(sizes, scopes, tables, lam))
    for p, s, q in zip(found.probs, found.stderr, probs, strict=True):
        if row is not None:
            p, s = p[row], s[row]
        assert (abs(p - q) <= limit * s + 1e-9).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_network_with_small_cliques_is_one_block_whatever_its_zeros(seed):
    rng = np.random.default_rng(seed)
    sizes, parents, tables = random_network(rng, n=7, zeros=0.7)
    scopes = scopes_of(parents)
    product = joint(sizes, scopes, tables)
    states = np.unravel_index(product.argmax(), product.shape)
    evidence = {5: int(states[5]), 6: int(states[6])}
    settings = ChainSettings(num_samples=500, num_chains=8)
    found = gibbs(sizes, scopes, tables, evidence, settings, seed=0)
    assert not found.tied
    assert found.rhat < 1.02
    near(found, sizes, scopes, tables, {v: np.eye(sizes[v])[s] for v, s in evidence.items()})


def test_blocks_cover_all_variables_within_the_cells_and_are_few():
    at = np.arange(64).reshape(8, 8)
    scopes = [*map(tuple, np.stack([at[:, :-1], at[:, 1:]], axis=-1).reshape(-1, 2).tolist())]
    scopes += [*map(tuple, np.stack([at[:-1], at[1:]], axis=-1).reshape(-1, 2).tolist())]
    (whole,) = make_blocks([2] * 64, scopes, range(64), 1 << 15)
    assert sorted(whole) == list(range(64))
    blocks = make_blocks([2] * 64, scopes, range(64), 800)
    assert set().union(*blocks) == set(range(64))
    assert 2 <= len(blocks) <= 3
    assert all(len(set(block)) == len(block) > 32 for block in blocks)
    assert all(len(block) == 1 for block in make_blocks([2] * 64, scopes, (1, 2, 5), 1))


def test_larger_blocks_change_no_answer():
    rng = np.random.default_rng(11)
    sizes, scopes, tables = random_graph(rng, n=8, m=12)
    tables = [table + 0.05 for table in tables]
    cells = 150
    assert len(make_blocks(sizes, scopes, range(1, 8), cells)) > 1
    together = ChainSettings(num_warmup=20, num_samples=100, num_chains=8, block_cells=cells)
    found = gibbs(sizes, scopes, tables, {0: 1}, together, seed=0)
    near(found, sizes, scopes, tables, {0: np.eye(sizes[0])[1]})


def test_a_table_with_zeros_that_ties_blocks_is_reported():
    sizes, scopes = [2, 2, 2], [(0,), (0, 1), (1, 2)]
    tables = [np.array([0.3, 0.7]), COPY, COPY]
    whole = gibbs(sizes, scopes, tables, None, ChainSettings(), seed=0)
    assert not whole.tied
    near(whole, sizes, scopes, tables, {})
    apart = gibbs(sizes, scopes, tables, None, FEW, seed=0)
    assert apart.tied == (1, 2)
    assert "may not reach every state" in " ".join(map(str, apart.reasons()))
    assert apart.rhat > 1.01  # each chain stays where it started


def test_zeros_tie_only_where_what_is_possible_depends_on_what_is_held():
    either = np.zeros((2, 2, 2))
    either[..., 1] = [[0, 1], [1, 1]]
    either[..., 0] = 1 - either[..., 1]
    scopes, tables = [(0,), (0, 1, 2)], [np.array([0.0, 1.0]), either]
    assert tied_tables(scopes, tables, {}, [[0], [1], [2]]) == [1]
    assert tied_tables(scopes, tables, {}, [[0, 1, 2]]) == []
    seen = {1: np.array([1]), 2: np.array([1])}  # then 0 may be either
    assert tied_tables(scopes, tables, seen, [[0]]) == []
    seen = {1: np.array([0]), 2: np.array([1])}  # then 0 must be 1, which nothing held decides
    assert tied_tables(scopes, tables, seen, [[0]]) == []
    never = np.array([[0.0, 0.0], [0.5, 0.5]])  # 0 is impossible whatever 1 is
    assert tied_tables([(0, 1)], [never], {}, [[0], [1]]) == []


def test_rows_that_observe_different_variables_have_answers_of_their_own():
    rng = np.random.default_rng(12)
    sizes, scopes, tables = random_graph(rng, n=6, m=8)
    states, lam = np.array([0, -1, 1]), rng.random((3, sizes[4]))
    settings = ChainSettings(num_warmup=20, num_samples=60, num_chains=8, block_cells=100)
    found = gibbs(sizes, scopes, tables, {1: states, 4: lam}, settings, seed=0)
    for row in range(3):
        seen = {1: np.eye(sizes[1])[states[row]]} if states[row] >= 0 else {}
        near(found, sizes, scopes, tables, seen | {4: lam[row]}, row=row)


def test_evidence_of_probability_zero_is_said_and_other_rows_have_answers():
    sizes, scopes = [2, 2, 2], [(0,), (0, 1), (1, 2)]
    tables = [np.array([0.3, 0.7]), COPY, np.array([[0.5, 0.5], [0.0, 1.0]])]
    evidence = {0: np.array([1, 0]), 2: np.array([0, 0])}
    found = gibbs(sizes, scopes, tables, evidence, FEW, seed=0)
    assert np.isnan(found.probs[1][0]).all()
    np.testing.assert_allclose(found.probs[1][1], [1, 0])
    assert "for 1 rows" in " ".join(map(str, found.reasons()))


def test_everything_observed_needs_no_draw():
    found = gibbs([2, 3], [(0, 1)], [np.ones((2, 3))], {0: 1, 1: 2}, FEW, seed=0)
    np.testing.assert_array_equal(found.probs[1], [0, 0, 1])
    np.testing.assert_array_equal(found.stderr[1], [0, 0, 0])
    impossible = gibbs([2, 2], [(0, 1)], [COPY], {0: 1, 1: 0}, FEW, seed=0)
    assert np.isnan(impossible.probs[0]).all()


def test_chains_start_where_constraints_hold():
    # A ring of nine variables of three states, no two neighbours equal.
    n, differ = 9, 1.0 - np.eye(3)
    scopes = [(v, (v + 1) % n) for v in range(n)]
    found = gibbs([3] * n, scopes, [differ] * n, {0: 0}, FEW, seed=0)
    assert found.tied or not np.isnan(found.probs[1]).any()
    np.testing.assert_allclose(found.probs[1][0], 0.0, atol=1e-12)


def test_progress_is_reported_and_settings_are_checked():
    seen = []
    gibbs([2], [(0,)], [np.ones(2)], None, FEW, seed=0, report=lambda *done: seen.append(done))
    assert seen[-1] == (100, 100)  # one block: no warm-up
    with pytest.raises(InputError, match="num_chains"):
        ChainSettings(num_chains=1)
