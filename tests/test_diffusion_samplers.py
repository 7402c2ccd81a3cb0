"""Samplers of diffusion against laws whose denoiser is known exactly."""

from functools import partial

import numpy as np
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference.diffusion.exact import ExactMixture, IdealDenoiser, exact_gaussian
from ppgen.inference.diffusion.plan import PACES, Plan, draw, sample
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.inference.diffusion.quality import energy_distance, find_steps, quality_by_steps
from ppgen.inference.diffusion.row_noise import RowNoise, row_noise
from ppgen.inference.diffusion.samplers import SAMPLERS, run

LINEAR = PROCESSES["linear"]
ODES = [name for name in SAMPLERS if not SAMPLERS[name].draws]
straight = partial(Plan.of, LINEAR)
processes = pytest.mark.parametrize("process", PROCESSES.values(), ids=list(PROCESSES))


def noise(n, n_features, seed=0):
    return RowNoise(seed, np.arange(n), n_features, dtype=torch.float64)


def gaussian(process):
    covariance = torch.tensor([[1.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    return exact_gaussian(process, torch.tensor([0.5, -0.2]).double(), covariance)


def mixture(process):
    means = torch.tensor([[1.2, 0.0], [-0.6, 1.0], [-0.6, -1.0]], dtype=torch.float64)
    covariances = torch.stack([torch.diag(torch.tensor(v).double()) for v in ([0.04, 0.2],) * 3])
    return ExactMixture(process, torch.tensor([0.5, 0.3, 0.2]), means, covariances)


# Noise


def test_noise_of_a_row_is_the_same_in_every_batch():
    rows = np.arange(5000)
    together = row_noise(7, rows, 3, 31)
    assert torch.equal(row_noise(7, rows[4990:], 3, 31), together[4990:])
    assert torch.equal(row_noise(7, np.array([12]), 3, 31), together[12:13])
    assert torch.equal(row_noise(7, rows[:10], 3, 8)[:, :8], row_noise(7, rows[:10], 3, 8))


def test_noise_is_standard_normal_and_unlike_across_seeds_rows_and_steps():
    z = row_noise(0, np.arange(2000), 1, 50).double()
    assert abs(z.mean()) < 4 / 1e5**0.5
    assert abs(z.square().mean() - 1) < 4 * (2 / 1e5) ** 0.5
    assert abs(z.pow(4).mean() - 3) < 4 * (96 / 1e5) ** 0.5
    for other in (
        row_noise(1, np.arange(2000), 1, 50),
        row_noise(0, np.arange(2000), 2, 50),
        row_noise(0, np.arange(2000) + 1, 1, 50),
        z.roll(1, 1),
    ):
        assert abs((z * other).mean()) < 4 / 1e5**0.5


# Steps


def between(process, method, steps):
    """Rows from r = 3 to 0.1, in equal steps of log r."""
    times = process.time_of(torch.logspace(np.log10(3), -1, steps + 1, dtype=torch.float64))
    x = noise(60, 2).at(0) * process.scale(times[0], 1.0)
    sampler = SAMPLERS[method](process, mixture(process))
    *_, last = run(sampler, x, times.tolist(), noise(60, 2))
    return last.x_t


@pytest.mark.parametrize(("name", "method"), [*(("linear", m) for m in SAMPLERS), ("vp", "euler")])
def test_a_sampler_gives_rows_of_a_gaussian(name, method):
    n, process = 2000, PROCESSES[name]
    oracle = gaussian(process)
    plan = Plan.of(process, method, {"heun": 20, "dpm2m": 30}.get(method, 100))
    *_, last = sample(plan, oracle, noise(n, 2))
    assert last.evaluations == plan.evaluations
    # Five standard errors, and one percent for what the steps leave over; three where they draw.
    covariance, left = oracle.covariance(), 0.03 if method == "ancestral" else 0.01
    sd = covariance.diag().sqrt()
    assert ((last.x_t.mean(0) - oracle.mean()).abs() / sd < 5 / n**0.5 + left).all()
    errors = (last.x_t.T.cov() - covariance).abs() / sd.outer(sd)
    assert (errors < 5 * (2 / n) ** 0.5 + left).all()


@pytest.mark.parametrize("method", SAMPLERS)
def test_a_sampler_gives_the_components_of_a_mixture_their_weights_and_widths(method):
    n, oracle = 1500, mixture(LINEAR)
    rows = draw(Plan.of(LINEAR, method), oracle, noise(n, 2))
    labels = torch.cdist(rows, oracle.means).argmin(1)
    exact = oracle.sample(50_000, torch.Generator().manual_seed(0))
    truth = torch.cdist(exact, oracle.means).argmin(1)
    for k in range(3):
        p = (truth == k).double().mean()
        assert abs((labels == k).double().mean() - p) < 5 * (p * (1 - p) / n) ** 0.5 + 0.005
        spread, real = rows[labels == k].var(0), exact[truth == k].var(0)
        assert (abs(spread / real - 1) < 5 * (2 / (labels == k).sum()) ** 0.5 + 0.06).all()


@pytest.mark.parametrize("method", ODES)
def test_errors_fall_with_the_steps_as_the_order_says(method):
    coarse, middle, fine = (between(LINEAR, method, steps) for steps in (40, 80, 160))
    apart = [float((a - b).norm(dim=1).median()) for a, b in ((coarse, middle), (middle, fine))]
    assert np.log2(apart[0] / apart[1]) == pytest.approx(SAMPLERS[method].order, abs=0.3)


@pytest.mark.parametrize("method", [m for m in SAMPLERS if m != "euler"])
@pytest.mark.parametrize("name", ["cosine", "vp", "edm"])
def test_a_step_is_the_same_in_all_processes_up_to_their_scale(name, method):
    def rescaled(process):
        t = process.time_of(torch.tensor(0.1).double())
        return between(process, method, 7) / process.alpha(t)

    torch.testing.assert_close(rescaled(PROCESSES[name]), rescaled(LINEAR))


@pytest.mark.parametrize("method", SAMPLERS)
@processes
def test_the_last_step_gives_the_denoised_mean(process, method):
    rows = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.float64)
    plan = Plan.of(process, method, 9)
    states = list(sample(plan, IdealDenoiser(process, rows), noise(20, 2)))
    assert torch.equal(states[-1].x_t, states[-1].data)
    assert states[0].data is None
    assert [s.t for s in states] == list(plan.times)
    # The ideal denoiser of a data set ends in its rows.
    assert float(torch.cdist(states[-1].x_t, rows).min(1).values.max()) < 1e-3


def test_an_ancestral_step_draws_from_the_posterior_of_ddpm():
    process = PROCESSES["vp"]
    t, s = torch.tensor(0.6).double(), torch.tensor(0.5).double()
    n = 100_000
    x, x_t = noise(1, 3).at(0), noise(1, 3, seed=1).at(0).expand(n, 3)
    a, var = process.alpha(t) / process.alpha(s), process.sigma(t) ** 2
    between = var - a**2 * process.sigma(s) ** 2
    mean = a * process.sigma(s) ** 2 / var * x_t[0] + process.alpha(s) * between / var * x[0]
    sampler = SAMPLERS["ancestral"](process, lambda x_t, t: x.expand_as(x_t))
    _, last = run(sampler, x_t, [float(t), float(s)], noise(n, 3))
    sd = float((process.sigma(s) ** 2 * between / var).sqrt())
    assert (abs(last.x_t.mean(0) - mean) < 5 * sd / n**0.5).all()
    assert (abs(last.x_t.std(0) / sd - 1) < 5 / (2 * n) ** 0.5).all()


@pytest.mark.parametrize("method", SAMPLERS)
def test_rows_are_the_same_whatever_the_batch(method):
    oracle, plan = mixture(LINEAR), Plan.of(LINEAR, method, 12)
    together = draw(plan, oracle, noise(30, 2))
    some = draw(plan, oracle, RowNoise(0, np.arange(11, 17), 2, dtype=torch.float64))
    torch.testing.assert_close(some, together[11:17], rtol=1e-9, atol=1e-9)


def test_sampling_in_single_precision_follows_that_in_double():
    plan, oracle = Plan.of(LINEAR), mixture(LINEAR)
    single = draw(plan, oracle, RowNoise(0, np.arange(50), 2))
    assert single.dtype == torch.float32
    exact = draw(plan, oracle, noise(50, 2))
    assert float((single - exact).norm(dim=1).median()) < 1e-4


# Numbers of steps


@pytest.mark.parametrize("method", SAMPLERS)
@processes
@pytest.mark.parametrize("sigma_data", [0.3, 1.0, 20.0])
def test_times_fall_from_noise_to_data(process, method, sigma_data):
    for steps in (PACES[method].least, 40, 400):
        times = Plan.of(process, method, steps, sigma_data).times
        assert len(times) == steps + 1
        assert (times[0], times[-1]) == (process.t_max, 0.0)
        assert (np.diff(times) < 0).all()


def test_too_few_steps_are_refused_and_few_are_flagged():
    with pytest.raises(InputError, match="3 steps are too few for the sampler 'dpm2m', of order 2"):
        Plan.of(LINEAR, "dpm2m", 3)
    with pytest.raises(InputError, match=r"there is no sampler 'huen'.*Did you mean 'heun'"):
        Plan.of(LINEAR, "huen")
    assert "below 10" in Plan.of(LINEAR, "dpm2m", 6).concern
    plan = Plan.of(LINEAR, "dpm2m")
    assert plan.concern == ""
    assert plan.reason.startswith("25 steps")
    assert Plan.of(LINEAR, "heun", 10).evaluations == 19


def test_dpm_solver_is_at_20_evaluations_where_it_is_at_100():
    oracle, n = mixture(LINEAR), 600
    real = oracle.sample(n, torch.Generator().manual_seed(1))
    found = quality_by_steps(straight, oracle, noise(n, 2), ("dpm2m",), (5, 20, 100), real)
    few, some, many = found
    # The same noise, so that the distance of samples from each other plays no part.
    assert abs(some.distance - many.distance) < 0.1 * few.distance
    assert few.error > 5 * some.error > 25 * many.error
    assert [q.evaluations for q in found] == [5, 20, 100]


def test_the_number_of_steps_that_is_found_leaves_little_over():
    plan = find_steps(straight, mixture(LINEAR), noise(200, 2))
    assert 5 <= plan.steps <= 25
    assert "move a row by" in plan.reason
    narrow = find_steps(straight, mixture(LINEAR), noise(200, 2), enough=1e-3)
    assert narrow.steps > plan.steps


def test_a_sampler_that_draws_noise_has_no_error_of_steps():
    (found,) = quality_by_steps(straight, mixture(LINEAR), noise(50, 2), ("ancestral",), (20,))
    assert np.isnan(found.error)
    assert np.isnan(found.distance)


def test_the_energy_distance_is_that_of_all_pairs():
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [4.0]])
    assert energy_distance(a, b) == pytest.approx(2 * (1 + 4 + 1 + 2) / 4 - 2 - 3)
