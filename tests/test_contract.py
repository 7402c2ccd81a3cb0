"""What holds of every model, whatever it is inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import ppgen
from ppgen import InputError
from ppgen.models import registry

from .zoo import CLASSES, ROUGH, SLOW, ZOO, fitted, mixed, numbers, positives

each_model = pytest.mark.parametrize("name", ZOO)
each_refit = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in ZOO]
)
each_class = pytest.mark.parametrize("name", CLASSES)


def test_the_zoo_holds_every_model_of_the_registry() -> None:
    assert {ZOO[name]().name for name in CLASSES} == set(registry.names())
    for name, make in ZOO.items():
        assert registry.get(make().name) is type(make()), name


# Fitting ------------------------------------------------------------------------------------------


@each_model
def test_a_fit_says_how_it_went(name: str) -> None:
    model = fitted(name)
    assert model.verdict_.status in ("ok", "warn")
    assert all(r.what and (r.advice or r.status == "ok") for r in model.verdict_.reasons)
    assert model.schema_.names == ("x0", "x1")
    assert model.n_features_in_ == 2
    assert model.fit_seconds_ > 0


@each_refit
def test_one_seed_gives_one_fit(name: str) -> None:
    again = ZOO[name]().fit(numbers())
    rows = numbers(50, seed=1)
    np.testing.assert_array_equal(again.score_samples(rows), fitted(name).score_samples(rows))
    np.testing.assert_array_equal(again.sample(20), fitted(name).sample(20))


@each_model
def test_parameters_are_stored_as_given_and_cloned_unfitted(name: str) -> None:
    model = ZOO[name]()
    copy = clone(fitted(name))
    assert copy.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copy.score_samples(numbers())
    with pytest.raises(NotFittedError):
        copy.sample()


@each_model
def test_the_rows_given_are_not_changed(name: str) -> None:
    rows = numbers()
    kept = rows.copy()
    fitted(name).score_samples(rows)
    np.testing.assert_array_equal(rows, kept)


@each_class
def test_validation_rows_are_accepted(name: str) -> None:
    model = ZOO[name]().fit(numbers(), validation=numbers(40, seed=1))
    assert np.isfinite(model.score(numbers(40, seed=2)))


# Log densities ------------------------------------------------------------------------------------


@each_model
def test_log_density_says_what_it_is(name: str) -> None:
    model, rows = fitted(name), numbers(60, seed=1)
    density = model.log_density(rows)
    assert density.values.shape == (60,)
    assert np.isfinite(density.values).all()
    assert density.kind == model.capabilities.density
    assert density.measure == "density"
    assert density.method
    np.testing.assert_array_equal(model.score_samples(rows), density.values)
    assert model.score(rows) == pytest.approx(density.mean())


@each_model
def test_a_score_depends_on_its_row_alone(name: str) -> None:
    model, rows = fitted(name), numbers(30, seed=1)
    whole = model.score_samples(rows)
    alone = np.concatenate([model.score_samples(rows[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, whole[:5], rtol=1e-4)
    np.testing.assert_allclose(model.score_samples(rows[::-1]), whole[::-1], rtol=1e-4)


@each_model
def test_likely_rows_score_above_unlikely_ones(name: str) -> None:
    model = fitted(name)
    far = numbers(40, seed=1) + np.array([0.0, 8.0])
    assert model.score(numbers(40, seed=1)) > model.score(far) + 1


@each_refit
def test_a_density_of_one_column_integrates_to_one(name: str) -> None:
    model = ZOO[name]().fit(numbers()[:, :1])
    grid = np.linspace(-40, 60, 20_001)
    total = np.trapezoid(np.exp(model.score_samples(grid[:, None])), grid)
    assert total == pytest.approx(1, abs=2e-3)


@each_class
def test_a_density_of_lengths_integrates_to_one(name: str) -> None:
    data = ppgen.read(pd.DataFrame({"length": positives()}), schema={"length": "positive"})
    model = ZOO[name]().fit(data)
    assert model.schema_["length"].kind == "positive"
    grid = np.exp(np.linspace(-12, 8, 20_001))
    log_p = model.score_samples(ppgen.as_dataset({"length": grid}, model.schema_))
    assert np.trapezoid(np.exp(log_p), grid) == pytest.approx(1, abs=2e-3)


@each_refit
def test_units_shift_the_density_by_their_log(name: str) -> None:
    rows, factor = numbers(), 4.0
    scaled = ZOO[name]().fit(factor * rows).score_samples(factor * rows)
    expected = fitted(name).score_samples(rows) - 2 * np.log(factor)
    # Rounding decides where a chain goes; the mean over rows and draws hardly moves.
    if name in ROUGH:
        assert scaled.mean() == pytest.approx(expected.mean(), abs=0.1)
    else:
        np.testing.assert_allclose(scaled, expected, atol=1e-3)


# Samples ------------------------------------------------------------------------------------------


@each_model
def test_samples_are_reproducible_rows(name: str) -> None:
    model = fitted(name)
    rows = model.sample(30, random_state=7)
    assert rows.shape == (30, 2)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, model.sample(30, random_state=7))
    assert not np.array_equal(rows, model.sample(30, random_state=8))
    for wrong in (0, -1, 1.5):
        with pytest.raises(InputError):
            model.sample(wrong)


@each_refit
def test_samples_follow_the_density(name: str) -> None:
    """Probability integral transform of 1000 samples of one column, KS test: fails 1 in 10^6."""
    model = ZOO[name]().fit(numbers()[:, :1])
    drawn = model.sample(1000, random_state=3)[:, 0]
    grid = np.linspace(-40, 60, 20_001)
    mass = np.exp(model.score_samples(grid[:, None]))
    cdf = np.cumsum(mass) / mass.sum()
    # A posterior's density is a mean over draws; samples may come from its mean mixture.
    wide = 0.06 if model.posterior_ is not None else 0.0
    distance = stats.kstest(np.interp(drawn, grid, cdf), "uniform").statistic
    assert distance < wide + stats.kstwo.isf(1e-6, 1000)


# Saving -------------------------------------------------------------------------------------------


@each_model
def test_a_saved_fit_is_the_same_fit(name: str, tmp_path: Path) -> None:
    model, rows = fitted(name), numbers(40, seed=1)
    loaded = ppgen.load(model.save(tmp_path / "run"))
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.score_samples(rows), model.score_samples(rows))
    np.testing.assert_array_equal(loaded.sample(10), model.sample(10))
    assert loaded.verdict_ == model.verdict_
    assert loaded.schema_ == model.schema_
    assert loaded.log_density(rows).describe() == model.log_density(rows).describe()


# Containers and kinds of columns ------------------------------------------------------------------

CONTAINERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@each_class
@pytest.mark.parametrize("container", CONTAINERS)
def test_samples_come_in_the_container_that_was_fitted(name: str, container: str) -> None:
    x = numbers()
    make = CONTAINERS[container]
    frame = make({"a": x[:, 0], "b": x[:, 1]})
    model = ZOO[name]().fit(frame)
    drawn = model.sample(5)
    assert type(drawn) is type(frame)
    names = drawn.column_names if container == "pyarrow" else list(drawn.columns)
    assert names == ["a", "b"]
    # A Dataset goes by its names; scikit-learn wants frames refused whose columns are in disorder.
    swapped = make({"b": x[:, 1], "a": x[:, 0]})
    by_name = model.score_samples(ppgen.as_dataset(swapped))
    np.testing.assert_array_equal(by_name, model.score_samples(frame))
    with pytest.raises(ValueError, match="order"):
        model.score_samples(swapped)
    with pytest.raises(ValueError, match="c"):
        model.score_samples(make({"a": x[:, 0], "b": x[:, 1], "c": x[:, 0]}))
    with pytest.raises(ValueError, match="b"):
        model.score_samples(make({"a": x[:, 0]}))


@each_class
def test_float32_comes_back_as_float32(name: str) -> None:
    drawn = ZOO[name]().fit(numbers().astype(np.float32)).sample(5)
    assert drawn.dtype == np.float32


@each_class
def test_a_table_of_all_kinds_is_modelled_and_sampled(name: str) -> None:
    frame = pd.DataFrame(mixed())
    model = ZOO[name]().fit(ppgen.read(frame, schema={"length": "positive", "visits": "count"}))
    density = model.log_density(ppgen.as_dataset(frame))
    assert np.isfinite(density.values).all()
    assert density.measure == "mixed"
    if density.dequantised:
        assert density.kind == "lower_bound"
        assert "dequantisation" in density.gap
    else:
        assert density.kind == "exact"
    drawn = model.sample(50)
    assert list(drawn.columns) == list(frame.columns)
    assert set(drawn["species"]) <= set(frame["species"])
    assert (drawn["length"] > 0).all()
    assert (drawn["visits"] >= 0).all()
    assert (drawn["visits"] == np.round(drawn["visits"])).all()
    assert np.isfinite(model.score(ppgen.as_dataset(drawn)))


@each_class
def test_constant_and_empty_columns_are_named_and_come_back(name: str) -> None:
    x = numbers()
    frame = pd.DataFrame({"a": x[:, 0], "one": 1.0, "none": np.nan, "b": x[:, 1]})
    model = ZOO[name]().fit(frame)
    told = str([reason.what for reason in model.verdict_.reasons])
    assert "'one'" in told
    assert "'none'" in told
    drawn = model.sample(5)
    assert list(drawn.columns) == ["a", "one", "none", "b"]
    assert (drawn["one"] == 1).all()
    assert drawn["none"].isna().all()


@each_class
def test_a_level_never_seen_has_probability_zero(name: str) -> None:
    frame = pd.DataFrame(mixed())
    model = ZOO[name]().fit(frame)
    odd = frame.head(3).assign(species="Emperor")
    with pytest.warns(UserWarning, match="Emperor"):
        assert np.isneginf(model.score_samples(odd)).all()


# Capabilities are true ----------------------------------------------------------------------------


def _with_gaps(rows: Any) -> Any:
    rows = rows.copy()
    rows[::7, 0] = np.nan
    rows[3::11, 1] = np.nan
    return rows


@each_refit
def test_gaps_are_modelled_or_refused(name: str) -> None:
    model, rows = fitted(name), _with_gaps(numbers(40, seed=1))
    if not model.capabilities.missing:
        with pytest.raises(InputError, match="missing"):
            model.score_samples(rows)
        with pytest.raises(InputError, match="missing"):
            ZOO[name]().fit(_with_gaps(numbers()))
        return
    assert np.isfinite(model.score_samples(rows)).all()
    nothing_seen = model.score_samples(np.full((1, 2), np.nan))
    np.testing.assert_allclose(nothing_seen, 0.0, atol=1e-6)
    gappy = ZOO[name]().fit(_with_gaps(numbers()))
    assert gappy.score(numbers(100, seed=1)) == pytest.approx(
        model.score(numbers(100, seed=1)), abs=0.3
    )


@each_model
def test_given_columns_are_held_or_refused(name: str) -> None:
    model = fitted(name)
    if not model.capabilities.conditions:
        with pytest.raises(InputError, match="hold"):
            model.sample(5, given={"x0": 7.0})
        return
    rows = model.sample(300, given={"x0": 7.0}, random_state=1)
    np.testing.assert_allclose(rows[:, 0], 7.0)
    assert np.ptp(rows[:, 1]) > 1
    with pytest.raises(InputError, match="x0"):
        model.sample(5, given={"x00": 7.0})
    gap = np.array([[7.0, np.nan]])
    filled = model.impute(gap)
    assert filled[0, 0] == 7.0
    assert np.isfinite(filled).all()
    rest = model.condition({"x0": 7.0})
    # p(x1 | x0) = p(x0, x1) / p(x0).
    point = np.array([[7.0, -5.0]])
    chain = model.score_samples(point) - model.score_samples(gap)
    if model.posterior_ is None:
        np.testing.assert_allclose(rest.score_samples(point[:, 1:]), chain, atol=1e-8)


@each_refit
def test_weights_count(name: str) -> None:
    model, rows = ZOO[name](), numbers()
    if not model.capabilities.weights:
        return
    right = rows[:, 0] > 10
    model.fit(rows, sample_weight=np.where(right, 1.0, 0.0))
    assert (model.sample(200, random_state=0)[:, 0] > 9).mean() > 0.9
    with pytest.raises(InputError):
        ZOO[name]().fit(rows, sample_weight=np.full(len(rows), -1.0))


@each_class
def test_y_is_conditioned_on_or_ignored(name: str) -> None:
    rows = numbers(400)
    y = np.where(rows[:, 0] > 10, "right", "left")
    model = ZOO[name]().fit(rows, y)
    if not model.capabilities.conditional:
        np.testing.assert_array_equal(
            model.score_samples(rows), ZOO[name]().fit(rows).score_samples(rows)
        )
        return
    wrong = np.where(y == "right", "left", "right")
    assert model.score_samples(rows, y).mean() > model.score_samples(rows, wrong).mean() + 1
    drawn = model.sample(200, y="left", random_state=0)
    assert (drawn[:, 0] < 10).mean() > 0.8
    # p(x) = sum_y p(y) p(x | y), y balanced.
    each = [model.score_samples(rows, np.full(400, level)) for level in ("left", "right")]
    shares = np.log([np.mean(y == "left"), np.mean(y == "right")])
    np.testing.assert_allclose(
        model.score_samples(rows), np.logaddexp(each[0] + shares[0], each[1] + shares[1]), atol=1e-3
    )


@each_model
def test_what_is_declared_is_there(name: str) -> None:
    model = fitted(name)
    can = model.capabilities
    params = model.get_params()
    if len(can.backends) > 1 and type(model).__name__ != "Gaussian":
        assert params["backend"] in can.backends
    if "engine" in params:
        assert params["engine"] in can.engines
        assert (model.posterior_ is not None) == (params["engine"] != "em")
    assert can.density in ("exact", "lower_bound", "upper_bound", "estimate", None)
    if can.conditions:
        assert callable(model.impute)
        assert callable(model.condition)


@each_model
def test_too_few_rows_are_refused(name: str) -> None:
    least = ZOO[name]().capabilities.min_rows
    with pytest.raises(InputError, match=r"row|sample"):
        ZOO[name]().fit(numbers()[: least - 1] if least > 1 else numbers()[:0])


@each_model
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinities_are_refused(name: str, bad: float) -> None:
    rows = numbers()
    rows[5, 1] = bad
    with pytest.raises(InputError, match="inf"):
        ZOO[name]().fit(rows)
    with pytest.raises(InputError, match="inf"):
        fitted(name).score_samples(rows)


@each_model
def test_a_datatree_holds_the_pointwise_log_densities(name: str) -> None:
    rows = numbers(30, seed=1)
    tree = fitted(name).to_datatree(rows)
    group = tree["log_likelihood"]
    (variable,) = group.data_vars
    assert group[variable].shape[-1] == 30
