"""Encoded rows as the vector a net sees, and back; which rows are trained on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ppgen.data import Encoded, sequences
from ppgen.data.codecs import fit_codec
from ppgen.fitting import Fit
from ppgen.inference.schedule import Schedule
from ppgen.models.nets.features import Features, features
from ppgen.models.nets.held_out import Split
from ppgen.models.nets.reconstruction import Reconstruction
from ppgen.models.nets.record import DataUnits
from ppgen.models.nets.trainer import Trainer
from ppgen.models.nets.values import Values
from ppgen.progress import Clock
from ppgen.rows import Rows

TABLE = Values(2, (3, 2))
X = np.array([[0.5, np.nan], [1.5, -2.0], [0.0, 3.0]])
CODES = np.array([[2, 0], [-1, 1], [0, -2]], dtype=np.int32)


def encoded(x=X, codes=CODES):
    return Encoded(x, codes, np.zeros(len(x)))


def test_a_row_is_stored_with_its_gaps_and_levels_never_seen():
    x = TABLE.stored(encoded())
    np.testing.assert_array_equal(x[:, :2], X)
    np.testing.assert_array_equal(x[:, 2:], [[2, 0], [np.nan, 1], [0, -2]])
    np.testing.assert_array_equal(TABLE.stored(encoded(), unseen=0)[2, 2:], [0, 0])
    back = TABLE.encoded(x)
    np.testing.assert_array_equal(back.x, X)
    np.testing.assert_array_equal(back.codes, CODES)


def test_features_are_numbers_and_indicators_and_lead_back():
    known = encoded(np.nan_to_num(X), np.abs(CODES) % 2)
    x = TABLE.stored(known)
    y = features(TABLE, torch.as_tensor(x))
    assert y.shape == (3, TABLE.features) == (3, 7)
    assert TABLE.free == 5
    np.testing.assert_array_equal(y[:, 2:5].sum(1), 1)
    np.testing.assert_array_equal(TABLE.gathered(y.numpy()), x)
    # What is missing or was never seen has no indicator, and that is a gap again.
    y = features(TABLE, torch.as_tensor(TABLE.stored(encoded())))
    assert y[1, 2:5].sum() == y[2, 5:].sum() == 0
    np.testing.assert_array_equal(np.isnan(TABLE.gathered(y.numpy()))[1:, 2:], [[1, 0], [0, 1]])


@pytest.mark.parametrize("filled", [False, True])
def test_stored_values_are_model_values_and_back(filled):
    values = Values(4, shape=(1, 2, 2), shift=3.0, scale=2.0, filled=filled)
    x = np.arange(8.0).reshape(2, 4)
    y = values.enter(x)
    np.testing.assert_allclose(y, (x + 0.5 * filled - 3) / 2)
    np.testing.assert_allclose(values.leave(y), x)
    np.testing.assert_allclose(values.enter(x, np.full_like(x, 0.25)) - y, -0.125 * filled)
    assert Values.from_json(values.to_json()) == values


def test_an_encoder_sees_gaps_as_the_centre_beside_a_mask():
    net = Features(4, [(2, 3), (3, 2)], missing=True)
    y = torch.as_tensor(TABLE.stored(encoded()))
    net.double().fit(y)
    seen = net(y)
    assert seen.shape == (3, net.size) == (3, 2 + 5 + 4)
    assert seen[0, 1] == 0
    np.testing.assert_array_equal(seen[:, -4:], ~torch.isnan(y))
    np.testing.assert_allclose(seen[:, 0].sum(), 0, atol=1e-12)


def test_how_rows_were_compared_before_is_read():
    body = {"numbers": 2, "levels": [3], "shift": 0.0, "scale": 1.0, "shape": []}
    body |= {"loss": "squared", "levels_loss": "cross_entropy"}
    compared = Reconstruction.from_json(body)
    assert compared == Reconstruction(Values(2, (3,)))
    assert Reconstruction.from_json(compared.to_json()) == compared


def split(n=60, labels=None, weights=None, validation=None):
    fit = Fit(seed=0, schema=None, clock=Clock(), validation=validation)
    fit.units = lambda: np.arange(n, dtype=np.uint64)
    rows = Rows(Encoded(np.arange(n * 2.0).reshape(n, 2), np.empty((n, 0), int), np.zeros(n)))
    return Split(Rows(rows.data, weights, labels=labels), fit), fit


def test_some_of_each_class_is_trained_on_and_rows_of_weight_0_are_neither():
    labels = np.array(["a"] * 59 + ["b"])
    for shift in range(60):
        made, _ = split(labels=np.roll(labels, shift))
        assert "b" in np.roll(labels, shift)[made.numbers]
    weights = np.repeat([1.0, 0.0], 30)
    made, fit = split(weights=weights)
    assert (made.numbers < 30).all()
    assert (made.held < 30).all()
    np.testing.assert_array_equal(np.flatnonzero(fit.held_out), made.held)
    seen, unseen = made.subsets(lambda data: data.x)
    assert seen.shares.mean() == unseen.shares.mean() == 1
    np.testing.assert_array_equal(np.sort([*seen.numbers, *unseen.numbers]), np.arange(30))


def test_weighted_held_out_rows_are_a_mean_however_few_of_them_are_evaluated():
    made, fit = split(n=400, weights=np.linspace(1, 9, 400))
    seen, unseen = made.subsets(lambda data: data.x)
    some = unseen.only(unseen.numbers[-10:])  # the heaviest
    trainer = Trainer(fit, seen, some, Schedule(batch_size=10, learning_rate=1e-3, max_epochs=1))
    trainer.record = DataUnits(fit, seen, some)
    values = trainer.evaluate(SimpleNamespace(evaluate=lambda: np.full(10, -3.0)), lambda v: (v, v))
    assert values.mean() == pytest.approx(-3)
    assert trainer.record.bound == pytest.approx(-3)


def test_validation_rows_stand_for_held_out_ones():
    other = Rows(Encoded(np.ones((3, 2)), np.empty((3, 0), int), np.full(3, 7.0)))
    made, fit = split(validation=other)
    seen, unseen = made.subsets(lambda data: data.x)
    assert len(seen) == 60
    assert fit.held_out is None
    np.testing.assert_array_equal(unseen.values()[0], other.data.x)
    np.testing.assert_array_equal(unseen.log_det, 7)
    some = seen.thinned(10, np.random.default_rng(0))
    assert len(some) == 10
    assert (np.diff(some.numbers) > 0).all()


def test_a_sequence_is_its_numbers_and_their_shape() -> None:
    data = sequences(np.arange(24.0).reshape(2, 4, 3))
    values = Values.of(fit_codec(data))
    assert (values.numbers, values.shape, values.features) == (12, (3, 4), 12)
