"""What comes out has the shape, the labels and the types of what went in."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from polars.testing import assert_frame_equal as assert_polars_equal
from scipy import stats

import ppgen
from ppgen import VAE, Autoencoder, Gaussian, GaussianMixture, InputError
from ppgen.data import Dataset, Schema, as_dataset
from ppgen.data.grain import Grain, decimals_of

G = GaussianMixture
SMALL: dict[str, Any] = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


def table(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Columns of many types under row labels out of order."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    return pd.DataFrame(
        {
            "money": rng.normal(50 + 20 * kind, 9.0).round(2),
            "single": rng.normal(size=n).astype(np.float32),
            "whole": rng.integers(20_000, 200_000, n),
            "small": rng.integers(100, 256, n).astype(np.uint8),
            "nullable": pd.array(rng.integers(-500, 500, n), dtype="Int32"),
            "kind": pd.Categorical(np.array(["lo", "mid", "hi"])[kind], ["lo", "mid", "hi"]),
            "ringed": rng.random(n) < 0.4,
        },
        index=pd.Index(rng.permutation(n) * 3 + 7, name="id"),
    )


def gappy(frame: pd.DataFrame) -> pd.DataFrame:
    holes = frame.astype({"whole": float, "small": float})
    for j, name in enumerate(frame.columns):
        if name not in ("kind", "ringed"):
            holes.iloc[j::7, frame.columns.get_loc(name)] = None
    return holes


@pytest.fixture(scope="module")
def mixture() -> GaussianMixture:
    return G(2, n_init=1, random_state=0).fit(table())


@pytest.fixture(scope="module")
def vae() -> VAE:
    return VAE(1, **SMALL).fit(gappy(table()))


# Labels of rows ------------------------------------------------------------------------------


def test_imputed_values_land_on_the_rows_they_belong_to() -> None:
    x = np.arange(200.0)
    frame = pd.DataFrame({"x": x, "y": 2 * x + 1000}).sample(frac=1, random_state=0)[:150]
    frame.iloc[::5, 1] = np.nan
    filled = G(1, random_state=0).fit(ppgen.data.read(frame, schema={"x": "real"})).impute(frame)
    assert filled.index.equals(frame.index)
    np.testing.assert_allclose(filled.y, 2 * filled.x + 1000, atol=0.6)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_numbers_of_rows_are_no_counts_and_determine_others(library: str) -> None:
    x = np.arange(200.0)
    frame = pd.DataFrame({"x": x, "y": 2 * x}).sample(frac=1, random_state=0)[:150]
    frame.iloc[::5, 1] = np.nan
    given: Any = frame if library == "pandas" else pl.from_pandas(frame)
    filled = G(1, random_state=0).fit(given).impute(given)
    np.testing.assert_array_equal(filled["x"], frame.x)
    np.testing.assert_allclose(filled["y"], 2 * frame.x, atol=1e-6)
    whole = given.dropna() if library == "pandas" else given.drop_nulls()
    made = Autoencoder(1, kind="linear", random_state=0).fit(whole).reconstruct(whole)
    np.testing.assert_allclose(made["y"], 2 * np.asarray(whole["x"]), atol=1e-6)


@pytest.mark.parametrize("of", ["mixture", "vae"])
def test_a_filled_frame_differs_in_its_gaps_only(of: str, request: Any) -> None:
    model, frame = request.getfixturevalue(of), gappy(table())[::-1]
    frame = frame[[*frame.columns[::-1]]]
    filled = model.impute(as_dataset(frame))
    assert filled.index.equals(frame.index)
    assert filled.index.name == "id"
    assert list(filled) == list(frame)
    assert not filled.isna().any().any()
    for name in frame:
        known = frame[name].notna()
        np.testing.assert_array_equal(filled[name][known], frame[name][known])
    assert filled.dtypes["nullable"] == "Int32"
    for name, decimals in {"money": 2, "nullable": 0, "whole": 0, "small": 0}.items():
        values = filled[name].to_numpy(float)
        np.testing.assert_array_equal(values, values.round(decimals))
    within = frame["whole"].min() <= filled["whole"].min() <= filled["whole"].max()
    assert within <= frame["whole"].max()


def test_gaps_that_turned_whole_numbers_into_floats_leave_them_whole(mixture: Any) -> None:
    filled = mixture.impute(gappy(table()))
    assert dict(filled.dtypes) == dict(table().dtypes)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "dict"])
@pytest.mark.parametrize("of", ["mixture", "vae"])
def test_complete_rows_come_back_as_they_are(of: str, library: str, request: Any) -> None:
    model, frame = request.getfixturevalue(of), table(30, 1)
    if library == "pandas":
        frame.columns = pd.Index(frame.columns, name="measure")
        before = frame.copy()
        assert_frame_equal(model.impute(frame), before)
        assert_frame_equal(frame, before)
    elif library == "polars":
        given_ = pl.from_pandas(frame).select(pl.all().reverse())
        assert_polars_equal(model.impute(given_), given_)
    elif library == "pyarrow":
        given_ = pa.Table.from_pandas(frame, preserve_index=False)
        assert model.impute(given_).equals(given_)
    else:
        arrays = {name: frame[name].to_numpy() for name in frame}
        for name, values in model.impute(arrays).items():
            assert values.dtype == arrays[name].dtype
            np.testing.assert_array_equal(values, arrays[name])


def test_a_dataset_keeps_the_labels_of_its_rows(mixture: Any) -> None:
    frame = table(100)
    data = ppgen.data.read(frame)
    part = data.take(np.array([5, 3, 90]))
    assert list(part.index) == list(frame.index[[5, 3, 90]])
    assert mixture.impute(part).index.equals(part.index)
    assert set(data.train.index) | set(data.valid.index) | set(data.test.index) == set(frame.index)
    assert_frame_equal(data.train.to_native(), frame.loc[data.train.index])
    assert as_dataset(frame.to_numpy()[:, :2]).index is None


@pytest.mark.parametrize("duplicated", [False, True])
def test_row_labels_of_several_levels_and_equal_ones_are_kept(
    duplicated: bool, mixture: Any
) -> None:
    frame = gappy(table(20))
    levels = [[0] * 10 + [1] * 10, [1] * 20 if duplicated else range(20)]
    frame.index = pd.MultiIndex.from_arrays(levels, names=["site", None])
    filled = mixture.impute(frame)
    pd.testing.assert_index_equal(filled.index, frame.index)
    np.testing.assert_array_equal(filled.single.isna(), False)
    known = frame.money.notna().to_numpy()
    np.testing.assert_array_equal(filled.money.to_numpy()[known], frame.money.to_numpy()[known])


def test_reconstructions_and_codes_bear_the_labels_of_their_rows(vae: Any) -> None:
    frame = table(12, 3)
    net = Autoencoder(2, **SMALL).fit(frame)
    for model in (net, vae):
        made = model.reconstruct(frame[::-1])
        assert made.index.equals(frame.index[::-1])
        assert list(made) == list(frame)
        assert dict(made.dtypes) == dict(frame.dtypes)
        assert len(model.reconstruct(pl.from_pandas(frame))) == 12
        assert isinstance(model.reconstruct(pl.from_pandas(frame)), pl.DataFrame)
    codes = net.set_output(transform="pandas").transform(frame)
    assert codes.index.equals(frame.index)
    assert net.transform(as_dataset(frame)).index.equals(frame.index)
    assert net.inverse_transform(codes).index.equals(frame.index)
    noisy = Autoencoder(2, noise="masking", **SMALL).fit(frame).corrupt(frame)
    assert noisy.index.equals(frame.index)
    assert isinstance(net.set_output(transform="polars").transform(frame), pl.DataFrame)


def test_samples_for_labelled_conditions_bear_their_labels() -> None:
    frame = table(60)
    fit = VAE(1, conditional=True, **SMALL).fit(frame[["money", "whole"]], frame["kind"])
    asked = frame["kind"][:7]
    assert fit.sample(7, y=asked).index.equals(asked.index)
    assert fit.sample(7, y=asked.to_frame()).index.equals(asked.index)
    assert list(fit.sample(7, y=asked[:1]).index) == list(range(7))


def test_columns_of_a_mapping_with_different_row_labels_are_refused() -> None:
    x = pd.Series([1.0, 2.0, 4.0], index=[0, 1, 2])
    with pytest.raises(InputError, match="'b' has other row labels"):
        as_dataset({"a": x, "b": x[::-1]})
    assert len(as_dataset({"a": x, "b": x + 1})) == 3


# Labels of columns -----------------------------------------------------------------------------

LABELS: dict[str, Any] = {
    "whole": pd.Index([0, 1, 7]),
    "real": pd.Index([0.5, 1.0, np.nan], name="share"),
    "mixed": pd.Index(["a", 1, None], dtype=object),
    "levels": pd.MultiIndex.from_tuples(
        [("a", 1), ("a", 2), ("b", np.int64(1))], names=["part", None]
    ),
    "dates": pd.to_datetime(["2020-01-01", "2020-02-01", "2021-01-01"]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_that_are_no_text_are_kept_and_understood(name: str, tmp_path: Any) -> None:
    called = LABELS[name]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=called)
    fit = G(1, random_state=0).fit(frame)
    assert not hasattr(fit, "feature_names_in_")
    fit.save(tmp_path / "run")
    first, second, third = called
    for model in (fit, ppgen.load(tmp_path / "run")):
        pd.testing.assert_index_equal(model.sample(2).columns, called)
        held = model.sample(3, {second: 0.25})
        assert list(held.iloc[:, 1]) == [0.25] * 3
        rest = model.condition({second: 0.25}).sample(2)
        pd.testing.assert_index_equal(rest.columns, called[[0, 2]], exact="equiv")
        pd.testing.assert_index_equal(model.marginal([third]).sample().columns, called[[2]])
        assert model.schema_[first].label == first
        assert np.isfinite(model.score(frame))
    holes = frame.copy()
    holes.iloc[3, 1] = np.nan
    pd.testing.assert_index_equal(fit.impute(holes).columns, called)
    data = ppgen.data.read(frame, schema={third: {"kind": "circular", "period": 50}})
    assert data.schema[third].kind == "circular"
    with pytest.raises(InputError, match="there is no column 'other'"):
        fit.condition({"other": 1.0})


def test_labels_written_alike_are_refused() -> None:
    frame = pd.DataFrame(np.zeros((3, 2)), columns=[1, "1"])
    with pytest.raises(InputError, match="1 and '1' are written alike"):
        as_dataset(frame)
    with pytest.raises(InputError, match="of type Interval; expected text"):
        as_dataset(pd.DataFrame({pd.Interval(0, 1): [1.0, 2.0]}))
    two = G(1, random_state=0).fit({0: np.arange(9.0), 1: np.arange(9.0) % 5})
    with pytest.raises(InputError, match="'1' is given twice"):
        two.condition({1: 2.0, "1": 2.0})


def test_a_mapping_comes_back_under_its_own_keys() -> None:
    rng = np.random.default_rng(0)
    given_ = {0: rng.normal(size=40), (1, "b"): rng.integers(1000, 2000, 40).astype(np.int16)}
    fit = Gaussian(random_state=0).fit(given_)
    drawn = fit.sample(5)
    assert list(drawn) == [0, (1, "b")]
    assert drawn[1, "b"].dtype == np.int16
    assert list(fit.impute(given_)) == list(given_)


@pytest.mark.parametrize("label", [1, 2.5, True, None, ("a", ("b", 1)), datetime.date(2020, 1, 2)])
def test_labels_survive_json(label: Any) -> None:
    schema = as_dataset({label: np.arange(5.0), "other": np.arange(5.0) ** 2}).schema
    again = Schema.from_json(schema.to_json())
    assert again == schema
    assert again.columns[0].label == label
    assert type(again.columns[0].label) is type(label)


# Types of values -------------------------------------------------------------------------------


def test_samples_are_stored_and_written_as_the_rows_were(mixture: Any, tmp_path: Any) -> None:
    frame = table()
    mixture.save(tmp_path / "run")
    for model in (mixture, ppgen.load(tmp_path / "run")):
        drawn = model.sample(400)
        assert dict(drawn.dtypes) == dict(frame.dtypes)
        for name in ("whole", "small", "nullable"):
            assert frame[name].min() <= drawn[name].min()
            assert drawn[name].max() <= frame[name].max()
        np.testing.assert_array_equal(drawn.money, drawn.money.round(2))
        assert (drawn.money != drawn.money.round(1)).any()
    assert_frame_equal(drawn, mixture.sample(400))


def test_large_whole_numbers_are_sampled_whole_within_those_seen() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"s": rng.integers(20000, 200000, 400), "x": rng.normal(size=400)})
    drawn = G(2, random_state=0).fit(frame).sample(2000)
    assert drawn.s.dtype == np.int64
    assert frame.s.min() <= drawn.s.min() < drawn.s.max() <= frame.s.max()
    # Rows beyond are drawn again, so that no value at the end is piled up on.
    assert drawn.s.isin([frame.s.min(), frame.s.max()]).mean() < 0.005


def test_real_columns_are_sampled_beyond_what_was_seen() -> None:
    x = np.random.default_rng(0).normal(size=(50, 1))
    drawn = Gaussian(random_state=0).fit(x).sample(5000)
    assert drawn.max() > x.max()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, bool, np.float32])
def test_arrays_are_sampled_in_their_type(dtype: Any) -> None:
    x = np.random.default_rng(0).integers(0, 2 if dtype is bool else 100, (90, 2)).astype(dtype)
    drawn = Gaussian(random_state=0).fit(x).sample(300)
    assert drawn.dtype == dtype
    assert x.min() <= drawn.min() <= drawn.max() <= x.max() or dtype is np.float32


def test_what_is_given_is_held_as_it_is() -> None:
    frame = table()[["money", "whole"]]
    drawn = Gaussian(random_state=0).fit(frame).sample(5, {"whole": 250_000})
    assert list(drawn.whole) == [250_000] * 5
    np.testing.assert_array_equal(drawn.money, drawn.money.round(2))


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        (np.arange(40) ** 3.0, 0),
        (np.arange(40) / 100, 2),
        (np.float32(np.arange(40) / 10), 1),
        (np.arange(40) / 3, None),
        (np.random.default_rng(0).normal(size=40), None),
        (np.random.default_rng(0).normal(size=40).astype(np.float32), None),
        (np.arange(9.0), None),
        (np.arange(40) * 1e-12, None),
        (np.arange(40) * 1e17 + 1e17, None),
    ],
)
def test_decimals_are_read_off_the_values(values: Any, decimals: int | None) -> None:
    assert decimals_of(np.asarray(values, np.float64)) == decimals


def test_lengths_in_cents_are_never_sampled_as_zero() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"cost": np.exp(rng.normal(-3, 2.5, 300)).round(2) + 0.01})
    data = ppgen.data.read(frame, schema={"cost": {"kind": "positive", "width": None}})
    fit = Gaussian(random_state=0).fit(data)
    drawn = fit.sample(500)
    assert drawn.cost.min() >= 0.01
    assert np.isfinite(fit.score_samples(drawn)).all()


@st.composite
def tables(draw: Any) -> pd.DataFrame:
    n = draw(st.integers(24, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = ["float64", "float32", "int8", "uint16", "int64", "Int64", "Float64", "bool", "str"]
    columns = {}
    labels = draw(
        st.lists(st.integers(0, 99) | st.text("abxyz/ ", min_size=1), min_size=2, unique_by=str)
    )
    for label in labels[:5]:
        kind = draw(st.sampled_from(kinds))
        if kind == "str":
            columns[label] = pd.Series(rng.choice(["u", "v", "w"], n))
        elif kind == "bool":
            columns[label] = pd.Series(rng.random(n) < 0.5)
        elif "loat" in kind:
            values = rng.normal(size=n).round(draw(st.integers(1, 12)))
            columns[label] = pd.Series(values).astype(kind)
        else:
            columns[label] = pd.Series(rng.integers(0, draw(st.integers(2, 120)), n)).astype(kind)
    frame = pd.DataFrame(columns)
    frame.index = pd.Index(rng.integers(0, n, n))
    return frame


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_any_table_comes_back_as_it_went_in(frame: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unlucky fits
        fit = Gaussian(random_state=0).fit(frame)
        assert_frame_equal(fit.impute(frame), frame)
        drawn = fit.sample(20)
    assert dict(drawn.dtypes) == dict(frame.dtypes)
    pd.testing.assert_index_equal(drawn.columns, frame.columns, exact="equiv")
    assert as_dataset(drawn, fit.schema_).schema == fit.schema_


# Images ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["hw", "chw", "hwc", "colour"])
def test_images_come_back_in_their_layout(layout: str, tmp_path: Any) -> None:
    shape = {"hw": (14, 12), "chw": (1, 14, 12), "hwc": (14, 12, 1), "colour": (14, 12, 3)}[layout]
    X = np.random.default_rng(0).integers(0, 256, (40, *shape)).astype(np.uint8)
    fit = VAE(2, net="mlp", **SMALL).fit(X)
    fit.save(tmp_path / "run")
    for model in (fit, ppgen.load(tmp_path / "run")):
        assert model.sample(3).shape == (3, *shape)
        assert model.sample(3).dtype == np.uint8
        made = model.reconstruct(X)
        assert (X - made).shape == X.shape
        assert model.decode(model.encode(X[:4])).shape == (4, *shape)
        np.testing.assert_array_equal(model.impute(X), X)
    channels = 3 if layout == "colour" else 1
    inner = X if layout == "chw" else X[:, None] if layout == "hw" else np.moveaxis(X, 3, 1)
    np.testing.assert_array_equal(as_dataset(X).images, inner)
    np.testing.assert_array_equal(as_dataset(X).take(slice(2, 5)).to_native(), X[2:5])
    # Rows of another layout than the fit's come back in their own.
    again = fit.reconstruct(np.ascontiguousarray(inner))
    assert again.shape == inner.shape
    same = made if layout == "chw" else made[:, None] if layout == "hw" else np.moveaxis(made, 3, 1)
    np.testing.assert_allclose(again, same, atol=1e-4)
    walk = ppgen.traverse(fit, X=X, steps=3)
    assert walk.images.shape == (2, 3, channels, 14, 12)
    assert walk.rows.shape == (6, *shape)
    score = ppgen.reconstruction_error(fit, inner[:30], X[30:])
    assert score == ppgen.reconstruction_error(fit, X[:30], X[30:])


def test_noisy_images_come_back_in_their_layout() -> None:
    X = np.random.default_rng(0).integers(0, 256, (40, 14, 14, 3)).astype(np.uint8)
    net = Autoencoder(2, kind="mlp", noise="gaussian", **SMALL).fit(X)
    assert net.corrupt(X).shape == X.shape
    assert net.corrupt(X).dtype == np.uint8
    assert net.reconstruct(X).shape == X.shape


def test_pictures_are_drawn_of_images_in_any_layout() -> None:
    from ppgen.plotting import image_pixels

    X = np.random.default_rng(0).random((6, 3, 8, 5))
    np.testing.assert_array_equal(image_pixels(X), image_pixels(np.moveaxis(X, 1, 3)))
    np.testing.assert_array_equal(image_pixels(X[:, :1]), image_pixels(X[:, 0]))


# Conditions and trees --------------------------------------------------------------------------


def test_one_column_of_conditions_means_the_same_in_any_shape() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.arange(60) % 3
    shapes = [y, y[:, None], pd.Series(y, name="k"), pd.DataFrame({"k": y}), pl.Series("k", y)]
    shapes += [{"k": y}, y.tolist(), y[:, None].tolist()]
    fits = [VAE(1, conditional=True, **SMALL).fit(X, given_) for given_ in shapes]
    codes = fits[0].encode(X, y)
    for fit in fits:
        assert [c.kind for c in fit.context_.schema.columns] == ["ordinal"]
        for given_ in shapes:
            np.testing.assert_array_equal(fit.encode(X, given_), codes)
    with pytest.raises(InputError, match="'k' is missing"):
        fits[3].encode(X, pd.DataFrame({"other": y}))


def test_a_tree_has_all_columns_whatever_they_are_called() -> None:
    names = ["row", "draw", "chain", "a/b", "a|b", "joint"]
    x = np.random.default_rng(0).normal(size=(40, 6))
    frame = pd.DataFrame(x, columns=names, index=[f"r{i}" for i in range(40)])
    tree = ppgen.to_datatree(Gaussian(random_state=0).fit(frame), frame, num_replicates=3)
    seen, drawn = tree["observed_data"], tree["posterior_predictive"]
    assert len(seen.data_vars) == len(drawn.data_vars) == 6
    for name in ("row", "draw", "chain", "joint"):
        np.testing.assert_array_equal(seen[name], frame[name])
        assert drawn[name].shape == (1, 3, 40)
    np.testing.assert_array_equal(seen["a|b"], frame["a|b"])
    np.testing.assert_array_equal(seen["a|b_"], frame["a/b"])
    assert tree["log_likelihood"]["joint"].dims[:2] == ("chain", "draw")
    assert list(tree["log_likelihood"]["row_"].values) == list(frame.index)


def test_a_tree_of_parameters_is_not_misled_by_columns_called_alike() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    frame = pd.DataFrame(x, columns=["z", "w"])
    tree = ppgen.to_datatree(VAE(1, **SMALL).fit(frame), frame, num_replicates=2)
    assert tree["posterior"]["z"].dims == ("chain", "draw", "row", "latent")
    assert tree["observed_data"]["z"].dims == ("row",)


def test_parquet_of_labelled_rows_keeps_the_labels(tmp_path: Any) -> None:
    frame = table(30)[["money", "whole"]]
    frame.to_parquet(tmp_path / "rows.parquet")
    data: Dataset = ppgen.read(tmp_path / "rows.parquet")
    assert data.schema.names == ("money", "whole")
    assert list(data.index) == list(frame.index)


@pytest.mark.parametrize("label", [1, ("a", 2)])
def test_groups_are_named_by_labels_that_are_no_text(label: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    frame = pd.DataFrame({"x": x, "g": np.arange(30) // 3, "y": y})
    frame.columns = (
        pd.Index([0, label, 2])
        if label == 1
        else pd.MultiIndex.from_tuples([("a", 1), label, ("b", 1)])
    )
    data = as_dataset(frame).grouped(label)
    assert len(data.schema.names) == 2
    pd.testing.assert_frame_equal(
        data.take(np.array([4, 2])).to_native(), frame.iloc[[4, 2], [0, 2]]
    )
    pd.testing.assert_frame_equal(data.filled({}), frame.iloc[:, [0, 2]])


def test_decimals_do_not_end_on_what_stands_apart() -> None:
    values = np.array([0.003, 0.0, 0.25, 0.999, np.nan])
    rounded = Grain(decimals=2).round(values, apart=(0.0, 1.0))
    np.testing.assert_allclose(rounded, [0.01, 0.0, 0.25, 0.99, np.nan], atol=1e-12)
    np.testing.assert_array_equal(Grain().round(values, apart=(0.0,)), values)


def test_the_density_itself_goes_beyond_the_whole_numbers_seen() -> None:
    low, high = 20_000, 200_000
    frame = pd.DataFrame({"s": np.random.default_rng(0).integers(low, high, 400)})
    fit = Gaussian(random_state=0).fit(frame)
    free = fit._unbounded(4000, None, None, 1).columns["s"]
    ends = stats.norm(fit.means_[0, 0], fit.covariances_[0, 0, 0] ** 0.5).cdf(
        [frame.s.min() - 0.5, frame.s.max() + 0.5]
    )
    mass = 1 - (ends[1] - ends[0])
    beyond = np.mean((free < frame.s.min()) | (free > frame.s.max()))
    assert mass > 0.05
    assert beyond == pytest.approx(mass, abs=4 * np.sqrt(mass / 4000))
    np.testing.assert_array_equal(free, np.round(free))
