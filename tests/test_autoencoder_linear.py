"""A linear autoencoder is PCA: solved, and trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ppgen.inference.gradient import Schedule, finish, train
from ppgen.models.autoencoder import Autoencoder, linear
from ppgen.models.autoencoder.backend import TorchAutoencoder
from ppgen.models.nets.coder import Architecture
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.reconstruction import Reconstruction
from ppgen.models.nets.values import Values


@pytest.fixture(scope="module")
def digits():
    return load_digits().images.astype(np.uint8)


@pytest.fixture(scope="module")
def wine():
    # Jittered: the codec counts the width of a rounded column's cells in its spread.
    x = load_wine().data
    return x * (1 + 1e-3 * np.random.default_rng(0).normal(size=x.shape))


def axes_of(fit):
    return fit.nets_.nets.decoder[-1].weight.detach().numpy().T


def blocks_of(x, size=7):
    def blocks():
        for start in range(0, len(x), size):
            yield slice(start, start + size), x[start : start + size]

    return blocks


def test_tables_have_the_subspace_errors_and_codes_of_pca(wine):
    fit = Autoencoder(4, kind="linear").fit(wine)
    z = StandardScaler().fit_transform(wine)
    pca = PCA(4, svd_solver="full").fit(z)
    assert subspace_angles(axes_of(fit).T, pca.components_.T).max() < 1e-6
    left = ((z - pca.inverse_transform(pca.transform(z))) ** 2).mean(1)
    np.testing.assert_allclose(fit.reconstruction_error(wine), left, rtol=1e-6)
    codes, theirs = fit.transform(wine), pca.transform(z)
    signs = np.sign((codes * theirs).sum(0))
    np.testing.assert_allclose(codes, theirs * signs, atol=1e-6)


def test_images_have_the_subspace_and_errors_of_pca(digits):
    fit = Autoencoder(8, kind="linear").fit(digits)
    x = digits.reshape(len(digits), -1) / 16
    pca = PCA(8, svd_solver="full").fit(x)
    assert subspace_angles(axes_of(fit).T, pca.components_.T).max() < 1e-6
    left = ((x - pca.inverse_transform(pca.transform(x))) ** 2).mean(1)
    np.testing.assert_allclose(fit.reconstruction_error(digits), left, rtol=1e-6)
    back = fit.reconstruct(digits).reshape(len(digits), -1) / 16
    np.testing.assert_allclose(back, pca.inverse_transform(pca.transform(x)), atol=1e-9)


def test_all_codes_reconstruct_everything(wine):
    fit = Autoencoder(13, kind="linear").fit(wine)
    np.testing.assert_allclose(fit.reconstruct(wine), wine, rtol=1e-9)


def test_weights_count_as_rows_given_twice(wine):
    weights = np.random.default_rng(0).integers(0, 4, len(wine))
    a = Autoencoder(3, kind="linear", contamination=0.1).fit(wine, sample_weight=weights)
    b = Autoencoder(3, kind="linear", contamination=0.1).fit(wine.repeat(weights, axis=0))
    np.testing.assert_allclose(a.transform(wine), b.transform(wine), atol=1e-9)
    np.testing.assert_allclose(a.decision_function(wine), b.decision_function(wine), atol=1e-9)


@pytest.mark.parametrize("way", ["covariance", "products", "iterated"])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_way_gives_the_same_axes(monkeypatch, way, weighted):
    rng = np.random.default_rng(1)
    n = 50 if way == "products" else 90
    x = rng.normal(size=(n, 60)) * np.linspace(3, 0.1, 60) + rng.normal(size=60)
    w = rng.random(n) if weighted else None
    shares = np.full(n, 1 / n) if w is None else w / w.sum()
    mean = shares @ x
    expected = np.linalg.svd(np.sqrt(shares)[:, None] * (x - mean))[2][:5]
    monkeypatch.setattr(linear, "_DIRECT", {"covariance": 60, "products": 50, "iterated": 10}[way])
    for other in {"covariance", "products", "iterated"} - {way}:
        monkeypatch.setattr(linear, f"_{other}", None)
    found_mean, axes = linear.principal(blocks_of(x), n, 60, 5, w)
    np.testing.assert_allclose(found_mean, mean)
    np.testing.assert_allclose(axes @ axes.T, np.eye(5), atol=1e-12)
    assert subspace_angles(axes.T, expected.T).max() < 1e-4
    assert (np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1) > 0).all()


def test_more_axes_than_rows_are_orthonormal(monkeypatch):
    monkeypatch.setattr(linear, "_DIRECT", 9)
    x = np.random.default_rng(0).normal(size=(4, 10))
    mean, axes = linear.principal(blocks_of(x), 4, 10, 7, None)
    np.testing.assert_allclose(axes @ axes.T, np.eye(7), atol=1e-12)
    np.testing.assert_allclose((x - mean) @ axes.T @ axes, x - mean, atol=1e-12)


def test_codes_beyond_the_rank_are_called_dead():
    x = np.random.default_rng(0).normal(size=(50, 2)) @ np.ones((2, 6)) * 1.0
    x[:, 0] += np.random.default_rng(1).normal(size=50)
    fit = Autoencoder(4, kind="linear").fit(x)
    assert "2 of 4 codes are dead" in str(fit.verdict_)
    assert "Lower latent_dim to 2" in str(fit.verdict_)


def test_it_is_solved_only_where_the_optimum_is_known(wine):
    assert Autoencoder(2, kind="linear").fit(wine).n_steps_ == 0
    for settings in ({"noise": "masking"}, {"weight_decay": 0.1}):
        fit = Autoencoder(2, kind="linear", max_epochs=2, random_state=0, **settings).fit(wine)
        assert fit.n_steps_ > 0


def test_gradient_steps_reach_the_same_subspace():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)) * np.array([3.0, 2.5, 2.0, 0.7, 0.5, 0.3])
    x = x @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 1.0
    nets = TorchAutoencoder(Architecture("linear", 3), Reconstruction(Values(6)), seed=0)
    nets.begin(x)
    rows = Subset(x, np.arange(400), np.zeros(400), None, None, None, lambda: np.zeros(400))
    learner = nets.learner(rows, None, seed=0)
    settings = Schedule(batch_size=400, learning_rate=0.02, max_epochs=1500, ema=0.9)
    finish(train(learner, 400, settings, seed=0))
    nets.keep(learner)
    pca = PCA(3, svd_solver="full").fit(x)
    decoder = nets.nets.decoder[-1].weight.detach().double().numpy()
    assert subspace_angles(decoder, pca.components_.T).max() < 1e-3
    left = ((x - pca.inverse_transform(pca.transform(x))) ** 2).mean()
    assert nets.errors(x).mean() == pytest.approx(left, rel=1e-5)
    assert torch.get_default_dtype() == torch.float32
