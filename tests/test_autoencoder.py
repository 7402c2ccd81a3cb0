"""`Autoencoder`, the class users meet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, make_moons

from ppgen.data.mapped import is_mapped
from ppgen.errors import InputError
from ppgen.models import registry
from ppgen.models.autoencoder import Autoencoder
from ppgen.models.autoencoder.fitting import lowest
from ppgen.models.nets.batches import Batches

from .zoo import mixed

SMALL = {"hidden": (16,), "max_epochs": 20, "random_state": 0}
ENTRY = registry.Entry("autoencoder", "Autoencoder", "autoencoder", "codes")


@pytest.fixture(scope="module")
def digits():
    return load_digits().images.astype(np.uint8)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 2))
    return np.tanh(z @ rng.normal(size=(2, 6))) + 0.05 * rng.normal(size=(300, 6))


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(mixed(300))


# Rows, codes and back


def test_a_table_is_reconstructed_better_than_by_its_plane():
    x = make_moons(600, noise=0.02, random_state=0)[0]
    bent = Autoencoder(1, hidden=(32, 32), max_epochs=80, random_state=0).fit(x)
    flat = Autoencoder(1, kind="linear").fit(x)
    new = make_moons(300, noise=0.02, random_state=1)[0]
    bent_error, flat_error = (m.reconstruction_error(new).mean() for m in (bent, flat))
    assert bent_error < 0.7 * flat_error
    assert bent.transform(new).shape == (300, 1)
    np.testing.assert_array_equal(bent.inverse_transform(bent.encode(new)), bent.reconstruct(new))


def test_columns_of_every_kind(frame):
    fit = Autoencoder(4, hidden=(32,), max_epochs=60, random_state=0).fit(frame)
    back = fit.reconstruct(frame)
    assert list(back.columns) == list(frame.columns)
    assert (back["species"] == frame["species"]).mean() > 0.9
    assert (back["ringed"] == frame["ringed"]).mean() > 0.9
    assert np.corrcoef(back["length"], frame["length"])[0, 1] > 0.8
    assert fit.codec_.discrete_names == ("species", "ringed")


def test_the_error_is_the_mean_over_values(frame):
    fit = Autoencoder(3, hidden=(16,), max_epochs=5, random_state=0).fit(frame)
    data = fit._middle(fit._dataset(frame, reset=False))
    with torch.no_grad():
        y = fit.reconstruction_.features(torch.as_tensor(fit._values.stored(data)))
        raw = fit.nets_.nets.decode(fit.nets_.nets.encode(y)).numpy()
    total = ((data.x - raw[:, :3]) ** 2).sum(1)
    for block, code in zip((slice(3, 6), slice(6, 8)), data.codes.T, strict=True):
        p = np.exp(raw[:, block])
        total -= np.log(p[np.arange(len(p)), code] / p.sum(1))
    np.testing.assert_allclose(fit.reconstruction_error(frame), total / 5)


def test_a_level_never_seen_counts_as_the_least_likely(frame):
    fit = Autoencoder(3, hidden=(16,), max_epochs=30, random_state=0).fit(frame)
    odd = [frame.head(5).assign(species=s) for s in ("Adelie", "Chinstrap", "Gentoo", "Emperor")]
    errors = [fit.reconstruction_error(rows) for rows in odd]
    assert np.isfinite(errors[3]).all()
    assert errors[3].mean() > np.median(errors[:3], axis=0).mean()


@pytest.mark.parametrize("kind", ["mlp", "conv", "linear"])
@pytest.mark.parametrize("values", ["levels", "binary", "real", "unit", "deep"])
def test_images_of_every_kind(digits, kind, values):
    of = {
        "levels": lambda x: x,
        "binary": lambda x: x > 8,
        "real": lambda x: 3 * x.astype(np.float32) - 7,
        "unit": lambda x: x / 16.0,
        "deep": lambda x: x.astype(np.uint16) * 1000,
    }
    x = of[values](digits[:300])
    hidden = None if kind == "linear" else (32,)
    fit = Autoencoder(6, kind=kind, hidden=hidden, max_epochs=20, random_state=0).fit(x)
    back, images = fit.reconstruct(x), x.astype(float)
    assert back.shape == images.shape
    assert back.dtype == np.float64
    explained = 1 - ((back - images) ** 2).mean() / ((images - images.mean(0)) ** 2).mean()
    assert explained > 0.3
    expected = "cross_entropy" if values == "binary" and kind != "linear" else "squared"
    assert fit.reconstruction_.loss == expected
    if expected == "cross_entropy":
        assert back.min() >= 0
        assert back.max() <= 1
    else:
        scale = fit._values.scale / (16 if values == "unit" else 1)  # of k / 16 the nets see k
        np.testing.assert_allclose(
            fit.reconstruction_error(x),
            ((back - images) ** 2).mean((1, 2)) / scale**2,
            rtol=1e-3,
        )


def test_auto_takes_convolutions_for_larger_images():
    x = np.random.default_rng(0).integers(0, 256, (30, 3, 13, 12), dtype=np.uint8)
    fit = Autoencoder(4, channels=(4,), hidden=(8,), max_epochs=1, random_state=0).fit(x)
    assert fit.architecture_.net == "conv"
    assert fit.reconstruct(x).shape == x.shape
    weight = fit.nets_.nets.encoder.net[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert Autoencoder(2, **SMALL).fit(x[:, :, :8, :8]).architecture_.net == "mlp"


def test_mapped_files_are_not_read_whole(digits, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", digits)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    taken = []
    take = Batches.take

    def counting(self, rows):
        assert is_mapped(self.x)
        out = take(self, rows)
        taken.append(len(out[0]))
        return out

    monkeypatch.setattr(Batches, "take", counting)
    settings = {**SMALL, "max_epochs": 2, "batch_size": 64}
    fit = Autoencoder(4, **settings).fit(mapped)
    assert max(taken) <= 8 * 64
    monkeypatch.undo()
    plain = Autoencoder(4, **settings).fit(digits)
    np.testing.assert_array_equal(fit.encode(mapped), plain.encode(digits))


# Size of codes


def test_codes_larger_than_rows_need_noise(table):
    with pytest.raises(InputError, match=r"latent_dim is 9, and a row has 6 values.*noise"):
        Autoencoder(9, **SMALL).fit(table)
    assert Autoencoder(9, noise="gaussian", **SMALL).fit(table).encode(table).shape == (300, 9)
    assert Autoencoder(6, **SMALL).fit(table).latent_dim_ == 6


# Outliers


def test_rows_unlike_the_fitted_are_outliers(table):
    fit = Autoencoder(2, hidden=(32,), max_epochs=60, contamination=0.05, random_state=0).fit(table)
    assert (fit.predict(table) == -1).sum() == 15
    odd = np.random.default_rng(1).normal(size=(100, 6)) * 2
    assert (fit.predict(odd) == -1).mean() > 0.9
    np.testing.assert_array_equal(fit.score_samples(odd), -fit.reconstruction_error(odd))
    np.testing.assert_array_equal(fit.decision_function(odd) < 0, fit.predict(odd) == -1)


def test_the_threshold_has_the_share_below_it():
    scores = np.random.default_rng(0).permutation(np.arange(200.0))
    for share in (0.01, 0.1, 0.5):
        assert (scores < lowest(scores, None, share)).sum() == 200 * share
    counts = np.random.default_rng(1).integers(1, 4, 200)
    assert lowest(scores, counts.astype(float), 0.1) == lowest(scores.repeat(counts), None, 0.1)
    assert lowest(np.ones(10), None, 0.1) == 1.0


# Saving


@pytest.mark.parametrize("what", ["table", "images", "linear", "conv"])
def test_saved_and_loaded_it_is_the_same(what, frame, digits, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.MODELS, "autoencoder", ENTRY)
    x = frame if what == "table" else digits[:200]
    kind = {"linear": "linear", "conv": "conv"}.get(what, "mlp")
    noise = "masking" if what == "table" else None
    small = {**SMALL, "max_epochs": 3} if kind != "linear" else {"random_state": 0}
    fit = Autoencoder(4, kind=kind, noise=noise, **small).fit(x)
    fit.save(tmp_path / "run")
    back = registry.load(tmp_path / "run")
    np.testing.assert_array_equal(back.encode(x), fit.encode(x))
    np.testing.assert_array_equal(back.decision_function(x), fit.decision_function(x))
    np.testing.assert_array_equal(np.asarray(back.reconstruct(x)), np.asarray(fit.reconstruct(x)))
    assert back.get_feature_names_out().tolist() == fit.get_feature_names_out().tolist()
    assert str(back.verdict_) == str(fit.verdict_)
    assert (back.latent_dim_, back.n_steps_) == (fit.latent_dim_, fit.n_steps_)
    if noise:
        pd.testing.assert_frame_equal(
            back.corrupt(x, random_state=2), fit.corrupt(x, random_state=2)
        )
