"""The variational bound of a denoiser, against exact probabilities."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from ppgen.inference.diffusion.bound import NoiseLevels, bound
from ppgen.inference.diffusion.exact import ExactMixture, IdealDenoiser, exact_gaussian
from ppgen.inference.diffusion.gaussian_frame import GaussianFrame
from ppgen.inference.diffusion.process import PROCESSES

from .test_diffusion_likelihood import F64, LINEAR, exact, frame_of, gaussian, generator, ring

NONE = GaussianFrame(torch.zeros(0, **F64), torch.zeros(0, **F64), torch.zeros(0, 0, **F64))


def z_of(found, truth) -> torch.Tensor:
    """The mean difference in its standard errors."""
    return (
        (found.values - truth).mean() / found.stderr.square().mean().sqrt() * math.sqrt(len(truth))
    )


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_the_bound_of_a_gaussians_own_denoiser_is_its_density(process) -> None:
    mean, covariance = gaussian(4)
    oracle = exact_gaussian(process, mean, covariance)
    x, scale = oracle.sample(50, generator()), process.end_scale(1.2)
    truth = exact(oracle, x)
    own = GaussianFrame.of(mean, covariance)
    found = bound(oracle, process, x, own, np.arange(50), end_scale=scale, draws=8)
    # Neither the noise at t_min nor what is left of rows at t_max is drawn for.
    assert found.stderr.max() < 1e-9
    assert (found.values - truth).abs().max() < (0.1 if process.name in ("vp", "edm") else 1e-3)
    other = GaussianFrame.of(0 * mean, torch.eye(4))
    found = bound(oracle, process, x, other, np.arange(50), end_scale=scale)
    assert found.stderr.mean() > 0.1
    assert z_of(found, truth).abs() < 4


def test_the_gaussians_loss_is_its_integral() -> None:
    from ppgen.inference.diffusion.bound import _gaussian_loss

    mean, covariance = gaussian(3)
    oracle, frame = exact_gaussian(LINEAR, mean, covariance), GaussianFrame.of(mean, covariance)
    x, u = oracle.sample(1, generator()), torch.logspace(-2, 2, 2001, **F64)
    t = LINEAR.time_of(u**-0.5)
    # E |x - xhat|^2: of the bias at x_t = alpha_t x, and of the noise, by the Jacobian.
    bias = (x - oracle(LINEAR.alpha(t)[:, None] * x, t)).square().sum(1)
    gain = LINEAR.sigma(t)[:, None] * frame.gain(LINEAR, t)
    loss = torch.trapezoid(bias + gain.square().sum(1), u) / 2
    assert float(_gaussian_loss(frame, x, u[0], u[-1])) == pytest.approx(float(loss), rel=1e-4)


def test_a_frame_of_fewer_rows_than_features_bounds_other_rows() -> None:
    scales = torch.linspace(0.1, 2.0, 30, **F64)
    oracle = exact_gaussian(LINEAR, torch.zeros(30, **F64), scales.square().diag())
    x = oracle.sample(40, generator())
    found = bound(
        oracle, LINEAR, x[12:], GaussianFrame.fit(x[:12]), np.arange(28), end_scale=1.0, draws=256
    )
    assert z_of(found, exact(oracle, x[12:])).abs() < 4
    assert found.stderr.median() < 2


def test_the_bound_of_a_mixtures_denoiser_is_its_density() -> None:
    oracle = ring()
    x = oracle.sample(500, generator(1))
    found = bound(oracle, LINEAR, x, frame_of(oracle), np.arange(500), end_scale=1.0, draws=128)
    assert z_of(found, exact(oracle, x)).abs() < 4
    each = (found.values - exact(oracle, x)) / found.stderr
    assert 0.8 < each.square().mean().sqrt() < 1.6  # t of 7 degrees of freedom: 1.18
    # A worse denoiser has a lower bound.
    worse = bound(
        lambda x, t: 0.9 * oracle(x, t), LINEAR, x, frame_of(oracle), np.arange(500), end_scale=1.0
    )
    assert worse.values.mean() < found.values.mean() - 0.3


def test_a_bound_depends_on_its_row_alone() -> None:
    oracle = ring()
    x, frame = oracle.sample(6, generator(1)), frame_of(ring())
    whole = bound(oracle, LINEAR, x, frame, np.arange(6), end_scale=1.0)
    some = bound(oracle, LINEAR, x[4:5], frame, np.array([4]), end_scale=1.0)
    assert torch.allclose(some.values, whole.values[4:5])
    assert torch.allclose(some.stderr, whole.stderr[4:5])


# NoiseLevels: two columns of 3 and 2 levels, whose masses are tenths.

CELLS = list(itertools.product(range(3), range(2)))
COUNTS = torch.tensor([4, 1, 1, 2, 1, 1])
BLOCKS = [slice(0, 3), slice(3, 5)]


def indicators(cell: tuple[int, int]) -> torch.Tensor:
    return torch.cat([torch.eye(3, **F64)[cell[0]], torch.eye(2, **F64)[cell[1]]])


X = torch.stack([indicators(cell) for cell in CELLS])
EXACT = IdealDenoiser(LINEAR, X.repeat_interleave(COUNTS, 0))


def flat(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A denoiser that is less sure than it should be; a distribution over each column's levels."""
    p = EXACT(x_t, t) ** 0.5
    return torch.cat([p[:, at] / p[:, at].sum(1, keepdim=True) for at in BLOCKS], 1)


