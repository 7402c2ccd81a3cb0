"""Exact inference in conditional linear Gaussian networks, against enumeration in moment form."""

from __future__ import annotations

import numpy as np
import pytest

from .mixed_networks import batch, random_evidence, random_net, row

CASES = [(0, 5), (3, 0), (2, 3), (3, 4), (1, 4), (4, 3), (2, 2)]


@pytest.mark.parametrize("seed", range(140))
def test_answers_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    net = random_net(rng, *CASES[seed % len(CASES)])
    evidence = random_evidence(rng, net)
    log_z, probs, mean, cov, _, _ = net.answers(evidence)
    found = net.engine.marginals(net.conditionals, evidence)
    assert found.log_z == pytest.approx(log_z, rel=1e-10, abs=1e-10)
    assert net.engine.log_z(net.conditionals, evidence) == pytest.approx(
        log_z, rel=1e-10, abs=1e-10
    )
    for v in net.discrete:
        np.testing.assert_allclose(found.probs[v], probs[v], atol=1e-10)
    for i, v in enumerate(net.continuous):
        assert found.means[v] == pytest.approx(mean[i], rel=1e-8, abs=1e-8)
        assert found.variances[v] == pytest.approx(cov[i, i], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_with_any_gaps_is_its_rows_one_by_one(seed):
    rng = np.random.default_rng(1000 + seed)
    net = random_net(rng, 3, 4)
    evidence = batch(rng, net, 25)
    virtual = net.discrete[0]
    evidence[virtual] = rng.random((25, net.sizes[virtual]))
    whole = net.engine.marginals(net.conditionals, evidence)
    for i in range(25):
        single = net.engine.marginals(net.conditionals, row(evidence, i))
        assert whole.log_z[i] == pytest.approx(float(single.log_z), rel=1e-12)
        for name in ("probs", "means", "variances"):
            for v, answer in getattr(single, name).items():
                np.testing.assert_allclose(
                    getattr(whole, name)[v][i], answer, rtol=1e-9, atol=1e-12
                )


@pytest.mark.parametrize("seed", range(6))
def test_statistics_are_the_weighted_sums_of_enumeration(seed):
    rng = np.random.default_rng(2000 + seed)
    net = random_net(rng, 3, 3)
    evidence = batch(rng, net, 8)
    weights, shift = rng.random(8), rng.normal(size=6)
    found = net.engine.statistics(net.conditionals, evidence, weights, shift)
    counts = {v: np.zeros_like(net.conditionals[v]) for v in net.discrete}
    moments = {}
    for v in net.continuous:
        f = 1 + net.conditionals[v][1].shape[-1]
        shape = net.conditionals[v][0].shape
        moments[v] = [np.zeros((*shape, *(f,) * k)) for k in range(3)]
    for i in range(8):
        log_z, _, _, _, w, parts = net.answers(row(evidence, i))
        assert found.log_z[i] == pytest.approx(log_z, rel=1e-10)
        for p, (codes, _, m, C) in zip(w * weights[i], parts, strict=True):
            state = dict(zip(net.discrete, codes, strict=True))
            for v in net.discrete:
                counts[v][(*(state[p] for p in net.parents[v]), state[v])] += p
            for v in net.continuous:
                u = tuple(state[q] for q in net.parents[v] if net.sizes[q])
                family = [v, *(q for q in net.parents[v] if not net.sizes[q])]
                at = [net.continuous.index(q) for q in family]
                x = m[at] - shift[family]
                moments[v][0][u] += p
                moments[v][1][u] += p * x
                moments[v][2][u] += p * (np.outer(x, x) + C[np.ix_(at, at)])
    for v in net.discrete:
        np.testing.assert_allclose(found.counts[v], counts[v], atol=1e-9)
    for v in net.continuous:
        answer = found.moments[v]
        for expected, got in zip(
            moments[v], (answer.weight, answer.first, answer.second), strict=True
        ):
            np.testing.assert_allclose(got, expected, atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_a_mixture_has_the_moments_and_the_joint_with_discrete_nodes(seed):
    rng = np.random.default_rng(3000 + seed)
    net = random_net(rng, 3, 3)
    evidence = random_evidence(rng, net, 0.25)
    asked = [*net.continuous[:2], net.discrete[0]]
    found = net.engine.mixture(net.conditionals, asked, evidence)
    log_z, probs, mean, cov, _, _ = net.answers(evidence)
    assert found.log_z == pytest.approx(log_z)
    assert found.weights.sum() == pytest.approx(1)
    axes = tuple(range(len(found.scope)))
    w = found.weights[..., None]
    total = (w * found.means).sum(axes)
    np.testing.assert_allclose(total, mean[:2], atol=1e-9)
    second = found.covariances + found.means[..., None, :] * found.means[..., None]
    second = (w[..., None] * second).sum(axes) - np.outer(total, total)
    np.testing.assert_allclose(second, cov[:2, :2], atol=1e-8)
    if net.discrete[0] in found.scope:
        at = found.scope.index(net.discrete[0])
        marginal = found.weights.sum(tuple(a for a in axes if a != at))
        np.testing.assert_allclose(marginal, probs[net.discrete[0]], atol=1e-10)
    else:
        assert isinstance(evidence[net.discrete[0]], int)


def test_draws_have_the_posterior_moments_and_keep_the_evidence():
    rng = np.random.default_rng(7)
    net = random_net(rng, 3, 4, zeros=0.0, edges=0.6)
    evidence = {net.continuous[1]: np.array([0.3, np.nan]), net.discrete[0]: np.array([-1, 1])}
    n = 40_000
    codes, values = net.engine.sample(net.conditionals, evidence, n, rng)
    assert (values[:, 0, net.continuous[1]] == 0.3).all()
    assert (codes[:, 1, net.discrete[0]] == 1).all()
    for i in range(2):
        _, _, mean, cov, w, parts = net.answers(row(evidence, i))
        x = values[:, i][:, net.continuous]
        assert (
            np.abs(x.mean(0) - mean) <= 5 * np.sqrt(np.maximum(np.diag(cov), 0) / n) + 1e-12
        ).all()
        joint = np.zeros([net.sizes[v] for v in net.discrete])
        for p, (at, _, _, _) in zip(w, parts, strict=True):
            joint[at] = p
        drawn = np.zeros_like(joint)
        np.add.at(drawn, tuple(codes[:, i, v] for v in net.discrete), 1 / n)
        assert (np.abs(drawn - joint) <= 5 * np.sqrt(joint * (1 - joint) / n) + 1e-12).all()
        spread = np.abs(np.cov(x.T) - cov)
        fourth = np.sqrt(np.einsum("ni,nj->ij", (x - mean) ** 2, (x - mean) ** 2) / n)
        assert (spread <= 6 * fourth / np.sqrt(n) + 1e-9).all()
