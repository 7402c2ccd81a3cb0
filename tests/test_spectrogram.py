"""Recordings as spectrograms and back: identities of the transform, the bands and the phases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.data.griffin_lim import griffin_lim
from ppgen.data.mel import MelBands, hertz, mels
from ppgen.data.resampling import resampled
from ppgen.data.spectrogram import PHASES, Spectrogram, _means, _stretched
from ppgen.data.stft import Stft
from ppgen.errors import InputError

RNG = np.random.default_rng(0)
SPEECH = Spectrogram()


def tone(hz: float, seconds: float = 0.5, rate: int = 8000, amplitude: float = 0.5):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def glide(seconds: float = 0.4, rate: int = 8000):
    """A vowel-like sound: harmonics of a gliding pitch that fades in and out."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 60 * t) / rate
    return 0.1 * np.sin(np.pi * t / seconds) * sum(np.sin(k * phase) / k for k in range(1, 12))


@pytest.mark.parametrize("samples", [1, 63, 64, 65, 255, 1000, 4096])
@pytest.mark.parametrize(("window", "hop"), [(256, 64), (256, 128), (16, 2)])
def test_the_inverse_transform_gives_the_signal_back(samples, window, hop):
    stft, v = Stft(window, hop), RNG.normal(size=samples)
    s = stft.forward(v)
    assert s.shape == (stft.bins, stft.frames(samples))
    np.testing.assert_allclose(stft.inverse(s, samples), v, atol=1e-10)


def test_frames_are_the_sums_of_the_formula():
    stft, v = Stft(8, 4), RNG.normal(size=11)
    w = np.sin(np.pi * np.arange(8) / 8) ** 2
    for k in range(stft.frames(11)):
        n = np.arange(8) + 4 * k - 4
        cut = w * np.where((n >= 0) & (n < 11), v[n.clip(0, 10)], 0.0)
        for f in range(5):
            s = (cut * np.exp(-2j * np.pi * f * np.arange(8) / 8)).sum() / w.sum()
            assert stft.forward(v)[f, k] == pytest.approx(s, abs=1e-14)


def test_parseval():
    stft, v = Stft(64, 16), RNG.normal(size=500)
    w, padded = np.sin(np.pi * np.arange(64) / 64) ** 2, np.zeros(stft.frames(500) * 16 + 64)
    covered = np.zeros_like(padded)
    padded[32:532] = v
    for k in range(stft.frames(500)):
        covered[16 * k : 16 * k + 64] += w**2
    expected = 64 * (padded**2 * covered).sum() / w.sum() ** 2
    assert stft.norm(stft.forward(v)) ** 2 == pytest.approx(expected, rel=1e-10)


def test_a_tone_has_half_its_amplitude_at_its_frequency():
    s = np.abs(Stft().forward(tone(1000.0)))  # of bin 32 of 128, 31.25 Hz each
    np.testing.assert_allclose(s[32, 4:-4], 0.25, rtol=1e-6)
    assert (s.argmax(axis=0)[4:-4] == 32).all()


def test_mels_are_those_of_the_formula():
    assert mels(np.array(1000.0)) == pytest.approx(1000, abs=0.1)
    f = np.linspace(0, 4000, 9)
    np.testing.assert_allclose(hertz(mels(f)), f, atol=1e-9)


def test_bands_add_up_to_one_between_their_centres():
    bands = MelBands(40, 129, 50.0, 3800.0, 4000.0)
    f, centres = np.linspace(0, 4000, 129), bands.centres()
    inside = (f >= centres[0]) & (f <= centres[-1])
    triangles = bands.triangles()
    np.testing.assert_allclose(triangles.sum(axis=0)[inside], 1.0, atol=1e-12)
    assert (triangles[:, (f <= 50) | (f >= 3800)] == 0).all()
    np.testing.assert_allclose(np.diff(mels(centres)), np.diff(mels(centres))[0])
    # Spread over frequencies, bands that are all one are one everywhere, the ends included.
    np.testing.assert_allclose(bands.spread(np.ones((40, 2))), 1.0, atol=1e-12)


@pytest.mark.parametrize("hz", [150.0, 440.0, 1000.0, 2500.0, 3500.0])
def test_a_pure_tone_lands_in_its_band(hz):
    picture = SPEECH.picture(tone(hz))
    nearest = np.argmin(np.abs(mels(SPEECH.mel().centres()) - mels(np.array(hz))))
    assert np.abs(picture[:, 2:-2].argmax(axis=0) - nearest).max() <= 1
    assert picture.max() < 0


def test_magnitudes_of_bands_have_these_bands_and_none_is_negative():
    bands = SPEECH.mel()
    magnitudes = np.abs(SPEECH.stft.forward(glide()))
    y = bands.gather(magnitudes)
    found = bands.magnitudes(y)
    assert (found >= 0).all()
    assert np.linalg.norm(bands.gather(found) - y) < 0.02 * np.linalg.norm(y)
    assert (bands.magnitudes(np.zeros((40, 3))) == 0).all()


