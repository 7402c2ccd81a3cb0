"""Exact inference in conditional linear Gaussian networks, against enumeration in moment form."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from ppgen.errors import InputError
from ppgen.inference.conditional_gaussian import ConditionalGaussian


class Net:
    """A network with numbers, and the joint of all its nodes by enumeration."""

    def __init__(self, sizes, parents, conditionals):
        self.sizes, self.parents, self.conditionals = sizes, parents, conditionals
        self.engine = ConditionalGaussian(sizes, parents)
        self.discrete = [v for v, k in enumerate(sizes) if k]
        self.continuous = [v for v, k in enumerate(sizes) if not k]

    def joint(self, codes):
        """log probability of all states, mean and covariance of all continuous nodes."""
        state = dict(zip(self.discrete, codes, strict=True))
        m = len(self.continuous)
        B, b, s2 = np.zeros((m, m)), np.zeros(m), np.zeros(m)
        log = 0.0
        for v, ps in enumerate(self.parents):
            u = tuple(state[p] for p in ps if self.sizes[p])
            if self.sizes[v]:
                with np.errstate(divide="ignore"):
                    log += np.log(self.conditionals[v][(*u, state[v])])
                continue
            i = self.continuous.index(v)
            intercept, coefficients, variance = self.conditionals[v]
            b[i], s2[i] = intercept[u], variance[u]
            for j, p in enumerate(p for p in ps if not self.sizes[p]):
                B[i, self.continuous.index(p)] = coefficients[(*u, j)]
        T = np.linalg.inv(np.eye(m) - B)
        return log, T @ b, T @ np.diag(s2) @ T.T

    def posterior(self, evidence):
        """For every configuration: log weight, and mean and covariance of all continuous nodes."""
        seen = [i for i, v in enumerate(self.continuous) if v in evidence]
        free = [i for i in range(len(self.continuous)) if i not in seen]
        x = np.array([evidence[self.continuous[i]] for i in seen])
        out = []
        for codes in product(*(range(self.sizes[v]) for v in self.discrete)):
            log, mean, cov = self.joint(codes)
            for v, state in zip(self.discrete, codes, strict=True):
                if v in evidence:
                    lam = np.asarray(evidence[v])
                    with np.errstate(divide="ignore"):
                        log += np.log(lam[state]) if lam.ndim else np.log(float(lam == state))
            full, C = np.zeros(len(mean)), np.zeros_like(cov)
            full[seen] = x
            S = cov[np.ix_(seen, seen)]
            gain = (
                np.linalg.solve(S, cov[np.ix_(seen, free)]).T if seen else np.zeros((len(free), 0))
            )
            full[free] = mean[free] + gain @ (x - mean[seen])
            C[np.ix_(free, free)] = cov[np.ix_(free, free)] - gain @ cov[np.ix_(seen, free)]
            if seen:
                log += stats.multivariate_normal.logpdf(x, mean[seen], S)
            out.append((codes, log, full, C))
        return out

    def answers(self, evidence):
        """log Z, probabilities by node, mean and covariance of the continuous nodes."""
        parts = self.posterior(evidence)
        logs = np.array([log for _, log, _, _ in parts])
        log_z = np.logaddexp.reduce(logs)
        w = np.exp(logs - log_z) if np.isfinite(log_z) else np.full(len(logs), np.nan)
        probs = {v: np.zeros(self.sizes[v]) for v in self.discrete}
        for p, (codes, _, _, _) in zip(w, parts, strict=True):
            for v, state in zip(self.discrete, codes, strict=True):
                probs[v][state] += p
        mean = sum(p * m for p, (_, _, m, _) in zip(w, parts, strict=True))
        second = sum(p * (C + np.outer(m, m)) for p, (_, _, m, C) in zip(w, parts, strict=True))
        return log_z, probs, mean, second - np.outer(mean, mean), w, parts


def random_net(rng, n_discrete, n_continuous, zeros=0.2, noiseless=0.0, edges=0.45):
    """A network over an order of nodes in which kinds are mixed."""
    V = n_discrete + n_continuous
    sizes = np.zeros(V, int)
    sizes[rng.permutation(V)[:n_discrete]] = rng.integers(2, 4, n_discrete)
    parents = []
    for v in range(V):
        able = [p for p in range(v) if sizes[p] or not sizes[v]]
        chosen = [p for p in able if rng.random() < edges]
        parents.append(tuple(rng.permutation(chosen).tolist()))
    names = rng.permutation(V)  # numbers are no order of the graph
    sizes_, parents_, conditionals = [0] * V, [()] * V, [None] * V
    for v in range(V):
        shape = tuple(sizes[p] for p in parents[v] if sizes[p])
        m = sum(not sizes[p] for p in parents[v])
        new = names[v]
        sizes_[new], parents_[new] = int(sizes[v]), tuple(int(names[p]) for p in parents[v])
        if sizes[v]:
            table = rng.gamma(0.7, size=(*shape, sizes[v])) * (
                rng.random((*shape, sizes[v])) > zeros
            )
            table[..., 0] += (table.sum(-1) == 0) * 1.0
            conditionals[new] = table / table.sum(-1, keepdims=True)
        else:
            variance = rng.gamma(2.0, size=shape) * (rng.random(shape) >= noiseless)
            conditionals[new] = (
                rng.normal(size=shape),
                rng.normal(size=(*shape, m)),
                np.asarray(variance),
            )
    return Net(sizes_, parents_, conditionals)


def random_evidence(rng, net, share=0.4):
    """Evidence of positive density in most networks: some nodes of a draw of the network."""
    states = {}
    engine = net.engine
    codes, values = engine.sample(net.conditionals, {}, 1, rng)
    for v, k in enumerate(net.sizes):
        if rng.random() > share:
            continue
        if k and rng.random() < 0.3:
            states[v] = rng.random(k)
        else:
            states[v] = int(codes[0, v]) if k else float(values[0, v])
    return states


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


def batch(rng, net, n):
    """n rows of evidence with gaps in all nodes, drawn from the network."""
    codes, values = net.engine.sample(net.conditionals, {}, n, rng)
    gaps = rng.random(codes.shape) < 0.4
    return {
        v: np.where(gaps[:, v], -1, codes[:, v])
        if k
        else np.where(gaps[:, v], np.nan, values[:, v])
        for v, k in enumerate(net.sizes)
    }


def row(evidence, i):
    """One row of a batch of evidence, without what it does not observe."""
    out = {}
    for v, values in evidence.items():
        if values.dtype.kind == "i":
            if values[i] >= 0:
                out[v] = int(values[i])
        elif values.ndim == 2 or not np.isnan(values[i]):
            out[v] = values[i]
    return out


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


def test_nodes_without_noise_are_functions_of_their_parents():
    compared = 0
    for seed in range(20):
        rng = np.random.default_rng(4000 + seed)
        net = random_net(rng, 2, 4, noiseless=0.4)
        evidence = dict.fromkeys(net.discrete[:1], 0)
        for v in net.continuous:
            if np.all(net.conditionals[v][2] > 0) and rng.random() < 0.5:
                evidence[v] = float(rng.normal())
        try:
            log_z, _, mean, cov, _, _ = net.answers(evidence)
        except np.linalg.LinAlgError:
            continue
        if np.isneginf(log_z):
            continue
        compared += 1
        found = net.engine.marginals(net.conditionals, evidence)
        assert found.log_z == pytest.approx(log_z, rel=1e-9)
        for i, v in enumerate(net.continuous):
            assert found.means[v] == pytest.approx(mean[i], abs=1e-8)
            assert found.variances[v] == pytest.approx(cov[i, i], abs=1e-8)
    assert compared >= 12


def sum_net(variance=0.0, sizes=(0, 0, 0)):
    """a, b ~ Normal(0, 1); c = a + b."""
    root = (np.array(0.0), np.empty(0), np.array(1.0))
    both = (np.array(0.0), np.array([1.0, 1.0]), np.array(variance))
    return Net(list(sizes), [(), (), (0, 1)], [root, root, both])


def test_a_sum_may_be_observed_but_not_beside_both_of_its_terms():
    net = sum_net()
    found = net.engine.marginals(net.conditionals, {2: 1.0})
    assert found.log_z == pytest.approx(stats.norm.logpdf(1.0, scale=np.sqrt(2)))
    assert found.means[0] == pytest.approx(0.5)
    assert found.variances[0] == pytest.approx(0.5)
    one = net.engine.marginals(net.conditionals, {2: 1.0, 0: 0.25})
    assert one.means[1] == pytest.approx(0.75)
    assert one.variances[1] == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(InputError, match="'2' have no density"):
        net.engine.log_z(net.conditionals, {0: 1.0, 1: 2.0, 2: 3.0})


def test_noise_that_is_0_in_some_states_alone_is_refused_only_where_these_are_possible():
    table = np.array([0.5, 0.5])
    node = (np.array([1.0, 2.0]), np.empty((2, 0)), np.array([0.0, 1.0]))
    net = Net([2, 0], [(), (0,)], [table, node])
    with pytest.raises(InputError, match="no density"):
        net.engine.log_z(net.conditionals, {1: 1.5})
    found = net.engine.log_z(net.conditionals, {0: 1, 1: 1.5})
    assert found == pytest.approx(np.log(0.5) + stats.norm.logpdf(1.5, 2.0))
    prior = net.engine.marginals(net.conditionals, {})
    assert prior.means[1] == pytest.approx(1.5)
    assert prior.variances[1] == pytest.approx(0.5 + 0.25)


def test_a_node_set_from_outside_is_a_known_number():
    net = sum_net(variance=0.5)
    net.conditionals[0] = (np.array(3.0), np.empty(0), np.array(0.0))
    found = net.engine.marginals(net.conditionals, {2: 5.0})
    expected = sum_net(0.5).engine.marginals(sum_net(0.5).conditionals, {2: 5.0, 0: 3.0})
    assert found.log_z == pytest.approx(expected.log_z - stats.norm.logpdf(3.0))
    assert (found.means[0], found.variances[0]) == (3.0, 0.0)
    assert found.means[1] == pytest.approx(expected.means[1])
    with pytest.raises(InputError, match="'0' is set"):
        net.engine.log_z(net.conditionals, {0: 3.0})


@pytest.mark.parametrize("seed", range(8))
def test_units_play_no_part(seed):
    rng = np.random.default_rng(5000 + seed)
    net = random_net(rng, 2, 5)
    evidence = random_evidence(rng, net, 0.5)
    unit = 10.0 ** rng.uniform(-6, 6, len(net.sizes))
    scaled = list(net.conditionals)
    for v in net.continuous:
        intercept, coefficients, variance = net.conditionals[v]
        parents = [p for p in net.parents[v] if not net.sizes[p]]
        scaled[v] = (
            intercept * unit[v],
            coefficients * unit[v] / unit[parents],
            variance * unit[v] ** 2,
        )
    moved = {v: x if net.sizes[v] else x * unit[v] for v, x in evidence.items()}
    found = net.engine.marginals(scaled, moved)
    expected = net.engine.marginals(net.conditionals, evidence)
    jacobian = sum(np.log(unit[v]) for v in evidence if not net.sizes[v])
    assert found.log_z + jacobian == pytest.approx(expected.log_z, abs=1e-9)
    for v in net.discrete:
        np.testing.assert_allclose(found.probs[v], expected.probs[v], atol=1e-9)
    for v in net.continuous:
        assert found.means[v] / unit[v] == pytest.approx(expected.means[v], rel=1e-9, abs=1e-9)
        assert found.variances[v] / unit[v] ** 2 == pytest.approx(expected.variances[v], rel=1e-8)


def test_small_noise_beside_large_spread_is_not_lost():
    """x ~ Normal(0, 1), y_i = x + noise of sd 1e-7: the posterior of x is known in closed form."""
    sd = 1e-7
    child = (np.array(0.0), np.array([1.0]), np.array(sd**2))
    root = (np.array(0.0), np.empty(0), np.array(1.0))
    engine = ConditionalGaussian([0, 0, 0], [(), (0,), (0,)])
    y = np.array([0.3, 0.3 + 5e-8])
    found = engine.marginals([root, child, child], {1: y[0], 2: y[1]})
    precision = 1 + 2 / sd**2
    assert found.means[0] == pytest.approx(y.sum() / sd**2 / precision, rel=1e-14)
    assert found.variances[0] == pytest.approx(1 / precision, rel=1e-6)
    between = stats.norm.logpdf(y[1] - y[0], scale=np.sqrt(2) * sd)
    middle = stats.norm.logpdf(y.mean(), scale=np.sqrt(1 + sd**2 / 2))
    assert found.log_z == pytest.approx(between + middle, rel=1e-6)


def test_densities_that_contradict_each_other_by_thousands_of_nats_do_not_underflow():
    table = np.array([0.5, 0.5])
    child = (np.array([0.0, 100.0]), np.empty((2, 0)), np.array([1.0, 1.0]))
    net = Net([2, 0, 0], [(), (0,), (0,)], [table, child, child])
    found = net.engine.marginals(net.conditionals, {1: 0.0, 2: 100.0})
    assert found.log_z == pytest.approx(2 * stats.norm.logpdf(0.0) - 5000.0)
    np.testing.assert_allclose(found.probs[0], [0.5, 0.5])


def test_evidence_of_probability_0_is_said_in_its_row_alone():
    table = np.array([1.0, 0.0])
    child = (np.array([0.0, 1.0]), np.empty((2, 0)), np.array([1.0, 1.0]))
    net = Net([2, 0], [(), (0,)], [table, child])
    evidence = {0: np.array([0, 1, -1]), 1: np.array([np.nan, np.nan, 1.0])}
    found = net.engine.marginals(net.conditionals, evidence)
    assert np.isneginf(found.log_z).tolist() == [False, True, False]
    for answer in (found.probs[0][:, 0], found.means[1], found.variances[1]):
        assert np.isnan(answer).tolist() == [False, True, False]
    totals = net.engine.statistics(net.conditionals, evidence)
    assert totals.moments[1].weight.tolist() == [2.0, 0.0]
    assert totals.counts[0].tolist() == [2.0, 0.0]
    with pytest.raises(InputError, match="row 1 has the probability 0"):
        net.engine.sample(net.conditionals, evidence, 1, np.random.default_rng(0))


def switching(length):
    """x_t | x_t-1, s_t over independent switches s_t."""
    sizes, parents, conditionals = [], [], []
    for t in range(length):
        sizes += [2, 0]
        parents += [(), (2 * t, 2 * t - 1) if t else (2 * t,)]
        conditionals += [
            np.array([0.4, 0.6]),
            (np.array([0.0, 1.0]), np.full((2, int(t > 0)), 0.5), np.array([1.0, 2.0])),
        ]
    return Net(sizes, parents, conditionals)


def test_the_cost_is_known_and_too_much_is_refused_by_the_names_of_the_clique():
    net = switching(30)
    engine = ConditionalGaussian(net.sizes, net.parents, memory=1 << 28)
    assert engine.cost().n_cells >= 2**30
    with pytest.raises(InputError, match=r"(?s)GiB.*largest clique.*'58'"):
        engine.log_z(net.conditionals, {59: 1.0})
    seen = {v: 0.1 for v in net.continuous if v != 31}
    assert engine.cost(seen).n_cells < 100
    assert np.isfinite(engine.log_z(net.conditionals, seen))


def test_nodes_that_do_not_fit_in_memory_together_are_answered_apart():
    switch, child = np.array([0.4, 0.6]), (np.zeros(2), np.ones((2, 1)), np.array([1.0, 2.0]))
    root = (np.array(1.0), np.empty(0), np.array(2.0))
    sizes, parents = [0] + [2, 0] * 7, [()]
    for t in range(7):
        parents += [(), (0, 2 * t + 1)]
    net = Net(sizes, parents, [root] + [switch, child] * 7)
    whole = net.engine.marginals(net.conditionals, {})
    memory = net.engine.cost().bytes // 5
    apart = ConditionalGaussian(net.sizes, net.parents, memory=memory).marginals(
        net.conditionals, {}
    )
    for v in net.continuous:
        assert apart.means[v] == pytest.approx(float(whole.means[v]))
        assert apart.variances[v] == pytest.approx(float(whole.variances[v]))


def test_rows_are_split_where_memory_is_short():
    rng = np.random.default_rng(11)
    net = random_net(rng, 3, 4)
    evidence = batch(rng, net, 200)
    whole = net.engine.marginals(net.conditionals, evidence)
    small = ConditionalGaussian(net.sizes, net.parents, memory=60_000)
    parts = small.marginals(net.conditionals, evidence)
    np.testing.assert_allclose(parts.log_z, whole.log_z, rtol=1e-12)
    for v in net.continuous:
        np.testing.assert_allclose(parts.variances[v], whole.variances[v], rtol=1e-9, atol=1e-12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="'0' has the continuous parent '1'"):
        ConditionalGaussian([2, 0], [(1,), ()])
    net = sum_net()
    with pytest.raises(InputError, match="infinite"):
        net.engine.log_z(net.conditionals, {0: np.inf})
    with pytest.raises(InputError, match="rows"):
        net.engine.log_z(net.conditionals, {0: np.zeros(3), 1: np.zeros(2)})
    with pytest.raises(InputError, match="'2' has a variance that is negative"):
        net.engine.log_z(sum_net(-1.0).conditionals, {})
    with pytest.raises(InputError, match="differ in which nodes"):
        net.engine.mixture(net.conditionals, [0], {1: np.array([0.0, np.nan])})
