"""Conditional linear Gaussian networks at their limits: no noise, units, underflow, memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ppgen.errors import InputError
from ppgen.inference.conditional_gaussian import ConditionalGaussian

from .mixed_networks import Net, batch, random_evidence, random_net, sum_net, switching


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


def test_two_functions_of_one_open_node_are_not_both_observed():
    root = (np.array(0.0), np.empty(0), np.array(1.0))
    children = [(np.array(0.0), np.array([b]), np.array(0.0)) for b in (0.1, 0.3)]
    net = Net([0, 0, 0], [(), (0,), (0,)], [root, *children])
    with pytest.raises(InputError, match="'1', '2' have no density"):
        net.engine.log_z(net.conditionals, {1: 0.1, 2: 0.3})
    found = net.engine.marginals(net.conditionals, {1: 0.1})
    assert found.means[2] == pytest.approx(0.3)
    assert found.variances[2] == pytest.approx(0.0, abs=1e-15)


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


def test_probabilities_sum_to_one_however_unlikely_the_evidence():
    engine = ConditionalGaussian([3, 0], [(), (0,)])
    numbers = [np.full(3, 1 / 3), (np.arange(3.0), np.empty((3, 0)), np.ones(3))]
    for value in (1e3, 1e9, -1e11):
        probs = engine.marginals(numbers, {1: value}).probs[0]
        assert probs.sum() == pytest.approx(1, abs=1e-12)
        assert probs.argmax() == (2 if value > 0 else 0)


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


def test_the_cost_is_known_and_too_much_is_refused_by_the_names_of_the_clique():
    net = switching(30)
    engine = ConditionalGaussian(net.sizes, net.parents, memory=1 << 28)
    assert engine.cost().n_cells >= 2**30
    with pytest.raises(InputError, match=r"(?s)GiB.*largest clique.*'58'"):
        engine.log_z(net.conditionals, {59: 1.0})
    seen = {v: 0.1 for v in net.continuous if v != 31}
    assert engine.cost(seen).n_cells < 100
    assert np.isfinite(engine.log_z(net.conditionals, seen))


def test_nodes_below_the_evidence_that_are_not_asked_for_couple_nothing():
    """s_t -> x_t -> y_t for many t, and z below all x_t."""
    T = 16
    switch = np.array([0.3, 0.7])
    x = (np.array([0.0, 1.0]), np.empty((2, 0)), np.array([1.0, 2.0]))
    y = (np.array(0.0), np.array([1.0]), np.array(0.5))
    z = (np.array(0.0), np.ones(T), np.array(1.0))
    parents = [found for t in range(T) for found in ((), (3 * t,), (3 * t + 1,))]
    parents.append(tuple(range(1, 3 * T, 3)))
    engine = ConditionalGaussian([2, 0, 0] * T + [0], parents, memory=1 << 20)
    found = engine.log_z([switch, x, y] * T + [z], {3 * t + 2: 1.0 for t in range(T)})
    one = 0.3 * stats.norm.pdf(1.0, 0.0, np.sqrt(1.5)) + 0.7 * stats.norm.pdf(
        1.0, 1.0, np.sqrt(2.5)
    )
    assert found == pytest.approx(T * np.log(one))
    with pytest.raises(InputError, match="largest clique"):
        engine.marginals([switch, x, y] * T + [z], {}, [3 * T])


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
