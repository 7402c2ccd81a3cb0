"""Recordings of any length and rate into rows, and into WAV files."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.io import wavfile

from ppgen.data import RecordingCodec, read, sequences
from ppgen.data.codecs import codec_from_json
from ppgen.data.recording_codec import like_encoded, waveforms
from ppgen.data.write_wav import write_wav
from ppgen.errors import InputError

RNG = np.random.default_rng(0)


def recordings():
    return [
        RNG.uniform(-1, 1, 50),
        RNG.uniform(-1, 1, (30, 2)),
        RNG.uniform(-1, 1, (20, 1)),
        RNG.uniform(-1, 1, 1),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_recordings_come_out_as_they_went_in(dtype):
    given = [row.astype(dtype) for row in recordings()]
    data = sequences(given, rate=8000)
    codec = RecordingCodec.fit(data, 8000)
    encoded = codec.encode(data)
    assert encoded.x.shape == (4, 60)
    assert encoded.codes.tolist() == [[50, 0], [30, 2], [20, 1], [1, 0]]
    for made, row in zip(codec.decode(encoded), given, strict=True):
        assert made.dtype == dtype
        np.testing.assert_array_equal(made, row)
    twice = like_encoded([2 * row for row in waveforms(encoded)], encoded)
    np.testing.assert_array_equal(twice.x, 2 * encoded.x)
    assert codec_from_json(codec.to_json()) == codec


def test_other_rates_are_resampled_and_said():
    data = sequences([RNG.uniform(-1, 1, 1600)], rate=16000)
    codec = RecordingCodec.fit(data, 8000)
    with pytest.warns(UserWarning, match="16000 samples per second are resampled to 8000"):
        encoded = codec.encode(data)
    assert encoded.codes.tolist() == [[800, 0]]
    assert codec.decode(encoded)[0].shape == (1600,)  # the rate of those fitted comes out
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = codec.encode(sequences([RNG.uniform(-1, 1, 800)], rate=8000))
    assert own.codes.tolist() == [[800, 0]]


def test_rates_may_be_mixed_and_the_commonest_comes_out():
    data = sequences(recordings(), rate=8000)
    object.__setattr__(data, "rates", (16000, 8000, 8000, 44100))
    codec = RecordingCodec.fit(data, 8000)
    assert codec.own == 8000
    with pytest.warns(UserWarning, match="16000, 44100"):
        assert codec.encode(data).codes[:, 0].tolist() == [25, 30, 20, 1]


def test_silence_is_refused():
    codec = RecordingCodec(8000, 8000)
    with pytest.raises(InputError, match=r"recording 1 .* is silent: nothing"):
        codec.encode(sequences([np.ones(5), np.zeros(5)]))
    with pytest.raises(InputError, match="once its channels are mixed down"):
        codec.encode(sequences([np.column_stack([np.ones(5), -np.ones(5)])]))


def test_samples_that_are_no_shares_of_full_scale_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"recording 1 .* reaches 2000; .* 32768"):
        RecordingCodec(8000, 8000).encode(sequences([np.ones(5), 2000 * np.ones(5)]))
    wavfile.write(tmp_path / "a.wav", 8000, np.array([0.0, np.nan], np.float32))
    with pytest.raises(InputError, match=r"a.wav holds NaN"):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize("channels", [0, 2])
def test_whole_numbers_of_16_bits_survive_reading_and_writing(tmp_path, channels):
    levels = RNG.integers(-32768, 32768, (100, channels) if channels else 100).astype(np.int16)
    wavfile.write(tmp_path / "a.wav", 8000, levels)
    data = read(tmp_path / "a.wav")
    assert write_wav(tmp_path / "b.wav", data.sequences[0], data.rates[0]) == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_floats_survive_and_are_known_for_floats(tmp_path):
    v = RNG.normal(size=100).astype(np.float32)
    assert write_wav(tmp_path / "a.wav", v, 8000, whole=False) == 0
    data = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(data.to_native()[0], v)
    assert data.to_native()[0].dtype == np.float32


def test_what_is_beyond_full_scale_is_clipped_and_counted(tmp_path):
    assert write_wav(tmp_path / "a.wav", np.array([0.5, 1.0, 1.5, -1.0, -2.0]), 8000) == 2
    np.testing.assert_array_equal(
        read(tmp_path / "a.wav").sequences[0] * 32768, [16384, 32767, 32767, -32768, -32768]
    )
    with pytest.raises(InputError, match="NaN"):
        write_wav(tmp_path / "b.wav", np.array([np.nan]), 8000)
    assert not (tmp_path / "b.wav").exists()
