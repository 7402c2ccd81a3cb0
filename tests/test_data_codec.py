"""What columns are encoded to: inverse, log-determinant, measure, and what has probability zero."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from ppgen.data import Codec, Dataset, Encoded, as_dataset
from ppgen.errors import InputError

RNG = np.random.default_rng(0)
N = 200

# Name -> (values, override). All kinds, rounded and not.
ZOO = {
    "real": (RNG.normal(3, 2, N), "real"),
    "rounded": (RNG.normal(3, 2, N).round(1), "real"),
    "offset grid": (np.round(RNG.normal(0, 5, N)) + 0.125, "real"),
    "huge offset": (1e9 + RNG.normal(0, 1e-3, N), "real"),
    "positive": (RNG.lognormal(0, 2, N), "positive"),
    "rounded positive": (RNG.lognormal(0, 1, N).round(1), "positive"),
    "interval": (RNG.uniform(-2, 5, N), {"kind": "interval", "lower": -2, "upper": 5}),
    "interval with atoms": (
        np.where(np.arange(N) < 60, 0.0, np.where(np.arange(N) < 90, 1.0, RNG.random(N))),
        {"kind": "interval", "lower": 0, "upper": 1},
    ),
    "rounded interval": (RNG.random(N).round(2), {"kind": "interval", "lower": 0, "upper": 1}),
    "circular": (RNG.normal(350, 30, N) % 360, {"kind": "circular", "period": 360}),
    "signed circular": (RNG.vonmises(3, 2, N), {"kind": "circular", "period": 2 * np.pi}),
    "rounded circular": (
        (RNG.normal(350, 30, N) // 10 * 10) % 360,
        {"kind": "circular", "period": 360},
    ),
    "count": (RNG.poisson(8, N).astype(float), "count"),
    "ordinal": (RNG.integers(1, 6, N).astype(float), "ordinal"),
    "binary": (RNG.integers(0, 2, N).astype(float), "binary"),
    "categorical": (RNG.choice(["a", "b", "c"], N), "categorical"),
}


def column(name: str) -> Dataset:
    values, kind = ZOO[name]
    return as_dataset(pd.DataFrame({"x": values})).override({"x": kind})


def assert_same(got, expected, data):
    for name, values in expected.items():
        if values.dtype == object:
            assert got[name].tolist() == values.tolist()
        else:
            scale = np.nanstd(values) if np.isfinite(values).any() else 1.0
            np.testing.assert_allclose(got[name], values, rtol=1e-12, atol=1e-9 * scale)


@pytest.mark.parametrize("scaling", ["standard", "none"])
@pytest.mark.parametrize("discrete", ["native", "dequantised"])
@pytest.mark.parametrize("name", ZOO)
def test_decode_inverts_encode(name, discrete, scaling):
    data = column(name)
    codec = Codec.fit(data, scaling=scaling, discrete=discrete)
    d = len(codec.continuous_names)
    places = [None, np.zeros((1, d)), np.full((1, d), 1 - 2.0**-53), RNG.random((N, d))]
    for offsets in places:
        encoded = codec.encode(data, offsets)
        assert np.isfinite(encoded.x).all()
        assert np.isfinite(encoded.log_det).all()
        assert (encoded.codes >= 0).all()
        assert_same(codec.decode(encoded), data.columns, data)
    assert len(encoded) == N
    assert len(encoded.take(slice(3, 7))) == 4


@pytest.mark.parametrize("name", [n for n in ZOO if n not in ("huge offset", "rounded circular")])
def test_standard_scaling(name):
    data = column(name)
    codec = Codec.fit(data, discrete="dequantised")
    draws = [codec.encode(data, RNG.random((N, 1))).x for _ in range(50)]
    assert np.mean(draws) == pytest.approx(0, abs=0.03)
    assert np.std(draws) == pytest.approx(1, abs=0.05)


def test_huge_offsets_lose_no_digits():
    data = column("huge offset")
    # The numbers themselves are 1e-7 apart, a ten-thousandth of their deviation.
    x = Codec.fit(data).encode(data).x
    assert x.mean() == pytest.approx(0, abs=1e-4)
    assert x.std() == pytest.approx(1, abs=1e-6)


# Cells at bounds are cut: the integrals below cover them. Atoms: see test_data_atoms.
@pytest.mark.parametrize(
    "name",
    sorted(
        set(ZOO) - {"huge offset", "rounded positive", "rounded interval", "interval with atoms"}
    ),
)
def test_log_det_is_the_derivative(name):
    data = column(name)
    codec = Codec.fit(data, discrete="dequantised")
    warp = codec.warps[0]
    u, step = RNG.uniform(0.2, 0.8, (N, 1)), 1e-6
    encoded = codec.encode(data, u)
    shift = step * (warp.column.width or 1.0)
    if warp.noisy:
        # Within a cell v moves by `width` (1 for counts and levels) as u goes from 0 to 1.
        high, low = codec.encode(data, u + step).x, codec.encode(data, u - step).x
    else:
        x = data.columns["x"]
        shift = 1e-6 * np.abs(x)
        moved = [as_dataset({"x": x + s}, data.schema) for s in (shift, -shift)]
        high, low = (codec.encode(m).x for m in moved)
    slope = (high - low)[:, 0] / (2 * shift)
    inside = slope > 0  # a circle's cut, or an edge, may lie between the two
    assert inside.mean() > 0.98
    np.testing.assert_allclose(encoded.log_det[inside], np.log(slope[inside]), atol=2e-4)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("real", -20, 30),
        ("positive", 0, np.inf),
        ("interval", -2, 5),
        ("circular", 0, 360),
        ("signed circular", -np.pi, np.pi),
    ],
)
def test_density_integrates_to_one(name, low, high):
    data = column(name)
    codec = Codec.fit(data)

    def density(x: float) -> float:
        encoded = codec.encode(as_dataset({"x": [x]}, data.schema))
        return float(np.exp(norm.logpdf(encoded.x[0, 0]) + encoded.log_det[0]))

    cut = codec.warps[0].cut
    points = [p for p in (cut, cut - (data.schema["x"].period or 0)) if low < p < high]
    middle = float(np.median(data.columns["x"]))
    pieces = sorted({low, high, middle, *points})
    total = sum(quad(density, a, b, limit=200)[0] for a, b in itertools.pairwise(pieces))
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["count", "ordinal", "binary", "categorical"])
def test_masses_sum_to_one(name):
    data = column(name)
    codec = Codec.fit(data, discrete="dequantised")
    levels = list(data.schema["x"].levels) or list(range(2000))
    u = ((np.arange(400) + 0.5) / 400)[:, None]
    total = 0.0
    for level in levels:
        encoded = codec.encode(as_dataset({"x": [level] * 400}, data.schema), u)
        total += np.exp(norm.logpdf(encoded.x[:, 0]) + encoded.log_det).mean()
    assert total == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("name", ["rounded", "rounded positive", "rounded interval"])
def test_cell_averages_integrate_to_one(name):
    # The density averaged over a cell, times the cell's length, is the mass of its value.
    data = column(name)
    codec = Codec.fit(data)
    width = data.schema["x"].width
    low, high = {"rounded": (-20, 30), "rounded positive": (0, 400), "rounded interval": (0, 1)}[
        name
    ]
    grid = np.round(np.arange(low, high + width / 2, width), 6)
    u = ((np.arange(200) + 0.5) / 200)[:, None]
    total = 0.0
    for x in grid:
        encoded = codec.encode(as_dataset({"x": [x] * 200}, data.schema), u)
        length = width
        if name != "rounded":
            upper = 1 if name == "rounded interval" else np.inf
            length = min(x + width / 2, upper) - max(x - width / 2, 0)
        total += np.exp(norm.logpdf(encoded.x[:, 0]) + encoded.log_det).mean() * length
    assert total == pytest.approx(1, abs=3e-3)


# Whole tables ----------------------------------------------------------------------------------


def table(n: int = 120) -> pd.DataFrame:
    frame = pd.DataFrame({"mass": RNG.lognormal(size=n), "len": RNG.normal(size=n).round(1)})
    frame["n"] = RNG.poisson(6, n)
    frame["n"] = frame["n"] - frame["n"].min()
    frame["sex"] = RNG.choice(["f", "m", None], n)
    frame["grade"] = RNG.integers(1, 5, n)
    frame["ok"] = RNG.random(n) < 0.5
    frame["same"] = "kg"
    frame["none"] = np.nan
    frame.loc[3:9, "mass"] = np.nan
    return frame


@pytest.mark.parametrize("discrete", ["native", "dequantised"])
def test_mixed_table(discrete):
    frame = table()
    data = as_dataset(frame).override({"mass": "positive"})
    codec = Codec.fit(data, discrete=discrete)
    encoded = codec.encode(data)
    native = ("sex", "grade", "ok")
    assert codec.measure == "mixed"
    assert codec.continuous_names == ("mass", "len", "n") + native * (discrete != "native")
    assert codec.discrete_names == native * (discrete == "native")
    assert codec.n_levels == (2, 4, 2) * (discrete == "native")
    assert codec.dequantised == codec.continuous_names[1:]
    assert np.isnan(encoded.x[3:9, 0]).all()
    if discrete == "native":
        np.testing.assert_array_equal(encoded.codes[:, 0] == -1, frame["sex"].isna())
    assert np.isfinite(encoded.log_det).all()
    pd.testing.assert_frame_equal(data.rebuild(codec.decode(encoded)), frame)
    # Missing columns add nothing to the log-determinant.
    holes = frame.assign(mass=np.nan, len=np.nan, n=np.nan, sex=None, grade=np.nan, ok=None)
    empty = codec.encode(as_dataset(holes, data.schema))
    np.testing.assert_array_equal(empty.log_det, 0.0)
    assert np.isnan(empty.x).all()
    assert (empty.codes == -1).all()


def test_json_round_trip_is_exact():
    data = as_dataset(table()).override({"mass": "positive"})
    for discrete in ("native", "dequantised"):
        codec = Codec.fit(data, discrete=discrete)
        again = Codec.from_json(json.loads(json.dumps(codec.to_json())))
        a, b = codec.encode(data), again.encode(data)
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.codes, b.codes)
        np.testing.assert_array_equal(a.log_det, b.log_det)
        assert again.schema == codec.schema
        assert again.measure == codec.measure


def test_what_the_fit_never_saw_has_probability_zero():
    frame = table()
    data = as_dataset(frame).override({"mass": "positive"})
    for discrete in ("native", "dequantised"):
        codec = Codec.fit(data, discrete=discrete)
        new = frame.head(6).copy()
        new["mass"] = [1.0, -3.0, 1.0, 1.0, 1.0, 1.0]
        new["sex"] = ["f", "f", "x", "f", "f", "f"]
        new["same"] = ["kg", "kg", "kg", "lb", None, "kg"]
        new["none"] = [np.nan, 1, 2, 3, 4, 5]
        new["n"] = [0.0, 0, 0, 0, 0, 1.5]
        rows = as_dataset(new, data.schema)
        encoded = codec.encode(rows)
        assert np.isneginf(encoded.log_det)[[1, 3, 5]].all()
        assert np.isfinite(encoded.log_det)[[0, 4]].all()
        # Not taken for a gap, which would be integrated out.
        assert not np.isnan(encoded.x).any()
        if discrete == "native":
            assert encoded.codes[2, 0] == -2
        else:
            assert np.isneginf(encoded.log_det[2])
        assert codec.unseen(rows) == {"mass": [-3.0], "sex": ["x"], "same": ["lb"], "n": [1.5]}


def test_a_fit_refuses_values_outside_the_support():
    good = as_dataset(pd.DataFrame({"m": [1.0, 2.5, 3.0, 4.2]})).override({"m": "positive"})
    bad = as_dataset({"m": [1.0, 2.0, -1.0]}, good.schema)
    with pytest.raises(InputError, match=r"'m' holds -1\.0 in row 2"):
        Codec.fit(bad)


def test_degenerate_columns_are_held():
    frame = pd.DataFrame({"a": [1.0] * 50 + [2.5, 3.5], "b": RNG.normal(size=52), "c": 1.0})
    frame.loc[:49, "d"] = np.nan
    frame.loc[50:, "d"] = [1.0, 2.0]
    data = as_dataset(frame.to_numpy())
    codec = Codec.fit(data.take(slice(0, 50)))
    assert codec.continuous_names == ("x1",)
    assert {*codec.constants} == {"x0", "x2"}
    assert codec.empties == ("x3",)
    encoded = codec.encode(data)
    assert np.isneginf(encoded.log_det[50:]).all()
    assert np.isfinite(encoded.log_det[:50]).all()
    back = codec.decode(encoded)
    assert (back["x0"] == 1.0).all()
    assert np.isnan(back["x3"]).all()
    assert (back["x2"] == 1.0).all()


def test_constants_survive_single_precision():
    X = np.full((20, 2), 0.1, dtype=np.float32)
    X[:, 1] = RNG.normal(size=20)
    data = as_dataset(X)
    codec = Codec.fit(data)
    assert np.isfinite(codec.encode(data).log_det).all()
    double = as_dataset(np.column_stack([np.full(20, 0.1), X[:, 1]]), data.schema)
    assert np.isfinite(codec.encode(double).log_det).all()


def test_identity_copies_nothing():
    for dtype in (np.float32, np.float64):
        X = RNG.normal(size=(100, 3)).astype(dtype)
        data = as_dataset(X)
        codec = Codec.fit(data, scaling="none")
        encoded = codec.encode(data)
        assert encoded.x is X
        np.testing.assert_array_equal(encoded.log_det, 0.0)
        assert codec.measure == "density"
    with_gap = X.astype(np.float64)
    with_gap[0, 0] = np.nan
    data = as_dataset(with_gap)
    assert Codec.fit(data, scaling="none").encode(data).x is with_gap


def test_weights_count_as_repeats():
    X = RNG.normal(size=(40, 2))
    weights = RNG.integers(0, 4, 40)
    data, repeated = as_dataset(X), as_dataset(np.repeat(X, weights, axis=0))
    a = Codec.fit(data, weights=weights.astype(float)).encode(data)
    b = Codec.fit(Dataset(data.schema, repeated.columns, "numpy:float64")).encode(data)
    np.testing.assert_allclose(a.x, b.x, rtol=1e-12)
    np.testing.assert_allclose(a.log_det, b.log_det, rtol=1e-12)


def test_samples_stay_inside():
    data = as_dataset(table()).override({"mass": "positive"})
    codec = Codec.fit(data, discrete="dequantised")
    x = RNG.normal(size=(500, len(codec.continuous_names))) * 8
    x[0], x[1] = 1e6, -1e6
    rows = codec.decode(Encoded(x, np.empty((500, 0), np.int32), np.zeros(500)))
    assert (rows["mass"] > 0).all()
    assert np.isfinite(rows["mass"]).all()
    assert (rows["n"] >= 0).all()
    assert (rows["n"] == np.round(rows["n"])).all()
    assert set(rows["sex"]) <= {"f", "m"}
    assert set(rows["grade"]) <= {1.0, 2.0, 3.0, 4.0}
    np.testing.assert_array_equal(rows["len"], np.round(rows["len"], 1))
    data.rebuild(rows)


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 30), st.integers(1, 4)),
        elements=st.floats(-1e12, 1e12, allow_subnormal=False) | st.just(np.nan),
    )
)
@settings(max_examples=80, deadline=None)
def test_any_array_survives(X):
    data = as_dataset(X)
    codec = Codec.fit(data)
    encoded = codec.encode(data)
    assert encoded.x.shape == (len(X), len(codec.continuous_names))
    back = np.column_stack(list(codec.decode(encoded).values()))
    scale = np.nanmax(np.abs(X), axis=0, initial=1e-300)
    for j, found in enumerate(data.schema.columns):
        if found.name not in codec.continuous_names:
            continue
        np.testing.assert_allclose(back[:, j], X[:, j], rtol=1e-9, atol=1e-9 * scale[j])
        assert np.isfinite(encoded.log_det).all()


cells = st.one_of(st.none(), st.sampled_from(["a", "b", "?", ""]))


@given(st.lists(st.tuples(cells, st.none() | st.booleans()), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_survives(rows):
    frame = pd.DataFrame({"t": [r[0] for r in rows], "b": [r[1] for r in rows]}, dtype=object)
    data = as_dataset(frame)
    for discrete in ("native", "dequantised"):
        codec = Codec.fit(data, discrete=discrete)
        encoded = codec.encode(data)
        assert np.isfinite(encoded.log_det).all()
        back = codec.decode(encoded)
        for name in ("t", "b"):
            if data.schema[name].kind in ("binary", "categorical"):
                np.testing.assert_array_equal(back[name], data.columns[name])


def test_one_value_far_out_leaves_the_scale_of_the_others():
    x = np.random.default_rng(0).normal(3.0, 2.0, 500)
    clean = Codec.fit(as_dataset(x[:, None]))
    far = Codec.fit(as_dataset(np.append(x, 1e6)[:, None]))
    z, other = (codec.encode(as_dataset(x[:, None])).x for codec in (clean, far))
    assert other.std() == pytest.approx(z.std(), rel=0.1)
    assert abs(other.mean()) < 0.1
    assert far.encode(as_dataset(np.array([[1e6]]))).x.max() < 30  # nor does it stand alone


@pytest.mark.parametrize(("kind", "far"), [("real", 1e6), ("positive", 1e60)])
def test_a_column_with_a_value_far_out_is_mapped_one_to_one(kind, far):
    v = np.append(np.random.default_rng(0).gamma(9.0, size=300), far)
    data = as_dataset({"a": v}).override({"a": {"kind": kind}})
    codec = Codec.fit(data)
    warp, h = codec.warps[0], 1e-6
    assert warp.bend > 0
    np.testing.assert_allclose(codec.decode(codec.encode(data))["a"], v, rtol=1e-9)
    # The slope is that of the map, by differences, on both sides of the bend and far beyond.
    at = np.array([2.0, 9.0, 14.0, 40.0, 1e3, 1e5])
    (low, _), (high, _) = (warp.forward(at * (1 + s * h), 0.5) for s in (-1, 1))
    slope = warp.forward(at, 0.5)[1]
    np.testing.assert_allclose(np.exp(slope), (high - low) / (2 * h * at), rtol=1e-4)


def test_two_clusters_are_no_value_far_out():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(1000) < 0.5, rng.normal(0, 1e-3, 1000), rng.normal(100, 10, 1000))
    codec = Codec.fit(as_dataset(x[:, None]))
    assert codec.warps[0].bend == 0
    assert codec.encode(as_dataset(x[:, None])).x.std() == pytest.approx(1.0)
