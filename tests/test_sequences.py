"""Sequences as rows: what they are made of, coded into and given back as."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from scipy import stats

import ppgen
from ppgen.artifact import read_run
from ppgen.capabilities import Capabilities
from ppgen.cli.output import check_rows, write_rows
from ppgen.data import Encoded, SequenceCodec, sequences
from ppgen.data.codecs import codec_from_json, fit_codec
from ppgen.errors import InputError
from ppgen.sampler import Sampler

RNG = np.random.default_rng(0)
ARRAY = RNG.normal(3.0, 2.0, (12, 7, 2)).astype(np.float32)


class Steps(Sampler):
    """Every step of every channel normal with the variance of its channel."""

    name: ClassVar[str] = "steps"
    capabilities = Capabilities(density=None, samples=True, sequences=True)

    def __init__(self, random_state=0):
        self.random_state = random_state

    def _fit(self, rows, fit):
        self.mean_ = rows.data.x.mean(axis=0)
        return []

    def _sample(self, n, rng, given, context):
        x = self.mean_ + rng.normal(size=(n, len(self.mean_)))
        return Encoded(x, np.empty((n, 0), np.int32), np.zeros(n))

    def _state(self):
        return {}, {"mean": self.mean_}

    def _restore(self, state, arrays):
        self.mean_ = arrays["mean"]


@pytest.mark.parametrize(
    "given",
    [
        ARRAY,
        ARRAY.astype(np.float64),
        ARRAY[:, :, 0],
        ARRAY[:, :, :1],
        list(ARRAY[:, :, 0]),
        list(ARRAY.astype(np.float64)),
    ],
)
def test_sequences_come_out_as_they_went_in(given, tmp_path):
    data = sequences(given, rate=100)
    np.testing.assert_array_equal(data.to_native(), given)
    fit = Steps().fit(data)
    fit.save(tmp_path / "run")
    assert "sequences are not compared" in str(fit.verdict_.reasons)
    assert fit.n_features_in_ == np.asarray(given[0]).size
    for made in (fit.sample(3), Steps._of_run(read_run(tmp_path / "run")).sample(3)):
        assert isinstance(made, list) == isinstance(given, list)
        assert np.asarray(made).dtype == np.asarray(given).dtype
        assert np.asarray(made).shape == (3, *np.asarray(given).shape[1:])
    np.testing.assert_array_equal(fit.sample(3), made)
    again = fit._dataset(made, reset=False)  # what comes out goes in again
    np.testing.assert_array_equal(again.to_native(), made)


def test_each_channel_is_standardised_by_its_own_statistics():
    data = sequences(ARRAY * [1.0, 50.0])
    codec = fit_codec(data)
    assert codec.shape == (2, 7)
    encoded = codec.encode(data)
    z = encoded.x.reshape(12, 2, 7)  # a channel after the other
    np.testing.assert_allclose(z.mean(axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=(0, 2)), 1)
    np.testing.assert_allclose(codec.decode(encoded), ARRAY * [1.0, 50.0], atol=1e-12)
    # log p(v) = log p(z) + log |dz/dv|, here of normal steps.
    v = np.asarray(data.sequences)
    of_v = stats.norm.logpdf(v, codec.centre, codec.scale).sum(axis=(1, 2))
    of_z = stats.norm.logpdf(encoded.x).sum(axis=1)
    np.testing.assert_allclose(of_z + encoded.log_det, of_v)


def test_weights_count_rows_as_if_given_so_often():
    weights = np.array([2.0] + [1.0] * 10 + [0.0])
    twice = SequenceCodec.fit(sequences(ARRAY), weights)
    given = SequenceCodec.fit(sequences(np.concatenate([ARRAY[:1], ARRAY[:11]])))
    np.testing.assert_allclose(twice.centre, given.centre)
    np.testing.assert_allclose(twice.scale, given.scale)


def test_a_constant_channel_stays_what_it_is():
    array = ARRAY.astype(np.float64)
    array[:, :, 1] = 0.1
    codec = SequenceCodec.fit(sequences(array))
    encoded = codec.encode(sequences(array))
    assert (encoded.x[:, 7:] == 0).all()
    noisy = Encoded(encoded.x + 1.0, encoded.codes, encoded.log_det)
    assert (codec.decode(noisy)[:, :, 1] == 0.1).all()


def test_codecs_are_written_and_read_exactly():
    codec = SequenceCodec.fit(sequences(ARRAY, rate=8000))
    assert codec_from_json(codec.to_json()) == codec
    assert codec.rate == 8000


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "no sequences"),
        (np.zeros((0, 5)), "no sequences"),
        (np.zeros((3, 0)), "sequence 0 is empty"),
        ([np.zeros(3), np.zeros((0,))], "sequence 1 is empty"),
        ([np.zeros(3), np.array([0.0, np.nan, 1.0])], "sequence 1 holds NaN .* step 1"),
        (np.zeros(5), "an array of shape"),
        (np.zeros((1, 2, 3, 4)), "an array of shape"),
        ([np.zeros((2, 3, 4))], "sequence 0 has shape"),
        (["text"], "expected numbers"),
        ({"a": 1}, "dict given"),
        (ppgen.as_dataset(np.zeros((3, 2)) + RNG.normal(size=(3, 2))), "expected an array"),
    ],
)
def test_what_is_no_sequence_is_refused(given, says):
    with pytest.raises(InputError, match=says):
        ppgen.sequences(given)


@pytest.mark.parametrize("rate", [0, -1, 2.5, float("nan")])
def test_a_rate_is_a_whole_number(rate):
    with pytest.raises(InputError, match="steps per second"):
        sequences(ARRAY, rate=rate)


def test_sequences_that_are_no_rows_of_one_model_are_refused():
    with pytest.raises(InputError, match="sequence 1 has 5 steps, the first of them 4 steps"):
        Steps().fit(sequences([np.zeros(4), np.zeros(5)]))
    with pytest.raises(InputError, match="sequence 1 has 4 steps of 2 channels"):
        Steps().fit(sequences([np.zeros(4), np.zeros((4, 2))]))
    mixed = sequences(ARRAY, rate=100)
    object.__setattr__(mixed, "rates", (100,) * 11 + (200,))
    with pytest.raises(InputError, match="100, 200 steps per second"):
        Steps().fit(mixed)
    fit = Steps().fit(sequences(ARRAY, rate=100))
    with pytest.raises(InputError, match="sequence 0 has 6 steps of 2 channels, those of the fit"):
        fit._encode(fit._dataset(ARRAY[:, :6], reset=False))
    with pytest.raises(InputError, match="50 steps per second given; the fit is of 100"):
        fit._encode(fit._dataset(sequences(ARRAY, rate=50), reset=False))
    with pytest.raises(InputError, match="Gaussian models tables; sequences were given"):
        ppgen.Gaussian().fit(sequences(ARRAY))
    with pytest.raises(InputError, match=r"a table given|sequences given"):
        ppgen.Gaussian().fit(RNG.normal(size=(9, 2))).score(sequences(ARRAY))


def test_splits_and_single_rows_are_sequences_still():
    data = sequences(RNG.normal(size=(40, 9)).astype(np.float32), rate=10)
    parts = [data.train, data.valid, data.test]
    assert sum(map(len, parts)) == 40
    assert parts[0].to_native().shape == (len(parts[0]), 9)
    assert set(parts[0].rates) == {10}
    assert data.fingerprint() == sequences(data.to_native(), rate=10).fingerprint()


def test_sequences_are_written_to_arrays_from_the_command_line(tmp_path):
    data = sequences(list(ARRAY))
    check_rows(tmp_path / "a.npy", data.schema)
    for name in ("a.npy", "a.npz"):
        write_rows(data.to_native(), data.schema, tmp_path / name)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), ARRAY)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["X"], ARRAY)
    for out in (None, tmp_path / "a.csv", tmp_path / "a.png"):
        with pytest.raises(InputError, match=r"the rows are sequences.*\.npy or \.npz"):
            check_rows(out, data.schema)
