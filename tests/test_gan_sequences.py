"""GANs of sequences of one length: what comes out, their spectra, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import ppgen
from ppgen.errors import InputError

LENGTH, CYCLES = 16, (1.5, 3.0)
SMALL = {"channels": (12, 24), "hidden": (32,), "random_state": 0}


def waves(n: int, seed: int = 0):
    """(n, LENGTH) sines of any frequency between `CYCLES` and any phase, about 5, with noise."""
    rng = np.random.default_rng(seed)
    cycles, phase = rng.uniform(*CYCLES, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    t = np.arange(LENGTH) / LENGTH
    return 5 + 3 * np.sin(2 * np.pi * cycles * t + phase) + rng.normal(0, 0.1, (n, LENGTH))


def spectrum(rows):
    """Mean power at 0, 1, ... cycles."""
    return np.square(np.abs(np.fft.rfft(rows, axis=1) / (LENGTH / 2))).mean(0)


@pytest.fixture(scope="module")
def fitted():
    gan = ppgen.GAN(8, **SMALL, learning_rate=5e-3, max_epochs=20, ema=0.99)
    return gan.fit(ppgen.sequences(waves(400)))


def test_samples_have_the_spectrum_of_the_rows(fitted):
    rows = fitted.sample(500, random_state=1)
    real, made = spectrum(waves(2000, seed=1)), spectrum(rows)
    np.testing.assert_allclose(made, real, rtol=0.5, atol=0.4)
    assert made[2:4].sum() > 0.8 * made[1:].sum()
    np.testing.assert_allclose(rows.mean(0), 5, atol=1)  # waves of any phase


def test_samples_come_in_the_container_that_was_fitted(fitted, tmp_path):
    rows = fitted.sample(3, random_state=2)
    assert rows.shape == (3, LENGTH)
    assert rows.dtype == np.float64
    loaded = ppgen.load(fitted.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.sample(3, random_state=2), rows)
    two = [np.stack([row, -row], 1).astype(np.float32) for row in waves(40)]
    gan = ppgen.GAN(2, **SMALL, max_epochs=1).fit(ppgen.sequences(two))
    rows = gan.sample(3)
    assert isinstance(rows, list)
    assert rows[0].shape == (LENGTH, 2)
    assert rows[0].dtype == np.float32
    assert len(gan.decode(np.zeros((2, 2)))) == 2


def test_sequences_are_made_given_labels():
    y = np.array(["low", "high"])[np.arange(60) % 2]
    rows = waves(60) + 20.0 * (y == "high")[:, None]
    gan = ppgen.GAN(2, **SMALL, conditional=True, learning_rate=1e-2, max_epochs=30)
    gan.fit(ppgen.sequences(rows), y)
    assert gan.sample(20, y="high").mean() > gan.sample(20, y="low").mean() + 10


def test_sequences_of_other_lengths_are_refused_with_both():
    rows = waves(30)
    with pytest.raises(InputError, match=r"sequence 1 has 12 steps, .* 16 steps.*Cut or pad"):
        ppgen.GAN(max_epochs=1).fit(ppgen.sequences([rows[0], rows[1][:12], *rows[2:]]))
    gan = ppgen.GAN(channels=(2, 2, 2, 2), max_epochs=1)
    with pytest.raises(InputError, match=r"16 steps cannot be: that takes 32 steps"):
        gan.fit(ppgen.sequences(rows))
