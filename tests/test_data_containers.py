"""Arrays and frames in, the same containers out; what is refused, and in which words."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ppgen.data import Dataset, as_dataset
from ppgen.data.rebuild import narwhals_frame
from ppgen.data.values import is_gap
from ppgen.errors import InputError

RNG = np.random.default_rng(0)


def mixed() -> pd.DataFrame:
    n = 60
    return pd.DataFrame(
        {
            "real": RNG.normal(size=n).round(2),
            "single": RNG.normal(size=n).astype(np.float32),
            "whole": np.arange(n) % 30 + 4,
            "small": (np.arange(n) % 5).astype(np.int8),
            "gappy": [1.0, np.nan, 2.5] * 20,
            "nullable": pd.array([1, None, 3] * 20, dtype="Int64"),
            "truth": np.arange(n) % 3 == 0,
            "text": ["a", None, "c"] * 20,
            "cat": pd.Categorical(["lo", "hi", "mid"] * 20, categories=["lo", "mid", "hi"]),
            "one": 7,
        },
        index=np.arange(n) * 2 + 1,
    )


# Arrays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_float_arrays_are_not_copied(dtype, order):
    X = np.asarray(RNG.normal(size=(50, 3)), dtype=dtype, order=order)
    data = as_dataset(X)
    assert data.matrix() is X
    assert data.to_native() is X
    assert np.shares_memory(data.columns["x1"], X)
    assert as_dataset(X, data.schema).matrix() is X
    half = data.take(slice(0, 25))
    assert np.shares_memory(half.matrix(), X)
    assert half.to_native().dtype == dtype


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, bool, np.float16])
def test_other_numbers_are_double_within_and_come_out_as_they_went_in(dtype):
    X = RNG.integers(0, 2, (50, 3)).astype(dtype)
    data = as_dataset(X)
    assert data.matrix().dtype == np.float64
    assert data.to_native() is X
    assert data.rebuild(data.columns).dtype == dtype
    half = {name: values + 0.5 for name, values in data.columns.items()}
    assert data.rebuild(half).dtype == (np.float16 if dtype == np.float16 else np.float64)
    np.testing.assert_array_equal(data.matrix(), X)


def test_object_arrays():
    X = np.array([[1, 2.5], [3, None], [5, 6]], dtype=object)
    data = as_dataset(X)
    np.testing.assert_array_equal(data.matrix(), [[1, 2.5], [3, np.nan], [5, 6]])
    assert [c.kind for c in data.schema.columns] == ["real", "real"]
    X = np.array([["a", 1.5], ["b", 2.5], ["a", 3.5]], dtype=object)
    data = as_dataset(X)
    assert [c.kind for c in data.schema.columns] == ["binary", "real"]
    np.testing.assert_array_equal(data.rebuild(data.columns), X)
    with pytest.raises(InputError, match="holds text"):
        data.matrix()
    strings = np.array([["a", "u"], ["b", "v"], ["c", "u"]])
    assert [c.kind for c in as_dataset(strings).schema.columns] == ["categorical", "binary"]


def test_lists_mappings_and_masks():
    assert as_dataset([[1.0, 2.0], [3.0, 4.0]]).matrix().tolist() == [[1.0, 2.0], [3.0, 4.0]]
    data = as_dataset([["a", 1.5], ["b", 2.5]])
    assert data.columns["x1"].tolist() == [1.5, 2.5]
    data = as_dataset({"u": [1.5, 2.5, 3.5], "v": ["a", "b", "a"]})
    assert data.schema.names == ("u", "v")
    assert data.to_native()["v"].tolist() == ["a", "b", "a"]
    masked = np.ma.masked_array([[1, 2], [3, 4], [5, 7]], mask=[[0, 1], [0, 0], [0, 0]])
    assert np.isnan(as_dataset(masked).matrix()[0, 1])
    record = np.array([(1.5, "a"), (2.5, "b")], dtype=[("x", "f8"), ("t", "U1")])
    assert as_dataset(record).schema.names == ("x", "t")


def test_images():
    for shape in ((5, 8, 6), (5, 1, 8, 6), (5, 8, 6, 1)):
        data = as_dataset(np.zeros(shape, np.uint8))
        assert data.schema.image_shape == (1, 8, 6)
        assert data.images.shape == (5, 1, 8, 6)
        assert data.images.dtype == np.uint8
        assert not data.schema.columns
        assert len(data) == 5
        assert data.matrix().shape == (5, 48)
    assert as_dataset(np.zeros((5, 8, 6, 3))).schema.image_shape == (3, 8, 6)
    with pytest.raises(InputError, match="Reshape it"):
        as_dataset(np.zeros((5, 7, 8, 9)))
    small, large = as_dataset(np.zeros((5, 8, 6))), as_dataset(np.zeros((5, 9, 6)))
    with pytest.raises(InputError, match="Resize"):
        as_dataset(large, small.schema)
    with pytest.raises(InputError, match="a table given; the fit expects images"):
        as_dataset(np.zeros((5, 2)), small.schema)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros(5), InputError, "Reshape your data"),
        (pd.Series([1.0, 2.0]), InputError, "Reshape your data"),
        (np.float64(3), InputError, "Reshape your data"),
        (
            np.zeros((0, 3)),
            InputError,
            r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\) while a ",
        ),
        (
            np.zeros((4, 0)),
            InputError,
            r"0 feature\(s\) \(shape=\(4, 0\)\) while a minimum of 1 is ",
        ),
        (pd.DataFrame(), InputError, r"0 feature\(s\)"),
        (pd.DataFrame({"a": []}), InputError, r"0 sample\(s\)"),
        (np.zeros((3, 2), complex), InputError, "Complex data not supported"),
        (pd.DataFrame({"a": [1j, 2j]}), InputError, "Complex data not supported"),
        (sparse.csr_array(np.eye(3)), TypeError, "[Ss]parse data .* dense"),
        ([[1.0], [1.0, 2.0]], InputError, "different lengths"),
        ({"a": [1, 2], "b": [1]}, InputError, "as many"),
        ({"a": [[1, 2]]}, InputError, "one value a row"),
        (np.array([[{"a": 1}]], dtype=object), TypeError, r"argument must be .* string.* number"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), InputError, "two columns"),
    ],
)
def test_refused(X, error, message):
    with pytest.raises(error, match=message):
        as_dataset(X)


# Frames ----------------------------------------------------------------------------------------


def test_pandas_round_trip():
    frame = mixed()
    data = as_dataset(frame)
    assert data.to_native() is frame
    back = data.rebuild(data.columns)
    pd.testing.assert_frame_equal(back, frame.reset_index(drop=True))
    some = data.take(np.array([5, 3, 3]))
    pd.testing.assert_frame_equal(some.to_native(), frame.iloc[[5, 3, 3]])
    assert some.schema is data.schema
    again = data.take(slice(10, 20)).take(np.arange(10) > 7)
    pd.testing.assert_frame_equal(again.to_native(), frame.iloc[18:20])


def test_pandas_types_widen_only_as_needed():
    data = as_dataset(mixed())
    columns = dict(data.columns)
    columns["whole"] = columns["whole"].copy()
    columns["whole"][0] = np.nan
    columns["small"] = columns["small"] + 1000.0
    back = data.rebuild(columns)
    assert back["whole"].dtype == np.float64
    assert back["small"].dtype == np.int64
    assert back["truth"].dtype == bool


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_frames_round_trip(library):
    frame = mixed().drop(columns="nullable").reset_index(drop=True)
    if library == "polars":
        pl = pytest.importorskip("polars", reason="polars is not installed")
        native = pl.DataFrame(
            {
                name: frame[name].astype(object).where(frame[name].notna(), None).tolist()
                for name in frame
            },
            schema_overrides={"single": pl.Float32, "small": pl.Int8},
        ).with_columns(pl.col("cat").cast(pl.Enum(["lo", "mid", "hi"])))
    else:
        pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        native = pa.Table.from_pandas(frame, preserve_index=False)
    data = as_dataset(native)
    like_pandas = as_dataset(frame)
    kinds = {c.name: c.kind for c in data.schema.columns}
    assert kinds == {c.name: c.kind for c in like_pandas.schema.columns}
    assert type(data.rebuild(data.columns)) is type(native)
    back = data.rebuild(data.columns)
    if library == "polars":
        assert back.equals(native)
    else:  # text and categories come in several types, which say the same
        numbers = ["real", "single", "whole", "small", "gappy", "truth", "one"]
        assert back.select(numbers).equals(native.select(numbers).replace_schema_metadata())
        assert back.to_pydict()["cat"] == native.to_pydict()["cat"]
        assert back.to_pydict()["text"] == native.to_pydict()["text"]
    some = data.take([4, 2])
    assert type(some.to_native()) is type(native)
    assert some.columns["text"].tolist() == [None, "c"]
    shuffled = native.select(list(reversed(frame.columns)))
    again = as_dataset(shuffled, data.schema)
    assert again.schema == data.schema
    for name, values in data.columns.items():
        np.testing.assert_array_equal(again.columns[name], values)


def test_narwhals_frames_can_be_built_with_pandas_too():
    data = as_dataset(mixed().drop(columns=["cat", "nullable"]))
    frame = narwhals_frame(data.columns, data.schema, "pandas")
    assert list(frame.columns) == list(data.schema.names)
    assert frame["truth"].tolist() == mixed()["truth"].tolist()


# A fitted schema -------------------------------------------------------------------------------


def test_frames_match_by_name():
    frame = mixed()
    schema = as_dataset(frame).schema
    again = as_dataset(frame[list(reversed(frame.columns))], schema)
    assert tuple(again.columns) == schema.names
    with pytest.warns(UserWarning, match=r"columns 'foo', 'bar' were not in the fit and are left"):
        again = as_dataset(frame.assign(foo=1, bar="u"), schema)
    assert tuple(again.columns) == schema.names
    with pytest.raises(InputError, match=r"'whole' is missing.* Is it 'hole'\?"):
        as_dataset(frame.rename(columns={"whole": "hole"}), schema)
    with pytest.raises(InputError, match=r"column 'text' is missing"):
        as_dataset(frame.drop(columns="text"), schema)


def test_columns_that_the_fit_does_not_have_come_back_as_they_were():
    x = np.array([1.5, np.nan, 2.5, 7.0])
    schema = as_dataset(pd.DataFrame({"x": x})).schema
    frame = pd.DataFrame({"note": ["a", "b", "c", "d"], "x": x, "id": range(4)})
    for native in (frame, {name: frame[name].to_numpy() for name in frame}):
        with pytest.warns(UserWarning, match="'note', 'id'"):
            data = as_dataset(native, schema)
        filled = pd.DataFrame(data.filled({"x": np.full(4, 9.0)}))
        pd.testing.assert_frame_equal(filled, frame.fillna({"x": 9.0}))
        replaced = pd.DataFrame(data.replaced({"x": np.zeros(4)}))
        assert replaced["x"].tolist() == [0.0] * 4


def test_kinds_may_be_given_with_the_rows():
    frame = mixed()
    data = as_dataset(frame, schema={"whole": "real"})
    assert data.schema["whole"].kind == "real"
    assert data.schema == as_dataset(frame).override({"whole": "real"}).schema
    assert as_dataset(frame, schema={}).schema == as_dataset(frame).schema
    with pytest.raises(InputError, match="no column 'hole'"):
        as_dataset(frame, schema={"hole": "real"})


def test_arrays_match_by_position():
    schema = as_dataset(pd.DataFrame({"a": RNG.normal(size=9), "b": RNG.normal(size=9)})).schema
    data = as_dataset(np.zeros((4, 2)), schema)
    assert data.schema.names == ("a", "b")
    message = "X has 3 features, but Thing is expecting 2 features as input"
    with pytest.raises(InputError, match=message):
        as_dataset(np.zeros((4, 3)), schema, estimator="Thing")


def test_wrong_values_are_named():
    schema = as_dataset(pd.DataFrame({"a": RNG.normal(size=9)})).schema
    with pytest.raises(InputError, match=r"column 'a' holds the text 'high' in row 1"):
        as_dataset(pd.DataFrame({"a": ["2.5", "high"]}), schema)
    assert as_dataset(pd.DataFrame({"a": ["2.5", None]}), schema).columns["a"][0] == 2.5
    with pytest.raises(InputError, match="infinity"):
        as_dataset(pd.DataFrame({"a": [1.0, np.inf]}), schema)


def test_levels_are_matched_however_written():
    n = 60
    frame = pd.DataFrame(
        {
            "code": np.arange(n) % 3,
            "truth": np.arange(n) % 2 == 0,
            "text": ["1", "2", "3"] * 20,
            "name": ["Ann", "Bob", "Eve"] * 20,
        }
    )
    schema = as_dataset(frame).schema
    given = {"code": ["2", "0"], "truth": ["TRUE", "false"], "text": [3, 1], "name": ["ann", "EVE"]}
    data = as_dataset(given, schema)
    assert data.columns["code"].tolist() == [2.0, 0.0]
    assert data.columns["truth"].tolist() == [1.0, 0.0]
    assert data.columns["text"].tolist() == ["3", "1"]
    assert data.columns["name"].tolist() == ["Ann", "Eve"]
    text = as_dataset({"t": ["TRUE", "FALSE", "TRUE"]})
    assert as_dataset({"t": [True, False]}, text.schema).columns["t"].tolist() == ["TRUE", "FALSE"]
    # What was never seen is no error: it has probability zero.
    new = as_dataset(given | {"name": ["Zoe", None], "code": [9, 1]}, schema)
    assert new.columns["name"].tolist() == ["Zoe", None]


def test_one_row():
    schema = as_dataset(mixed()).schema
    row = Dataset.one_row(schema, {"text": "a", "whole": 6, "truth": True})
    assert len(row) == 1
    assert row.columns["text"].tolist() == ["a"]
    assert row.columns["whole"].tolist() == [6.0]
    assert row.columns["truth"].tolist() == [1.0]
    assert np.isnan(row.columns["real"]).all()
    assert is_gap(row.columns["cat"]).all()
    with pytest.raises(InputError, match="Did you mean 'whole'"):
        Dataset.one_row(schema, {"hole": 1})


def test_datasets_pickle_and_show():
    data = as_dataset(mixed())
    again = pickle.loads(pickle.dumps(data))
    assert again.fingerprint() == data.fingerprint()
    assert repr(data) == "Dataset(60 rows, 10 columns)"
    with pytest.raises(InputError, match="no rows"):
        data.take(np.zeros(60, bool))


def test_fingerprints_tell_contents_and_not_containers():
    X = RNG.normal(size=(40, 2)).astype(np.float32)
    data = as_dataset(X)
    same = as_dataset(X.copy(order="F"))
    assert data.fingerprint() == same.fingerprint()
    other = X.copy()
    other[39, 1] = np.nextafter(other[39, 1], np.float32(9))
    assert as_dataset(other).fingerprint() != data.fingerprint()
    frame = mixed()
    changed = frame.copy()
    changed.loc[changed.index[3], "text"] = "c"
    assert as_dataset(frame).fingerprint() != as_dataset(changed).fingerprint()
    assert (
        as_dataset(frame).override({"whole": "positive"}).fingerprint()
        != as_dataset(frame).fingerprint()
    )
    assert (
        as_dataset(np.zeros((3, 4, 4))).fingerprint()
        != as_dataset(np.ones((3, 4, 4))).fingerprint()
    )
