"""GANs of images: kinds of pixels, layouts, labels, augmentation, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ppgen
from ppgen.errors import InputError
from ppgen.models.gan import augmenting, plan
from ppgen.models.gan.image_nets import channels_for

RNG = np.random.default_rng(0)
N = 60
LEVELS = RNG.integers(0, 256, (N, 12, 13), dtype=np.uint8)
SMALL = {
    "latent_dim": 3,
    "hidden": (8,),
    "channels": (4,),
    "batch_size": 10,
    "max_epochs": 1,
    "random_state": 0,
}
KINDS = {
    "levels": LEVELS,
    "levels from 0 to 1": LEVELS / 255,
    "bits": (LEVELS > 99).astype(np.int64),
    "truths": LEVELS > 99,
    "words": LEVELS.astype(np.uint16) * 257,
    "real": RNG.normal(3.0, 2.0, LEVELS.shape).astype(np.float32),
    "channel first": LEVELS[:, None],
    "channel last": LEVELS[..., None],
    "colour first": RNG.integers(0, 256, (N, 3, 12, 12), dtype=np.uint8),
    "colour last": RNG.integers(0, 256, (N, 12, 12, 3), dtype=np.uint8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_images_as_they_were_given(kind):
    images = KINDS[kind]
    gan = ppgen.GAN(**SMALL, augment_below=0).fit(images)
    assert gan.architecture_.net == "conv"
    samples = gan.sample(40)
    assert samples.dtype == images.dtype
    assert samples.shape == (40, *images.shape[1:])
    if len(np.unique(images)) == 2:
        assert len(np.unique(samples)) == 2
    assert images.min() <= samples.min()
    assert samples.max() <= images.max()
    decoded = gan.decode(gan.sample_latents(4))
    assert decoded.shape == (4, *images.shape[1:])
    assert decoded.std() > 0


def test_decoded_noise_is_what_is_sampled():
    gan = ppgen.GAN(**SMALL).fit(LEVELS)
    z = gan.sample_latents(6, random_state=3)
    features = gan.nets_.generate(z)
    assert np.abs(features).max() <= 1
    np.testing.assert_allclose(
        gan.decode(z), 127.5 * (1 + features.reshape(-1, 12, 13)), rtol=1e-6, atol=1e-4
    )


def test_light_and_dark_images_are_made_by_their_label():
    y = RNG.integers(2, size=400)
    images = np.where(y[:, None, None] == 1, 230, 20) + RNG.integers(-20, 20, (400, 12, 12))
    how = {**SMALL, "batch_size": 20, "learning_rate": 1e-2, "max_epochs": 10}
    gan = ppgen.GAN(**how, conditional=True).fit(images.astype(np.uint8), y)
    dark, light = (gan.sample(50, y=label).mean(axis=(1, 2)) for label in (0, 1))
    assert dark.max() < 127 < light.min()
    asked = np.array([0, 1] * 5)
    assert ((gan.sample(10, y=asked).mean(axis=(1, 2)) > 127) == asked).all()


def test_few_images_are_augmented_and_many_are_not(monkeypatch):
    seen = []

    def spied(shape):
        change = augmenting.augmentation(shape)
        return lambda x: seen.append(len(x)) or change(x)

    monkeypatch.setattr(plan, "augmentation", spied)
    few = ppgen.GAN(**SMALL, augment_below=N).fit(LEVELS)
    # A step judges real and generated images, then generated ones, and real ones to compare; the
    # first only tries whether memory lasts.
    assert seen == [20, 10, 10] * (few.n_steps_ + 1)
    seen.clear()
    many = ppgen.GAN(**SMALL, augment_below=len(LEVELS) - 12).fit(LEVELS)
    table = ppgen.GAN(**{**SMALL, "channels": None}).fit(LEVELS[:, 0, :4].astype(float))
    assert not seen
    assert many.n_steps_ == few.n_steps_
    assert table.architecture_.net == "mlp"


def test_packed_images_train():
    gan = ppgen.GAN(**SMALL, pack=2, conditional=True).fit(KINDS["colour first"], np.arange(N) % 3)
    assert gan.sample(3, y=2).shape == (3, 3, 12, 12)
    large = ppgen.GAN(**{**SMALL, "batch_size": None}, pack=40).fit(LEVELS)
    assert large.batch_size_ == 40


def test_a_saved_fit_makes_the_same_images(tmp_path):
    gan = ppgen.GAN(**SMALL).fit(LEVELS)
    again = ppgen.load(gan.save(tmp_path / "gan"))
    np.testing.assert_array_equal(again.sample(5), gan.sample(5))


def test_a_fit_is_a_function_of_its_seed_and_leaves_torchs_state():
    before = torch.get_rng_state()
    first, second = (ppgen.GAN(**SMALL).fit(LEVELS) for _ in range(2))
    np.testing.assert_array_equal(first.sample(5), second.sample(5))
    assert torch.equal(torch.get_rng_state(), before)


def test_large_images_are_halved_more_often():
    shapes = {12: (32,), 16: (32, 64), 28: (32, 64), 32: (32, 64, 128), 64: (16, 32, 64, 128)}
    assert {side: channels_for((1, side, side)) for side in shapes} == shapes
    assert channels_for((3, 28, 20)) == (32, 64)


def test_images_that_cannot_be_halved_so_often_are_refused():
    with pytest.raises(InputError, match=r"halved 3 times, and 12 x 13 pixels.*at most 2 entries"):
        ppgen.GAN(**{**SMALL, "channels": (4, 4, 4)}).fit(LEVELS)
