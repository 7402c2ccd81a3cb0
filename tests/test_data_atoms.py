"""Values of a continuous column that have a mass of their own."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import ppgen
from ppgen.data import Codec, Dataset, Encoded, as_dataset
from ppgen.data.rounding import find_ties
from ppgen.data.units import unit_hashes
from ppgen.errors import InputError

from .zoo import each, of_one_column

N = 300
UNIT = {"kind": "interval", "lower": 0, "upper": 1}
RNG = np.random.default_rng(0)
BETWEEN = RNG.beta(2, 3, N)
ZEROS, ONES = np.arange(N) < 90, np.arange(N) >= 270
P = np.where(ZEROS, 0.0, np.where(ONES, 1.0, BETWEEN))
U = ((np.arange(400) + 0.5) / 400)[:, None]


def table(values: Any, kind: Any = UNIT) -> Dataset:
    return as_dataset(pd.DataFrame({"p": values})).override({"p": kind})


def test_bounds_that_hold_values_are_atoms_and_said_so() -> None:
    column = table(P).schema["p"]
    assert column.atoms == (0.0, 1.0)
    assert column.width is None
    assert column.note == ""  # the ties lie at the atoms, which is no peculiarity any more
    assert "a mass at 0 and 1" in str(column)
    assert table(BETWEEN).schema["p"].atoms == ()
    assert table(np.where(ZEROS, 0.0, BETWEEN)).schema["p"].atoms == (0.0,)
    verdict = ppgen.Gaussian().fit(table(P)).verdict_
    assert verdict.status == "ok"
    assert "'p' has a mass at 0 and 1" in str([reason.what for reason in verdict.reasons])


def test_rounded_values_have_cells_at_the_bounds_instead() -> None:
    column = table(P.round(2)).schema["p"]
    assert column.width == 0.01
    assert column.atoms == ()
    # Six decimals of which only the zeros are tied are no rounding.
    fine = np.where(np.arange(20_000) < 6000, 0.0, RNG.random(20_000).round(7))
    assert table(fine).schema["p"].atoms == (0.0,)


def test_values_all_at_the_bounds_are_pointed_out() -> None:
    data = table(ZEROS.astype(float))
    assert data.schema["p"].atoms == (0.0, 1.0)
    assert "all its values lie at its ends" in data.schema["p"].note
    assert ppgen.Gaussian().fit(data).verdict_.status == "warn"


def test_masses_and_the_integral_between_them_are_those_of_the_line() -> None:
    codec = Codec.fit(table(P))
    # A standard normal model of z: the stretches partition the line.
    at = [
        float(np.exp(norm.logpdf(e.x[:, 0]) + e.log_det).mean())
        for e in (codec.encode(as_dataset({"p": [a] * 400}, codec.schema), U) for a in (0.0, 1.0))
    ]
    t = np.linspace(-34, 34, 20_001)
    near = 1 / (1 + np.exp(np.abs(t)))
    x = np.where(t < 0, near, 1 - near)
    inner = codec.encode(as_dataset({"p": x}, codec.schema))
    density = np.exp(norm.logpdf(inner.x[:, 0]) + inner.log_det)
    between = float(np.trapezoid(density * near * (1 - near), t))
    edges = [codec.warps[0].atoms.shares[0], 1 - codec.warps[0].atoms.shares[1]]
    z = (np.log(edges) - np.log1p(-np.array(edges)) - codec.warps[0].shift) / codec.warps[0].scale
    low, high = norm.cdf(z)
    np.testing.assert_allclose([at[0], between, at[1]], [low, high - low, 1 - high], atol=2e-3)


def test_log_det_is_the_derivative_by_the_value_or_by_the_place_in_an_atom() -> None:
    data, step = table(P), 1e-6
    codec = Codec.fit(data)
    u = RNG.uniform(0.2, 0.8, (N, 1))
    at = ZEROS | ONES
    log_det = codec.encode(data, u).log_det
    slope = (codec.encode(data, u + step).x - codec.encode(data, u - step).x)[:, 0] / (2 * step)
    np.testing.assert_allclose(log_det[at], np.log(slope[at]), atol=1e-5)
    np.testing.assert_array_equal(slope[~at], 0.0)
    shift = np.where(at, 0.0, 1e-6 * np.minimum(P, 1 - P))
    high, low = (
        codec.encode(as_dataset({"p": P + s}, data.schema), u).x[:, 0] for s in (shift, -shift)
    )
    inner = np.log((high - low)[~at] / (2 * shift[~at]))
    np.testing.assert_allclose(log_det[~at], inner, atol=1e-5)


@pytest.mark.parametrize("atoms", [(0.5,), (-1.0, 0.5), (0.0, 1e3)])
def test_a_real_column_has_the_atoms_that_are_named(atoms: tuple[float, ...]) -> None:
    x = RNG.normal(size=N)
    for k, atom in enumerate(atoms):
        x[k::5] = atom
    assert "repeated" in as_dataset(pd.DataFrame({"p": x})).schema["p"].note
    data = table(x, {"kind": "real", "atoms": list(atoms)})
    assert data.schema["p"].note == ""
    codec = Codec.fit(data)
    assert codec.measure == "mixed"
    assert codec.dequantised == ("p",)
    for places in (None, RNG.random((N, 1)), np.zeros((1, 1))):
        encoded = codec.encode(data, places)
        np.testing.assert_allclose(codec.decode(encoded)["p"], x, rtol=1e-9, atol=1e-9)
    # One to one and ascending: places of neighbours do not overlap.
    encoded = codec.encode(data, RNG.random((N, 1))).x[:, 0]
    order = np.argsort(encoded)
    assert (np.diff(x[order]) >= 0).all()


def test_a_positive_column_may_have_zeros() -> None:
    x = np.where(ZEROS, 0.0, RNG.lognormal(size=N))
    data = table(x, "positive")
    assert data.schema["p"].atoms == (0.0,)
    codec = Codec.fit(data)
    back = codec.decode(codec.encode(data, RNG.random((N, 1))))["p"]
    np.testing.assert_allclose(back, x, rtol=1e-9)
    assert ((back == 0) == ZEROS).all()


def test_a_bound_that_the_fit_did_not_see_has_probability_zero() -> None:
    data = table(BETWEEN)
    model = ppgen.Gaussian().fit(data)
    rows = as_dataset({"p": [0.0, 0.5, 1.0]}, data.schema)
    with pytest.warns(UserWarning, match=r"holds 0, 1, which the fit never saw"):
        values = model.score_samples(rows)
    np.testing.assert_array_equal(np.isneginf(values), [True, False, True])
    assert model.log_density(data).kind == "exact"
    with pytest.raises(InputError, match=r"0 only as an atom.*'atoms': \[0\]"):
        ppgen.Gaussian().fit(as_dataset({"p": np.where(ZEROS, 0.0, BETWEEN)}, data.schema))


def test_atoms_of_the_schema_hold_for_parts_without_them() -> None:
    data = table(P)
    codec = Codec.fit(data.take(np.flatnonzero(~ZEROS)))
    assert codec.measure == "mixed"
    encoded = codec.encode(data)
    assert np.isfinite(encoded.x).all()
    assert np.isfinite(encoded.log_det).all()


def test_samples_next_to_a_bound_stay_off_it() -> None:
    for dtype, values in (("float64", BETWEEN), ("float32", BETWEEN.astype(np.float32))):
        codec = Codec.fit(table(values))
        far = np.array([[-1e3], [1e3], [-40.0], [40.0]])
        drawn = codec.decode(Encoded(far, np.empty((4, 0), np.int32), np.zeros(4)))["p"]
        stored = drawn.astype(dtype)
        assert ((stored > 0) & (stored < 1)).all()


def test_bounds_in_single_precision_are_bounds() -> None:
    kind = {"kind": "interval", "lower": 0.1, "upper": 0.3}
    x = (0.1 + 0.2 * P).astype(np.float32)
    data = table(x, kind)
    assert data.schema["p"].atoms == (0.1, 0.3)
    codec = Codec.fit(data)
    back = codec.decode(codec.encode(data, RNG.random((N, 1))))["p"].astype(np.float32)
    np.testing.assert_allclose(back, x, rtol=1e-6)
    assert ((back == np.float32(0.3)) == ONES).all()


def test_weights_count_as_repeats() -> None:
    weights = RNG.integers(0, 4, N)
    a = Codec.fit(table(P), weights=weights.astype(float)).encode(table(P))
    repeated = table(P).take(np.repeat(np.arange(N), weights))
    b = Codec.fit(repeated).encode(table(P))
    np.testing.assert_allclose(a.x, b.x, rtol=1e-9)
    np.testing.assert_allclose(a.log_det, b.log_det, rtol=1e-9)


def test_gaps_stay_gaps() -> None:
    x = P.copy()
    x[::7] = np.nan
    data = table(x)
    encoded = Codec.fit(data).encode(data)
    np.testing.assert_array_equal(np.isnan(encoded.x[:, 0]), np.isnan(x))
    np.testing.assert_array_equal(encoded.log_det[::7], 0.0)


def test_json_keeps_atoms_and_refuses_what_an_earlier_version_took_for_densities() -> None:
    data = table(P)
    codec = Codec.fit(data)
    body = json.loads(json.dumps(codec.to_json()))
    a, b = codec.encode(data), Codec.from_json(body).encode(data)
    np.testing.assert_array_equal(a.x, b.x)
    np.testing.assert_array_equal(a.log_det, b.log_det)
    del body["version"]
    with pytest.raises(InputError, match=r"column 'p'.*Fit again"):
        Codec.from_json(body)
    rounded = json.loads(json.dumps(Codec.fit(table(P.round(2))).to_json()))
    del rounded["version"]
    assert Codec.from_json(rounded).dequantised == ("p",)


@pytest.mark.parametrize(
    ("values", "given", "message"),
    [
        (P, {**UNIT, "atoms": [2.0]}, "no value of it"),
        (P, {**UNIT, "atoms": [0.0], "width": 0.1}, "rounding step"),
        (P.round(1), {**UNIT, "atoms": [0.0]}, "rounded to 0.1.*Leave out the atoms"),
        (P, {"kind": "circular", "period": 1, "atoms": [0.0]}, "circular.*atoms"),
    ],
)
def test_atoms_that_cannot_be_are_refused(values: Any, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(values, given)


def test_equal_rows_at_an_atom_are_no_copies() -> None:
    x = BETWEEN.copy()
    x[:4] = 0.0  # four rows of three hundred: fewer than an atom has that nobody named
    x[4:8] = x[8]
    units = unit_hashes(table(x))
    assert len(np.unique(units[:4])) == 4
    assert len(np.unique(units[4:9])) == 1


@each("density", per="class")
def test_a_real_column_of_many_zeros_is_a_warning_in_every_family(name: str) -> None:
    model = of_one_column(name)
    if "max_epochs" in model.get_params():
        model.set_params(max_epochs=2)
    model.fit(np.where(ZEROS, 0.0, BETWEEN)[:, None])
    assert model.verdict_.status == "warn"
    ties = "column 'x0': 30% of its values are repeated, most often 0"
    (reason,) = [r for r in model.verdict_.reasons if r.what.startswith(ties)]
    assert reason.status == "warn"
    assert "atoms" in reason.advice


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(-30, 30), min_size=1, max_size=20),
    st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_places_ascend_with_values_and_lead_back(
    atoms: list[int], others: list[float], times: int
) -> None:
    values = np.sort(np.concatenate([np.repeat(np.sort(atoms), times), others]).astype(float))
    kind = {"kind": "real", "atoms": atoms}
    assume(find_ties(values)[0] is None)  # values on a grid have cells, and atoms are refused
    data = as_dataset(values[:, None]).override({"x0": kind})
    assume(data.schema["x0"].width is None)
    codec = Codec.fit(data)
    assume("x0" not in codec.constants)
    u = np.sort(RNG.random((len(values), 1)), axis=0)  # ascending within an atom too
    encoded = codec.encode(data, u)
    assert (np.diff(encoded.x[:, 0]) >= 0).all()
    assert np.isfinite(encoded.log_det).all()
    # Far from all else, values are as near to each other on the line as rounding errors.
    spread = codec.warps[0].atoms.spread
    back = codec.decode(encoded)["x0"]
    near = np.abs(values - codec.warps[0].atoms.centre) < 20 * spread
    at = np.isin(values, atoms)
    np.testing.assert_allclose(back[near], values[near], atol=1e-4 * max(spread, 1e-3))
    np.testing.assert_array_equal(back[at & near], values[at & near])
