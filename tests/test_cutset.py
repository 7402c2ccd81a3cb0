"""Cutset conditioning: the answers of exact inference, in less memory."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.cutset import Cutset
from ppgen.inference.exact import Exact
from tests.enumeration import joint, marginals, random_graph


def grid(rng, side, k=2):
    """A grid of variables with a random table for each edge and each variable."""
    at = np.arange(side * side).reshape(side, side)
    across = np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()], axis=1)
    down = np.stack([at[:-1].ravel(), at[1:].ravel()], axis=1)
    scopes = [*map(tuple, [*across.tolist(), *down.tolist()]), *((v,) for v in range(side**2))]
    return [k] * side**2, scopes, [rng.gamma(1.0, size=(k,) * len(scope)) for scope in scopes]


def assert_same(found, expected):
    np.testing.assert_allclose(found.log_z, expected.log_z, rtol=1e-12)
    for p, q in zip(found.probs, expected.probs, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-12)


@pytest.mark.parametrize("k", [2, 3])
def test_the_answers_are_those_of_one_elimination(k):
    rng = np.random.default_rng(k)
    sizes, scopes, tables = grid(rng, 5, k)
    evidence = {3: 1, 11: rng.random(k), 13: rng.random(k)}
    whole = Exact(sizes, scopes)
    need = whole.cost([3]).bytes
    small = Cutset(Exact(sizes, scopes, memory=int(0.7 * need)), observed=[3])
    assert small.variables
    assert small.assignments == k ** len(small.variables)
    assert small.cost.bytes <= 0.7 * need
    assert_same(small.marginals(tables, evidence), whole.marginals(tables, evidence))
    for v in small.variables:  # evidence on the cutset itself
        for given in ({v: 1}, {v: rng.random(k)}, {v: -1}):
            assert_same(small.marginals(tables, given), whole.marginals(tables, given))


@pytest.mark.parametrize("seed", range(5))
def test_tables_with_zeros_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    sizes, scopes, tables = random_graph(rng, n=7, m=9, zeros=0.3)
    product = joint(sizes, scopes, tables)
    if product.sum() == 0:
        product = joint(sizes, scopes, tables := [table + 0.1 for table in tables])
    need = Exact(sizes, scopes).cost().bytes
    cutset = Cutset(Exact(sizes, scopes, memory=int(0.7 * need)))
    assert cutset.variables
    log_z, probs = marginals(product)
    found = cutset.marginals(tables)
    np.testing.assert_allclose(found.log_z, log_z, rtol=1e-12)
    for p, q in zip(found.probs, probs, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-12)


def test_steps_are_reported_and_bound_log_z_from_below():
    rng = np.random.default_rng(0)
    sizes, scopes, tables = grid(rng, 4)
    cutset = Cutset(Exact(sizes, scopes, memory=2_000))
    assert 1 < cutset.assignments < 40
    seen = []
    cutset.marginals(tables, {}, seen.append)
    assert [partial.done for partial in seen] == list(range(1, cutset.assignments + 1))
    bounds = [float(partial.marginals.log_z) for partial in seen]
    assert bounds == sorted(bounds)
    np.testing.assert_allclose(bounds[-1], Exact(sizes, scopes).log_z(tables))
    first = next(cutset.steps(tables, {}))
    given = dict.fromkeys(cutset.variables, 0)
    assert_same(first.marginals, Exact(sizes, scopes).marginals(tables, given))


def test_rows_of_evidence_have_the_answers_of_one_elimination():
    rng = np.random.default_rng(3)
    sizes, scopes, tables = grid(rng, 4)
    cutset = Cutset(Exact(sizes, scopes, memory=2_400))
    assert cutset.variables
    lam = rng.random((3, 2))
    evidence = {cutset.variables[0]: np.array([0, -1, 1]), 12: lam, 15: 1}
    assert_same(
        cutset.marginals(tables, evidence), Exact(sizes, scopes).marginals(tables, evidence)
    )


def test_what_fits_needs_no_cutset_and_is_solved_once():
    rng = np.random.default_rng(1)
    sizes, scopes, tables = grid(rng, 3)
    cutset = Cutset(Exact(sizes, scopes))
    assert cutset.variables == ()
    assert cutset.assignments == 1
    assert_same(cutset.marginals(tables), Exact(sizes, scopes).marginals(tables))


def test_evidence_of_probability_zero_is_said():
    scopes = [(0, 1), (1, 2), (2, 0)]
    differ = 1.0 - np.eye(2)  # a triangle cannot have two colours
    cutset = Cutset(Exact([2] * 3, scopes, memory=150))
    assert cutset.variables
    found = cutset.marginals([differ] * 3)
    assert found.log_z == -np.inf
    assert np.isnan(np.concatenate(found.probs)).all()


def test_a_cutset_that_is_too_large_and_rows_of_evidence_are_refused(monkeypatch):
    rng = np.random.default_rng(2)
    sizes, scopes, tables = grid(rng, 4)
    monkeypatch.setattr("ppgen.inference.cutset._MOST", 4)
    with pytest.raises(InputError, match="assignments"):
        Cutset(Exact(sizes, scopes, memory=10))
    with pytest.raises(InputError, match="one at a time"):
        next(Cutset(Exact(sizes, scopes)).steps(tables, {0: np.array([0, 1])}))
