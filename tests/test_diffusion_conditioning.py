"""Conditioning on part of a row, on linear maps and on log likelihoods, by exact denoisers."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ppgen.inference.diffusion.exact import ExactMixture, exact_gaussian
from ppgen.inference.diffusion.gaussian_frame import GaussianFrame
from ppgen.inference.diffusion.mmps import gaussian_step, matched, mmps, newton_step
from ppgen.inference.diffusion.observation import Known, LinearMap, LogLikelihood
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.inference.diffusion.repaint import repaint, walk
from ppgen.inference.diffusion.reverse_steps import RowDraws, Step, falling_times
from ppgen.inference.diffusion.twisted import Particles, twisted

LINEAR = PROCESSES["linear"]
OBSERVED, FREE = [0, 2], [1, 3]


def mixture(process: Any = LINEAR) -> ExactMixture:
    """Two components in four dimensions, correlated, of about unit scale."""
    g = torch.Generator().manual_seed(4)
    roots = 0.35 * torch.randn(2, 4, 4, dtype=torch.float64, generator=g)
    covariances = roots @ roots.mT + 0.1 * torch.eye(4, dtype=torch.float64)
    means = torch.tensor([[-0.9, 0.8, -0.6, 0.7], [0.9, -0.8, 0.2, -0.7]], dtype=torch.float64)
    return ExactMixture(process, torch.tensor([0.6, 0.4]), means, covariances)


def posterior(rows: ExactMixture, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (n, 2) and covariance (n, 2, 2) of the free features given the observed y (n, 2), and
    log p(y)."""
    mean, c, weights = rows.means, rows.covariances, rows.log_weights.exp()
    oo, fo = c[:, OBSERVED][:, :, OBSERVED], c[:, FREE][:, :, OBSERVED]
    gain = fo @ torch.linalg.inv(oo)
    of_y = torch.distributions.MultivariateNormal(mean[:, OBSERVED], oo)
    logs = of_y.log_prob(y[:, None]) + weights.log()
    p = logs.softmax(1)
    means = mean[:, FREE] + torch.einsum("kfo,nko->nkf", gain, y[:, None] - mean[:, OBSERVED])
    within = c[:, FREE][:, :, FREE] - gain @ fo.mT
    centre = torch.einsum("nk,nkf->nf", p, means)
    second = within + means[..., None] * means[..., None, :]
    spread = torch.einsum("nk,nkfg->nfg", p, second) - centre[:, :, None] * centre[:, None]
    return centre, spread, logs.logsumexp(1)


def known(rows: Tensor) -> Known:
    mask = torch.zeros(rows.shape, dtype=torch.bool)
    mask[:, OBSERVED] = True
    return Known(mask, rows)


def last(steps: Any) -> Any:
    (state,) = deque(steps, maxlen=1)
    return state


@pytest.fixture(scope="module")
def inpainted() -> tuple[ExactMixture, Tensor, Particles]:
    """Eight rows of the mixture, two features observed, by 1,000 particles each."""
    exact = mixture()
    rows = exact.sample(8, torch.Generator().manual_seed(1))
    draws = RowDraws(0, np.arange(8), 1000, rows[0])
    return exact, rows, last(twisted(exact, LINEAR, known(rows), draws, steps=50))


# Twisted particles


def test_particles_have_the_mean_and_the_covariance_of_the_rest_of_a_row(inpainted: Any) -> None:
    exact, rows, found = inpainted
    mean, covariance, _ = posterior(exact, rows[:, OBSERVED])
    free = found.x[..., FREE]
    second = (free - mean[:, None])[..., [0, 0, 1]] * (free - mean[:, None])[..., [0, 1, 1]]
    f = torch.cat([free, second], 2)
    truth = torch.cat([mean, covariance[:, [0, 0, 1], [0, 1, 1]]], 1)
    z = (found.mean(f) - truth) / found.stderr(f)
    assert z.abs().max() < 3.5  # of 40, each of standard deviation 1
    assert z.square().mean().sqrt() < 1.6
    assert (z.mean(0).abs() < 3 * 1.5 / 8**0.5).all()  # no bias that all rows share


