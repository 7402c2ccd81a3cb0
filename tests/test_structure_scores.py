"""Scores of structures against their formulas, and against each other where they must agree."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy.special import gammaln, multigammaln
from scipy.stats import norm

from ppgen.errors import InputError
from ppgen.models.bayesnet.structure.cases import Cases
from ppgen.models.bayesnet.structure.scores import NetworkScore

GAP = np.nan


def mixed(n=60, sizes=(2, 3, 0, 0, 2, 0), seed=0, weights=None, outside=None):
    """Dependent rows over discrete and continuous nodes."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    codes = np.full((n, len(sizes)), -1)
    x = np.full((n, len(sizes)), GAP)
    for node, size in enumerate(sizes):
        own = common * rng.normal() + rng.normal(size=n)
        if size:
            codes[:, node] = np.searchsorted(np.quantile(own, np.arange(1, size) / size), own)
        else:
            x[:, node] = 3 * own + 7
    names = tuple(f"v{k}" for k in range(len(sizes)))
    weights = np.ones(n) if weights is None else weights
    return Cases(names, sizes, codes, x, weights, outside)


def log_likelihood(cases, node, parents):
    """At its maximum, configuration by configuration."""
    total = 0.0
    groups = [range(cases.sizes[p]) for p in parents if cases.sizes[p]]
    codes = cases.codes[:, [p for p in parents if cases.sizes[p]]]
    for u in product(*groups):
        rows = (codes == u).all(axis=1)
        if not rows.any():
            continue
        if cases.sizes[node]:
            count = np.bincount(cases.codes[rows, node])
            total += sum(c * math.log(c / rows.sum()) for c in count if c)
        else:
            design = np.c_[
                np.ones(rows.sum()), cases.x[rows][:, [p for p in parents if not cases.sizes[p]]]
            ]
            y = cases.x[rows, node]
            fit = design @ np.linalg.lstsq(design, y)[0]
            total += norm.logpdf(y, fit, np.sqrt(np.mean((y - fit) ** 2))).sum()
    return total


@pytest.mark.parametrize(
    ("node", "parents"), [(0, ()), (0, (1, 4)), (2, ()), (2, (3, 5)), (3, (0,)), (5, (0, 2, 3))]
)
def test_bic_is_the_likelihood_at_its_maximum_less_its_penalty(node, parents):
    cases = mixed()
    q = math.prod(cases.sizes[p] for p in parents if cases.sizes[p])
    m = sum(not cases.sizes[p] for p in parents)
    k = q * (cases.sizes[node] - 1) if cases.sizes[node] else q * (m + 2)
    expected = log_likelihood(cases, node, parents) - k / 2 * math.log(len(cases))
    assert NetworkScore(cases, "bic").local(node, parents) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("a", [0.3, 1.0, 10.0])
def test_bdeu_is_the_product_of_dirichlet_integrals(a):
    cases = mixed(sizes=(2, 3, 2, 4))
    q, r, expected = 6, 4, 0.0
    for u in product(range(2), range(3)):
        count = np.bincount(cases.codes[(cases.codes[:, :2] == u).all(axis=1), 3], minlength=r)
        expected += gammaln(a / q) - gammaln(count.sum() + a / q)
        expected += (gammaln(count + a / (q * r)) - gammaln(a / (q * r))).sum()
    score = NetworkScore(cases, "bdeu", equivalent_sample_size=a)
    assert score.local(3, (1, 0)) == pytest.approx(expected, rel=1e-12)


def log_wishart_evidence(x, d):
    """log p(x) of some of d Gaussian nodes, from the normalising constants of normal-Wisharts."""
    n, l = x.shape
    a_m, a_w = 1.0, d + 2.0
    t = a_m * (a_w - d - 1) / (a_m + 1)
    mean = x.mean(axis=0)
    r = t * np.eye(l) + (x - mean).T @ (x - mean) + n * a_m / (n + a_m) * np.outer(mean, mean)
    before, after = (a_w - d + l) / 2, (n + a_w - d + l) / 2
    return (
        -l * n / 2 * math.log(math.pi)
        + l / 2 * math.log(a_m / (n + a_m))
        + multigammaln(after, l)
        - multigammaln(before, l)
        + before * l * math.log(t)
        - after * np.linalg.slogdet(r)[1]
    )


