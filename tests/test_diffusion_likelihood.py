"""Log densities under probability flows, against exact ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference.diffusion.exact import ExactMixture, exact_gaussian
from ppgen.inference.diffusion.gaussian_frame import GaussianFrame
from ppgen.inference.diffusion.likelihood import Steps, log_density
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.inference.diffusion.runge_kutta import METHODS, adaptive, fixed
from ppgen.inference.diffusion.trace import products, signs, units

LINEAR = PROCESSES["linear"]
F64 = {"dtype": torch.float64}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    a = torch.randn(size, size, generator=generator(), **F64) / math.sqrt(size)
    return torch.randn(size, generator=generator(1), **F64), a @ a.T + 0.05 * torch.eye(size)


def ring(process=LINEAR, scale: float = 0.2, size: int = 2) -> ExactMixture:
    """Five Gaussians on a circle."""
    angles = torch.arange(5, **F64) * 2 * math.pi / 5
    means = torch.zeros(5, size, **F64)
    means[:, 0], means[:, 1] = 1.4 * angles.cos(), 1.4 * angles.sin()
    covariances = (scale**2 * torch.eye(size, **F64)).repeat(5, 1, 1)
    return ExactMixture(
        process, torch.tensor([0.1, 0.2, 0.2, 0.2, 0.3]).double(), means, covariances
    )


def frame_of(oracle: ExactMixture) -> GaussianFrame:
    return GaussianFrame.of(oracle.mean(), oracle.covariance())


def exact(oracle: ExactMixture, x: torch.Tensor) -> torch.Tensor:
    return oracle.log_prob(x, torch.zeros(len(x)))


# Solvers


@pytest.mark.parametrize("name", METHODS)
def test_halving_the_steps_shows_the_order_of_a_method(name: str) -> None:
    y = torch.tensor([[1.0], [2.0]], **F64)

    def f(t, y, rows):
        return -y * (1 + t[:, None])

    ends = [fixed(f, y, 0.0, 1.0, n, METHODS[name]).y for n in (16, 32)]
    coarse, fine = ((end - y * math.exp(-1.5)).abs().max() for end in ends)
    assert math.log2(coarse / fine) == pytest.approx(METHODS[name].order, abs=0.15)


def test_chosen_steps_keep_their_tolerance_and_each_row_has_its_own() -> None:
    rates = torch.tensor([0.1, 1.0, 5.0, 20.0], **F64)

    def solve(rates):
        def f(t, y, rows):
            return -rates[rows, None] * (y - (10 * t[:, None]).sin())

        y = torch.ones(len(rates), 1, **F64)
        return adaptive(f, y, 0.0, 2.0, 1e-4, lambda e, t, y, slope: e.abs().sum(1))

    together = solve(rates)
    alone = [solve(rates[i : i + 1]) for i in range(4)]
    assert torch.equal(together.y, torch.cat([one.y for one in alone]))
    assert together.evaluations[3] > together.evaluations[0]
    k, w, t = rates, 10.0, 2.0  # y' = -k (y - sin w t), y(0) = 1
    size = k * w / (k**2 + w**2)
    end = (1 + size) * (-k * t).exp() + size * (k / w * math.sin(w * t) - math.cos(w * t))
    assert (together.y[:, 0] - end).abs().max() < 1e-3
    assert (together.error >= 0).all()


# Traces


def test_products_with_units_are_the_jacobian() -> None:
    oracle = ring()
    x, t = oracle.sample(5, generator()), torch.full((5,), 0.4, **F64)
    data, found = products(oracle, x, t, units(5, 2, x))
    assert torch.allclose(data, oracle(x, t))
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda x: oracle(x[None], t[:1])[0], x[i])
        assert torch.allclose(found[:, i], jacobian)


def test_probes_are_a_rows_own_signs() -> None:
    rows = np.array([5, 9, 2**62, 7])
    probes = signs(rows, 3, 1000, torch.zeros(0, **F64))
    assert probes.abs().eq(1).all()
    assert probes.mean(2).abs().max() < 5 / math.sqrt(1000)
    assert torch.equal(signs(rows[2:3], 3, 1000, probes)[:, 0], probes[:, 2])
    assert (probes[0] * probes[1]).mean(1).abs().max() < 5 / math.sqrt(1000)


def test_traces_of_the_gaussian_are_those_of_its_denoiser() -> None:
    mean, covariance = gaussian(4)
    oracle, frame = exact_gaussian(LINEAR, mean, covariance), GaussianFrame.of(mean, covariance)
    x, t = oracle.sample(3, generator()), torch.tensor([0.01, 0.5, 1.0], **F64)
    v = units(3, 4, x)
    data, found = products(oracle, x, t, v)
    assert torch.allclose(found, frame.products(LINEAR, t, v))
    z = frame.enter(LINEAR, x, t)
    assert torch.allclose(frame.leave(LINEAR, z, t), x)
    again = mean + frame.back(frame.gain(LINEAR, t) * frame.scale(LINEAR, t) * z)
    assert torch.allclose(data, again)


# Log densities


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_a_gaussian_of_16_dimensions_has_its_density(process) -> None:
    mean, covariance = gaussian(16)
    oracle = exact_gaussian(process, mean, covariance)
    x = oracle.sample(20, generator(2))
    found = log_density(oracle, process, x, GaussianFrame.of(mean, covariance))
    truth = exact(oracle, x)
    assert (found.values - truth).abs().max() < 1e-3
    # What noise at t_min does is the only error there is, and is reported.
    assert (found.values - truth - found.smoothing).abs().max() < 1e-6
    assert found.ode_error.max() < 1e-9


def test_a_gaussian_in_the_coordinates_of_another_has_its_density() -> None:
    mean, covariance = gaussian(16)
    oracle = exact_gaussian(LINEAR, mean, covariance)
    x = oracle.sample(10, generator(2))
    found = log_density(oracle, LINEAR, x, GaussianFrame.of(0 * mean, torch.eye(16)))
    assert (found.values - exact(oracle, x)).abs().max() < 1e-3


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_a_mixture_in_two_dimensions_has_its_density(process) -> None:
    oracle = ring(process)
    x = torch.cat([oracle.sample(30, generator(3)), torch.tensor([[3.0, 0.0], [0.0, 0.0]])])
    found = log_density(oracle, process, x, frame_of(oracle))
    wrong = (found.values - exact(oracle, x) - found.smoothing).abs()
    assert wrong.max() < 3e-3
    assert (wrong <= 2 * found.ode_error).double().mean() > 0.9
    assert found.stderr is None


def test_rows_far_out_cost_no_more_steps_than_single_precision_is_worth() -> None:
    oracle = ring()

    def single(x_t, t):
        return oracle(x_t, t).float().double()

    x = torch.tensor([[0.0, 0.0], [50.0, 0.0], [2e3, 1e3], [1e6, -1e6], [1e9, 1.0]], **F64)
    found = log_density(single, LINEAR, x, frame_of(oracle))
    truth = exact(oracle, x)
    assert ((found.values - truth) / truth).abs().max() < 1e-3
    assert found.evaluations.max() < 500


def test_the_density_integrates_to_one() -> None:
    weights, means = torch.tensor([0.3, 0.7], **F64), torch.tensor([[-1.0], [0.6]], **F64)
    covariances = torch.tensor([[[0.04]], [[0.3]]], **F64)
    oracle = ExactMixture(LINEAR, weights, means, covariances)
    x = torch.linspace(-3.5, 3.5, 250, **F64)[:, None]
    found = log_density(oracle, LINEAR, x, frame_of(oracle))
    assert torch.trapezoid(found.values.exp(), x[:, 0]) == pytest.approx(1, abs=1e-3)


def test_a_density_depends_on_its_row_alone() -> None:
    oracle, rows = ring(size=3), np.arange(100, 106)
    x, frame = oracle.sample(6, generator(4)), frame_of(ring(size=3))

    def scored(at):
        probes = signs(rows[at], 2, 3, x)
        return log_density(oracle, LINEAR, x[at], frame, probes=probes).values

    whole = scored(np.arange(6))
    assert torch.allclose(scored(np.arange(6)[::-1].copy()).flip(0), whole, atol=1e-9)
    assert torch.allclose(
        torch.cat([scored(np.array([i])) for i in range(3)]), whole[:3], atol=1e-9
    )


@pytest.mark.parametrize("steps", [4, 8])
def test_few_euler_steps_give_nonsense_and_are_flagged(steps: int) -> None:
    oracle = ring(scale=0.05)
    x = oracle.sample(30, generator(5))
    found = log_density(oracle, LINEAR, x, frame_of(oracle), steps=Steps(steps, "euler"))
    wrong = (found.values - exact(oracle, x)).abs()
    assert wrong.mean() > 0.3
    assert (found.ode_error > 0.1).double().mean() > 0.9


def test_one_step_cannot_be_checked() -> None:
    for count in (1, 2, 7):
        with pytest.raises(InputError, match="half as many"):
            Steps(count, "euler")
    with pytest.raises(InputError, match="euler"):
        Steps(8, "eulr")


def test_many_steps_of_one_size_are_right_and_say_so() -> None:
    oracle = ring()
    x = oracle.sample(10, generator(5))
    found = log_density(oracle, LINEAR, x, frame_of(oracle), steps=Steps(32))
    wrong = (found.values - exact(oracle, x)).abs()
    assert wrong.max() < 1e-2
    assert (wrong <= found.ode_error + 2e-4).all()
    assert found.evaluations[0] == 4 * (32 + 16)


def test_probes_estimate_the_density_and_state_their_error() -> None:
    oracle = ring(size=6, scale=0.3)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator(6), **F64))[0]
    turned = ExactMixture(LINEAR, oracle.log_weights.exp(), oracle.means @ turn, oracle.covariances)
    x, rows = turned.sample(40, generator(7)), np.arange(40)
    probes, steps = signs(rows, 8, 6, x), Steps(tolerance=1e-2)
    found = log_density(turned, LINEAR, x, frame_of(turned), steps=steps, probes=probes)
    wrong = found.values - exact(turned, x)
    assert found.stderr is not None
    z = wrong / found.stderr
    assert z.mean().abs() < 4 * math.sqrt(7 / 5 / 40)
    assert 0.8 < z.square().mean().sqrt() < 1.7  # t of 7 degrees of freedom: 1.18


def test_probes_of_a_gaussian_have_no_error_beside_its_own_trace() -> None:
    mean, covariance = gaussian(6)
    oracle = exact_gaussian(LINEAR, mean, covariance)
    x = oracle.sample(5, generator(2))
    probes, own = signs(np.arange(5), 2, 6, x), GaussianFrame.of(mean, covariance)
    found = log_density(oracle, LINEAR, x, own, probes=probes)
    assert (found.values - exact(oracle, x)).abs().max() < 1e-3
    assert found.stderr is not None
    assert found.stderr.max() < 1e-9
    other = GaussianFrame.of(mean, covariance.diagonal().diag())
    bare = log_density(oracle, LINEAR, x, other, probes=probes, steps=Steps(tolerance=1e-2))
    assert bare.stderr is not None
    assert bare.stderr.mean() > 0.1


def test_a_frame_is_that_of_weighted_rows_and_is_kept() -> None:
    x = torch.randn(50, 3, generator=generator(), **F64) @ torch.randn(
        3, 3, generator=generator(1), **F64
    )
    w = torch.rand(50, generator=generator(2), **F64)
    frame = GaussianFrame.fit(x, w)
    again = GaussianFrame.load(frame.arrays())
    assert again.axes is not None
    covariance = again.axes @ torch.diag(again.variances) @ again.axes.T
    expected = np.cov(x.numpy().T, aweights=w.numpy(), ddof=0)
    effective = float(w.sum() ** 2 / w.square().sum())
    expected[~np.eye(3, dtype=bool)] *= effective / (effective + 3)
    np.testing.assert_allclose(covariance.numpy(), expected)
    np.testing.assert_allclose(again.mean.numpy(), np.average(x.numpy(), axis=0, weights=w.numpy()))
