"""The processes, targets and exact denoisers of diffusion, against closed forms and autograd."""

import math

import pytest
import torch

from ppgen.inference.diffusion.exact import ExactMixture, IdealDenoiser, exact_gaussian
from ppgen.inference.diffusion.process import PROCESSES, TARGETS, EDMTarget

SHARES = torch.tensor([0.01, 0.1, 0.3, 0.5, 0.8, 0.97], dtype=torch.float64)
processes = pytest.mark.parametrize("process", PROCESSES.values(), ids=list(PROCESSES))


def times(process):
    return process.t_min + (process.t_max - process.t_min) * SHARES


def draws(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mixture(process, n_features=3):
    a = draws(2, n_features, n_features, seed=1)
    return ExactMixture(
        process,
        torch.tensor([0.3, 0.7]),
        2 * draws(2, n_features, seed=2),
        a @ a.mT / n_features,
    )


@processes
def test_derivatives_are_those_of_autograd(process):
    t = times(process).requires_grad_()
    for value, derivative in ((process.alpha, process.d_alpha), (process.sigma, process.d_sigma)):
        if value(t).requires_grad:  # that of "edm" is 1 at every t
            (slope,) = torch.autograd.grad(value(t).sum(), t)
            torch.testing.assert_close(derivative(t), slope)
        else:
            assert (derivative(t) == 0).all()


@processes
def test_rows_are_at_time_0_and_noise_at_time_1(process):
    ends = torch.tensor([0.0, 1.0])
    assert process.alpha(ends)[0] == 1
    assert process.sigma(ends)[0] == 0
    assert process.ratio(ends)[1] >= 80


@processes
def test_the_time_of_a_ratio_inverts_the_ratio(process):
    t = times(process)
    torch.testing.assert_close(process.time_of(process.ratio(t)), t)
    ends = process.time_of(torch.tensor([0.0, math.inf]))
    assert ends.tolist() == pytest.approx([0.0, 1.0])
    assert process.ratio(torch.tensor(process.t_min)).item() == pytest.approx(
        process.ratio_min, rel=1e-5
    )


@processes
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_gives_back_the_row_it_was_made_of(process, name):
    t = times(process)
    target = TARGETS[name](process, 0.6)
    t = t[process.alpha(t) > 0.01]
    x, eps = draws(len(t), 4), draws(len(t), 4, seed=1)
    x_t, output = process.noisy(x, eps, t), target.of(x, eps, t)
    torch.testing.assert_close(target.data(output, x_t, t), x)
    # An error of xhat, as an error of the output.
    off = target.data(output + 0.1, x_t, t) - x
    torch.testing.assert_close(target.error_scale(t)[:, None] * off.abs(), off * 0 + 0.1)


@pytest.mark.parametrize("name", TARGETS)
@processes
def test_targets_are_finite_in_single_precision_at_both_ends(process, name):
    target = TARGETS[name](process, 0.6)
    t = torch.tensor([process.t_min, process.t_max])
    x, eps = draws(2, 4).float(), draws(2, 4, seed=1).float()
    x_t, output = process.noisy(x, eps, t), target.of(x, eps, t)
    assert output.isfinite().all()
    assert target.data(output, x_t, t).isfinite().all()
    assert process.velocity(x_t, x, t).isfinite().all()
    assert x_t.dtype == output.dtype == torch.float32
    torch.testing.assert_close(target.data(output, x_t, t)[0], x[0], rtol=1e-3, atol=1e-3)


def test_the_linear_path_has_a_velocity_and_an_edm_target_where_alpha_is_0():
    process, t = PROCESSES["linear"], torch.ones(5, dtype=torch.float64)
    x, eps = draws(5, 2), draws(5, 2, seed=1)
    torch.testing.assert_close(process.velocity(eps, x, t), eps - x)
    target = TARGETS["edm"](process, 0.5)
    torch.testing.assert_close(target.data(target.of(x, eps, t), eps, t), x)


@processes
def test_the_edm_target_is_what_the_paper_names(process):
    sigma_data, t = 0.5, times(process)
    x, eps = draws(len(t), 2), draws(len(t), 2, seed=1)
    y, r = (process.noisy(x, eps, t) / process.alpha(t)[:, None]), process.ratio(t)[:, None]
    c_skip = sigma_data**2 / (r**2 + sigma_data**2)
    c_out = r * sigma_data / (r**2 + sigma_data**2).sqrt()
    target = EDMTarget(process, sigma_data)
    torch.testing.assert_close(target.of(x, eps, t), (x - c_skip * y) / c_out)
    x_t = process.noisy(x, eps, t)
    c_in = 1 / (r**2 + sigma_data**2).sqrt()
    torch.testing.assert_close(target.network_input(x_t, t), c_in * y)


@processes
def test_the_variance_of_a_gaussian_follows_the_reverse_process(process):
    # Of rows N(0, v), x_t is N(0, s_t^2), and dx_t / dt of the ODE is (log s_t)' x_t.
    t, v = times(process).requires_grad_(), 0.7
    (rate,) = torch.autograd.grad(process.scale(t, math.sqrt(v)).log().sum(), t)
    t = t.detach()
    x_t, rate = draws(len(t), 1), rate[:, None]
    oracle = exact_gaussian(process, torch.zeros(1).double(), torch.tensor([[v]]).double())
    data = oracle(x_t, t)
    torch.testing.assert_close(process.velocity(x_t, data, t), rate * x_t)
    # Of the SDE with the drift b x_t, (s_t^2)' = 2 b s_t^2 - g_t^2, as time runs backwards.
    b, s_2 = process.reverse_drift(x_t, data, t) / x_t, process.scale(t, math.sqrt(v))[:, None] ** 2
    torch.testing.assert_close(2 * b * s_2 - process.diffusion(t)[:, None], 2 * rate * s_2)


@processes
def test_the_weight_of_the_bound_is_the_slope_of_the_signal_to_noise_ratio(process):
    t = times(process).requires_grad_()
    (slope,) = torch.autograd.grad(process.log_snr(t).exp().sum(), t)
    torch.testing.assert_close(process.bound_weight(t), -slope / 2)


@processes
def test_the_score_of_an_exact_mixture_is_the_gradient_of_its_log_density(process):
    t = times(process)
    oracle = mixture(process)
    x_t = draws(len(t), 3).requires_grad_()
    (gradient,) = torch.autograd.grad(oracle.log_prob(x_t, t).sum(), x_t)
    with torch.no_grad():
        score = process.score(x_t, oracle(x_t, t), t)
    torch.testing.assert_close(score, gradient)


@processes
def test_the_density_of_an_exact_mixture_is_that_of_torch(process):
    oracle, t = mixture(process), torch.tensor(0.4, dtype=torch.float64)
    a, s = process.alpha(t), process.sigma(t)
    parts = torch.distributions.MultivariateNormal(
        a * oracle.means, a**2 * oracle.covariances + s**2 * torch.eye(3, dtype=torch.float64)
    )
    mixed = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.tensor([0.3, 0.7]).double()), parts
    )
    x_t = draws(6, 3, seed=3)
    torch.testing.assert_close(oracle.log_prob(x_t, t), mixed.log_prob(x_t), rtol=1e-6, atol=1e-6)
    rows = oracle.sample(20_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(rows.mean(0), oracle.mean(), rtol=0, atol=0.06)
    torch.testing.assert_close(rows.T.cov(), oracle.covariance(), rtol=0, atol=0.25)


@processes
def test_the_ideal_denoiser_averages_rows_by_how_likely_each_is(process, monkeypatch):
    t = times(process)
    monkeypatch.setattr("ppgen.inference.diffusion.exact._ENTRIES", 12)
    rows, x_t = draws(5, 3), draws(len(t), 3, seed=1)
    small = 1e-12 * torch.eye(3, dtype=torch.float64).expand(5, 3, 3)
    spikes = ExactMixture(process, torch.full((5,), 0.2), rows, small)
    ideal = IdealDenoiser(process, rows)
    torch.testing.assert_close(ideal(x_t, t), spikes(x_t, t), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        ideal.log_prob(x_t, t), spikes.log_prob(x_t, t), rtol=1e-5, atol=1e-5
    )


def test_the_ideal_denoiser_knows_a_row_of_many_features_in_little_noise():
    process = PROCESSES["linear"]
    rows = draws(50, 784).float()
    t = torch.full((50,), process.t_min)
    x_t = process.noisy(rows, draws(50, 784, seed=1).float(), t)
    torch.testing.assert_close(IdealDenoiser(process, rows)(x_t, t), rows)