def masses(denoise, x: torch.Tensor, repeats: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean bounds of rows over draws, and their standard errors."""
    rows = x.repeat(repeats, 1)
    times = NoiseLevels.fit(denoise, LINEAR, x, NONE, np.arange(len(x)))
    how = {"levels": BLOCKS, "end_scale": 1.0, "draws": 32, "times": times}
    found = bound(denoise, LINEAR, rows, NONE, np.arange(len(rows)), **how)
    values = found.values.reshape(repeats, -1)
    return values.mean(0), values.std(0) / math.sqrt(repeats)


def test_the_bound_of_levels_is_their_mass_under_the_exact_denoiser() -> None:
    values, stderr = masses(EXACT, X)
    truth = (COUNTS / 10).double().log()
    assert ((values - truth).abs() < 4 * stderr + 1e-3).all()
    assert values.exp().sum() <= 1 + 4 * (values.exp() * stderr).norm()
    assert values.exp().sum() > 0.9


def test_the_bound_of_levels_under_another_denoiser_adds_up_to_less_than_one() -> None:
    values, stderr = masses(flat, X)
    assert values.exp().sum() < 0.97
    assert values.exp().sum() > 0.1
    truth = (COUNTS / 10).double().log()
    weights = COUNTS / 10
    assert (weights * (values - truth)).sum() < -4 * (weights * stderr).norm()


def test_the_bound_of_mixed_rows_is_their_density() -> None:
    """A number whose mean and deviation depend on a level."""
    shares, means, scales = (torch.tensor(v, **F64) for v in ([0.3, 0.7], [-1.0, 0.5], [0.2, 0.4]))
    joint = torch.cat([means[:, None], torch.eye(2, **F64)], 1)
    covariances = torch.zeros(2, 3, 3, **F64)
    covariances[:, 0, 0] = scales**2
    oracle = ExactMixture(LINEAR, shares, joint, covariances)
    x = oracle.sample(600, generator(2))
    level = x[:, 1:].argmax(1)
    normal = torch.distributions.Normal(means[level], scales[level])
    truth = shares.log()[level] + normal.log_prob(x[:, 0])
    frame = GaussianFrame.of(oracle.mean()[:1], oracle.covariance()[:1, :1])
    found = bound(
        oracle, LINEAR, x, frame, np.arange(600), levels=[slice(1, 3)], end_scale=1.0, draws=128
    )
    assert found.stderr.mean() < 1
    assert z_of(found, truth).abs() < 4


def test_noise_levels_follow_the_density_that_weighs_them() -> None:
    shares = torch.linspace(1, 3, 32, **F64)
    times = NoiseLevels(-2.0, 5.0, shares / shares.sum())
    u = (torch.arange(100_000, **F64) + 0.5) / 100_000
    values, density = times.draw(u)
    assert (values.diff() > 0).all()
    assert values[0] >= -2
    assert values[-1] <= 5
    # The integral of any function over the range.
    mean = (values.sin() / density).mean()
    assert mean == pytest.approx(math.cos(-2.0) - math.cos(5.0), abs=1e-3)


def test_fitted_noise_levels_lower_the_error_and_leave_the_bound() -> None:
    oracle = ring(scale=0.1)
    x, frame = oracle.sample(300, generator(1)), frame_of(oracle)
    rows = np.arange(300)
    times = NoiseLevels.fit(oracle, LINEAR, x[:30], frame, rows[:30])
    assert float(times.shares.sum()) == pytest.approx(1)
    fitted = bound(oracle, LINEAR, x, frame, rows, end_scale=1.0, times=times)
    even = bound(oracle, LINEAR, x, frame, rows, end_scale=1.0)
    assert fitted.stderr.square().mean() < 0.7 * even.stderr.square().mean()
    assert z_of(fitted, exact(oracle, x)).abs() < 4
