"""Importance weights: mean, standard error, effective sample size, Pareto k-hat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from ppgen.errors import InputError
from ppgen.inference.importance import good_khat, summarise, summarise_blocks


def log_normal(n, k, sd, seed=0):
    return sd * np.random.default_rng(seed).normal(size=(n, k))


def test_the_mean_and_the_effective_sample_size_are_those_of_the_formulas():
    log_w = log_normal(6, 400, 1.5) - 900.0  # no weight is a normal number
    found = summarise(log_w)
    np.testing.assert_allclose(found.log_mean, logsumexp(log_w, axis=1) - np.log(400))
    ess = np.exp(2 * logsumexp(log_w, axis=1) - logsumexp(2 * log_w, axis=1))
    np.testing.assert_allclose(found.ess, ess)
    w = np.exp(log_w + 900.0)
    stderr = w.std(axis=1, ddof=1) / w.mean(axis=1) / 20
    np.testing.assert_allclose(found.stderr, stderr)


def test_the_standard_error_covers_the_truth():
    sd = 0.6
    found = summarise(log_normal(2000, 500, sd))
    z = (found.log_mean - sd**2 / 2) / found.stderr
    assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_khat_is_the_shape_of_pareto_weights(shape):
    rng = np.random.default_rng(1)
    found = summarise(shape * rng.exponential(size=(40, 5000)))  # w^(-1/shape) is uniform
    assert np.mean(found.khat) == pytest.approx(shape, abs=0.06)
    assert np.all(np.abs(found.khat - shape) < 0.4)


def test_khat_tells_a_proposal_that_is_too_narrow():
    # N(0, 1) under N(0, s^2): the weights have 1 / (1 - s^2) moments.
    rng = np.random.default_rng(2)
    z = rng.normal(size=(20, 5000))

    def log_w(s):
        return -0.5 * (s * z) ** 2 + 0.5 * z**2 + np.log(s)

    limit = good_khat(5000)
    assert np.all(summarise(log_w(1.2)).khat < limit)
    assert np.mean(summarise(log_w(0.3)).khat) > limit
    assert np.all(summarise(log_w(0.3)).khat > 0.5)  # no variance


def test_khat_is_that_of_the_library_row_by_row():
    from arviz_stats import base

    log_w = log_normal(5, 777, 2.0) + 3.0
    expected = [base.array_stats.psislw(-row)[1] for row in log_w]
    np.testing.assert_allclose(summarise(log_w).khat, expected)


def test_khat_knows_no_scale():
    log_w = log_normal(5, 1000, 1.0)
    np.testing.assert_allclose(summarise(log_w - 5000.0).khat, summarise(log_w).khat, rtol=1e-6)


def test_equal_weights_have_no_tail():
    exact = np.full((2, 100), -90.0)
    single = (exact + 1e-5 * log_normal(2, 100, 1.0)).astype(np.float32)
    for log_w in (exact, single):
        found = summarise(log_w)
        np.testing.assert_allclose(found.log_mean, -90.0, atol=1e-4)
        np.testing.assert_allclose(found.ess, 100)
        assert np.all(found.stderr < 1e-4)
        assert np.all(np.isneginf(found.khat))


def test_weights_of_zero_count_in_the_mean_and_not_in_the_tail():
    log_w = log_normal(3, 2000, 1.0)
    log_w[1:, ::2] = -np.inf
    found = summarise(log_w)
    np.testing.assert_allclose(found.log_mean, logsumexp(log_w, axis=1) - np.log(2000))
    np.testing.assert_allclose(found.khat[1:], summarise(log_w[1:, 1::2]).khat)
    assert np.all(found.ess[1:] < 1000)


def test_a_row_of_zeros_and_a_row_of_few_weights_are_never_good():
    log_w = np.full((2, 500), -np.inf)
    log_w[1, :10] = 0.0
    found = summarise(log_w)
    assert np.isneginf(found.log_mean[0])
    assert np.isnan(found.stderr[0])
    assert found.log_mean[1] == pytest.approx(np.log(10 / 500))
    np.testing.assert_allclose(found.ess, [0, 10])
    assert np.all(np.isposinf(found.khat))


def test_a_tail_wider_than_floating_point_is_the_worst_of_all():
    wider = np.linspace(0.0, 1.0, 500) * np.array([[5e2], [5e3], [1e5], [1e6]])
    found = summarise(wider)
    assert np.all(np.diff(found.khat[:3]) > 0)
    assert np.all(np.isposinf(found.khat[2:]))
    np.testing.assert_allclose(found.ess[1:], 1, atol=1e-3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_weight_spoils_its_row_only(wrong):
    log_w = log_normal(3, 50, 1.0)
    good = summarise(log_w[[0, 2]])
    log_w[1, 7] = wrong
    found = summarise(log_w)
    for name in ("log_mean", "stderr", "ess", "khat"):
        values = getattr(found, name)
        assert np.isnan(values[1])
        np.testing.assert_array_equal(values[[0, 2]], getattr(good, name))


def test_too_few_samples_have_no_khat():
    assert np.all(np.isnan(summarise(log_normal(2, 24, 1.0)).khat))
    assert np.all(np.isfinite(summarise(log_normal(2, 25, 1.0)).khat))
    one = summarise(log_normal(2, 1, 1.0))
    assert np.all(np.isnan(one.stderr))
    np.testing.assert_allclose(one.ess, 1)


def test_blocks_of_rows_say_what_all_rows_say():
    log_w = log_normal(10, 300, 1.0)
    whole, parts = summarise(log_w), summarise_blocks(iter([log_w[:3], log_w[3:3], log_w[3:]]))
    for name in ("log_mean", "stderr", "ess", "khat"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_good_khat_grows_with_the_samples_up_to_its_limit():
    assert good_khat(100) == pytest.approx(0.5)
    assert good_khat(10**6) == 0.7
    with pytest.raises(InputError, match="2 or more"):
        good_khat(1)


@pytest.mark.parametrize("shape", [(5,), (2, 0), (2, 3, 4)])
def test_another_shape_is_refused(shape):
    with pytest.raises(InputError, match=r"expected \(rows, samples\)"):
        summarise(np.zeros(shape))


def test_no_block_is_refused():
    with pytest.raises(InputError, match="no block"):
        summarise_blocks([])
