"""Which rows are one draw: copies, told from rows that are equal by nature, and named groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen.data import as_dataset, split
from ppgen.density import LogDensity
from ppgen.errors import InputError
from ppgen.inference.gradient import Learner, finish, train
from ppgen.inference.schedule import Schedule
from ppgen.models.nets.held_out import held_out
from ppgen.models.nets.verdicts import likelier


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def two_floats(n):
    return {"x": rng().normal(size=n), "y": rng().exponential(size=n)}


# Columns of n different draws; each row is then given twice, and these are copies.
COPIED = {
    "floats": lambda n: {"x": rng().normal(size=n)},
    "single precision": lambda n: {"x": rng().normal(size=n).astype(np.float32)},
    "beside levels": lambda n: {"x": rng().normal(size=n), "k": rng().integers(0, 3, n)},
    "with gaps": lambda n: (
        {"x": np.where(rng().random(n) < 0.1, np.nan, rng().normal(size=n))}
        | {"y": rng().normal(size=n)}
    ),
    "fine decimals": lambda n: {"x": rng().normal(size=n).round(6)},
    "whole numbers, wide": lambda n: {"s": rng().integers(20_000, 2_000_000_000, n)},
    "fine beside rounded": lambda n: {
        "x": rng().normal(size=n),
        "r": rng().normal(size=n).round(1),
    },
    "keys": lambda n: {"id": [f"u{i}" for i in range(n)], "k": rng().integers(0, 3, n)},
}

# Columns whose equal rows are draws of their own.
BY_NATURE = {
    "binary": lambda n: {"a": rng().integers(0, 2, n), "b": rng().integers(0, 2, n)},
    "text levels": lambda n: {"t": rng().choice(list("abcdefgh"), n), "b": rng().integers(0, 2, n)},
    "ratings": lambda n: {f"q{j}": rng().integers(1, 6, (n, 3))[:, j] for j in range(3)},
    "counts": lambda n: {"c": rng().poisson(20, n)},
    "fifty levels off any grid": lambda n: {"v": rng().normal(size=50)[rng().integers(0, 50, n)]},
    "two decimals": lambda n: {"x": rng().normal(size=n).round(2)},
    "zeros among floats": lambda n: {
        "x": np.where(rng().random(n) < 0.5, 0.0, rng().normal(size=n))
    },
    "levels off any grid, beside others": lambda n: {
        "v": rng().normal(size=400)[rng().integers(0, 400, n)],
        "b": np.random.default_rng(1).integers(0, 2, n),
    },
}


@pytest.mark.parametrize("name", COPIED)
def test_copies_are_one_draw(name):
    frame = pd.DataFrame(COPIED[name](600))
    data = as_dataset(pd.concat([frame, frame]))
    units = data.units
    np.testing.assert_array_equal(units[:600], units[600:])
    assert len(np.unique(units)) == 600


@pytest.mark.parametrize("name", BY_NATURE)
def test_rows_equal_by_nature_are_draws_of_their_own(name):
    data = as_dataset(pd.DataFrame(BY_NATURE[name](2000)))
    assert len(np.unique(data.units)) == 2000


def test_copies_of_whole_tables_many_times_over_are_one_draw():
    frame = pd.DataFrame(two_floats(100))
    assert len(np.unique(as_dataset(pd.concat([frame] * 8)).units)) == 100


def test_arrays_and_frames_have_the_same_units():
    X = np.repeat(rng().normal(size=(50, 2)), 2, axis=0)
    np.testing.assert_array_equal(as_dataset(X).units, as_dataset(pd.DataFrame(X)).units)


def test_images_are_compared_whole():
    photos = (rng().random((40, 6, 6)) * 200).astype(np.uint8)
    assert len(np.unique(as_dataset(np.concatenate([photos, photos])).units)) == 40
    tiny = rng().integers(0, 2, (500, 2, 2)).astype(np.uint8)
    assert len(np.unique(as_dataset(tiny).units)) == 500


def test_units_do_not_depend_on_the_order_of_the_rows():
    frame = pd.DataFrame(COPIED["beside levels"](200))
    frame = pd.concat([frame, frame.iloc[:50]])
    order = rng().permutation(len(frame))
    a, b = as_dataset(frame).units[order], as_dataset(frame.iloc[order]).units
    # The same partition of the rows: numbers of units match one to one.
    assert len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(np.unique(a)) == 200


def patients(n=600):
    of = rng().integers(0, 40, n)
    frame = pd.DataFrame({"x": rng().normal(size=n) + of, "k": rng().integers(0, 3, n)})
    return frame.assign(patient=[f"p{i}" for i in of])


def straddling(parts, labels):
    labels = np.asarray(labels)
    seen = [set(labels[p]) for p in parts]
    return set.union(*(a & b for i, a in enumerate(seen) for b in seen[i + 1 :]))


def test_groups_named_by_a_column_stay_together_and_are_not_modelled():
    frame = patients()
    parts = split(frame, groups="patient")
    assert not straddling(parts, frame.patient)
    assert straddling(split(frame.drop(columns="patient")), frame.patient)
    data = ppgen.read(frame, groups="patient")
    assert data.schema.names == ("x", "k")
    assert list(data.test.to_native().columns) == ["x", "k"]
    np.testing.assert_array_equal(data.test.matrix()[:, 0], frame.x.to_numpy()[parts[2]])
    assert set(data.train.groups) | set(data.valid.groups) | set(data.test.groups) == set(
        frame.patient
    )


def test_groups_given_as_labels_are_those_of_the_column():
    frame = patients()
    named = split(frame, seed=3, groups="patient")
    given = split(frame.drop(columns="patient"), seed=3, groups=frame.patient)
    for a, b in zip(named, given, strict=True):
        np.testing.assert_array_equal(a, b)
    order = rng().permutation(len(frame))
    shuffled = split(frame.iloc[order], seed=3, groups="patient")
    assert [set(order[p]) for p in shuffled] == [set(p) for p in named]


def test_what_copies_or_groups_join_stays_together():
    # Row 0 of group a is copied in group b, so that a and b go together; c stands alone.
    x = rng().normal(size=90)
    labels = np.repeat(["a", "b", "c"], 30)
    x[30] = x[0]
    units = as_dataset(pd.DataFrame({"x": x})).grouped(labels).units
    assert len(np.unique(units[:60])) == 1
    assert len(np.unique(units)) == 2


def test_rows_without_a_label_are_in_no_group():
    labels = np.array(["a"] * 10 + [None] * 10, dtype=object)
    units = as_dataset(rng().normal(size=(20, 2))).grouped(labels).units
    assert len(np.unique(units[:10])) == 1
    assert len(np.unique(units[10:])) == 10


def test_a_column_of_an_array_names_groups():
    X = np.column_stack([rng().normal(size=(60, 2)), np.arange(60) // 3])
    data = as_dataset(X).grouped("x2")
    assert data.matrix().shape == (60, 2)
    assert data.test.to_native().shape[1] == 2
    assert len(np.unique(data.units)) == 20
    assert data.fingerprint() != as_dataset(X[:, :2]).fingerprint()


def test_wrong_groups_are_refused():
    frame = patients()
    with pytest.raises(InputError, match="ean 'patient'"):
        split(frame, groups="patients")
    with pytest.raises(InputError, match="one label a row"):
        split(frame, groups=np.arange(5))
    with pytest.raises(InputError, match="the only column"):
        split(frame[["patient"]], groups="patient")
    with pytest.raises(InputError, match="one label a row"):
        split(np.zeros((10, 3, 3)), groups="patient")


def test_groups_that_the_sources_own_parts_divide_are_refused(tmp_path):
    X = rng().normal(size=(30, 2))
    np.savez(tmp_path / "d.npz", train=X[:20], valid=X[20:25], test=X[25:])
    kept = np.repeat([0, 1, 2], [20, 5, 5])
    assert len(ppgen.read(tmp_path / "d.npz", groups=kept).train) == 20
    with pytest.raises(InputError, match="divide the group"):
        ppgen.read(tmp_path / "d.npz", groups=np.arange(30) % 10)


def test_rows_held_out_of_a_fit_share_no_unit_with_rows_trained_on():
    data = ppgen.read(patients(), groups="patient")
    held = held_out(data.units, rng())
    assert 0.05 * len(data) < held.sum() <= 0.2 * len(data)
    assert not set(data.groups[held]) & set(data.groups[~held])


def test_of_two_large_groups_the_smaller_is_held_out_and_of_one_none():
    units = np.repeat([1, 2], [70, 30])
    np.testing.assert_array_equal(held_out(units, rng()), units == 2)
    assert not held_out(np.repeat([1, 2], [100, 0]), rng()).any()


def test_standard_errors_count_a_unit_once():
    values = rng().normal(size=100)
    once = LogDensity(values, "exact", "closed form")
    thrice = LogDensity(np.repeat(values, 3), "exact", "closed form")
    units = np.repeat(np.arange(100), 3)
    assert thrice.mean_stderr(units) == pytest.approx(once.mean_stderr(), rel=1e-12)
    assert thrice.mean_stderr() == pytest.approx(once.mean_stderr() / 3**0.5, rel=0.01)
    assert np.isnan(once.mean_stderr(np.zeros(100)))
    with pytest.raises(InputError, match="one label a row"):
        once.mean_stderr(np.zeros(3))


def test_a_fit_holds_out_whole_groups(monkeypatch):
    from ppgen.models.nets import held_out as module

    seen = {}

    def spy(units, rng):
        seen["units"], seen["held"] = units, held_out(units, rng)
        return seen["held"]

    monkeypatch.setattr(module, "held_out", spy)
    data = ppgen.read(patients(200), groups="patient")
    ppgen.NormalizingFlow(n_transforms=1, hidden=(8,), max_epochs=1, random_state=0).fit(data)
    assert seen["held"].any()
    assert not set(data.groups[seen["held"]]) & set(data.groups[~seen["held"]])


class _Noise(Learner):
    """A learner whose held-out rows change by noise, the same for the rows of a unit."""

    compiled = False

    def __init__(self, each):
        self.rng, self.each = np.random.default_rng(0), each

    def state(self):
        return {}

    def load(self, arrays):
        pass

    def begin_epoch(self, epoch):
        pass

    def average(self, decay):
        pass

    def run(self, rows, rates):
        return np.zeros(len(rows))

    def evaluate(self):
        return np.repeat(self.rng.normal(size=60), self.each)


def test_the_stopping_test_counts_a_unit_once():
    settings = Schedule(batch_size=10, max_epochs=6, patience=0)
    found = {}
    for each, units in ((1, None), (4, np.repeat(np.arange(60), 4)), (4.0, None)):
        learner = _Noise(int(each))
        loop = train(learner, 40, settings, seed=0, validation=learner.evaluate, units=units)
        found[each, units is None] = finish(loop)
    once, counted, ignored = found.values()
    assert counted.improvement == pytest.approx(once.improvement)
    assert counted.improvement_stderr == pytest.approx(once.improvement_stderr)
    assert ignored.improvement_stderr < 0.6 * once.improvement_stderr


def test_the_luck_of_few_groups_is_no_overfitting():
    # 4 patients of 100 visits each are held out, and happen to lie 1 nat below the others.
    seen, unseen = np.zeros(400), np.repeat([-4.0, 0.0, 1.0, -1.0], 100)
    patients = np.repeat(np.arange(4, dtype=np.uint64), 100)

    def judged(units):
        return likelier((seen, units), (unseen, units), 1, "net")

    assert "nats likelier than held-out ones" in str(judged(None)[0])
    assert not judged(patients)
