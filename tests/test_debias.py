"""`DebiasingVAE`: what its loss sees, what it answers, and how it is saved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import ppgen
from ppgen.models.debias import DebiasingVAE
from ppgen.models.debias.backend import TorchDebias
from ppgen.models.debias.nets import Weights, loss_parts
from ppgen.models.nets.coder import Architecture
from ppgen.models.nets.reconstruction import Reconstruction
from ppgen.models.nets.values import Values

from .debias_rows import SMALL, few_digits, table


@pytest.fixture(scope="module")
def digits():
    return few_digits()


@pytest.fixture(scope="module")
def fit():
    x, y, _ = table()
    return DebiasingVAE(**{**SMALL, "max_epochs": 60}).fit(x, y)


# The loss


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_the_unsupervised_loss_is_of_the_modelled_class_and_the_classification_of_all(kind):
    compared = Reconstruction(Values(64, shape=(1, 8, 8)))
    nets = TorchDebias(Architecture(kind, 3, (8,), (4,), classes=2), compared, 0).nets
    y = torch.rand(6, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 0, 0, 1, 0])
    weights = Weights(1.0, 0.1, 1.0, modelled=1)

    def gradient(part, row):
        torch.manual_seed(0)
        nets.zero_grad()
        loss_parts(nets, compared, y, labels, weights)[part][row].backward()
        decoder = sum(
            float(p.grad.abs().sum()) for p in nets.decoder.parameters() if p.grad is not None
        )
        last = list(nets.encoder.parameters())[-1].grad  # logits, means, scales
        return decoder, last[:2].abs().sum().item(), last[2:].abs().sum().item()

    with torch.random.fork_rng(devices=[]):
        for row in range(6):
            decoder, logits, latents = gradient(0, row)
            assert logits > 0
            assert decoder == latents == 0
            decoder, logits, latents = gradient(1, row)
            assert logits == 0
            assert (decoder > 0, latents > 0) == (labels[row] == 1, labels[row] == 1)


def test_the_loss_is_the_one_stated():
    compared, k = Reconstruction(Values(5)), 3
    nets = TorchDebias(Architecture("mlp", k, (8,), classes=3), compared, 1).nets
    y, labels = torch.randn(7, 5, generator=torch.Generator().manual_seed(1)), torch.arange(7) % 3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        classification, unsupervised = loss_parts(nets, compared, y, labels, Weights(2.0, 0.5, 4.0))
        torch.manual_seed(2)
        noise = torch.randn(7, k)
    with torch.no_grad():
        seen = nets.see(y)
        q = torch.distributions.Normal(seen.mean, seen.log_scale.exp())
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
        r = (nets.decode(q.mean + q.stddev * noise) - y).square().mean(1) / 4
        log_p = torch.log_softmax(seen.logits, 1)[torch.arange(7), labels]
    torch.testing.assert_close(classification, -log_p)
    torch.testing.assert_close(unsupervised, 2 * r + 0.5 * kl)


# What it answers


def test_it_classifies_rows_it_has_not_seen(fit):
    x, y, _ = table(seed=1)
    assert fit.score(x, y) > 0.93
    p = fit.predict_proba(x)
    np.testing.assert_allclose(p.sum(1), 1)
    np.testing.assert_allclose(np.log(p), fit.predict_log_proba(x), atol=1e-9)
    np.testing.assert_array_equal(fit.predict(x), np.array(["no", "yes"])[p.argmax(1)])
    assert fit.transform(x).shape == (300, 2)
    assert fit.decode(fit.encode(x)).shape == x.shape
    assert "on 60 held-out rows" in fit.verdict_.reasons[0].what


def test_rare_rows_are_weighed_up_and_said(fit):
    _, _, rare = table()
    w = fit.sampling_weights_
    assert w.sum() == pytest.approx(1)
    assert w[rare].mean() > 3 * w[~rare].mean()
    assert 0.05 < fit.effective_share_ < 1
    found = fit.rare_regions()
    np.testing.assert_array_equal(found.weights, w[found.rows])
    assert (np.diff(found.weights) <= 0).all()
    assert rare[found.rows[:8]].mean() > 0.6
    assert found.counts.shape == found.density.shape == (2, 2, 50)
    assert found.rare().any()
    assert "class no, latent 0" in str(found)


def test_rare_regions_of_other_rows(fit):
    x, y, rare = table(seed=2)
    found = fit.rare_regions(x, y)
    assert rare[found.rows[:8]].mean() > 0.6
    assert found.weights.sum() == pytest.approx(1)
    assert len(fit.rare_regions(x).rows) == 300


def test_each_class_keeps_its_share_or_gets_an_equal_one():
    x, y, _ = table()
    y = np.where(np.arange(300) % 5 == 0, "few", "many")
    for shares, expected in (("data", 0.2), ("equal", 0.5)):
        fit = DebiasingVAE(**SMALL, class_shares=shares).fit(x, y)
        assert fit.sampling_weights_[y == "few"].sum() == pytest.approx(expected, abs=0.03)


def test_only_the_modelled_class_is_resampled_and_without_resampling_none():
    x, y, _ = table()
    fit = DebiasingVAE(**SMALL, modelled="yes").fit(x, y)
    assert np.ptp(fit.sampling_weights_[y == "no"]) == pytest.approx(0, abs=1e-12)
    assert np.ptp(fit.sampling_weights_[y == "yes"]) > 0.002
    assert fit.rare_regions().classes.tolist() == ["yes"]
    plain = DebiasingVAE(**SMALL, resample=False).fit(x, y)
    np.testing.assert_allclose(plain.sampling_weights_, 1 / 300, rtol=0.05)
    assert plain.effective_share_ == pytest.approx(1, rel=1e-3)


def test_accuracy_by_group_beside_plain_training_and_balancing(fit):
    x, y, rare = table(seed=3)
    found = fit.worst_group(x, y, rare)
    assert [g.name for g in found] == [False, True]
    assert found.accuracy == pytest.approx(fit.score(x, y))
    settings = clone(fit).set_params(max_epochs=3)
    compared = settings.compare(table(), (x, y, rare), seeds=(4, 5))
    assert list(compared.accuracies) == ["plain", "balanced", "debiasing"]
    assert compared.seeds == (4, 5)
    plain = clone(settings).set_params(resample=False, random_state=5).fit(*table()[:2])
    assert compared.worst("plain")[1] == plain.worst_group(x, y, rare).worst.accuracy
    assert not hasattr(settings, "verdict_")


@pytest.mark.parametrize("of", ["table", "images"])
def test_a_saved_fit_is_the_same(of, digits, fit, tmp_path):
    x, y = digits
    if of == "images":
        fit = DebiasingVAE(3, net="conv", hidden=(16,), channels=(4,), max_epochs=2, modelled=1)
        fit.fit(x, y)
    else:
        x, y, _ = table(seed=4)
    fit.save(tmp_path / "run")
    back = ppgen.load(tmp_path / "run")
    assert isinstance(back, DebiasingVAE)
    np.testing.assert_array_equal(back.predict_proba(x), fit.predict_proba(x))
    np.testing.assert_array_equal(back.encode(x), fit.encode(x))
    np.testing.assert_array_equal(back.classes_, fit.classes_)
    assert back.classes_.dtype == fit.classes_.dtype
    a, b = back.rare_regions(), fit.rare_regions()
    np.testing.assert_array_equal(a.rows, b.rows)
    np.testing.assert_array_equal(a.density, b.density)
    np.testing.assert_array_equal(back.rare_regions(x, y).weights, fit.rare_regions(x, y).weights)
    assert back.effective_share_ == fit.effective_share_


def test_it_is_a_classifier_among_scikit_learns_tools():
    x, y, _ = table()
    scores = cross_val_score(DebiasingVAE(**{**SMALL, "max_epochs": 100}), x, y, cv=2)
    assert scores.min() > 0.85
    model = DebiasingVAE(3, alpha=0.2, combine="max")
    assert clone(model).get_params() == model.get_params()
