"""GANs of vectors: training, players, conditions, saved runs, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ppgen
from ppgen.errors import InputError
from ppgen.models.gan import trained
from ppgen.models.gan.game import Game, Penalty
from ppgen.models.gan.nets import Architecture, build
from ppgen.models.gan.objectives import OBJECTIVES
from ppgen.models.nets.batches import Batches
from ppgen.models.nets.trainer import Trainer
from ppgen.models.nets.values import Values

from .interrupts import killed

SMALL = {"latent_dim": 2, "hidden": (16,), "batch_size": 20, "random_state": 0}


@pytest.fixture(scope="module")
def two():
    """Two groups of rows far apart, and which each belongs to."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    return rng.normal(size=(300, 2)) + 10.0 * y[:, None], np.array(["low", "high"])[y]


@pytest.fixture(scope="module")
def conditional(two):
    return ppgen.GAN(**SMALL, conditional=True, learning_rate=5e-3, max_epochs=60).fit(*two)


# A game of known rows


def _game(objective="relativistic", *, pack=1, context=0, weights=None, penalty=None):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(12, 3)).astype(np.float32)
    c = rng.normal(size=(12, context)) if context else None
    architecture = Architecture("mlp", 2, context, (8,), (), pack)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        g, d = build(architecture, Values(3), bounded=False)
        for p in d.parameters():
            torch.nn.init.normal_(p, std=0.5)
    rows = Batches(x, c, weights)
    return Game(g, d, rows, Values(3), OBJECTIVES[objective], penalty, 2, pack)


def _seeded(loss, *args):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return loss(*args)


def _grads(net):
    return [p.grad is not None and bool(p.grad.any()) for p in net.parameters()]


@pytest.mark.parametrize("kind", ["r1r2", "gradient"])
def test_the_loss_of_the_discriminator_reaches_it_alone(kind):
    game = _game(penalty=Penalty(kind, 1.0), context=2)
    _seeded(game.of_discriminator, torch.arange(6), 0).backward()
    assert all(_grads(game.discriminator)[:-1])
    assert not any(_grads(game.generator))


def test_the_loss_of_the_generator_moves_by_the_scores_of_its_rows():
    game = _game()
    z = _seeded(game.noise, 6)
    real = game.real(torch.arange(6))[0]
    scores = [game.discriminator(x) for x in (real, game.generator(z))]
    expected = torch.nn.functional.softplus(scores[0] - scores[1]).mean()
    torch.testing.assert_close(_seeded(game.of_generator, torch.arange(6), 0), expected)


def test_penalties_are_taken_every_so_often_and_count_as_often():
    plain, lazy = _game(), _game(penalty=Penalty("r1r2", 0.6, every=4))
    every = _game(penalty=Penalty("r1r2", 0.6))
    of = [
        [_seeded(game.of_discriminator, torch.arange(6), step).item() for step in range(5)]
        for game in (plain, lazy, every)
    ]
    penalty = of[2][0] - of[0][0]
    assert penalty > 0
    np.testing.assert_allclose(np.subtract(of[1], of[0]), [4 * penalty, 0, 0, 0, 4 * penalty], 1e-4)


def test_r1_is_taken_at_real_rows_and_r2_at_generated_ones():
    game = _game(penalty=Penalty("r1r2", 0.6))
    game.discriminator = lambda x, context: x.square().sum(1) / 2  # whose gradient is x
    real = game.real(torch.arange(6))[0]
    fake = game.generator(_seeded(game.noise, 6)).detach()
    loss = _seeded(game.of_discriminator, torch.arange(6), 0)
    game.penalty = None
    penalty = loss - _seeded(game.of_discriminator, torch.arange(6), 0)
    expected = 0.3 * (real.square().sum(1) + fake.square().sum(1)).mean()
    torch.testing.assert_close(penalty, expected)


