"""`Autoencoder` among scikit-learn's tools, and given what it cannot take."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ppgen.errors import InputError
from ppgen.models.autoencoder import Autoencoder

SMALL = {"hidden": (16,), "max_epochs": 20, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_digits().images.astype(np.uint8)


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(0).normal(size=(300, 6))


def test_embeddings_feed_a_classifier(digits):
    labels = load_digits().target
    pipeline = make_pipeline(
        Autoencoder(8, hidden=(64,), max_epochs=30, random_state=0),
        LogisticRegression(max_iter=2000),
    )
    pipeline.fit(digits[:1000], labels[:1000])
    assert pipeline.score(digits[1000:], labels[1000:]) > 0.75
    names = pipeline[0].get_feature_names_out()
    assert list(names[:2]) == ["autoencoder0", "autoencoder1"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "cnn"}, "kind is 'cnn'"),
        ({"noise": "gausian"}, "Did you mean 'gaussian'"),
        ({"loss": "mse"}, "squared"),
        ({"activation": "sine"}, "activation"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"latent_dim": 2.5}, "latent_dim"),
        ({"hidden": (0,)}, "hidden"),
        ({"hidden": 16}, "hidden"),
        ({"channels": ()}, "channels"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"noise": "masking", "noise_level": 1.5}, "share"),
        ({"noise_level": 0}, "noise_level"),
        ({"contamination": 0.7}, "contamination"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_epochs": True}, "max_epochs"),
        ({"device": "gpu"}, "device"),
        ({"kind": "conv"}, "table was given"),
        ({"augment": {"shift": 1}}, "augment"),
        ({"loss": "cross_entropy"}, "'x0' is continuous"),
    ],
)
def test_settings_that_are_none_are_refused(table, settings, said):
    with pytest.raises(InputError, match=said):
        Autoencoder(**settings).fit(table)


def test_a_gpu_that_is_not_there_is_refused(table, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="none that torch can use"):
        Autoencoder(device="cuda").fit(table)


def test_images_outside_the_loss_are_refused(digits):
    with pytest.raises(InputError, match="between 0 and 1"):
        Autoencoder(loss="cross_entropy").fit(digits * 1.1)
    with pytest.raises(InputError, match="one layer between"):
        Autoencoder(kind="conv", hidden=(64, 64)).fit(digits)


def test_codes_of_another_size_are_refused(table):
    fit = Autoencoder(2, **SMALL).fit(table)
    with pytest.raises(InputError, match=r"expected \(n, 2\)"):
        fit.decode(np.zeros((3, 4)))


def test_constant_columns_alone_are_refused():
    with pytest.raises(InputError, match="nothing to encode"):
        Autoencoder().fit(np.ones((30, 2)))
