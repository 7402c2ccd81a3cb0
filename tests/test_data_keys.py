"""Keys and text of too many levels: named, left out of the model, given back as they came."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest

import ppgen
from ppgen.data import Schema, as_dataset, read
from ppgen.errors import InputError
from ppgen.models.gmm.conditional import draw_levels, draw_rows
from ppgen.models.gmm.kernel import level_sums

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=N)
NAMES = [f"u{i}" for i in RNG.permutation(N)]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("anything", NAMES, "key"),
        ("anything", pd.Categorical(NAMES), "key"),
        ("id", RNG.permutation(N) * 7, "key"),
        ("customer_id", RNG.permutation(N) * 7, "key"),
        ("customerId", RNG.permutation(N) * 7.0, "key"),
        ("Unnamed: 0", RNG.permutation(N) * 2, "key"),
        ("index", RNG.permutation(N) + 1, "key"),
        ("anything", RNG.integers(2**60, 2**62, N), "key"),
        ("anything", [2**70 + i for i in range(N)], "key"),
        ("anything", NAMES[:60] * 2, "text"),
        ("index", RNG.permutation(N) * 7, None),
        ("anything", np.arange(N), None),
        ("id", RNG.integers(0, 9, N), None),
        ("anything", NAMES[:30] * 4, None),
        ("idea", RNG.permutation(N), None),
    ],
)
def test_what_only_tells_rows_apart_is_left_out(name, values, kind):
    data = as_dataset(pd.DataFrame({name: values, "x": X}))
    left = {column.name: column.kind for column in data.schema.left_out}
    assert left == ({} if kind is None else {name: kind})
    assert data.schema.names == ((name, "x") if kind is None else ("x",))
    assert len(data) == N


def test_few_rows_and_plain_arrays_have_no_keys():
    assert as_dataset({"name": NAMES[:19], "x": X[:19]}).schema.names == ("name", "x")
    assert as_dataset(np.column_stack([np.arange(N), X])).schema.names == ("x0", "x1")
    assert as_dataset({"name": NAMES}).schema.names == ("name",)  # nothing else is there
    assert as_dataset(np.array([NAMES, X], object).T).schema.names == ("x1",)


def test_the_schema_says_what_is_left_out_and_why():
    data = as_dataset(pd.DataFrame({"id": NAMES, "x": X}))
    assert "id" in str(data.schema)
    assert "left out: its 120 values are all different" in str(data.schema)
    again = Schema.from_json(data.schema.to_json())
    assert again == data.schema
    with pytest.raises(InputError, match="'id' is no part of the model: its 120 values"):
        data.schema["id"]
    with pytest.raises(InputError, match="all columns are left out"):
        data.override({"x": "left out"})


def test_a_key_is_modelled_where_the_user_says_so():
    frame = pd.DataFrame({"a": X, "id": RNG.permutation(N), "name": NAMES, "x": X})
    data = as_dataset(frame, {"name": "categorical"})
    assert data.schema.names == ("a", "name", "x")
    assert len(data.schema["name"].levels) == N
    data = as_dataset(frame).override({"id": "real", "a": "left out"})
    assert data.schema.names == ("id", "x")
    assert [column.name for column in data.schema.every] == ["a", "id", "name", "x"]
    pd.testing.assert_frame_equal(data.take(slice(3, 9)).to_native(), frame[3:9])


def test_groups_may_be_a_column_that_is_left_out():
    frame = pd.DataFrame({"patient": NAMES[:60] * 2, "x": X, "name": NAMES})
    data = as_dataset(frame).grouped("patient")
    assert data.schema.names == ("x",)
    assert len(np.unique(data.units)) == 60
    assert [column.name for column in data.schema.every] == ["x", "name"]


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame({"id": NAMES, "x": X, "y": 2 * X, "n": RNG.permutation(N)}).rename(
        columns={"n": "row_id"}
    )


@pytest.fixture(scope="module")
def model(frame):
    return ppgen.Gaussian(random_state=0).fit(frame)


def test_a_fit_leaves_keys_out_of_all_that_it_does(frame, model, tmp_path):
    assert "'id' is left out (key)" in str([r.what for r in model.verdict_.reasons])
    made = model.sample(7)
    assert list(made.columns) == ["x", "y"]
    alone = ppgen.Gaussian(random_state=0).fit(frame[["x", "y"]])
    np.testing.assert_array_equal(
        model.score_samples(frame), alone.score_samples(frame[["x", "y"]])
    )
    np.testing.assert_array_equal(
        model.score_samples(frame), model.score_samples(frame[["y", "x"]])
    )
    np.testing.assert_allclose(model.score(made), model.score_samples(made).mean())
    assert model.condition({"x": 0.5}).sample(2).columns.tolist() == ["y"]
    with pytest.raises(InputError, match="'id' is no part of the model"):
        model.sample(3, given={"id": "u1"})
    assert model.n_features_in_ == 2
    model.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    assert again.schema_ == model.schema_
    np.testing.assert_array_equal(again.score_samples(frame), model.score_samples(frame))
    assert set(model.to_datatree(frame)["observed_data"].data_vars) == {"x", "y"}


@pytest.mark.parametrize("container", [lambda f: f, pl.from_pandas, lambda f: f.to_numpy()])
def test_imputed_rows_hold_their_keys(frame, container):
    holed = frame.copy()
    holed.loc[::4, "y"] = np.nan
    rows = container(holed)
    full = ppgen.Gaussian(random_state=0).fit(rows).impute(rows)
    assert type(full) is type(rows)
    full = pd.DataFrame(np.asarray(full, dtype=object), columns=frame.columns)
    assert full["id"].tolist() == frame["id"].tolist()
    assert full["row_id"].tolist() == frame["row_id"].tolist()
    np.testing.assert_allclose(full["y"].astype(float), frame["y"], atol=1e-3)


def test_an_autoencoder_gives_back_rows_with_their_keys(frame):
    model = ppgen.Autoencoder(1, kind="linear", random_state=0).fit(frame)
    made = model.reconstruct(frame.iloc[::-1])
    assert made.columns.equals(frame.columns)
    assert made.index.equals(frame.index[::-1])
    assert made["id"].equals(frame["id"][::-1])
    np.testing.assert_allclose(made["y"], 2 * made["x"], atol=0.1)


def test_an_unnamed_index_in_a_csv_changes_nothing(tmp_path):
    frame = pd.DataFrame({"x": RNG.normal(size=300)})
    frame.to_csv(tmp_path / "a.csv")
    frame.to_csv(tmp_path / "b.csv", index=False)
    with_index, without = (read(str(tmp_path / name)) for name in ("a.csv", "b.csv"))
    model = ppgen.GaussianMixture(random_state=0).fit(with_index)
    assert model.n_components_ == 1
    plain = ppgen.GaussianMixture(random_state=0).fit(without)
    np.testing.assert_allclose(model.score(with_index), plain.score(without), rtol=1e-12)


def test_ids_ask_for_no_memory():
    n = 15_000
    frame = pd.DataFrame({"id": [f"u{i}" for i in range(n)], "x": RNG.normal(size=n)})
    tracemalloc.start()
    model = ppgen.GaussianMixture(2, n_init=1, max_iter=3, random_state=0).fit(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**27  # indicators of all rows take 1.8e9
    assert model.schema_.names == ("x",)
    assert "id" not in model.sample(2).columns


def test_sums_by_level_are_the_same_with_and_without_indicators():
    rng = np.random.default_rng(2)
    r, codes = rng.random((500, 2)), rng.integers(0, 2000, 500)
    sums = level_sums(np, r, codes, 2000)
    np.testing.assert_allclose(sums, r.T @ np.eye(2000)[codes], rtol=1e-12)
    few = level_sums(np, r, codes % 5, 5)
    np.testing.assert_allclose(few[:, 1], r[codes % 5 == 1].sum(axis=0), rtol=1e-12)


def test_ids_that_are_levels_by_the_users_wish_take_memory_by_level_only():
    n = 6_000
    frame = pd.DataFrame({"id": [f"u{i}" for i in range(n)], "x": RNG.normal(size=n)})
    data = as_dataset(frame, {"id": "categorical"})
    tracemalloc.start()
    model = ppgen.GaussianMixture(2, n_init=1, max_iter=2, random_state=0).fit(data)
    assert np.isfinite(model.score(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8  # indicators of all rows take 2.9e8


def test_levels_are_drawn_by_the_shares_of_their_component():
    rng = np.random.default_rng(3)
    table = rng.dirichlet(np.ones(7), size=2)
    component = rng.integers(0, 2, 200)
    drawn = draw_levels(table, component, np.random.default_rng(4))
    np.testing.assert_array_equal(drawn, draw_rows(table[component], np.random.default_rng(4)))


@pytest.mark.parametrize("gap", ["", "-"])
def test_keys_beyond_floating_point_that_have_gaps_are_left_out(tmp_path, gap):
    ids = [gap if i % 9 == 0 else str(10**17 + i) for i in range(N)]
    pd.DataFrame({"order": ids, "x": X}).to_csv(tmp_path / "t.csv", index=False)
    data = read(str(tmp_path / "t.csv"))
    assert data.schema.names == ("x",)
    assert [c.kind for c in data.schema.left_out] == ["key"]
    assert data.beside["order"][:2].tolist() == [None, str(10**17 + 1)]


@pytest.mark.parametrize("start", [10**17, 2**60])
@pytest.mark.parametrize("apart", [1, 10**6])
def test_whole_floats_beyond_floating_point_that_have_gaps_are_keys(start, apart):
    ids = np.array([np.nan if i % 9 == 0 else start + apart * i for i in range(N)])
    data = as_dataset(pd.DataFrame({"order": ids, "x": X}))
    assert data.schema.names == ("x",)
    full = pd.DataFrame({"density": RNG.lognormal(40, 1, N), "x": X})
    assert as_dataset(full).schema.names == ("density", "x")
