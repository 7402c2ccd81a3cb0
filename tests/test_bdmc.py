"""Bidirectional Monte Carlo against closed forms, and what its tests would find out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference import hmc
from ppgen.inference.ais import Annealing, linear, sigmoidal
from ppgen.inference.bdmc import bdmc

from .linear_gaussian import Linear, normal_start, seeded


def off(log_ratio):
    """By how many standard errors the mean over all rows and chains of a ratio is off 1."""
    ratio = log_ratio.exp().flatten()
    return float((ratio.mean() - 1) / ratio.std() * math.sqrt(len(ratio)))


@pytest.fixture
def few_moves():
    """How far off unbiased both ways of few moves with large steps are: an error in a transition or
    in their order shows. The start is the posterior, shifted and a little wider: weights and their
    inverses have variances."""

    def errors(seed=0):
        model = Linear(100, k=1, d=2, s=1.0)
        mean, covariance = model.posterior()
        exact = normal_start(mean, covariance.sqrt().expand_as(mean))
        start = normal_start(mean + exact.scale, 1.2 * exact.scale)
        settings = Annealing(linear(5), 400, n_leapfrog=3, step_size=1.3, target_accept=None)
        z_star = exact.sample(400, seeded(seed + 100))
        both = bdmc(model.log_joint, start, z_star, settings, generator=seeded(seed))
        forward = off(both.forward.log_weights - model.log_z)
        return forward, off(model.log_z - both.reverse.log_weights)

    return errors


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_are_unbiased_both_ways(few_moves, seed):
    forward, reverse = few_moves(seed)
    assert abs(forward) < 4
    assert abs(reverse) < 4


def test_a_chain_without_its_metropolis_step_would_be_found_out(few_moves, monkeypatch):
    monkeypatch.setattr(hmc, "_accept", lambda log_ratio, uniform: log_ratio > -math.inf)
    forward, _ = few_moves()  # both ways take the same step
    assert abs(forward) > 8


@pytest.mark.parametrize("way", [-1, 1])
def test_temperatures_out_of_order_would_be_found_out(few_moves, monkeypatch, way):
    step, other = hmc.Walk.step, dict(pairwise(linear(5).tolist()[::way]))
    monkeypatch.setattr(hmc.Walk, "step", lambda self, z, b, e: step(self, z, other[b], e))
    forward, reverse = few_moves()
    assert abs(forward) > 8
    assert abs(reverse) > 8


def test_the_gap_holds_the_truth_and_closes_with_more_temperatures():
    model = Linear(60, k=4, d=6)
    truth, gaps = model.log_z.numpy(), []
    for n in (8, 32, 128):
        settings = Annealing(sigmoidal(n), chains=8, n_leapfrog=5)
        both = bdmc(model.log_joint, model.prior, model.z, settings, generator=seeded())

        def over_rows(values):
            return values.mean() / (values.std(ddof=1) / math.sqrt(len(values)))

        assert over_rows(truth - both.lower) > -3
        assert over_rows(both.upper - truth) > -3
        gaps.append(both.gap.mean())
        np.testing.assert_allclose(both.gap, both.upper - both.lower)
        np.testing.assert_allclose(both.gap_stderr, np.hypot(both.lower_stderr, both.upper_stderr))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 0
    assert gaps[2] < 0.6


def test_the_same_generator_gives_the_same_and_another_another():
    model = Linear(4)
    settings = Annealing(linear(10), chains=5, n_leapfrog=3)

    def both(seed):
        return bdmc(model.log_joint, model.prior, model.z, settings, generator=seeded(seed))

    first, again, other = both(5), both(5), both(6)
    assert torch.equal(first.forward.log_weights, again.forward.log_weights)
    assert torch.equal(first.reverse.log_weights, again.reverse.log_weights)
    assert not torch.equal(first.forward.log_weights, other.forward.log_weights)
    assert not torch.equal(first.reverse.log_weights, other.reverse.log_weights)


def test_latents_of_another_shape_are_refused():
    model = Linear(3)
    settings = Annealing(linear(3), chains=2)
    for z_star in (model.z[:2], model.z.expand(5, 3, 2)):
        with pytest.raises(InputError, match="z_star has shape"):
            bdmc(model.log_joint, model.prior, z_star, settings, generator=seeded())


def test_an_exact_draw_for_each_chain_may_be_given():
    model = Linear(3)
    settings = Annealing(linear(3), chains=2, n_leapfrog=2)
    one, each = (
        bdmc(model.log_joint, model.prior, z_star, settings, generator=seeded())
        for z_star in (model.z, model.z.expand(2, 3, 2))
    )
    np.testing.assert_array_equal(one.upper, each.upper)
