"""What denoising autoencoders add and remove, and what else is changed in training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from ppgen.data.augment import Augment
from ppgen.errors import InputError
from ppgen.models.autoencoder import Autoencoder
from ppgen.models.autoencoder.corrupt import corrupt
from ppgen.models.nets.features import features
from ppgen.models.nets.values import Values

from .zoo import mixed

SMALL = {"hidden": (16,), "max_epochs": 20, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_digits().images.astype(np.uint8)


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(mixed(300))


def _rows(n=50, numbers=20, levels=()):
    values = Values(numbers, levels)
    rng = np.random.default_rng(0)
    stored = [rng.random((n, numbers)) * 0.8 + 0.1]
    stored += [rng.integers(count, size=(n, 1)) for count in levels]
    y = features(values, torch.as_tensor(np.hstack(stored)))
    ends = torch.tensor([[0.0], [1.0]], dtype=y.dtype).expand(2, values.features)
    return values, y, ends


def _noisy(kind, level, values, y, ends, seed=0):
    before = y.clone()
    out = corrupt(y, values, (kind, level), ends, torch.Generator().manual_seed(seed))
    assert torch.equal(y, before)
    return out


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_exactly_the_share_of_values_is_changed(kind, share):
    values, y, ends = _rows()
    out = _noisy(kind, share, values, y, ends)
    changed = out != y
    assert (changed.sum(1) == round(share * 20)).all()
    assert (changed.any(0)).all()  # any value may be meant
    new = out[changed]
    if kind == "masking":
        assert (new == 0).all()
    else:
        assert ((new == 0) | (new == 1)).all()
        half = new.mean().item()
        assert abs(half - 0.5) < 4 * 0.5 / np.sqrt(len(new))


def test_masked_levels_have_no_indicator_and_salted_ones_another():
    values, y, ends = _rows(400, 2, (3, 4))
    for kind in ("masking", "salt_and_pepper"):
        out = _noisy(kind, 0.5, values, y, ends)
        numbers = (out[:, :2] != y[:, :2]).sum(1)
        if kind == "masking":
            gone = sum((out[:, block].sum(1) == 0).long() for block in values.indicators)
            assert (numbers + gone == 2).all()
        else:
            assert all((out[:, block].sum(1) == 1).all() for block in values.indicators)
            moved = (out[:, 5:] != y[:, 5:]).any(1).double().mean().item()
            assert moved == pytest.approx(0.5 * 3 / 4, abs=0.1)


def test_gaussian_noise_has_the_stated_deviation_and_spares_levels():
    values, y, ends = _rows(2000, 20, (3,))
    added = _noisy("gaussian", 0.4, values, y, ends) - y
    assert torch.equal(added[:, 20:], torch.zeros(2000, 3, dtype=y.dtype))
    n = 2000 * 20
    assert abs(added[:, :20].mean().item()) < 4 * 0.4 / np.sqrt(n)
    assert added[:, :20].std().item() == pytest.approx(0.4, abs=4 * 0.4 / np.sqrt(2 * n))


def test_noise_is_that_of_its_seed():
    values, y, ends = _rows()
    a, b, c = (_noisy("masking", 0.5, values, y, ends, seed) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


LONG = {"hidden": (128,), "max_epochs": 60, "learning_rate": 1e-2, "random_state": 0}


@pytest.fixture(scope="module")
def plain(digits):
    return Autoencoder(16, **LONG).fit(digits[:1200])


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt_and_pepper"])
def test_denoising_beats_a_plain_net_on_noisy_rows(digits, plain, noise):
    test = digits[1200:]
    denoising = Autoencoder(16, noise=noise, **LONG).fit(digits[:1200])
    noisy = denoising.corrupt(test, random_state=1)
    assert noisy.dtype == test.dtype

    def off(model):
        return ((model.reconstruct(noisy) - test.astype(float)) ** 2).mean()

    assert off(denoising) < 0.6 * off(plain)
    assert off(denoising) < 0.5 * ((noisy - test.astype(float)) ** 2).mean()


def test_corrupted_tables_keep_their_container(frame):
    fit = Autoencoder(6, noise="masking", noise_level=0.4, **SMALL).fit(frame)
    noisy = fit.corrupt(frame, random_state=0)
    assert list(noisy.columns) == list(frame.columns)
    changed = sum((noisy[c].isna() | (noisy[c] != frame[c])).to_numpy() for c in ("species",))
    assert 0.3 < changed.mean() < 0.5
    with pytest.raises(InputError, match="has no noise"):
        Autoencoder(2, **SMALL).fit(frame).corrupt(frame)


def test_augmented_images_are_changed_in_training(digits, monkeypatch):
    seen = []
    call = Augment.__call__

    def watched(self, images, generator):
        seen.append((tuple(images.shape[1:]), self.high))
        return call(self, images, generator)

    monkeypatch.setattr(Augment, "__call__", watched)
    settings = {**SMALL, "max_epochs": 2}
    moved = Autoencoder(4, augment=Augment(shift=1, noise=0.1), **settings).fit(digits)
    assert set(seen) == {((1, 8, 8), 16.0)}
    again = Autoencoder(4, augment={"shift": 1, "noise": 0.1}, **settings).fit(digits)
    np.testing.assert_array_equal(moved.encode(digits), again.encode(digits))
    still = Autoencoder(4, **settings).fit(digits)
    assert not np.array_equal(moved.encode(digits), still.encode(digits))