def test_what_is_observed_is_held_and_particles_do_not_collapse(inpainted: Any) -> None:
    _, rows, found = inpainted
    off = found.mean(found.x[..., OBSERVED]) - rows[:, OBSERVED]
    assert off.abs().max() < 0.002
    assert (found.least_ess > 100).all()
    assert (found.ess <= 1000).all()


def test_the_log_evidence_is_that_of_what_is_observed(inpainted: Any) -> None:
    exact, rows, found = inpainted
    error = found.log_likelihood - posterior(exact, rows[:, OBSERVED])[2]
    assert error.abs().max() < 0.4
    assert abs(error.mean()) < 0.12


def test_a_row_is_answered_the_same_whatever_other_rows_there_are(inpainted: Any) -> None:
    exact, rows, found = inpainted
    some = [7]
    draws = RowDraws(0, np.array(some), 1000, rows[0])
    again = last(twisted(exact, LINEAR, known(rows[some]), draws, steps=50))
    torch.testing.assert_close(again.mean(again.x), found.mean(found.x)[some], atol=1e-6, rtol=0)


def test_a_level_of_a_column_is_observed_by_its_indicators() -> None:
    # One number and two levels: p(x | level) is normal, and the level's probability is known.
    means = torch.tensor([[-0.5, 1.0, 0.0], [0.7, 0.0, 1.0]], dtype=torch.float64)
    deviations = torch.tensor([0.4, 0.3], dtype=torch.float64)
    covariances = torch.diag_embed(torch.stack([deviations**2, deviations * 0, deviations * 0], 1))
    exact = ExactMixture(LINEAR, torch.tensor([0.3, 0.7]), means, covariances)
    observed = Known(torch.tensor([[False, True, True]] * 2), means, blocks=[slice(1, 3)])
    draws = RowDraws(1, np.arange(2), 1000, means[0])
    found = last(twisted(exact, LINEAR, observed, draws, steps=40))
    x = found.x[..., :1]
    z = (found.mean(x) - means[:, :1]) / found.stderr(x)
    assert z.abs().max() < 3.5
    spread = found.mean((x - means[:, None, :1]) ** 2).sqrt()[:, 0]
    torch.testing.assert_close(spread, deviations, rtol=0.15, atol=0)
    shares = torch.tensor([0.3, 0.7], dtype=torch.float64)
    torch.testing.assert_close(found.log_likelihood.exp(), shares, rtol=0.25, atol=0)