@pytest.mark.parametrize("parents", [(), (1,), (0, 3), (0, 1, 3)])
def test_bge_is_a_ratio_of_normal_wishart_evidences(parents):
    cases = mixed(sizes=(0, 0, 0, 0))
    mean, scale = cases.x.mean(axis=0), cases.x.std(axis=0)
    z = (cases.x - mean) / scale
    expected = log_wishart_evidence(z[:, [*parents, 2]], 4) - len(z) * math.log(scale[2])
    if parents:
        expected -= log_wishart_evidence(z[:, list(parents)], 4)
    assert NetworkScore(cases, "bge").local(2, parents) == pytest.approx(expected, rel=1e-10)


def test_mixed_score_is_bge_in_each_configuration():
    cases = mixed()
    x = cases.x[:, [2, 3]]
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = -len(z) * math.log(x.std(axis=0)[0])
    for state in range(2):
        rows = cases.codes[:, 0] == state
        expected += log_wishart_evidence(z[rows], 3) - log_wishart_evidence(z[rows, 1:], 3)
    assert NetworkScore(cases, "mixed").local(2, (0, 3)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("bic", (2, 3, 2, 4)), ("bdeu", (2, 3, 2, 4)), ("bic", (0,) * 4), ("bge", (0,) * 4)],
)
def test_equivalent_graphs_have_the_same_score(name, sizes):
    score = NetworkScore(mixed(sizes=sizes), name)
    chain, turned, fork = ((), (0,), (1,), (2,)), ((1,), (2,), (3,), ()), ((1,), (), (1,), (2,))
    collider = ((), (0, 2), (), (2,))
    assert score.total(chain) == pytest.approx(score.total(turned), rel=1e-11)
    assert score.total(chain) == pytest.approx(score.total(fork), rel=1e-11)
    assert score.total(chain) != pytest.approx(score.total(collider), rel=1e-6)
    complete = ((), (0,), (0, 1), (0, 1, 2)), ((1, 2, 3), (2, 3), (3,), ())
    assert score.total(complete[0]) == pytest.approx(score.total(complete[1]), rel=1e-11)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("name", ["bic", "mixed"])
def test_changes_are_differences_of_local_scores(name, outside, gaps):
    rng = np.random.default_rng(1)
    cases = mixed(
        weights=rng.uniform(0.5, 2, 60), outside=rng.random((60, 6)) < 0.2 if outside else None
    )
    if gaps:
        cases.codes[rng.random((60, 6)) < 0.1] = -1
        cases.x[rng.random((60, 6)) < 0.1] = GAP
    score = NetworkScore(cases, name)
    for node, k in product(range(6), range(4)):
        for parents in combinations([p for p in range(6) if p != node], k):
            if cases.sizes[node] and any(not cases.sizes[p] for p in parents):
                assert score.local(node, parents) == -np.inf
                continue
            changes = score.deltas(node, parents)
            here = NetworkScore(cases, name).local(node, parents)
            for other in range(6):
                if other == node:
                    assert changes[other] == -np.inf
                    continue
                there = score.local(node, set(parents) ^ {other})
                assert changes[other] == pytest.approx(there - here, abs=1e-8)


@pytest.mark.parametrize("name", ["bic", "mixed"])
def test_a_weight_of_two_is_a_row_twice(name):
    cases = mixed(weights=np.repeat([1.0, 2.0], 30))
    twice = np.r_[np.arange(60), np.arange(30, 60)]
    repeated = Cases(cases.names, cases.sizes, cases.codes[twice], cases.x[twice], np.ones(90))
    for node, parents in ((1, (0,)), (2, (3, 5)), (3, (1, 2))):
        expected = NetworkScore(repeated, name).local(node, parents)
        assert NetworkScore(cases, name).local(node, parents) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["bic", "mixed"])