def test_held_out_rows_are_never_trained_on_and_alone_are_scored_by(two, monkeypatch):
    played = []
    monkeypatch.setattr(trained, "Game", lambda *parts: played.append(parts) or Game(*parts))
    x = two[0][:100]
    ppgen.GAN(**SMALL, margins="none", max_epochs=1).fit(x)
    assert len(played[0][2]) == 80  # a fifth of few rows is held out
    other = [
        ppgen.GAN(**SMALL, margins="none", max_epochs=1).fit(x, validation=x[:50] + far)
        for far in (0.0, 50.0)
    ]
    first, far = (model.trace_[0]["validation"] for model in other)
    assert abs(far - first) > 0.1  # the same generator, as yet untrained


def test_a_weight_of_two_is_a_row_that_counts_twice():
    weights = np.ones(12)
    weights[:3] = 2.0
    weighted = _seeded(_game(weights=weights).of_discriminator, torch.arange(6), 0)
    game = _game()
    z = _seeded(game.noise, 6)
    real = game.real(torch.arange(6))[0]
    losses = game.objective.discriminator(
        game.discriminator(real), game.discriminator(game.generator(z))
    )
    expected = (losses * torch.tensor([2.0, 2, 2, 1, 1, 1])).mean()
    torch.testing.assert_close(weighted, expected)


def test_packed_rows_have_one_score_and_what_fills_no_pack_is_left():
    game = _game(pack=3, context=1)
    real, context, _ = game.real(torch.arange(8))
    assert real.shape == (6, 3)
    assert game.scores(real, context).shape == (2,)
    swapped = real[[1, 0, 2, 3, 4, 5]]
    first, second = game.scores(real, context), game.scores(swapped, context)
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_context_is_projected_on_what_the_discriminator_sees():
    game = _game(context=2)
    x, c = _seeded(torch.randn, 4, 3), _seeded(torch.randn, 4, 2)
    d = game.discriminator
    h = d.layers(x)
    expected = d.score(h)[:, 0] + (d.projection(c) * h).sum(1)
    torch.testing.assert_close(d(x, c), expected)


def test_a_discriminator_starts_by_telling_nothing():
    with torch.random.fork_rng(devices=[]):
        _, d = build(Architecture("mlp", 2, 2, (8,)), Values(3), bounded=False)
    assert not d(torch.ones(5, 3), torch.ones(5, 2)).any()


# Fits


def test_labels_are_given_what_belongs_to_them(conditional):
    low = conditional.sample(200, y="low")
    high = conditional.sample(200, y="high")
    assert np.median(low) < 5 < np.median(high)
    codes = conditional.sample_latents(3)
    assert conditional.decode(codes, "low").shape == (3, 2)


def test_the_course_is_kept_with_the_outputs_and_the_gradients(conditional):
    measures = conditional.trace_[-1]["measures"]
    assert set(measures) == {
        "output on real rows",
        "output on generated rows",
        "discriminator gradient norm",
        "generator gradient norm",
    }
    outputs = [row["measures"]["output on real rows"] for row in conditional.trace_]
    assert outputs[0] == pytest.approx(0.5)  # it starts by telling nothing


