"""`ProgressiveGAN`: stages by the schedule or the budget, resumption, what is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

import ppgen
from ppgen.errors import InputError
from ppgen.models.gan import plan

from .interrupts import killed
from .zoo import numbers, pictures

SMALL = {
    "latent_dim": 2,
    "start": 4,
    "channels": (4, 4),
    "hidden": (8,),
    "batch_size": 20,
    "random_state": 0,
}
STAGE = "height of the stage"


@pytest.fixture
def often(monkeypatch):
    """An evaluation, and a checkpoint, after each epoch."""
    made = plan._schedule

    def schedule(*args, **how):
        return replace(made(*args, **how), checkpoint_every=0.0, evaluate_every=1)

    monkeypatch.setattr(plan, "_schedule", schedule)


def heights(model):
    return [record["measures"][STAGE] for record in model.trace_ if record["step"]]


def test_stages_follow_the_share_of_the_schedule(often):
    model = ppgen.ProgressiveGAN(**SMALL, growing=0.5, max_epochs=8).fit(pictures(45))
    # An epoch is one step, from the shares 0, 1/8, ... on.
    assert heights(model) == [4, 4, 8, 8, 8, 8, 8, 8]
    assert model.sample(3).shape == (3, 8, 8)
    assert "stage" not in str(model.verdict_)


def test_a_killed_fit_goes_on_bit_for_bit(often, tmp_path, monkeypatch):
    how = {**SMALL, "max_epochs": 6}
    whole = ppgen.ProgressiveGAN(**how).fit(pictures(45))
    with killed(2):  # at the first stage
        ppgen.ProgressiveGAN(**how).fit(pictures(45), checkpoint_dir=tmp_path)
    resumed = ppgen.ProgressiveGAN(**how).fit(pictures(45), checkpoint_dir=tmp_path)
    assert 0 < len(resumed.trace_) < len(whole.trace_)
    assert heights(resumed) == heights(whole)[-len(resumed.trace_) :]
    for name, array in whole.nets_.arrays().items():
        np.testing.assert_array_equal(resumed.nets_.arrays()[name], array)


def test_weights_of_an_early_stage_are_saved_and_said_to_be(often, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ppgen.models.gan.held_out_score.HeldOutScore.__call__",
        lambda score, samples: -torch.full((len(score._rows),), float(next(worse))),
    )
    worse = itertools.chain([9], itertools.count())  # after the start, ever worse
    model = ppgen.ProgressiveGAN(**SMALL, max_epochs=6).fit(pictures(45))
    assert model.verdict_.status == "warn"
    assert "4 x 4 pixels" in str(model.verdict_)
    images = model.sample(4, random_state=1)
    np.testing.assert_array_equal(images[:, ::2, ::2], images[:, 1::2, 1::2])
    loaded = ppgen.load(model.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.sample(4, random_state=1), images)


def test_real_and_generated_images_meet_at_the_same_stage(often):
    model = ppgen.ProgressiveGAN(**SMALL, max_epochs=1).fit(pictures(45))
    nets, x = model.nets_, torch.from_numpy(pictures(4).reshape(4, -1) / 127.5 - 1).float()
    nets.growth.follow(0.0)
    shown = nets.growth.shown(x).view(4, 8, 8)
    means = x.view(4, 4, 2, 4, 2).mean((2, 4))
    torch.testing.assert_close(shown[:, ::2, 1::2], means)
    assert torch.equal(shown[:, ::2, ::2], shown[:, 1::2, 1::2])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"start": 5}, "cannot be halved to it, but to 8, 4. Take"),
        ({"start": 2}, "start"),
        ({"start": None}, "nothing to grow from"),
        ({"channels": (4,)}, "2 in all, or more"),
        ({"net": "mlp"}, "Leave net out, or take ppgen.GAN"),
        ({"growing": 0.0}, "growing"),
    ],
)
def test_what_cannot_grow_is_refused_with_the_way_out(how, said):
    with pytest.raises(InputError, match=said):
        ppgen.ProgressiveGAN(**{**SMALL, **how}, max_epochs=1).fit(pictures(45))


def test_tables_and_sequences_are_refused():
    with pytest.raises(InputError, match="models images; sequences were given"):
        ppgen.ProgressiveGAN(max_epochs=1).fit(ppgen.sequences(numbers()))
    with pytest.raises(InputError, match="models images; a table was given"):
        ppgen.ProgressiveGAN(max_epochs=1).fit(numbers())