def test_rows_in_which_a_node_was_set_count_only_for_the_others(name):
    outside = np.zeros((60, 6), bool)
    outside[40:, [1, 3]] = True
    score = NetworkScore(mixed(outside=outside), name)
    whole = NetworkScore(mixed(), name)
    assert score.local(0, (1, 4)) == pytest.approx(whole.local(0, (1, 4)), rel=1e-12)
    assert score.local(5, (0, 3)) == pytest.approx(whole.local(5, (0, 3)), rel=1e-12)
    all_of = mixed()
    first = Cases(all_of.names, all_of.sizes, all_of.codes[:40], all_of.x[:40], np.ones(40))
    assert score.local(1, (0,)) == pytest.approx(NetworkScore(first, name).local(1, (0,)))
    if name == "bic":  # the prior of the mixed score is in units of all rows
        expected = NetworkScore(first, name).local(3, (0, 2))
        assert score.local(3, (0, 2)) == pytest.approx(expected, rel=1e-9)


def test_gaps_leave_the_score_per_row_of_the_rows_that_are_known():
    cases = mixed(sizes=(2, 3, 0))
    cases.codes[:20, 0] = -1
    part = Cases(cases.names, cases.sizes, cases.codes[20:], cases.x[20:], np.ones(40))
    score, known = NetworkScore(cases, "bic"), NetworkScore(part, "bic")
    assert score.local(0, ()) == pytest.approx(1.5 * known.local(0, ()))
    alone = NetworkScore(mixed(sizes=(2, 3, 0)), "bic").local(1, ())
    gain = known.local(1, (0,)) - known.local(1, ())
    assert score.local(1, (0,)) == pytest.approx(alone + 1.5 * gain)


def test_many_states_are_counted_as_few_are():
    """Configurations that are numbered by looking, and columns too wide for indicators."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 500, (80, 4))
    codes[:, 3] //= 250
    cases = Cases(tuple("abcd"), (500, 500, 500, 2), codes, np.full((80, 4), GAP), np.ones(80))
    score = NetworkScore(cases, "bdeu")
    q, a = 500**3, 1.0
    rows, count = np.unique(codes, axis=0, return_counts=True)
    configurations, total = np.unique(codes[:, :3], axis=0, return_counts=True)
    expected = (gammaln(count + a / (2 * q)) - gammaln(a / (2 * q))).sum()
    expected -= (gammaln(total + a / q) - gammaln(a / q)).sum()
    assert len(rows) >= len(configurations)
    assert score.local(3, (0, 1, 2)) == pytest.approx(expected, rel=1e-12)


def test_a_configuration_with_too_few_rows_gains_nothing():
    """Its rows are scored by the node's own mean and variance, however near each other they are."""
    rng = np.random.default_rng(0)
    x = np.c_[np.full(50, GAP), np.r_[5.0, rng.normal(size=49)]]
    codes = np.c_[np.r_[1, np.zeros(49, int)], np.full(50, -1)]
    score = NetworkScore(Cases(("a", "b"), (2, 0), codes, x, np.ones(50)), "bic")
    y = x[:, 1]
    expected = norm.logpdf(y[0], y.mean(), y.std())
    expected += norm.logpdf(y[1:], y[1:].mean(), y[1:].std()).sum() - 4 / 2 * math.log(50)
    assert score.local(1, (0,)) == pytest.approx(expected)


def test_parents_that_are_functions_of_each_other_do_no_harm():
    cases = mixed(sizes=(0, 0, 0))
    cases.x[:, 1] = 2 * cases.x[:, 0] + 1
    for name in ("bic", "bge"):
        score = NetworkScore(cases, name)
        assert np.isfinite(score.local(2, (0, 1)))
        assert np.isfinite(score.deltas(2, (0,))[1])
    bic = NetworkScore(cases, "bic")
    assert bic.deltas(2, (0,))[1] == pytest.approx(-math.log(60) / 2, abs=1e-4)


def test_units_change_a_score_by_their_constant():
    cases = mixed(sizes=(0, 0, 0))
    other = Cases(cases.names, cases.sizes, cases.codes, 1e6 * cases.x - 3, cases.weights)
    for name in ("bic", "bge"):
        change = NetworkScore(other, name).local(0, (1, 2)) - NetworkScore(cases, name).local(
            0, (1, 2)
        )
        assert change == pytest.approx(-60 * math.log(1e6), rel=1e-9)


@pytest.mark.parametrize("name", ["bdeu", "bge"])
def test_a_score_of_other_nodes_is_refused(name):
    with pytest.raises(InputError, match="'mixed' and 'bic' are scores of both"):
        NetworkScore(mixed(), name)
    with pytest.raises(InputError, match="Did you mean 'bdeu'"):
        NetworkScore(mixed(), "bdue")