def test_weights_that_are_even_have_the_error_of_independent_draws() -> None:
    f = torch.randn(2, 500, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(500).expand(2, 500)
    zeros = torch.zeros(2, 500, dtype=torch.float64)
    even = Particles(f, zeros, zeros[:, 0], numbers, zeros[:, 0])
    torch.testing.assert_close(even.stderr(f), f.std(1) / 500**0.5)
    torch.testing.assert_close(even.ess, torch.full((2,), 500.0, dtype=torch.float64))
    one = Particles(f, zeros, zeros[:, 0], numbers * 0, zeros[:, 0])
    assert torch.isinf(one.stderr(f)).all()


def test_systematic_draws_take_each_particle_within_one_of_its_share() -> None:
    logs = torch.randn(3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = Particles(logs[..., None], logs, logs[:, 0], logs.long(), logs[:, 0])
    drawn = found.drawn(200, torch.tensor([[0.0], [0.5], [0.999]], dtype=torch.float64))
    counts = torch.stack([torch.bincount(row, minlength=40) for row in drawn])
    assert (counts - 200 * found.weights).abs().max() <= 1


# Observations


def test_what_is_said_of_a_row_known_up_to_a_gaussian_is_the_marginal_density() -> None:
    g = torch.Generator().manual_seed(0)
    xhat, y = (torch.randn(2, 3, 4, dtype=torch.float64, generator=g) for _ in range(2))
    p = torch.rand(2, 1, 4, dtype=torch.float64, generator=g)
    matrix = torch.randn(3, 4, dtype=torch.float64, generator=g)
    linear = LinearMap(matrix, y[:, 0, :3], 0.3)
    covariance = 0.09 * torch.eye(3) + matrix @ torch.diag_embed(p[:, 0]) @ matrix.T
    density = torch.distributions.MultivariateNormal(xhat @ matrix.T, covariance[:, None])
    torch.testing.assert_close(linear.log_likelihood(xhat, p), density.log_prob(y[:, :1, :3]))
    part = known(y[:, 0])
    normal = torch.distributions.Normal(xhat, p.sqrt()).log_prob(y[:, :1])[..., OBSERVED].sum(2)
    torch.testing.assert_close(part.log_likelihood(xhat, p), normal)
    torch.testing.assert_close(part.filled(xhat)[..., OBSERVED], y[:, :1, OBSERVED].expand(2, 3, 2))
    torch.testing.assert_close(part.filled(xhat)[..., FREE], xhat[..., FREE])


# Moment matching


def gaussian(process: Any) -> tuple[ExactMixture, Tensor, Tensor]:
    """A Gaussian of four features, as denoiser, mean and covariance."""
    g = torch.Generator().manual_seed(2)
    root = torch.randn(4, 4, dtype=torch.float64, generator=g) / 2
    mean = torch.tensor([0.5, -0.2, 0.1, 0.3], dtype=torch.float64)
    covariance = root @ root.T + 0.05 * torch.eye(4)
    return exact_gaussian(process, mean, covariance), mean, covariance


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("kind", ["linear", "part", "log likelihood"])
def test_moment_matching_is_exact_where_rows_are_normal(name: str, kind: str) -> None:
    process = PROCESSES[name]
    denoise, mean, covariance = gaussian(process)
    g = torch.Generator().manual_seed(3)
    matrix = torch.randn(2, 4, dtype=torch.float64, generator=g)
    if kind == "part":
        matrix = torch.eye(4, dtype=torch.float64)[OBSERVED]
    x_t, row = (torch.randn(3, 4, dtype=torch.float64, generator=g) for _ in range(2))
    y, sigma_y = row @ matrix.T, 0.4
    observation: Any = LinearMap(matrix, y, sigma_y)
    if kind == "part":
        observation = known(row)
        observation.sigma_y = sigma_y
    if kind == "log likelihood":
        observation = LogLikelihood(
            lambda x: -(y - x @ matrix.T).square().sum(1) / (2 * sigma_y**2)
        )
    t = process.time_of(torch.tensor([0.05, 0.8, 20.0], dtype=torch.float64))
    found = matched(denoise, process, observation, 3, solves=4)(x_t, t)
    law = GaussianFrame.of(mean, covariance)
    by_law = matched(denoise, process, observation, 3, law=law, solves=4)(x_t, t)
    torch.testing.assert_close(by_law, found)
    for i in range(3):  # precision of x given x_t and y
        alpha, sigma = float(process.alpha(t[i])), float(process.sigma(t[i]))
        inverse = torch.linalg.inv(covariance)
        precision = inverse + alpha**2 / sigma**2 * torch.eye(4) + matrix.T @ matrix / sigma_y**2
        linear = inverse @ mean + alpha / sigma**2 * x_t[i] + matrix.T @ y[i] / sigma_y**2
        torch.testing.assert_close(found[i], torch.linalg.solve(precision, linear))


def test_draws_by_moment_matching_are_those_of_a_normal_posterior() -> None:
    denoise, mean, covariance = gaussian(LINEAR)
    g = torch.Generator().manual_seed(3)
    matrix = torch.randn(2, 4, dtype=torch.float64, generator=g)
    y, sigma_y = torch.tensor([[0.7, -0.4]], dtype=torch.float64), 0.2
    draws = RowDraws(0, np.arange(1), 1000, y.new_zeros(4))
    x = last(mmps(denoise, LINEAR, LinearMap(matrix, y, sigma_y), draws, steps=30))[0]
    gain = (
        covariance
        @ matrix.T
        @ torch.linalg.inv(matrix @ covariance @ matrix.T + sigma_y**2 * torch.eye(2))
    )
    right, spread = mean + gain @ (y[0] - matrix @ mean), covariance - gain @ matrix @ covariance
    z = (x.mean(0) - right) / (spread.diagonal() / 1000).sqrt()
    assert z.abs().max() < 3.5
    whitened = torch.linalg.solve(torch.linalg.cholesky(spread), (x - right).T)
    torch.testing.assert_close(torch.cov(whitened), torch.eye(4).double(), atol=0.15, rtol=0)


def test_errors_of_a_jacobian_are_not_multiplied_by_the_noise() -> None:
    denoise, mean, covariance = gaussian(LINEAR)
    ratios = torch.tensor([0.05, 0.3, 1.0, 3.0, 20.0, 80.0], dtype=torch.float64)
    t = LINEAR.time_of(ratios)
    g = torch.Generator().manual_seed(3)
    row = 0.5 * torch.randn(6, 4, dtype=torch.float64, generator=g)
    x_t = LINEAR.noisy(row, torch.randn(6, 4, dtype=torch.float64, generator=g), t)

    def rough(x_t: Tensor, t: Tensor) -> Tensor:  # off by 0.1, as a net of a scaled input is
        scale = LINEAR.scale(t, 1.0)[:, None]
        error = (5 * x_t / scale + 1).sin() * LINEAR.sigma(t)[:, None] / scale
        return denoise(x_t, t) + 0.1 * error

    right = matched(denoise, LINEAR, known(row), 6)(x_t, t)
    law = GaussianFrame.of(mean, covariance)
    off = (matched(rough, LINEAR, known(row), 6, law=law)(x_t, t) - right).abs()
    assert off.max() < 0.4
    alone = (matched(rough, LINEAR, known(row), 6)(x_t, t) - right).abs()
    assert alone.max() > 1


def test_both_ways_to_solve_agree_and_more_iterations_do_not_hurt() -> None:
    g = torch.Generator().manual_seed(5)
    root = torch.randn(6, 6, dtype=torch.float64, generator=g)
    v, matrix = root @ root.T, torch.randn(3, 6, dtype=torch.float64, generator=g)
    xhat, y = torch.randn(1, 2, 6, dtype=torch.float64, generator=g), torch.ones(1, 3).double()
    linear = LinearMap(matrix, y, 0.5)
    said = LogLikelihood(lambda x: -(y - x @ matrix.T).square().sum(1) / (2 * 0.25))
    inverse = torch.linalg.inv(0.25 * torch.eye(3) + matrix @ v @ matrix.T)
    exact = (linear.y - linear.forward(xhat)) @ inverse @ matrix @ v
    for solves in (3, 12):
        ways = (
            gaussian_step(linear, xhat, lambda u: u @ v, solves),
            newton_step(said, xhat, lambda u: u @ v, solves),
        )
        for way in ways:
            torch.testing.assert_close(way, exact, rtol=1e-7, atol=1e-9)


# RePaint, and the steps of all


def test_repaint_holds_what_is_known_and_goes_back_as_often_as_it_says() -> None:
    exact = mixture()
    rows = exact.sample(3, torch.Generator().manual_seed(1))
    draws = RowDraws(0, np.arange(3), 4, rows[0])
    states = list(repaint(exact, LINEAR, known(rows), draws, steps=10, length=5, repeats=3))
    assert len(states) == 30
    torch.testing.assert_close(states[-1][..., OBSERVED], rows[:, None, OBSERVED].expand(3, 4, 2))
    visited = walk(10, 5, 3)
    jump = np.array([4, 3, 2, 1, 0, 1, 2, 3, 4, 5] * 2)
    assert visited == [*range(6), *jump, *range(6, 11), *(jump + 5)]
    assert np.abs(np.diff(visited)).max() == 1
    assert walk(7, 5, 1) == list(range(8))


def test_repaint_finds_the_component_that_agrees_with_what_is_known() -> None:
    exact = mixture()
    rows = exact.sample(8, torch.Generator().manual_seed(1))
    draws = RowDraws(0, np.arange(8), 100, rows[0])
    x = last(repaint(exact, LINEAR, known(rows), draws, steps=30, length=5, repeats=5))
    mean, covariance, _ = posterior(exact, rows[:, OBSERVED])
    off = (x.mean(1)[:, FREE] - mean) / covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert off.square().mean().sqrt() < 0.6  # it is not calibrated
    plain = (exact.mean()[FREE] - mean) / covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert off.square().mean() < plain.square().mean() / 4


@pytest.mark.parametrize("name", PROCESSES)
def test_steps_are_those_of_a_gaussian_with_the_same_variance(name: str) -> None:
    # For x ~ N(0, s^2) the step is exact: x_s has its marginal variance.
    process, s_2 = PROCESSES[name], 0.7**2
    times = falling_times(process, 6)
    assert (np.diff(times) < 0).all()
    for t, s in pairwise(times):
        step = Step.between(process, t, s)
        total = step.alpha_t**2 * s_2 + step.sigma_t**2
        xhat = torch.tensor(step.alpha_t * s_2 / total, dtype=torch.float64)  # of x_t = 1
        p = torch.tensor(s_2 * step.sigma_t**2 / total)
        one, none = torch.ones(()).double(), torch.zeros(()).double()
        variance = float(step.mean(one, xhat)) ** 2 * total + float(step.variance(p))
        assert variance == pytest.approx(step.alpha_s**2 * s_2 + step.sigma_s**2)
        # Back again by the forward process.
        again = float(step.back(one, none)) ** 2 * variance + float(step.back(none, one)) ** 2
        assert again == pytest.approx(total)


def test_draws_of_a_row_are_its_own() -> None:
    few, many = (RowDraws(3, rows, 5, torch.zeros(4)) for rows in (np.arange(2), np.arange(9)))
    assert torch.equal(few.normal(1), many.normal(1)[:2])
    assert torch.equal(few.uniform(1), many.uniform(1)[:2])
    assert set(few.signs(1).unique().tolist()) == {-1.0, 1.0}
    assert not torch.equal(few.normal(1)[0], few.normal(1)[1])
    assert not torch.equal(few.normal(1), few.normal(2))
    assert 0 < float(many.uniform(2).min()) < float(many.uniform(2).max()) < 1


def test_what_a_log_likelihood_says_is_exact_of_a_line_and_of_a_parabola() -> None:
    a, sigma_y, y = torch.tensor([0.6, -0.8, 0.3], dtype=torch.float64), 0.3, 0.7
    xhat = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = torch.tensor([[[0.5]], [[2.0]]], dtype=torch.float64).expand(2, 1, 3)
    line = LogLikelihood(lambda x: x @ a)
    expected = xhat @ a + (p[..., 0] * a.square().sum()) / 2
    assert torch.allclose(line.log_likelihood(xhat, p), expected)

    def parabola(x: torch.Tensor) -> torch.Tensor:
        return -((y - x @ a) ** 2) / (2 * sigma_y**2) - math.log(sigma_y * math.sqrt(2 * math.pi))

    same = LinearMap(a[None], torch.full((2, 1), y, dtype=torch.float64), sigma_y)
    found = LogLikelihood(parabola).log_likelihood(xhat, p)
    assert torch.allclose(found, same.log_likelihood(xhat, p))
