"""Diffusion: what is trained, against closed forms; what a fit keeps and refuses."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import ppgen
from ppgen.inference.diffusion.process import PROCESSES, TARGETS
from ppgen.models.diffusion.coupling import coupled
from ppgen.models.diffusion.held_out_loss import HeldOutLoss
from ppgen.models.diffusion.nets import Architecture
from ppgen.models.diffusion.plan import Noise
from ppgen.models.diffusion.times import Times
from ppgen.models.diffusion.trained import TrainedDiffusion
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.values import Values
from ppgen.models.nets.views import View


def nets(values: Values | None = None, context: int = 0, **noise: Any) -> TrainedDiffusion:
    """Nets whose last layer is not 0."""
    how = {"process": "linear", "target": "edm", "sigma_data": 1.0, "mean": -0.5, "spread": 1.5}
    view = View(values or Values(2))
    made = TrainedDiffusion(Architecture("mlp", context, 16, 1, 2), view, Noise(**how | noise), 0)
    generator = torch.Generator().manual_seed(1)
    for p in made.net.parameters():
        p.data = 0.3 * torch.randn(p.shape, generator=generator)
    return made


def subset(x: Any, units: Any = None) -> Subset:
    every = np.arange(len(x))
    units = every.astype(np.uint64) if units is None else units
    return Subset(x, every, np.zeros(len(x)), None, None, None, lambda: units)


@cache
def small() -> Any:
    x = np.random.default_rng(0).normal([3.0, -2.0], [2.0, 0.5], (300, 2))
    return ppgen.Diffusion(
        width=32, depth=1, max_epochs=80, learning_rate=5e-3, random_state=0
    ).fit(x), x


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("process", PROCESSES)
def test_the_loss_of_an_output_is_that_of_the_data_that_it_stands_for(
    process: str, target: str
) -> None:
    made, rng = nets(process=process, target=target), np.random.default_rng(0)
    x, eps = (torch.from_numpy(rng.normal(size=(6, 2))).float() for _ in range(2))
    t = made.noise.times().at(torch.linspace(0.1, 0.9, 6))
    with torch.no_grad():
        losses = made.losses(x, eps, t)
        data = made.denoise(made.process.noisy(x, eps, t), t)
    scale = made.target.error_scale(t).double()
    expected = scale**2 * (data - x).double().square().mean(1)
    assert losses.double().numpy() == pytest.approx(expected.numpy(), rel=2e-3, abs=1e-5)


def test_levels_are_trained_by_twice_the_cross_entropy_of_their_shares() -> None:
    made = nets(Values(1, levels=(3,)))
    x = torch.tensor([[0.5, 0, 1, 0], [-1.0, 0, 0, 0]])  # the second row's level is missing
    eps, t = torch.randn(2, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0.3, 0.6])
    with torch.no_grad():
        x_t = made.process.noisy(x, eps, t)
        out, shares = made.output(x_t, t), made.denoise(x_t, t)[:, 1:]
        squared = (out[:, 0] - made.target.of(x[:, :1], eps[:, :1], t)[:, 0]) ** 2
        losses = made.losses(x, eps, t)
    assert shares.sum(1).numpy() == pytest.approx(np.ones(2), abs=1e-6)
    crossed = torch.tensor([-2 * math.log(shares[0, 1]), 0.0])
    assert losses.numpy() == pytest.approx(((squared + crossed) / 2).numpy(), rel=1e-5)


@pytest.mark.parametrize("process", PROCESSES)
def test_the_log_ratio_of_times_is_normal_and_a_batch_has_its_quantiles(process: str) -> None:
    times = Times(PROCESSES[process], -0.5, 0.8)
    quantiles = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    found = PROCESSES[process].ratio(times.at(quantiles)).log()
    assert found.numpy() == pytest.approx(stats.norm(-0.5, 0.8).ppf(quantiles), abs=1e-6)
    with torch.random.fork_rng():
        t = times.stratified(50, torch.device("cpu"))
    shares = stats.norm(-0.5, 0.8).cdf(PROCESSES[process].ratio(t).log())
    assert (np.floor(50 * shares + 1e-3) - np.arange(50)).max() <= 1
    assert np.abs(shares - (np.arange(50) + 0.5) / 50).max() < 0.0101


def test_coupled_noise_is_the_permutation_of_least_cost() -> None:
    rng = np.random.default_rng(0)
    x, eps = (torch.from_numpy(rng.normal(size=(5, 3))) for _ in range(2))
    costs = {p: float((x - eps[list(p)]).square().sum()) for p in itertools.permutations(range(5))}
    best = min(costs, key=lambda p: costs[p])
    assert torch.equal(coupled(x, eps), eps[list(best)])


def test_noise_is_coupled_among_rows_of_the_same_context() -> None:
    rng = np.random.default_rng(1)
    x, eps = (torch.from_numpy(rng.normal(size=(6, 2))) for _ in range(2))
    context = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])[:, None]
    found = coupled(x, eps, context)
    for value in (0.0, 1.0):
        at = context[:, 0] == value
        assert torch.equal(found[at], coupled(x[at], eps[at]))


def test_the_held_out_loss_of_a_row_depends_on_the_row_alone() -> None:
    x = np.random.default_rng(0).normal(size=(7, 2))
    units = np.array([3, 9, 4, 4, 5, 6, 7], np.uint64)
    made, order = nets(), np.array([6, 2, 0])
    with torch.no_grad():
        losses = made.held_out_loss(subset(x, units), 4)()
        assert np.array_equal(losses, made.held_out_loss(subset(x, units), 4)())
        some = made.held_out_loss(subset(x[order], units[order]), 4)()
    assert some == pytest.approx(losses[order], rel=1e-5)


def test_rows_without_context_see_none_of_it_and_guidance_goes_beyond_it() -> None:
    made, t = nets(context=3), torch.full((4,), 0.4)
    x_t, c = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    x_t = x_t[:, :2]
    known = torch.tensor([True, False, True, False])
    with torch.no_grad():
        told, plain = made.denoise(x_t, t, c), made.denoise(x_t, t)
        some = made.target.data(made.output(x_t, t, c, known), x_t, t)
        guided = made.denoiser(c.numpy(), 3.0)(x_t, t)
    assert torch.allclose(some, torch.where(known[:, None], told, plain))
    assert torch.allclose(guided, plain + 3 * (told - plain), atol=1e-6)
    assert not torch.allclose(told, plain)


def test_times_that_are_one_number_give_what_each_gives() -> None:
    made, x_t = nets(), torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        once = made.denoise(x_t, torch.tensor(0.3).expand(5))
        assert torch.allclose(once, made.denoise(x_t, torch.full((5,), 0.3)), atol=1e-6)
        assert torch.allclose(once, made.denoise(x_t, torch.tensor(0.3)), atol=1e-6)


def test_samples_of_a_fit_have_the_moments_of_its_rows() -> None:
    model, x = small()
    rows = model.sample(4000, random_state=1)
    assert rows.mean(0) == pytest.approx(x.mean(0), abs=0.25 * x.std(0).max())
    assert rows.std(0) / x.std(0) == pytest.approx(np.ones(2), abs=0.15)


def test_the_denoiser_of_a_fit_is_near_that_of_its_rows_gaussian() -> None:
    model, _ = small()
    x_t = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    t = torch.tensor(0.5)
    with torch.no_grad():
        found = model.nets_.denoiser()(math.sqrt(0.5) * x_t, t)
    # of N(0, 1): alpha / (alpha^2 + sigma^2) x_t
    assert (found - math.sqrt(0.5) * x_t).square().mean() < 0.05


def test_a_loss_that_is_not_finite_keeps_the_best_weights_before(monkeypatch: Any) -> None:
    x = np.random.default_rng(0).normal(np.repeat([[-3.0], [3.0]], 100, 0), 1.0, (200, 2))
    plain, steps = TrainedDiffusion.losses, itertools.count()

    def broken(self: Any, *given: Any, **more: Any) -> Any:
        return plain(self, *given, **more) * (math.nan if next(steps) > 60 else 1.0)

    monkeypatch.setattr(TrainedDiffusion, "losses", broken)
    monkeypatch.setattr("ppgen.models.diffusion.plan._BETWEEN", 10)
    model = ppgen.Diffusion(width=16, depth=1, max_epochs=100, batch_size=80, random_state=0)
    model.fit(x)
    assert model.verdict_.status == "warn"
    assert "not finite" in str(model.verdict_)
    assert np.isfinite(model.sample(10)).all()


def test_a_seed_gives_the_same_first_rows_however_many_are_drawn() -> None:
    model, _ = small()
    many = model.sample(40, random_state=3)
    assert model.sample(7, random_state=3) == pytest.approx(many[:7], rel=1e-4, abs=1e-4)
    assert not np.allclose(model.sample(7, random_state=4), many[:7])


@pytest.mark.parametrize("method", ["ancestral", "ddim", "euler", "heun"])
def test_each_sampler_makes_rows_like_those_of_the_fit(method: str) -> None:
    model, x = small()
    rows = model.sample(500, method=method, steps=60, random_state=2)
    assert (rows.mean(0) - x.mean(0)) / x.std(0) == pytest.approx(np.zeros(2), abs=0.25)
    assert rows.std(0) / x.std(0) == pytest.approx(np.ones(2), abs=0.2)


def test_too_few_steps_are_refused_and_few_are_warned_of() -> None:
    model, _ = small()
    with pytest.raises(ppgen.InputError, match="too few for the sampler 'heun', of order 2"):
        model.sample(5, method="heun", steps=1)
    with pytest.warns(UserWarning, match="5 steps of euler are few"):
        model.sample(5, method="euler", steps=5)


def test_the_noise_of_held_out_rows_is_paired_as_in_training() -> None:
    x = np.random.default_rng(0).normal(size=(7, 2))
    units, seen = np.arange(7, dtype=np.uint64), []

    def losses(x: torch.Tensor, eps: torch.Tensor, t: torch.Tensor, context: Any) -> torch.Tensor:
        seen.append((x, eps))
        return eps.sum(1)

    rows, times = torch.from_numpy(x).float(), nets().noise.times()
    for together in (0, 4):
        HeldOutLoss(losses, rows, None, units, times, 2, together)()
    (_, free), (_, paired) = ((x.view(7, 2, 2), eps.view(7, 2, 2)) for x, eps in seen)
    for k in range(2):
        for at in (slice(0, 4), slice(4, 7)):
            assert torch.equal(paired[at, k], coupled(rows[at], free[at, k]))
    assert not torch.equal(free, paired)


def test_a_coupled_fit_has_a_flow_and_no_score() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    model = ppgen.Diffusion(
        coupling="optimal", width=8, depth=1, max_epochs=2, batch_size=20, random_state=0
    )
    assert np.isfinite(model.fit(x).sample(3)).all()
    with pytest.raises(ppgen.InputError, match="needs the score"):
        model.sample(3, method="ancestral")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"net": "unet", "width": 8}, "perceptron has"),
        ({"net": "mlp", "channels": (8,)}, "U-Net has"),
        ({"net": "unet"}, "for images"),
        ({"target": "noice"}, "Did you mean 'noise'"),
        ({"coupling": "optimal", "conditional": True}, "share theirs"),
        ({"conditional": True, "y": None}, "no y was given"),
    ],
)
def test_settings_that_do_not_suit_are_refused(settings: dict[str, Any], words: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = settings.pop("y", x[:, 0] + 1)
    with pytest.raises(ppgen.InputError, match=words):
        ppgen.Diffusion(max_epochs=1, **settings).fit(x, y)


def test_columns_of_unlike_units_are_scaled_and_it_is_said() -> None:
    rng = np.random.default_rng(0)
    table = {"mass": 1e6 + 1e4 * rng.normal(size=80), "width": 1e-3 * rng.normal(size=80)}
    model = ppgen.Diffusion(width=8, depth=1, max_epochs=2, random_state=0).fit(table)
    said = [reason.what for reason in model.verdict_.reasons if "one scale" in reason.what]
    assert len(said) == 1
    assert "(width)" in said[0]
    assert "(mass)" in said[0]
    alike = ppgen.Diffusion(width=8, depth=1, max_epochs=2, random_state=0).fit(
        rng.normal(size=(80, 2))
    )
    assert not any("one scale" in reason.what for reason in alike.verdict_.reasons)


@pytest.mark.parametrize(
    ("settings", "named"), [({"dropout": 0.5}, "dropout"), ({"drop_context": 0.5}, "drop_context")]
)
def test_settings_that_would_play_no_part_are_refused(settings: Any, named: str) -> None:
    with pytest.raises(ppgen.InputError, match=named):
        ppgen.Diffusion(**settings).fit(np.random.default_rng(0).normal(size=(30, 2)))
