"""Whether samples of a diffusion model are new: the ideal denoiser of the rows trained on is
caught, the exact one of their law is not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ppgen
from ppgen.inference.diffusion.exact import IdealDenoiser, exact_gaussian
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.models.diffusion import novelty, verdicts
from ppgen.models.diffusion.nets import Architecture
from ppgen.models.diffusion.plan import Noise
from ppgen.models.diffusion.trained import TrainedDiffusion
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.values import Values
from ppgen.models.nets.views import View

LINEAR = PROCESSES["linear"]
D = 8


def subset(x, context=None):
    n = len(x)
    units = np.random.default_rng(n).integers(0, 2**63, n).astype(np.uint64)
    return Subset(x, np.arange(n), np.zeros(n), context, None, None, lambda: units)


def nets_of(denoise, values=None, context=0):
    """Nets with another denoiser in the place of their own."""
    values = Values(D) if values is None else values
    architecture = Architecture(net="mlp", width=4, depth=1, context=context)
    nets = TrainedDiffusion(architecture, View(values), Noise("linear", "edm", 1.0, -1.2, 2.0), 0)
    nets.denoise = lambda x_t, t, context=None: denoise(x_t, t)
    return nets


def normal(n, seed, d=D):
    return np.random.default_rng(seed).normal(size=(n, d))


def repeats(nets, seen, unseen, n, seed):
    made = novelty.drawn(nets, seen, unseen, n, seed)
    return novelty.repeats(nets, made, seen, unseen, seed)


def judged(nets, seen, unseen, n=200, *, images=False):
    found = repeats(nets, subset(seen), subset(unseen), n, 0)
    return verdicts.novelty(found, images=images)


@pytest.mark.parametrize(("images", "advice"), [(False, "smaller width"), (True, "dropout")])
def test_the_ideal_denoiser_of_the_rows_trained_on_is_caught(images, advice):
    seen, unseen = normal(450, 1), normal(50, 2)
    nets = nets_of(IdealDenoiser(LINEAR, torch.from_numpy(seen)))
    (found,) = judged(nets, seen, unseen, images=images)
    assert found.status == "warn"
    assert "memorised, about 100% of samples" in found.what
    assert "0.0% of samples, by chance for 10.0%" in found.what
    for what in ("Give more rows", "fewer epochs", advice):
        assert what in found.advice


def test_the_ideal_denoiser_of_all_rows_is_not():
    seen, unseen = normal(450, 1), normal(50, 2)
    every = torch.from_numpy(np.concatenate([seen, unseen]))
    (found,) = judged(nets_of(IdealDenoiser(LINEAR, every)), seen, unseen)
    assert found.status == "ok"
    assert found.what.startswith("samples are new")


def test_the_ideal_denoiser_of_mixed_rows_is_caught():
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=(1000, 3)), rng.integers(0, 3, 1000)])
    values = Values(3, levels=(3,))
    every = np.column_stack([x[:, :3], np.eye(3)[x[:, 3].astype(int)]])
    nets = nets_of(IdealDenoiser(LINEAR, torch.from_numpy(every[:900])), values)
    (found,) = judged(nets, x[:900], x[900:])
    assert "about 100% of samples" in found.what


def test_the_exact_denoiser_alarms_as_seldom_as_stated():
    # At a level of 5 %, 20 tests alarm once on average and 6 times or more once in 3,000.
    nets = nets_of(exact_gaussian(LINEAR, torch.zeros(D), torch.eye(D)))
    p = []
    for s in range(20):
        seen, unseen = subset(normal(200, s)), subset(normal(60, 100 + s))
        p.append(repeats(nets, seen, unseen, 100, s).p_value)
    assert sum(v < 0.05 for v in p) < 6
    assert 0.3 < np.mean(p) < 0.7


def test_samples_have_the_contexts_of_rows_of_both_sides():
    told = []
    nets = nets_of(lambda x_t, t: torch.zeros_like(x_t), context=1)

    def denoise(x_t, t, context=None):
        if context is not None:
            told.append(context[:, 0].numpy())
        return torch.zeros_like(x_t)

    nets.denoise = denoise
    seen, unseen = (
        subset(normal(100, 1), np.zeros((100, 1))),
        subset(normal(50, 2), np.ones((50, 1))),
    )
    novelty.drawn(nets, seen, unseen, 300, 0)
    assert np.mean(told[0]) == pytest.approx(1 / 3, abs=0.1)


def test_what_cannot_be_told_is_said():
    nets = nets_of(lambda x_t, t: torch.zeros_like(x_t))
    (few,) = judged(nets, normal(200, 1), normal(20, 2))
    assert few.status == "ok"
    assert "was not looked at: there are too few held-out rows" in few.what


def test_samples_take_a_small_share_of_a_training():
    nets = nets_of(lambda x_t, t: torch.zeros_like(x_t))
    evaluations = len(novelty.sampling_plan(nets).times) - 1
    training = SimpleNamespace(outcome=SimpleNamespace(steps=1000), batch_size=64)
    assert novelty.of_training(nets, training) == int(0.05 * 3 * 64_000 / evaluations)


def test_a_fit_to_many_rows_says_that_samples_are_new():
    model = ppgen.Diffusion(width=8, depth=1, max_epochs=12, batch_size=256, random_state=0)
    model.fit(normal(1000, 5, 2))
    (said,) = [r for r in model.verdict_.reasons if "nearest real row" in r.what]
    assert said.status == "ok"
    assert "by chance for 10.0%" in said.what


def test_a_fit_without_held_out_rows_says_that_it_cannot_tell():
    model = ppgen.Diffusion(width=8, depth=1, max_epochs=1, hold_out=False, random_state=0)
    model.fit(normal(60, 5, 2))
    assert any("no rows were held out" in r.what for r in model.verdict_.reasons)