def test_multiplicative_steps_never_raise_the_error(monkeypatch):
    bands, y = SPEECH.mel(), RNG.exponential(size=(40, 5))
    errors = []
    for steps in range(1, 12):
        monkeypatch.setattr("ppgen.data.mel._STEPS", steps)
        errors.append(np.linalg.norm(bands.gather(bands.magnitudes(y)) - y))
    assert (np.diff(errors) <= 1e-12).all()


def test_plain_griffin_lim_never_raises_its_error_and_momentum_ends_lower():
    magnitudes = np.abs(Stft().forward(glide()))
    plain = griffin_lim(magnitudes, 3200, Stft(), steps=40, momentum=0.0)
    assert (np.diff(plain.convergence) <= 1e-12).all()
    assert plain.convergence[-1] < 0.5 * plain.convergence[0]
    fast = griffin_lim(magnitudes, 3200, Stft(), steps=40)
    assert fast.convergence[-1] < plain.convergence[-1]
    assert len(fast.v) == 3200
    again = griffin_lim(magnitudes, 3200, Stft(), steps=40)
    np.testing.assert_array_equal(again.v, fast.v)


@pytest.mark.parametrize("k", [1, 5, 31, 32, 33, 100])
def test_pictures_of_constant_frames_are_constant_and_keep_the_mean(k):
    shares = _means(k, 32)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_allclose(shares.sum(axis=0), 32 / k)  # each frame counts alike
    np.testing.assert_allclose(_stretched(np.full((3, 32), 2.0), k), 2.0)
    assert _stretched(np.full((3, 1), 2.0), k).shape == (3, k)


def test_stretching_keeps_a_line():
    line = np.arange(32.0)[None]
    at = (np.arange(64) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(_stretched(line, 64)[0], at.clip(0, 31), atol=1e-12)
    np.testing.assert_array_equal(_stretched(line, 32), line)


@pytest.mark.parametrize("samples", [1, 100, 3000, 9000])
def test_an_unchanged_picture_gives_the_recording_back_bit_for_bit(samples):
    v = RNG.normal(size=(samples, 2)) * 0.1
    v[: samples // 2] = 0
    for some in (v, v[:, 0]):
        np.testing.assert_array_equal(SPEECH.recording(SPEECH.picture(some), some), some)


def test_gain_amplifies_each_channel_alike():
    v = np.column_stack([glide(), 0.3 * glide()])
    louder = SPEECH.recording(SPEECH.picture(v) + math.log(2), v)
    np.testing.assert_allclose(louder, 2 * v, atol=1e-12)
    most = SPEECH.recording(SPEECH.picture(v) + 100, v)
    np.testing.assert_allclose(most, 100 * v, atol=1e-9)  # 40 dB


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("channels", [0, 1, 2])
def test_recordings_come_out_as_long_and_with_the_channels_they_went_in(phase, channels):
    v = glide()
    v = np.repeat(v[:, None], channels, axis=1) if channels else v
    made = SPEECH.recording(SPEECH.picture(v), v, phase)
    assert made.shape == v.shape
    # The pictures of what comes out are those that were asked for, but for what phases cannot do.
    off = np.abs(SPEECH.picture(made) - SPEECH.picture(v))
    assert off.mean() < {"gain": 1e-9, "input": 0.25, "griffin_lim": 0.25}[phase]


def test_silence_has_no_infinite_logarithm_and_stays_silent():
    silence = np.zeros(2000)
    picture = SPEECH.picture(silence)
    np.testing.assert_allclose(picture, math.log(SPEECH.floor))
    for phase in PHASES:
        np.testing.assert_allclose(SPEECH.recording(picture, silence, phase), 0, atol=1e-15)
        assert np.isfinite(SPEECH.recording(picture + 5, silence, phase)).all()


def test_resampling_keeps_a_tone_and_its_length():
    v = resampled(tone(440, rate=16000), 16000, 8000)
    assert len(v) == 4000
    np.testing.assert_allclose(v[200:-200], tone(440)[200:-200], atol=2e-3)
    assert resampled(np.zeros((100, 2)), 8000, 44100).shape == (552, 2)
    assert resampled(v, 8000, 8000) is v
    with pytest.raises(InputError, match="samples per second"):
        resampled(v, 0, 8000)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"window": 255}, "an even window"),
        ({"hop": 200}, "an even window"),
        ({"hop": 60}, "an even window"),
        ({"bands": 100}, "Take fewer bands"),
        ({"high": 5000.0}, "half the rate"),
        ({"low": 4000.0}, "half the rate"),
        ({"frames": 0}, "positive"),
        ({"floor": 0.0}, "positive"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, says):
    with pytest.raises(InputError, match=says):
        Spectrogram(**settings)


def test_an_unknown_phase_method_is_refused_with_the_nearest():
    v = glide()
    with pytest.raises(InputError, match="griffin_lim"):
        SPEECH.recording(SPEECH.picture(v), v, "griffin-lim")


def test_settings_are_written_and_read():
    made = Spectrogram(bands=20, frames=16)
    assert Spectrogram.from_json(made.to_json()) == made
