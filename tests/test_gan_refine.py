"""Refined samples: what discriminators estimate, chains of known ratio, calibration, GANs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ppgen
from ppgen.errors import InputError
from ppgen.models.gan.objectives import OBJECTIVES
from ppgen.models.gan.refine import LEAST, Ratio, refined

P = np.array([0.5, 0.3, 0.15, 0.05])  # of the rows, which are one of four
Q = np.array([0.1, 0.2, 0.3, 0.4])  # of the generator's
LOG_W = np.log(P / Q)


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("minimax", LOG_W),
        ("non_saturating", LOG_W),
        ("relativistic", LOG_W + 3),
        ("least_squares", P / (P + Q)),
    ],
)
def test_the_best_discriminator_says_what_is_written(name, best):
    d = torch.tensor(best, requires_grad=True)
    pairs = OBJECTIVES[name].discriminator(d[:, None].expand(4, 4), d.expand(4, 4))
    loss = (torch.tensor(P)[:, None] * torch.tensor(Q) * pairs).sum()
    (gradient,) = torch.autograd.grad(loss, d)
    np.testing.assert_allclose(gradient.numpy(), 0, atol=1e-12)
    moved = torch.tensor(best + np.array([0.3, 0, 0, 0]))
    other = OBJECTIVES[name].discriminator(moved[:, None].expand(4, 4), moved.expand(4, 4))
    assert (torch.tensor(P)[:, None] * torch.tensor(Q) * other).sum() > loss


def drawn(seed, n=4000):
    return np.random.default_rng(seed).choice(4, n, p=Q)[:, None].astype(float)


def of(rows):
    return LOG_W[rows[:, 0].astype(int)] + 7  # a constant changes nothing


def test_chains_of_the_true_ratio_end_in_the_rows_distribution():
    found = np.bincount(refined(drawn, of, 60, 0)[:, 0].astype(int), minlength=4)
    # 4,000 draws: chi-squared with 3 degrees of freedom is above 16.3 once in 1,000.
    assert (np.square(found - 4000 * P) / (4000 * P)).sum() < 16.3
    few = np.bincount(refined(drawn, of, 1, 0)[:, 0].astype(int), minlength=4)
    assert np.abs(few / 4000 - Q).max() < 0.04


def test_draws_depend_on_the_seed_alone_and_packs_stay_together():
    assert (refined(drawn, of, 5, 3) == refined(drawn, of, 5, 3)).all()
    assert (refined(drawn, of, 5, 3) != refined(drawn, of, 5, 4)).any()

    def numbered(seed):  # both rows of a pack bear the number of their proposal
        return np.repeat(np.random.default_rng(seed).normal(size=(50, 1)), 2, axis=0)

    rows = refined(numbered, lambda rows: rows[::2, 0], 6, 0, pack=2)
    assert (rows[::2] == rows[1::2]).all()
    assert rows.mean() > 0.5


def test_scores_are_calibrated_to_the_ratio_that_they_have():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1, 1, 2000), rng.normal(0, 1, 20_000)
    ratio = Ratio.fit(real, fake)
    at = np.linspace(-1, 2, 7)
    np.testing.assert_allclose(ratio(at), at - 0.5, atol=0.35)
    assert (np.diff(ratio(np.linspace(-9, 9, 200))) >= 0).all()
    assert np.isfinite(ratio(np.array([-1e9, 1e9]))).all()
    # Scores of any other rising kind have the same ratio.
    np.testing.assert_allclose(Ratio.fit(real**3, fake**3)(at**3), ratio(at), atol=0.3)
    # Scores that tell nothing keep almost all proposals.
    assert np.abs(Ratio.fit(fake[:1000], fake[1000:])(at)).max() < 0.8


def test_rows_that_weigh_twice_count_twice():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=400), rng.normal(size=4000)
    doubled = np.concatenate([real, real[real > 0]])
    weights = np.where(real > 0, 2.0, 1.0)
    a, b = Ratio.fit(real, fake, weights), Ratio.fit(doubled, fake)
    at = np.linspace(-1.5, 1.5, 5)
    np.testing.assert_allclose(a(at), b(at), atol=0.15)


def test_equal_and_few_scores():
    assert Ratio.fit(np.zeros(LEAST - 1), np.zeros(1000)) is None
    flat = Ratio.fit(np.zeros(100), np.zeros(1000))
    assert flat(np.array([-1.0, 0.0, 5.0])) == pytest.approx(0, abs=1e-9)


@pytest.fixture(scope="module")
def gan():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 2)) * [1, 0.2] + 3 * rng.integers(0, 2, (500, 1))
    return ppgen.GAN(
        4, hidden=(32, 32), batch_size=50, max_epochs=20, learning_rate=2e-3, random_state=0
    ).fit(rows)


def test_a_gan_refines_its_samples(gan, tmp_path):
    plain, rows = (gan.sample(300, refine=r, random_state=1) for r in (False, True))
    assert rows.shape == plain.shape == (300, 2)
    assert (gan.sample(300, refine=True, random_state=1) == rows).all()
    # Its scores are those of real rows, which plain samples have not.
    ratio, nets = gan.nets_.ratio, gan.nets_
    assert ratio is not None
    made = [nets.refine(2000, None, 1, steps) for steps in (1, 80)]
    of_plain, of_refined = (float(ratio(nets.discriminate(part)).mean()) for part in made)
    assert of_refined > of_plain + 0.02
    gan.save(tmp_path / "run")
    assert (ppgen.load(tmp_path / "run").sample(300, refine=True, random_state=1) == rows).all()
    assert (gan.sample(20, refine=True, refine_steps=2, random_state=1) != rows[:20]).any()


def test_what_refining_lacks_is_said(gan):
    with pytest.raises(InputError, match="refine_steps was given, and rows are not refined"):
        gan.sample(5, refine_steps=3)
    with pytest.raises(InputError, match="refine_steps is 0"):
        gan.sample(5, refine=True, refine_steps=0)
    few = ppgen.GAN(2, hidden=(8,), batch_size=8, max_epochs=1, random_state=0)
    few.fit(np.random.default_rng(0).normal(size=(40, 2)))
    with pytest.raises(InputError, match="too few rows were held out"):
        few.sample(5, refine=True)


def test_generated_scores_have_the_weights_of_their_contexts(monkeypatch):
    # Scores lie 6 higher in the second context, of weight 9, and tell nothing within a context.
    rng = np.random.default_rng(0)
    context = np.arange(4000) % 2
    real, fake = (6.0 * context + rng.normal(size=4000) for _ in range(2))
    w = np.where(context, 9.0, 1.0)
    assert np.abs(Ratio.fit(real, fake, w, w).logs).max() < 0.3
    assert np.abs(Ratio.fit(real, fake, w).logs).max() > 1.0

    asked = []
    keep = Ratio.fit
    monkeypatch.setattr(Ratio, "fit", lambda *given: asked.append(given) or keep(*given))
    x, y = rng.normal(size=(120, 2)), np.arange(120) % 2
    gan = ppgen.GAN(conditional=True, hidden=(8,), max_epochs=1, random_state=0)
    gan.fit(x, y, sample_weight=np.where(y, 9.0, 1.0))
    _, scores, weights, made = asked[0]
    assert len(made) == len(scores)
    assert set(np.round(made / made.min(), 6)) == {1.0, 9.0}
    assert set(np.round(weights / weights.min(), 6)) == {1.0, 9.0}
