"""How autoencoders are trained, stopped, gone on with and judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from ppgen.errors import FitError
from ppgen.models.autoencoder import Autoencoder, fitting
from ppgen.models.autoencoder.backend import Nets, TorchAutoencoder
from ppgen.models.nets import trainer

from .interrupts import killed

SMALL = {"hidden": (16,), "max_epochs": 20, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_digits().images.astype(np.uint8)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 2))
    return np.tanh(z @ rng.normal(size=(2, 6))) + 0.05 * rng.normal(size=(300, 6))


def test_the_same_seed_gives_the_same_fit_and_another_another(table):
    model = Autoencoder(2, noise="masking", **SMALL)
    a, b = (clone(model).fit(table).encode(table) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    other = clone(model).set_params(random_state=1).fit(table).encode(table)
    assert not np.array_equal(a, other)


@pytest.mark.parametrize("killed_after", [2, 5])
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_a_killed_fit_goes_on_bit_for_bit(digits, tmp_path, monkeypatch, kind, killed_after):
    x = digits[:400]
    model = Autoencoder(
        4,
        kind=kind,
        hidden=(16,),
        channels=(4, 8) if kind == "conv" else None,
        noise="salt_and_pepper",
        augment={"shift": 1},
        batch_size=64,
        max_epochs=8,
        random_state=3,
    )
    made = fitting.sizes_for

    def sizes_for(*of, **settings):
        sizes = made(*of, **settings)
        return replace(sizes, training=replace(sizes.training, evaluate_every=1))

    monkeypatch.setattr(fitting, "sizes_for", sizes_for)
    whole = clone(model).fit(x)
    with killed(killed_after):
        clone(model).fit(x, checkpoint_dir=tmp_path)
    assert list(tmp_path.glob("step-*"))
    resumed = clone(model).fit(x, checkpoint_dir=tmp_path)
    assert len(resumed.trace_) < len(whole.trace_)
    arrays, expected = resumed.nets_.arrays(), whole.nets_.arrays()
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
    np.testing.assert_array_equal(resumed.encode(x), whole.encode(x))
    assert resumed.offset_ == whole.offset_
    assert not list(tmp_path.glob("step-*"))


def test_a_budget_is_kept(table):
    fit = Autoencoder(2, hidden=(16,), random_state=0)
    clone(fit).set_params(max_epochs=1).fit(table)  # the first step of a process loads code
    fit.fit(table, budget="1.5s")
    assert fit.n_steps_ > 10
    assert fit.fit_seconds_ < 4.5


def test_validation_rows_are_used_and_none_held_out(table):
    fit = Autoencoder(2, batch_size=50, **SMALL).fit(table[:200], validation=table[200:])
    assert fit.n_steps_ == 20 * (200 // 50)
    held = -fit.trace_[-1]["validation"] * fit.nets_.constant
    # The trace is in single precision, and the best weights are kept.
    assert fit.reconstruction_error(table[200:]).mean() <= held * (1 + 1e-4)


def test_weights_move_the_errors(table):
    heavy = table[:, 0] > 0
    settings = {**SMALL, "max_epochs": 60}
    tilted = Autoencoder(1, **settings).fit(table, sample_weight=np.where(heavy, 1.0, 0.0))
    plain = Autoencoder(1, **settings).fit(table)
    assert tilted.reconstruction_ == plain.reconstruction_
    back = {m: m.reconstruct(table) for m in (tilted, plain)}

    def off(model, rows):
        return ((back[model] - table)[rows] ** 2).mean()

    assert off(tilted, heavy) < off(plain, heavy)
    assert off(tilted, ~heavy) > off(plain, ~heavy)


def test_labels_play_no_part_in_a_fit(table):
    a = Autoencoder(2, **SMALL).fit(table, np.arange(300))
    np.testing.assert_array_equal(a.encode(table), Autoencoder(2, **SMALL).fit(table).encode(table))


# Verdicts


def test_a_short_budget_looks_at_few_rows(monkeypatch):
    # A pass over the rows that takes longer than the budget is not made once the nets are trained.
    x = np.random.default_rng(0).normal(size=(400, 6))
    seen = []

    def errors(self, rows):
        seen.append(len(rows))
        return np.full(len(rows), 0.5) + np.arange(len(rows)) * 1e-3

    monkeypatch.setattr(TorchAutoencoder, "errors", errors)
    fit = Autoencoder(2, hidden=(8,), random_state=0)
    monkeypatch.setattr(trainer, "_SHARE", 1e-9)
    fit.fit(x, budget="1s")
    once_trained = [n for n in seen if n != trainer._PROBE]
    assert once_trained
    assert max(once_trained) == 1
    assert any("about 1 of 400 rows" in reason.what for reason in fit.verdict_.reasons)
    assert np.isfinite(fit.offset_)


def test_overfitting_is_said():
    x = np.random.default_rng(0).normal(size=(60, 10))
    fit = Autoencoder(5, hidden=(128, 128), max_epochs=300, random_state=0)
    fit.fit(x[:40], validation=x[:2].repeat(30, 0) + 0.5 * np.tile(x[40:], (3, 1)))
    assert fit.verdict_.status == "warn"
    assert "overfitting" in str(fit.verdict_) or "codes say nothing" in str(fit.verdict_)


def test_independent_columns_have_nothing_to_say():
    x = np.random.default_rng(0).normal(size=(80, 12))
    fit = Autoencoder(1, hidden=(64,), max_epochs=100, random_state=0).fit(x)
    assert "codes say nothing" in str(fit.verdict_)


def test_a_cut_short_fit_says_so(table):
    fit = Autoencoder(2, hidden=(16,), max_epochs=8, batch_size=32, random_state=0).fit(table)
    assert "not converged" in str(fit.verdict_)
    assert "Raise max_epochs" in str(fit.verdict_)
    long = Autoencoder(2, hidden=(32,), max_epochs=250, random_state=0).fit(table)
    assert "not converged" not in str(long.verdict_)


def test_dead_codes_are_said(table, monkeypatch):
    keep = TorchAutoencoder.keep

    def killed(self, learner):
        keep(self, learner)
        with torch.no_grad():
            self.nets.encoder[-1].weight[1].zero_()

    monkeypatch.setattr(TorchAutoencoder, "keep", killed)
    fit = Autoencoder(3, **SMALL).fit(table)
    assert "1 of 3 codes are dead, the same for all rows (1)" in str(fit.verdict_)


def test_too_few_rows_warn(table):
    fit = Autoencoder(2, **SMALL).fit(table[:12])
    assert "too few" in str(fit.verdict_)


def test_divergence_fails_with_advice(table):
    with pytest.raises(FitError, match="learning_rate"):
        Autoencoder(2, learning_rate=1e30, **SMALL).fit(table)


def test_out_of_memory_smaller_batches_are_tried_and_said(table, monkeypatch):
    forward = Nets.encode

    def greedy(self, y):
        if self.training and len(y) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, y)

    monkeypatch.setattr(Nets, "encode", greedy)
    fit = Autoencoder(2, batch_size=64, **SMALL).fit(table)
    assert fit.batch_size_ == 16
    assert "64 rows does not fit in memory; 16 do, and were taken. Set batch_size=16" in str(
        fit.verdict_
    )


def test_out_of_memory_rows_are_encoded_in_smaller_blocks(table, monkeypatch):
    fit = Autoencoder(2, **SMALL).fit(table)
    expected, forward = fit.encode(table), Nets.encode

    def greedy(self, y):
        if len(y) > 100:
            raise MemoryError
        return forward(self, y)

    monkeypatch.setattr(Nets, "encode", greedy)
    np.testing.assert_allclose(fit.encode(table), expected, atol=1e-12)
