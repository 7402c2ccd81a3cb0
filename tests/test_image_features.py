"""Features of images: of a seed, kept as arrays, and apart for spoilt images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppgen.energy import SquaredDistance
from ppgen.errors import InputError
from ppgen.frechet import polynomial_kernel
from ppgen.models.image_features import ImageFeatures
from ppgen.models.spoiling import KINDS, Spoiler


def bars(n, seed):
    """Images of one bright bar each, across or along, on a grid of 256 levels."""
    rng = np.random.default_rng(seed)
    images = np.zeros((n, 1, 12, 12), np.uint8)
    for image, at, along in zip(images, rng.integers(1, 10, n), rng.random(n) < 0.5, strict=True):
        image[0, :, at : at + 2] = 255
        if along:
            image[0] = image[0].T
    return images


@pytest.fixture(scope="module")
def net():
    return ImageFeatures.train(bars(300, 0), seed=1, steps=60)


def distance(net, a, b):
    return SquaredDistance.of(net.features(a), net.features(b), polynomial_kernel).value


def test_spoilt_images_are_farther_from_real_ones_than_real_ones(net):
    real, other = bars(200, 1), bars(200, 2)
    floor = abs(distance(net, real, other))
    noisy = np.clip(other + np.random.default_rng(0).normal(0, 60, other.shape), 0, 255)
    both = np.maximum(other, bars(200, 3) // 2)
    one_way = other[(other == 255).all(axis=2).any(axis=(1, 2))]
    for spoilt in (noisy, both, one_way):
        assert distance(net, real, spoilt) > 5 * floor


def test_features_of_the_rows_trained_on_are_standardised(net):
    z = net.features(bars(300, 0))
    assert np.abs(z).max() <= 4
    assert z.mean(axis=0) == pytest.approx(0, abs=0.2)
    assert z.shape[1] <= 300 // 8


def test_the_seed_decides_and_global_states_stay(net):
    state = torch.get_rng_state()
    again, other = (ImageFeatures.train(bars(300, 0), seed=s, steps=60) for s in (1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    images = bars(20, 4)
    assert np.array_equal(again.features(images), net.features(images))
    assert again.features(images).shape != other.features(images).shape or not np.allclose(
        again.features(images), other.features(images)
    )


def test_it_is_kept_as_arrays(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    images = bars(20, 4)
    loaded = ImageFeatures.load(tmp_path / "net.safetensors")
    assert np.array_equal(loaded.features(images), net.features(images))
    (tmp_path / "other.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(InputError, match="no features of images"):
        ImageFeatures.load(tmp_path / "other.safetensors")


def test_labels_are_learnt_too_and_real_values_and_large_images_pass():
    images = np.random.default_rng(0).normal(size=(20, 2, 70, 9))
    found = ImageFeatures.train(images, labels=np.arange(20) % 2, steps=2)
    assert found.net.head.out_features == len(KINDS) + 2
    assert np.isfinite(found.features(images)).all()


def test_other_shapes_are_refused(net):
    with pytest.raises(InputError, match="the net was trained on"):
        net.features(np.zeros((3, 1, 8, 8)))
    with pytest.raises(InputError, match="at least 8"):
        ImageFeatures.train(bars(3, 0))


def test_what_is_changed_stays_on_the_grid_and_keeps_its_mean():
    images = bars(400, 0)
    spoiler = Spoiler.of(images)
    x = spoiler.scaled(images)
    draws = torch.Generator().manual_seed(0)
    spoilt, kind = spoiler.spoilt(x, draws)
    levels = spoilt * spoiler.gain + spoiler.centre
    assert (levels - levels.round()).abs().max() < 1e-3
    assert levels.min() >= -1e-3
    assert levels.max() <= 255.001
    assert torch.equal(spoilt[kind == 0], x[kind == 0].clamp(spoiler.low, spoiler.high))
    assert sorted(set(kind.tolist())) == list(range(len(KINDS)))
    blurred = (kind == KINDS.index("blur")) | (kind == KINDS.index("mixed"))
    assert float(spoilt[blurred].mean()) == pytest.approx(float(x[blurred].mean()), abs=0.03)


def test_two_values_stay_two():
    images = (bars(100, 0) > 0).astype(np.uint8)
    spoiler = Spoiler.of(images)
    spoilt, _ = spoiler.spoilt(spoiler.scaled(images), torch.Generator().manual_seed(0))
    assert len(spoilt.unique()) == 2
