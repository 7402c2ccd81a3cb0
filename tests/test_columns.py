"""What columns say in the verdict: values far out, codes for missing values, columns that others
determine."""

from __future__ import annotations

import numpy as np
import pytest

import ppgen
from ppgen.cli.outlying import fraction_below
from ppgen.columns import collinear_reasons
from ppgen.data import as_dataset
from ppgen.data.column import Column
from ppgen.extremes import extreme_reasons

DRAWN = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: np.exp(1.5 * rng.normal(size=n)),
    "t with 3": lambda rng, n: rng.standard_t(3, size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(size=n),
    "Pareto": lambda rng, n: rng.pareto(0.7, size=n),
    "two clusters": lambda rng, n: rng.normal(size=n) + 100 * (rng.random(n) < 0.1),
    "counts": lambda rng, n: rng.poisson(3, size=n).astype(float),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_no_law_is_taken_for_extreme_values(draw):
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        alarms += bool(extreme_reasons(Column("x"), draw(rng, (300, 1000, 2000)[seed % 3])))
    assert alarms <= 1


@pytest.mark.parametrize("value", [1e6, -200.0, 3e38, 1e300])
def test_one_value_far_out_is_named_with_its_row(value):
    values = np.random.default_rng(0).normal(size=500)
    values[137] = value
    (found,) = extreme_reasons(Column("x"), values)
    assert found.status == "warn"
    assert f"{value:g}" in found.what
    if abs(value) < 1e30:
        assert "in row 137" in found.what


@pytest.mark.parametrize(("code", "times"), [(-999.0, 1), (9999.0, 200), (0.0, 20), (-9.0, 150)])
def test_codes_for_missing_values_are_named(code, times):
    rng = np.random.default_rng(0)
    values = rng.normal(40.0, 2.0, size=600)
    values[rng.choice(600, times, replace=False)] = code
    (found,) = extreme_reasons(Column("x"), values)
    assert f"{times} value" in found.what
    assert f"{code:g}, far from all others" in found.what
    assert f"(missing={{'x': {code:g}}} of ppgen.read)" in found.advice


def test_gaps_and_logarithms_are_allowed_for():
    rng = np.random.default_rng(0)
    lengths = np.exp(3 * rng.normal(size=500))
    assert not extreme_reasons(Column("x", "positive"), lengths)
    lengths[::3] = np.nan
    lengths[1] = 1e30
    assert "row 1" in str(extreme_reasons(Column("x", "positive"), lengths * 0.99)[0])


@pytest.mark.parametrize(
    "model",
    [
        ppgen.KernelDensity(),
        ppgen.IndependentColumns(),
        ppgen.Gaussian(),
        ppgen.Autoencoder(1, hidden=(2,), max_epochs=1),
    ],
    ids=lambda model: model.name,
)
def test_a_row_of_a_million_is_in_the_verdict(model):
    rows = np.random.default_rng(0).normal(size=(300, 2))
    rows[11, 1] = 1e6
    verdict = model.set_params(random_state=0).fit(rows).verdict_
    assert verdict.status == "warn"
    assert "column 'x1' has an extreme value: 1e+06 in row 11" in str(verdict)


def test_columns_that_are_left_out_are_in_every_verdict():
    rows = {"id": [f"u{i}" for i in range(60)], "a": np.arange(60) / 7, "b": np.arange(60) / 7}
    fit = ppgen.Autoencoder(1, hidden=(2,), max_epochs=1, random_state=0).fit(rows)
    said = " ".join(reason.what for reason in fit.verdict_.reasons)
    assert "column 'id' is left out" in said
    assert "collinear" not in said  # which does a code no harm


def test_an_extreme_value_in_a_part_is_named_by_its_row_in_the_whole():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    rows[211, 1] = 1e6
    part = as_dataset(rows).take(slice(100, 300))
    assert "1e+06 in row 211 (" in str(ppgen.Gaussian().fit(part).verdict_)


def test_collinear_columns_are_named_and_others_are_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4)) * [1, 1e-3, 1e6, 1]
    x[:, 3] = 2 * x[:, 0] - 1e-5 * x[:, 2] + 7
    (found,) = collinear_reasons(("a", "b", "c", "d"), x)
    assert "columns 'a', 'c', 'd' are collinear" in found.what
    x[:, 3] += 1e-3 * rng.normal(size=400)
    assert not collinear_reasons(("a", "b", "c", "d"), x)
    assert not collinear_reasons(("a", "b", "c", "d"), x[:4])
    x[0, 0] = x[1, 3] = 1e9  # two rows far out make no line
    assert not collinear_reasons(("a", "b", "c", "d"), x)


def test_collinear_columns_warn_in_kernels():
    a = np.random.default_rng(0).normal(size=300)
    verdict = ppgen.KernelDensity(random_state=0).fit({"a": a, "b": 3 * a + 1}).verdict_
    assert "columns 'a', 'b' are collinear" in str(verdict)


def test_ties_for_the_lowest_value_count_half():
    colour = np.array(["red"] * 3 + ["blue"] * 7, dtype=object).repeat(20)
    data = {"colour": colour}
    model = ppgen.IndependentColumns(random_state=0).fit(data)
    rows = as_dataset(data, model.schema_)
    below = fraction_below(model, rows, model.score_samples(data), rows)
    np.testing.assert_allclose(below[colour == "red"], 0.15)
    np.testing.assert_allclose(below[colour == "blue"], 0.65)


def test_rows_of_a_reference_that_are_left_out_are_counted(capsys, monkeypatch):
    monkeypatch.setattr("ppgen.cli.outlying._DRAWS", 40)
    rows = as_dataset(np.random.default_rng(0).normal(size=(60, 1)))
    fit = ppgen.Gaussian(random_state=0).fit(rows)
    fraction_below(fit, rows, fit.score_samples(rows), rows)
    assert "compared with 40 of the 60 rows of the reference" in capsys.readouterr().err
    fraction_below(fit, rows, fit.score_samples(rows), rows.take(slice(40)))
    assert capsys.readouterr().err == ""


def test_a_code_is_named_so_that_it_is_read_as_that_number():
    values = np.r_[np.random.default_rng(0).normal(size=100), 3.4e38]
    (found,) = extreme_reasons(Column("x"), values)
    assert "missing={'x': 3.4e+38}" in found.advice


def test_rows_of_weight_zero_say_nothing_of_columns():
    x = np.random.default_rng(0).normal(size=(300, 2))
    x[5, 0] = 1e6
    weights = np.ones(300)
    assert "1e+06 in row 5" in str(ppgen.Gaussian().fit(x, sample_weight=weights).verdict_)
    weights[5] = 0
    assert ppgen.Gaussian().fit(x, sample_weight=weights).verdict_.ok


def test_values_with_a_mass_of_their_own_and_rounded_zeros_are_no_ends():
    values = np.exp(np.random.default_rng(0).normal(size=500))
    values[:150] = 0.0
    assert not extreme_reasons(Column("x", "positive", atoms=(0.0,)), values)
    rounded = Column("x", "positive", width=0.1)
    assert not extreme_reasons(rounded, values[150:].round(1))
    values[200] = 1e25
    (found,) = extreme_reasons(Column("x", "positive", atoms=(0.0,)), values)
    assert "in row 200" in found.what
