"""`DebiasingVAE` given what it cannot take, and its verdicts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppgen.errors import FitError, InputError
from ppgen.models.debias import DebiasingVAE, verdicts
from ppgen.models.debias.backend import TorchDebias
from ppgen.models.debias.nets import Nets

SMALL = {"latent_dim": 2, "hidden": (8,), "batch_size": 32, "max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    return rng.normal(size=(200, 5)) + 3 * y[:, None], y


@pytest.fixture(scope="module")
def images(table):
    y = table[1]
    x = np.random.default_rng(1).integers(0, 200, size=(200, 12, 12), dtype=np.uint8)
    return x + 50 * y[:, None, None].astype(np.uint8), y


# Bad input


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"net": "cnn"}, "net is 'cnn'"),
        ({"activation": "sine"}, "activation"),
        ({"combine": "prod"}, "Did you mean 'product'"),
        ({"class_shares": "even"}, "data, equal"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"latent_dim": 6}, "Take at most 5"),
        ({"hidden": 16}, "hidden"),
        ({"channels": ()}, "channels"),
        ({"alpha": 0}, "alpha is 0; expected a positive number"),
        ({"bins": 1}, "bins"),
        ({"smoothing": -1}, "smoothing"),
        ({"kl_weight": -1}, "kl_weight"),
        ({"dropout": 1}, "dropout is 1; expected a number >= 0 and < 1"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"max_epochs": True}, "max_epochs"),
        ({"modelled": 7}, "modelled is 7, which is no label of y; expected one of 0, 1"),
        ({"device": "gpu"}, "device"),
        ({"net": "conv"}, "table was given"),
        ({"augment": {"shift": 1}}, "augment"),
    ],
)
def test_settings_that_are_none_are_refused(table, settings, said):
    with pytest.raises(InputError, match=said):
        DebiasingVAE(**SMALL | settings).fit(*table)


@pytest.mark.parametrize("net", ["auto", "conv"])
def test_two_hidden_layers_are_refused_of_convolutions(images, net):
    with pytest.raises(InputError, match="one layer between"):
        DebiasingVAE(**SMALL | {"net": net, "hidden": (8, 8)}).fit(*images)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (None, "requires y"),
        (np.zeros(199, dtype=int), "y has 199 values and X has 200 rows"),
        (np.ones(200, dtype=int), "one class only, 1;"),
        (np.linspace(0, 1, 200), "continuous"),
        (np.full(200, np.nan), "NaN"),
    ],
)
def test_labels_that_are_none_are_refused(table, y, said):
    with pytest.raises(InputError, match=said):
        DebiasingVAE(**SMALL).fit(table[0], y)


def test_a_gpu_that_is_not_there_is_refused(table, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="none that torch can use"):
        DebiasingVAE(device="cuda").fit(*table)


def test_images_of_mixed_sizes_are_refused(images):
    x, y = images
    mixed = [*x[:199], x[199][:, :8]]
    with pytest.raises(InputError, match=r"image|size|shape"):
        DebiasingVAE(**SMALL).fit(mixed, y)
    fit = DebiasingVAE(**SMALL).fit(x, y)
    with pytest.raises(InputError, match="12"):
        fit.predict(x[:, :8])


def test_a_class_of_weight_0_is_refused(table):
    x, y = table
    with pytest.raises(InputError, match="class 1 have the weight 0"):
        DebiasingVAE(**SMALL).fit(x, y, np.where(y == 1, 0.0, 1.0))


def test_validation_needs_labels_that_are_known(table):
    x, y = table
    for held in (x[:20], (x[:20], None)):
        with pytest.raises(InputError, match=r"validation=\(rows, labels\)"):
            DebiasingVAE(**SMALL).fit(x, y, validation=held)
    with pytest.raises(InputError, match="y holds 5"):
        DebiasingVAE(**SMALL).fit(x, y, validation=(x[:20], np.full(20, 5)))


def test_questions_that_make_no_sense_are_refused(table):
    x, y = table
    fit = DebiasingVAE(**SMALL).fit(x, y)
    with pytest.raises(InputError, match="y is given without X"):
        fit.rare_regions(y=y)
    with pytest.raises(InputError, match="one group a row"):
        fit.worst_group(x, y, y[:9])
    with pytest.raises(InputError, match="y holds 4"):
        fit.worst_group(x, y + 4, y)
    with pytest.raises(InputError, match=r"expected \(n, 2\)"):
        fit.decode(np.zeros((3, 4)))
    with pytest.raises(InputError, match="no seeds"):
        fit.compare((x, y, y), (x, y, y), seeds=())
    with pytest.raises(InputError, match="groups has 9 values"):
        fit.compare((x, y, y[:9]), (x, y, y), seeds=(0,))


def test_a_class_of_one_row_is_trained_on_and_few_rows_are_said(table):
    x, y = table
    y = np.where(np.arange(200) == 7, 2, y)
    assert DebiasingVAE(**SMALL).fit(x, y).classes_.tolist() == [0, 1, 2]
    fit = DebiasingVAE(**SMALL).fit(x[:12], y[:12])
    assert "too few to hold any out" in str(fit.verdict_)


# Verdicts


def test_labels_learnt_by_heart_are_said():
    right, half = np.ones(100, dtype=bool), np.arange(100) % 2 == 0
    assert "overfitting: accuracy 0.500 ± 0.050" in verdicts.overfitting(right, half, 100)[0].what
    assert verdicts.overfitting(right, right, 100)[0].status == "ok"
    # So few rows say little.
    assert verdicts.overfitting(right, np.arange(6) > 1, 100)[0].status == "ok"


def test_a_class_of_one_row_is_named_with_its_count():
    x = np.random.default_rng(0).normal(size=(400, 3))
    fit = DebiasingVAE(**SMALL).fit(x, np.array(["a"] * 399 + ["b"]))
    assert fit.verdict_.status == "warn"
    assert "class 'b' has 1 row: what is learnt of so few holds for no others" in str(fit.verdict_)
    assert "the held-out rows are all of class 'a'" in str(fit.verdict_)


def test_an_accuracy_on_two_rows_is_not_enough(table):
    x, y = table
    two = [int(np.argmin(y)), int(np.argmax(y))]
    fit = DebiasingVAE(**SMALL).fit(x, y, validation=(x[two], y[two]))
    assert fit.verdict_.status == "warn"
    said = str(fit.verdict_)
    assert "2 held-out rows (or groups) that the training was tuned on are too few to judge" in said
    of_rows = [r.what for r in fit.verdict_.reasons if "on 2 held-out rows" in r.what]
    assert " ± 0." in of_rows[0]


def test_one_answer_for_all_rows_is_nothing_learnt():
    labels = np.array(["a"] * 90 + ["b"] * 10)
    always = verdicts.by_chance(labels == "a", labels)
    assert not always[0].learnt
    assert "mean accuracy is 0.500 ± 0.033, by chance 0.500" in always[0].what
    assert not verdicts.by_chance(np.ones(100, dtype=bool), labels)
    alone = verdicts.by_chance(np.ones(90, dtype=bool), labels[:90])
    assert "all of class 'a'" in alone[0].what


def test_draws_of_few_rows_are_said():
    assert "rests on 4.0% of the rows" in verdicts.rests_on(0.04, 0.1)[0].what
    assert verdicts.rests_on(0.06, 0.1) == []


def test_latents_that_say_nothing_are_said(table):
    fit = DebiasingVAE(**SMALL | {"max_epochs": 40}, kl_weight=20.0).fit(*table)
    assert "posterior collapse" in str(fit.verdict_)
    assert "Lower kl_weight" in str(fit.verdict_)


def test_divergence_fails_with_advice(table):
    with pytest.raises(FitError, match="learning_rate"):
        DebiasingVAE(**SMALL | {"learning_rate": 1e30, "max_epochs": 20}).fit(*table)


def test_out_of_memory_smaller_batches_are_tried_and_said(table, monkeypatch):
    see = Nets.see

    def greedy(self, y):
        if self.training and len(y) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return see(self, y)

    monkeypatch.setattr(Nets, "see", greedy)
    fit = DebiasingVAE(**SMALL | {"batch_size": 64}).fit(*table)
    assert fit.batch_size_ == 16
    assert "64 rows does not fit in memory; 16 do" in str(fit.verdict_)


def test_a_fit_from_another_machine_is_read_on_the_processor(table, tmp_path, monkeypatch):
    import ppgen

    x, y = table
    fit = DebiasingVAE(**SMALL).fit(x, y)
    fit.device = "cuda"
    fit.save(tmp_path / "run")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    back = ppgen.load(tmp_path / "run")
    assert isinstance(back.nets_, TorchDebias)
    np.testing.assert_array_equal(back.predict(x), fit.predict(x))
