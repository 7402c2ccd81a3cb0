"""Soft evidence: each node has the distribution stated, and nothing else changes but what must."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.exact import Exact
from ppgen.inference.soft_evidence import with_soft
from tests.enumeration import joint, random_network, scopes_of


def network(seed, **how):
    sizes, parents, tables = random_network(np.random.default_rng(seed), **how)
    scopes = scopes_of(parents)
    marginals = partial(Exact(sizes, scopes).marginals, tables)
    return sizes, scopes, tables, marginals


def fitted(marginals, evidence, soft, **how):
    return with_soft(lambda given, v: marginals(given).probs[v], evidence, soft, **how)


@pytest.mark.parametrize("seed", range(4))
def test_one_node_is_jeffreys_rule(seed):
    sizes, scopes, tables, marginals = network(seed)
    rng = np.random.default_rng(seed)
    q, lam = rng.dirichlet(np.ones(sizes[3])), rng.random(sizes[1])
    given = fitted(marginals, {5: 0, 1: lam}, {3: q})
    found = marginals(given)
    product = joint(sizes, scopes, tables, {5: np.eye(sizes[5])[0], 1: lam})
    weights = product.sum(axis=(0, 1, 2, 4, 5))
    mixed = product * (q / weights)[:, None, None]  # sum_s q(s) P(x | x_3 = s, e)
    for v, p in enumerate(found.probs):
        expected = mixed.sum(axis=tuple(a for a in range(6) if a != v))
        np.testing.assert_allclose(p, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_several_nodes_have_what_is_stated_and_the_rest_is_nearest(seed):
    sizes, scopes, tables, marginals = network(seed)
    rng = np.random.default_rng(seed)
    soft = {v: rng.dirichlet(3 * np.ones(sizes[v])) for v in (0, 2, 4)}
    given = fitted(marginals, {5: 1}, soft)
    found = marginals(given)
    for v, q in soft.items():
        np.testing.assert_allclose(found.probs[v], q, atol=1e-8)
    # Nearest: the joint over nodes is p times a function of each alone, so that interactions stay.
    before = joint(sizes, scopes, tables).sum(axis=(1, 3))[..., 1]
    product = joint(sizes, scopes, tables, {v: given[v] for v in soft}).sum(axis=(1, 3))[..., 1]
    log_ratio = np.log(product / before)
    parts = [given[v] for v in soft]
    sums = np.log(parts[0])[:, None, None] + np.log(parts[1])[:, None] + np.log(parts[2])
    np.testing.assert_allclose(log_ratio - sums, (log_ratio - sums).flat[0], atol=1e-10)


def test_rows_have_distributions_of_their_own():
    sizes, _, _, marginals = network(7)
    rng = np.random.default_rng(0)
    soft = {v: rng.dirichlet(np.ones(sizes[v]), 3) for v in (1, 4)}
    evidence = {2: np.array([0, 1, -1])}
    found = marginals(fitted(marginals, evidence, soft))
    for row in range(3):
        one = {2: int(evidence[2][row])}
        alone = marginals(fitted(marginals, one, {v: q[row] for v, q in soft.items()}))
        for v in soft:
            np.testing.assert_allclose(found.probs[v][row], soft[v][row], atol=1e-8)
        for p, q in zip(found.probs, alone.probs, strict=True):
            np.testing.assert_allclose(p[row], q, atol=1e-7)


def test_certainty_is_hard_evidence_and_what_is_believed_already_changes_nothing():
    sizes, _, _, marginals = network(8)
    certain = marginals(fitted(marginals, {}, {2: np.eye(sizes[2])[1]}))
    for p, q in zip(certain.probs, marginals({2: 1}).probs, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-12)
    plain = marginals({0: 1})
    same = marginals(fitted(marginals, {0: 1}, {3: plain.probs[3], 5: plain.probs[5]}))
    for p, q in zip(same.probs, plain.probs, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-12)


def test_distributions_that_cannot_be_are_refused():
    tables = [np.array([0.3, 0.7]), np.eye(2)]
    marginals = partial(Exact([2, 2], [(0,), (0, 1)]).marginals, tables)
    with pytest.raises(InputError, match="cannot hold together"):
        fitted(marginals, {}, {0: np.array([0.2, 0.8]), 1: np.array([0.4, 0.6])}, max_iter=50)
    with pytest.raises(InputError, match="variable 1 a probability above zero"):
        fitted(marginals, {0: 0}, {1: np.array([0.5, 0.5])})
    with pytest.raises(InputError, match=r"variable 0 sums to 1\.1"):
        fitted(marginals, {}, {0: np.array([0.5, 0.6])})
    with pytest.raises(InputError, match="hard and soft"):
        fitted(marginals, {0: 0}, {0: np.array([0.5, 0.5])})
    with pytest.raises(InputError, match="probability zero"):
        fitted(marginals, {1: np.array([0.0, 0.0])}, {0: np.array([0.5, 0.5])})
