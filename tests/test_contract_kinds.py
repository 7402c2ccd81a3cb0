"""What every model does with containers, kinds of columns, and what it declares it can."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ppgen
from ppgen import InputError

from .zoo import ZOO, answer, declares, each, fit, fitted, given, mixed, numbers, rough

# Containers and kinds of columns ------------------------------------------------------------------

CONTAINERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@each("tables", per="class")
@pytest.mark.parametrize("container", CONTAINERS)
def test_samples_come_in_the_container_that_was_fitted(name: str, container: str) -> None:
    x = numbers()
    make = CONTAINERS[container]
    frame = make({"a": x[:, 0], "b": x[:, 1]})
    model = fit(ZOO[name](), frame)
    if model.capabilities.samples:
        drawn = model.sample(5)
        assert type(drawn) is type(frame)
        names = drawn.column_names if container == "pyarrow" else list(drawn.columns)
        assert names == ["a", "b"]
    # A Dataset goes by its names; scikit-learn wants frames refused whose columns are in disorder.
    swapped = make({"b": x[:, 1], "a": x[:, 0]})
    if not (model.capabilities.density or model.capabilities.latents):
        return
    by_name = answer(model, ppgen.as_dataset(swapped))
    np.testing.assert_array_equal(by_name, answer(model, frame))
    with pytest.raises(ValueError, match="order"):
        answer(model, swapped)
    with pytest.warns(UserWarning, match="'c' was not in"):
        more = answer(model, make({"a": x[:, 0], "b": x[:, 1], "c": x[:, 0]}))
    np.testing.assert_array_equal(more, by_name)
    with pytest.raises(ValueError, match="b"):
        answer(model, make({"a": x[:, 0]}))


@each("samples", "tables", per="class")
def test_float32_comes_back_as_float32(name: str) -> None:
    drawn = ZOO[name]().fit(numbers().astype(np.float32)).sample(5)
    assert drawn.dtype == np.float32


@each("density", per="class")
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


@each("samples", "tables", per="class")
def test_constant_and_empty_columns_are_named_and_come_back(name: str) -> None:
    x = numbers()
    frame = pd.DataFrame({"a": x[:, 0], "one": 1.0, "none": np.nan, "b": x[:, 1]})
    model = ZOO[name]().fit(frame)
    if model.capabilities.density:
        said = str([reason.what for reason in model.verdict_.reasons])
        assert "'one'" in said
        assert "'none'" in said
    drawn = model.sample(5)
    assert list(drawn.columns) == ["a", "one", "none", "b"]
    assert (drawn["one"] == 1).all()
    assert drawn["none"].isna().all()


@each("density", per="class")
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


@each("tables", refits=True)
def test_gaps_are_modelled_or_refused(name: str) -> None:
    model, rows = fitted(name), _with_gaps(numbers(40, seed=1))
    if not model.capabilities.missing:
        if model.capabilities.density or model.capabilities.latents:  # it is given rows
            with pytest.raises(InputError, match="missing"):
                answer(model, rows)
        with pytest.raises(InputError, match="missing"):
            fit(ZOO[name](), _with_gaps(numbers()))
        return
    assert np.isfinite(model.score_samples(rows)).all()
    nothing_seen = model.score_samples(np.full((1, 2), np.nan))
    np.testing.assert_allclose(nothing_seen, 0.0, atol=1e-6)
    gappy = ZOO[name]().fit(_with_gaps(numbers()))
    of_gaps, of_all = (m.score(numbers(100, seed=1)) for m in (gappy, model))
    assert of_gaps > of_all - 0.3
    assert of_gaps < of_all + 0.3 or rough(name)  # whose score is their seed's, by 0.3 or more


@each("samples")
def test_given_columns_are_held_or_refused(name: str) -> None:
    model = fitted(name)
    if not model.capabilities.conditions and not model.capabilities.holds:
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
    if model.capabilities.holds:
        np.testing.assert_allclose(rest.sample(5)[:, 0], 7.0)
        return
    # p(x1 | x0) = p(x0, x1) / p(x0).
    point = np.array([[7.0, -5.0]])
    chain = model.score_samples(point) - model.score_samples(gap)
    if model.posterior_ is None:
        np.testing.assert_allclose(rest.score_samples(point[:, 1:]), chain, atol=1e-8)


@each("weights", "tables", refits=True)
def test_weights_count(name: str) -> None:
    model, rows = ZOO[name](), numbers()
    if model.capabilities.samples:
        model.fit(rows, sample_weight=np.where(rows[:, 0] > 10, 1.0, 0.0))
        assert (model.sample(200, random_state=0)[:, 0] > 9).mean() > 0.9
    with pytest.raises(InputError):
        fit(ZOO[name](), rows, sample_weight=np.full(len(rows), -1.0))


@each("density", per="class")
def test_y_is_conditioned_on_or_ignored(name: str) -> None:
    rows = numbers(400)
    y = np.where(rows[:, 0] > 10, "right", "left")
    made = ZOO[name]()
    if "conditional" in made.get_params():
        made.set_params(conditional=True)
    model = made.fit(rows, y)
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


@each()
def test_what_is_declared_is_there(name: str) -> None:
    model = fitted(name)
    can = model.capabilities
    params = model.get_params()
    if len(can.backends) > 1:
        assert params["backend"] in can.backends
    if "engine" in params:
        assert params["engine"] in can.engines
        assert (model.posterior_ is not None) == (params["engine"] != "em")
    assert can.density in ("exact", "lower_bound", "upper_bound", "estimate", None)
    methods = {
        "density": ("log_density", "score_samples", "score"),
        "samples": ("sample",),
        "conditions": ("condition", "impute"),
        "holds": ("condition", "impute"),
        "imputes": ("impute",),
        "decodes": ("decode",),
        "latents": ("encode", "decode", "reconstruct", "transform"),
        "prior": ("sample_latents", "sample_posterior"),
        "bounds": ("bound",),
        "errors": ("reconstruction_error",),
        "surprises": ("surprises",),
        "graph": ("dag_.cpdag", "edges_.copy"),
        "supervised": ("predict",),
        "translates": ("translate", "translate_back"),
    }
    for need, answers in methods.items():
        assert not declares(can, need) or all(callable(attrgetter(a)(model)) for a in answers)


@each()
def test_too_few_rows_are_refused(name: str) -> None:
    least = ZOO[name]().capabilities.min_rows
    with pytest.raises(InputError, match=r"row|sample"):
        fit(ZOO[name](), given(name)[: least - 1] if least > 1 else given(name)[:0])


@each()
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinities_are_refused(name: str, bad: float) -> None:
    rows = given(name).astype(np.float64)
    rows[5, 1] = bad
    with pytest.raises(InputError, match="inf"):
        fit(ZOO[name](), rows)
    can = fitted(name).capabilities
    if can.density or can.latents or can.translates:
        with pytest.raises(InputError, match="inf"):
            answer(fitted(name), rows)


@each("density")
def test_a_datatree_holds_the_pointwise_log_densities(name: str) -> None:
    rows = numbers(30, seed=1)
    tree = fitted(name).to_datatree(rows)
    group = tree["log_likelihood"]
    (variable,) = group.data_vars
    assert group[variable].shape[-1] == 30
