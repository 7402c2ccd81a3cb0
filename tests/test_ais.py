"""Annealed importance sampling against closed forms and quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference.ais import Annealing, ais, linear, sigmoidal
from ppgen.inference.hmc import Start

from .linear_gaussian import Linear, normal_start, seeded


@pytest.mark.parametrize("start", ["prior", "poor"])
def test_linear_gaussian_rows_agree_with_the_closed_form(start):
    model = Linear(20)
    settings = Annealing(linear(120), chains=100, n_leapfrog=5)
    found = ais(model.log_joint, getattr(model, start), settings, generator=seeded())
    weights = found.weights
    error = weights.log_mean - model.log_z.numpy()
    assert found.log_weights.shape == (100, 20)
    assert np.all(weights.stderr < 0.3)
    assert np.all(np.abs(error) < 4 * weights.stderr)
    assert np.sqrt(np.mean((error / weights.stderr) ** 2)) < 1.6
    assert float(found.acceptance.mean()) == pytest.approx(0.65, abs=0.08)
    # The last states are the posterior's, under their weights.
    w = torch.softmax(found.log_weights, 0)[..., None]
    assert float(((w * found.z).sum(0) - model.posterior()[0]).abs().mean()) < 0.1


def test_one_move_is_plain_importance_sampling():
    model = Linear(5)
    settings = Annealing(linear(1), chains=7)
    found = ais(model.log_joint, model.poor, settings, generator=seeded(3))
    z = model.poor.sample(7, seeded(3))
    expected = model.log_joint(z) - model.poor.log_prob(z)
    torch.testing.assert_close(found.log_weights, expected)
    assert found.acceptance.shape == found.step_size.shape == (0, 5)


def test_an_exact_start_has_weights_without_noise():
    model = Linear(4, k=1)
    precision = 1 + (model.w**2).sum() / model.s**2
    mean = (model.x - model.c) @ model.w / model.s**2 / precision
    start = normal_start(mean, precision.rsqrt().expand_as(mean))
    settings = Annealing(sigmoidal(10), chains=3)
    found = ais(model.log_joint, start, settings, generator=seeded())
    torch.testing.assert_close(found.log_weights, model.log_z.expand(3, 4))


def test_two_modes_far_apart_against_quadrature():
    centre = torch.tensor([[-2.0], [-3.0]], dtype=torch.float64)

    def log_joint(z):  # two bumps of unlike height and width: rows have other left bumps
        left = -0.5 * ((z - centre) / 0.4).square() + 0.3
        right = -0.5 * ((z - 2.5) / 0.25).square()
        return torch.logaddexp(left, right).sum(-1)

    grid = torch.linspace(-12, 12, 48001, dtype=torch.float64)
    value = log_joint(grid[:, None, None].expand(-1, 2, 1)).exp()
    exact = torch.trapezoid(value, grid, dim=0).log().numpy()
    start = normal_start(torch.zeros_like(centre), torch.full_like(centre, 3.0))
    settings = Annealing(linear(150), chains=400, n_leapfrog=8)
    found = ais(log_joint, start, settings, generator=seeded())
    assert np.all(found.weights.stderr < 0.1)
    assert np.all(np.abs(found.weights.log_mean - exact) < 4 * found.weights.stderr)
    right = (torch.softmax(found.log_weights, 0) * (found.z[..., 0] > 0)).sum(0).numpy()
    share = torch.trapezoid(value * (grid > 0)[:, None], grid, dim=0).numpy() / np.exp(exact)
    np.testing.assert_allclose(right, share, atol=0.1)


def test_rows_of_other_scales_have_step_sizes_of_their_own():
    scale = torch.tensor([[1.0], [0.01]], dtype=torch.float64)
    start = normal_start(torch.zeros_like(scale), torch.ones_like(scale))

    def log_joint(z):
        return -0.5 * (z / scale).square().sum(-1)

    settings = Annealing(sigmoidal(200, delta=8.0), chains=50, n_leapfrog=4)
    found = ais(log_joint, start, settings, generator=seeded())
    last = found.step_size[-1]
    assert 30 < float(last[0] / last[1]) < 300
    exact = (scale[:, 0] * math.sqrt(2 * math.pi)).log().numpy()
    assert np.all(np.abs(found.weights.log_mean - exact) < 4 * found.weights.stderr + 0.01)


def test_parameters_collect_no_gradient_and_single_precision_stays():
    with torch.random.fork_rng(devices=[]):
        net = torch.nn.Linear(2, 3)
    start = normal_start(torch.zeros(4, 2), torch.ones(4, 2))
    settings = Annealing(linear(4), chains=3, n_leapfrog=2)
    found = ais(
        lambda z: start.log_prob(z) - net(z).square().sum(-1), start, settings, generator=seeded()
    )
    assert all(p.grad is None for p in net.parameters())
    assert found.z.dtype == torch.float32
    assert found.log_weights.dtype == torch.float64
    assert not found.log_weights.requires_grad
    assert not found.z.requires_grad


def test_proposals_out_of_bounds_are_refused():
    start = Start(
        lambda z: 0.0 * z.sum(-1),
        lambda chains, g: torch.rand(chains, 2, 1, generator=g, dtype=torch.float64),
    )

    def log_joint(z):  # 2 z on (0, 1), and no number outside
        inside = (z > 0) & (z < 1)
        return torch.where(inside, (2 * z).log(), math.nan)[..., 0]

    settings = Annealing(linear(40), chains=200, n_leapfrog=4)
    found = ais(log_joint, start, settings, generator=seeded())
    assert bool(((found.z > 0) & (found.z < 1)).all())
    assert np.all(np.abs(found.weights.log_mean) < 4 * found.weights.stderr + 1e-3)


def test_step_sizes_of_a_run_serve_another_without_a_pilot():
    model = Linear(3)
    told = []
    settings = Annealing(linear(10), chains=5, n_leapfrog=2)
    first = ais(
        model.log_joint,
        model.prior,
        settings,
        generator=seeded(),
        progress=lambda *at: told.append(at),
    )
    assert told == [(i, 58) for i in range(1, 59)]  # 40 + 9 of the pilot, 9 of the run
    told.clear()
    fixed = Annealing(
        linear(10), chains=5, n_leapfrog=2, step_size=first.step_size, target_accept=None
    )
    again = ais(
        model.log_joint,
        model.prior,
        fixed,
        generator=seeded(),
        progress=lambda *at: told.append(at),
    )
    assert told[-1] == (9, 9)
    assert torch.equal(again.step_size, first.step_size)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_schedules_rise_from_zero_to_one(n):
    for b in (linear(n), sigmoidal(n)):
        assert b.shape == (n + 1,)
        assert (b[0], b[-1]) == (0, 1)
        assert bool((b.diff() > 0).all())
    steps = sigmoidal(50).diff()
    assert steps[0] < 0.3 * steps[25]
    torch.testing.assert_close(steps, steps.flip(0))


def test_what_cannot_be_annealed_is_refused():
    model = Linear(3)
    for b in (torch.tensor([0.0, 0.5]), torch.tensor([0.0, 0.6, 0.4, 1.0]), torch.zeros(1)):
        with pytest.raises(InputError, match="rise from 0 to 1"):
            Annealing(b)
    for wrong, words in (
        ({"chains": 0}, "chains is 0"),
        ({"n_leapfrog": 0}, "n_leapfrog is 0"),
        ({"step_size": 0.0}, "positive"),
        ({"target_accept": 1.0}, "target_accept is 1.0; expected a number > 0 and < 1"),
    ):
        with pytest.raises(InputError, match=words):
            Annealing(linear(3), **wrong)
    for call, words in ((linear, "n is 0"), (sigmoidal, "n is 0")):
        with pytest.raises(InputError, match=words):
            call(0)
    with pytest.raises(InputError, match="delta"):
        sigmoidal(5, delta=0.0)
    settings = Annealing(linear(3), chains=2)
    with pytest.raises(InputError, match=r"log_joint gave shape \(\)"):
        ais(lambda z: model.log_joint(z).sum(), model.prior, settings, generator=seeded())
    sized = Annealing(linear(3), step_size=torch.ones(5, 3), target_accept=None)
    with pytest.raises(InputError, match="step_size has shape"):
        ais(model.log_joint, model.prior, sized, generator=seeded())