def test_a_loaded_fit_makes_the_same_rows(conditional, tmp_path):
    again = ppgen.load(conditional.save(tmp_path / "gan"))
    for y in ("low", "high"):
        np.testing.assert_array_equal(again.sample(5, y=y), conditional.sample(5, y=y))
    x = np.zeros((2, 2))
    c = np.eye(2)
    np.testing.assert_array_equal(
        again.nets_.discriminate(x, c), conditional.nets_.discriminate(x, c)
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(objective, two):
    gan = ppgen.GAN(**SMALL, objective=objective, pack=2, max_epochs=2).fit(two[0])
    assert gan.n_steps_ == (4 if objective == "wasserstein" else 24)
    assert np.isfinite(gan.sample(5)).all()


def test_a_killed_fit_goes_on_bit_for_bit(two, tmp_path, monkeypatch):
    from ppgen.models.gan import plan

    made = plan._schedule

    def often(*args, **how):
        from dataclasses import replace

        return replace(made(*args, **how), checkpoint_every=0.0, evaluate_every=1)

    monkeypatch.setattr(plan, "_schedule", often)
    how = {**SMALL, "discriminator_steps": 2, "max_epochs": 6}
    whole = ppgen.GAN(**how).fit(two[0], checkpoint_dir=tmp_path / "whole")
    with killed(3):
        ppgen.GAN(**how).fit(two[0], checkpoint_dir=tmp_path / "killed")
    resumed = ppgen.GAN(**how).fit(two[0], checkpoint_dir=tmp_path / "killed")
    assert len(resumed.trace_) < len(whole.trace_)
    for name, array in whole.nets_.arrays().items():
        np.testing.assert_array_equal(resumed.nets_.arrays()[name], array)
    for one, other in zip(resumed.trace_[::-1], whole.trace_[::-1], strict=False):
        assert one["measures"] == other["measures"]


# What is refused


@pytest.mark.parametrize(
    ("how", "given", "said"),
    [
        ({"pack": 40}, "rows", "24 rows to train on, and a step takes at least 40"),
        ({"pack": 5, "batch_size": 4}, "rows", "batch_size is 4, and pack 5"),
        ({"penalty": "none", "penalty_weight": 1.0}, "rows", "penalty is"),
        ({"conditional": True}, "rows", "no y was given"),
        ({"conditional": True}, "one class", "y is the same for all rows"),
        ({"net": "conv"}, "rows", "is for images"),
        ({"channels": (4,)}, "rows", "channels are those of convolutions"),
        ({}, "constant", "nothing to model"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_way_out(how, given, said):
    x = np.random.default_rng(0).normal(size=(30, 2))
    x = np.ones((30, 2)) if given == "constant" else x
    y = ["a"] * 30 if given == "one class" else None
    with pytest.raises(InputError, match=said):
        ppgen.GAN(max_epochs=1, **how).fit(x, y)


def test_labels_that_are_not_there_are_refused(conditional):
    with pytest.raises(InputError, match=r"y has 'hgh'.*Did you mean 'high'"):
        conditional.sample(2, y="hgh")


def test_samples_have_no_options_that_are_not_declared(conditional):
    with pytest.raises(InputError, match=r"GAN\.sample has no option 'refnie'"):
        conditional.sample(2, y="low", refnie=True)


def test_samples_by_checkpoint_are_kept_and_saved(conditional, tmp_path):
    fit = conditional
    first, last = fit.sheets()[0], fit.sheets()[-1]
    assert first[0] == 0
    assert last[0] <= fit.n_steps_
    fit.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run").sheets()
    for (step, rows), (other, others) in zip(fit.sheets(), again, strict=True):
        assert step == other
        assert np.array_equal(rows["samples"].matrix(), others["samples"].matrix())


def test_y_without_a_value_is_refused_for_what_it_is():
    x = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(InputError, match="y has no value: all 50 are missing"):
        ppgen.GAN(conditional=True).fit(x, np.full(50, np.nan))


def test_a_batch_of_all_rows_and_dark_images_are_said():
    x = np.random.default_rng(0).integers(0, 17, (30, 8, 8)).astype(np.uint8)
    gan = ppgen.GAN(hidden=(8,), max_epochs=1, batch_size=500, random_state=0).fit(x)
    said = " ".join(r.what for r in gan.verdict_.reasons)
    assert "batch_size is 500, and there are 24 rows to train on" in said
    assert "the images have 256 levels: their values reach 16, and 255 is taken for white" in said


def test_time_is_kept_for_what_follows_a_training(two, monkeypatch):
    kept, train = [], Trainer.train

    def noted(self, learner):
        kept.append(self.after)
        return train(self, learner)

    monkeypatch.setattr(Trainer, "train", noted)
    for budget in (None, 1.0):
        ppgen.GAN(**SMALL, max_epochs=1).fit(two[0], budget=budget)
    assert kept[0] == 0
    assert 0 < kept[1] <= 0.5
