"""What the values of images are: the same picture on any grid is the same levels, and has the same
mass."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen import VAE, Autoencoder
from ppgen.data import as_dataset
from ppgen.data.pixels import Pixels
from ppgen.errors import InputError

LEVELS = np.random.default_rng(0).integers(0, 256, (30, 1, 5, 4)).astype(np.uint8)
BITS = (LEVELS > 127).astype(np.uint8)
BRIEF = {"net": "mlp", "hidden": (6,), "max_epochs": 2, "random_state": 0}
GRIDS = {
    "floats": (lambda x: x.astype(float), LEVELS, 256),
    "k / 255": (lambda x: x / 255, LEVELS, 256),
    "k / 255, single": (lambda x: (x / 255).astype(np.float32), LEVELS, 256),
    "k / 255, half": (lambda x: (x / 255).astype(np.float16), LEVELS, 256),
    "from -1 to 1": (lambda x: x / 127.5 - 1, LEVELS, 256),
    "halves": (lambda x: x / 2, LEVELS % 3, 3),
    "k / 16": (lambda x: x / 16, LEVELS % 17, 17),
    "k / 65535": (lambda x: x / 65535, LEVELS.astype(np.uint16) * 257 - LEVELS % 3, 65536),
    "0 and 255": (lambda x: x * np.uint8(255), BITS, 2),
    "0 and 255, floats": (lambda x: x * 255.0, BITS, 2),
    "0 and 1, floats": (lambda x: x.astype(float), BITS, 2),
    "truth values": (lambda x: x.astype(bool), BITS, 2),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_is_recognised_and_numbered(name):
    scale, numbers, levels = GRIDS[name]
    images = scale(numbers)
    pixels = Pixels.infer(images)
    assert (pixels.kind, pixels.levels) == ("binary" if levels == 2 else "levels", levels)
    np.testing.assert_array_equal(pixels.numbers(images), numbers)
    near = 1e-3 if images.dtype == np.float16 else 1e-6
    np.testing.assert_allclose(pixels.values(numbers), images, rtol=near, atol=near)
    assert Pixels(**pixels.to_json()) == pixels


@pytest.mark.parametrize(
    "images",
    [
        np.random.default_rng(0).random((9, 1, 5, 4)),
        np.random.default_rng(0).random((9, 1, 5, 4)).astype(np.float32),
        np.random.default_rng(0).normal(size=(9, 1, 5, 4)).round(2),
        LEVELS / 254.3,
        LEVELS - 7.0,
    ],
)
def test_other_values_are_real(images):
    assert Pixels.infer(images).kind == "real"


@pytest.mark.parametrize("name", ["k / 255", "from -1 to 1", "0 and 255", "0 and 1, floats"])
def test_the_same_picture_has_the_same_mass_on_any_grid(name):
    scale, numbers, _ = GRIDS[name]
    one, other = VAE(2, **BRIEF).fit(numbers), VAE(2, **BRIEF).fit(scale(numbers))
    a, b = one.log_density(numbers), other.log_density(scale(numbers))
    assert a.measure == b.measure == "mass"
    np.testing.assert_allclose(b.values, a.values, rtol=1e-6)
    np.testing.assert_allclose(b.diagnostics["bits_per_dim"], a.diagnostics["bits_per_dim"])
    assert (b.values <= 0).all()
    # What comes out is on the scale of what went in.
    drawn = other.sample(20, random_state=0)
    assert drawn.dtype == scale(numbers).dtype
    np.testing.assert_array_equal(
        Pixels.infer(scale(numbers)).numbers(drawn), one.sample(20, random_state=0)
    )
    low, high = float(scale(numbers).min()), float(scale(numbers).max())
    assert low <= other.reconstruct(scale(numbers)).mean() <= high
    assert abs(other.reconstruct(scale(numbers)).mean() - scale(numbers).mean()) < (high - low) / 5


def test_an_autoencoder_gives_the_scale_back():
    x = np.repeat(LEVELS, 3, axis=0)
    of_levels = Autoencoder(4, kind="linear", random_state=0).fit(x)
    of_shares = Autoencoder(4, kind="linear", random_state=0).fit(x / 255)
    np.testing.assert_allclose(
        of_shares.reconstruct(x / 255), of_levels.reconstruct(x) / 255, atol=1e-6
    )


def test_pictures_of_another_scale_are_refused_or_named():
    real = np.random.default_rng(0).random((30, 1, 5, 4))
    fit = VAE(1, **BRIEF).fit(real)
    with pytest.warns(UserWarning, match=r"values from 0.* to 2.* given.*real values from 0"):
        fit.score_samples(255 * real)
    wide = VAE(1, **BRIEF).fit(255 * real)
    with pytest.warns(UserWarning, match=r"another scale"):
        wide.score_samples(real)
    wide.score_samples(255 * real[:4] + 1)  # a little beyond is none
    shares = VAE(1, **BRIEF).fit(LEVELS / 255)
    with pytest.raises(InputError, match=r"values from 0 to 255 given.*from 0 to 1.*X / 255"):
        shares.score_samples(LEVELS)
    bits = VAE(1, **BRIEF).fit(BITS)
    with pytest.raises(InputError, match=r"values from 0 to 255 given.*two values, 0 and 1"):
        bits.score_samples(BITS * 255)


def test_real_values_that_are_tied_are_noted():
    tied = np.random.default_rng(0).choice([0.1, 0.37, 2.2], (60, 1, 5, 4))
    assert "3 values stand for 1200 pixels" in as_dataset(tied).schema.pixels.note
    verdict = VAE(1, **BRIEF).fit(tied).verdict_
    assert any("has no bound" in reason.what for reason in verdict.reasons)
    assert as_dataset(np.random.default_rng(0).random((60, 1, 5, 4))).schema.pixels.note == ""


def test_one_pixel_far_out_does_not_set_the_scale_of_real_pictures():
    rng = np.random.default_rng(0)
    shade = rng.normal(size=(150, 1, 1, 1))
    real = shade + 0.1 * rng.normal(size=(150, 1, 5, 4))
    spoilt = real[:120].copy()
    spoilt[7, 0, 2, 2] = 1e6
    brief = {**BRIEF, "max_epochs": 40, "learning_rate": 1e-2, "batch_size": 30}
    clean = VAE(1, **brief).fit(real[:120]).score(real[120:])
    fit = VAE(1, **brief).fit(spoilt)
    assert fit.score(real[120:]) > clean - 3  # a scale of 1e6 / 50 costs 20 x 10 nats
    back = fit.reconstruct(real[120:])
    assert np.mean((back - real[120:]) ** 2) < 0.5 * real.var()
    assert np.abs(fit.sample(50, random_state=0)).max() < 1e7


def test_pictures_that_are_drawn_in_keep_a_density_of_their_own_units():
    # z as a model sees it, and log |dz/dx| by differences.
    x = np.append(np.random.default_rng(0).normal(3, 2, 399), 1e7).reshape(20, 1, 5, 4)
    pixels = Pixels.infer(x)
    assert pixels.spread == pytest.approx(2, rel=0.2)
    z = pixels.numbers(x)
    assert np.abs(z).max() < 30
    np.testing.assert_allclose(pixels.values(z), x, rtol=1e-9)
    h = 1e-6 * np.maximum(np.abs(x), 1)
    slope = (pixels.numbers(x + h) - pixels.numbers(x - h)) / (2 * h)
    expected = np.log(slope).reshape(20, -1).sum(1)
    np.testing.assert_allclose(pixels.log_det(z.reshape(20, -1)), expected, atol=1e-4)
    assert Pixels.infer(x[:19]).spread == 0
