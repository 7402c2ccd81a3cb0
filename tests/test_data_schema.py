"""Kinds of columns read off their values, overridden, printed and kept."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppgen.data import Column, Schema, as_dataset
from ppgen.errors import InputError, did_you_mean

RNG = np.random.default_rng(0)


def kinds(frame) -> dict[str, str]:
    return {c.name: c.kind for c in as_dataset(frame).schema.columns}


def test_plain_arrays_are_real_throughout():
    for X in (RNG.normal(size=(60, 2)), RNG.integers(0, 4, (60, 2)), RNG.random((60, 2)) < 0.5):
        schema = as_dataset(X).schema
        assert schema.names == ("x0", "x1")
        assert [c.kind for c in schema.columns] == ["real", "real"]
    assert as_dataset(RNG.integers(0, 4, (60, 2))).schema["x0"].width == 1.0


def test_frames_are_read_by_value():
    n = 120
    frame = pd.DataFrame(
        {
            "text": ["b", "a", "c"] * 40,
            "two": ["u", "v"] * 60,
            "bool": [True, False] * 60,
            "pair": [1.5, 2.5] * 60,
            "grade": np.arange(n) % 7 + 3,
            "count": np.arange(n) % 20,
            "shifted": np.arange(n) % 20 + 5,
            "real": RNG.normal(size=n),
            "same": 3,
            "word": "x",
            "none": np.nan,
            "nothing": None,
        }
    )
    assert kinds(frame) == {
        "text": "categorical",
        "two": "binary",
        "bool": "binary",
        "pair": "binary",
        "grade": "ordinal",
        "count": "count",
        "shifted": "real",
        "real": "real",
        "same": "constant",
        "word": "constant",
        "none": "empty",
        "nothing": "empty",
    }
    schema = as_dataset(frame).schema
    assert schema["text"].levels == ("a", "b", "c")
    assert schema["bool"].levels == (False, True)
    assert schema["bool"].levels[1] is True
    assert schema["pair"].levels == (1.5, 2.5)
    assert schema["grade"].levels == tuple(range(3, 10))
    assert schema["same"].levels == (3,)
    assert schema["shifted"].width == 1.0
    # A few whole numbers in few rows may be anything.
    assert kinds(frame[["grade", "pair"]].head(2)) == {"grade": "real", "pair": "real"}
    assert kinds(frame[["grade"]].head(40)) == {"grade": "real"}


def test_declared_categories_keep_their_order():
    sizes = pd.Categorical(["s", "m", "s", None], categories=["s", "m", "l"], ordered=True)
    frame = pd.DataFrame({"size": sizes, "plain": pd.Categorical(["q", "p", "q", "r"])})
    schema = as_dataset(frame).schema
    assert schema["size"].levels == ("s", "m", "l")
    assert schema["size"].kind == "ordinal"
    assert schema["size"].missing
    assert schema["plain"].levels == ("p", "q", "r")
    assert schema["plain"].kind == "categorical"


def test_gaps_are_seen_in_every_spelling():
    frame = pd.DataFrame(
        {
            "float": [1.5, np.nan, 2.5, 3.5],
            "object": ["a", None, np.nan, pd.NA],
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "truth": pd.array([True, None, False, True], dtype="boolean"),
            "string": pd.array(["a", None, "b", "c"], dtype="string"),
        }
    )
    data = as_dataset(frame)
    assert all(c.missing for c in data.schema.columns)
    assert np.isnan(data.columns["nullable"][1])
    assert data.columns["object"][1:].tolist() == [None, None, None]
    assert data.columns["truth"][[0, 2, 3]].tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinity_is_refused_with_its_place(bad):
    X = RNG.normal(size=(20, 3))
    X[7, 1] = bad
    with pytest.raises(InputError, match=r"'x1' holds infinity in row 7"):
        as_dataset(X)
    with pytest.raises(InputError, match="infinity"):
        as_dataset(pd.DataFrame(X, columns=list("abc")))


def test_override_sets_kinds_and_checks_values():
    frame = pd.DataFrame(
        {
            "mass": RNG.lognormal(size=60),
            "angle": RNG.uniform(0, 360, 60),
            "p": RNG.random(60),
            "n": np.arange(60) % 15,
            "code": np.arange(60) % 4,
        }
    )
    data = as_dataset(frame).override(
        {
            "mass": "positive",
            "angle": {"kind": "circular", "period": 360},
            "p": {"kind": "interval", "lower": 0, "upper": 1},
            "n": "real",
            "code": "categorical",
        }
    )
    schema = data.schema
    assert [c.kind for c in schema.columns] == [
        "positive",
        "circular",
        "interval",
        "real",
        "categorical",
    ]
    assert schema["n"].width == 1.0  # a count read as real is rounded
    assert schema["code"].levels == (0, 1, 2, 3)
    assert as_dataset(frame).override({"n": "ordinal"}).schema["n"].levels == tuple(range(15))
    frame.loc[11, "mass"] = -2.0
    with pytest.raises(InputError, match=r"'mass' holds -2\.0 in row 11 .*numbers > 0"):
        as_dataset(frame).override({"mass": "positive"})
    frame.loc[3, "p"] = 1.25
    with pytest.raises(InputError, match=r"'p' holds 1\.25 in row 3"):
        as_dataset(frame).override({"p": {"kind": "interval", "lower": 0, "upper": 1}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lenght": "positive"}, "Did you mean 'length'"),
        ({"length": "positve"}, "Did you mean 'positive'"),
        ({"length": {"kind": "real", "widht": 1}}, "Did you mean 'width'"),
        ({"length": "interval"}, "finite bounds"),
        ({"length": {"kind": "interval", "lower": 1, "upper": 0}}, "finite bounds"),
        ({"length": "circular"}, "period"),
        ({"length": {"kind": "circular", "period": -1}}, "period"),
        ({"length": {"kind": "real", "width": 0}}, "positive rounding step"),
        ({"length": {"kind": "real", "upper": 1}}, "say kind 'interval'"),
        ({"length": {"kind": "real", "period": 1}}, "say kind 'circular'"),
    ],
)
def test_bad_overrides_are_explained(change, message):
    schema = Schema((Column("length"), Column("other")))
    with pytest.raises(InputError, match=message):
        schema.override(change)


def test_binary_needs_two_levels():
    data = as_dataset(pd.DataFrame({"a": ["x", "y", "z"]}))
    with pytest.raises(InputError, match="3 levels"):
        data.override({"a": "binary"})
    with pytest.raises(InputError, match="text 'x' in row 0"):
        data.override({"a": "real"})


def test_schema_prints_a_table():
    schema = as_dataset(
        pd.DataFrame({"long name": [0.1, 0.2, 0.2, 0.5] * 5, "b": ["u", "v", None, "u"] * 5})
    ).schema
    first, second = str(schema).split("\n")
    assert first.startswith("long name  real")
    assert "rounded to 0.1" in first
    assert second.startswith("b          binary")
    assert "gaps" in second
    assert "28 x 20" in str(Schema(image_shape=(1, 28, 20)))


scalars = st.one_of(st.text(max_size=4), st.booleans(), st.integers(-5, 5), st.floats(-1, 1))
columns = st.builds(
    Column,
    name=st.text(min_size=1, max_size=5),
    kind=st.sampled_from(["real", "positive", "count", "categorical", "constant", "empty"]),
    missing=st.booleans(),
    levels=st.lists(scalars, max_size=4).map(tuple),
    width=st.none() | st.floats(1e-9, 1e9),
    note=st.text(max_size=5),
)


@given(st.lists(columns, max_size=4, unique_by=lambda c: c.name))
def test_json_round_trip_is_exact(found):
    schema = Schema(tuple(found))
    again = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    assert repr(again) == repr(schema)  # True and 1 are told apart


def test_select_and_lookup():
    schema = Schema((Column("a"), Column("b"), Column("c")))
    assert schema.select(("c", "a")).names == ("a", "c")
    with pytest.raises(InputError, match="no column 'd'"):
        schema["d"]
    with pytest.raises(InputError, match="two columns"):
        Schema((Column("a"), Column("a")))


def test_did_you_mean():
    assert did_you_mean("wien", ["wine", "iris"]) == " Did you mean 'wine'?"
    assert did_you_mean("zzz", ["wine", "iris"]) == ""
    assert did_you_mean("NUTS", ["hmc", "nuts"]) == " Did you mean 'nuts'?"
    assert did_you_mean("Y", ["X", "y"]) == " Did you mean 'y'?"


RARE = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RARE.poisson(0.6, 400), "count"),
        (RARE.geometric(0.5, 400).clip(1, 8), "count"),
        (np.repeat([0, 1, 2, 3, 8], [270, 80, 30, 15, 5]), "count"),
        (RARE.poisson(5, 400), "count"),
        (RARE.integers(1, 6, 400), "ordinal"),
        (RARE.binomial(4, 0.8, 400), "ordinal"),
        (np.repeat([0, 1, 2], [300, 60, 40]), "ordinal"),
        (np.repeat([3, 4, 5, 6], [300, 60, 30, 10]), "ordinal"),
        (RARE.permutation(400), "real"),
        (np.round(np.append(0, RARE.exponential(size=400)) * 5000), "count"),
    ],
)
def test_whole_numbers_are_counts_where_they_recur_and_tail_off(values, kind):
    assert as_dataset({"n": values}).schema["n"].kind == kind
