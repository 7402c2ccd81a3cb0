"""Every pair that ships: the backends say the same, and what is observed can be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.errors import InputError
from ppgen.inference.posterior.numeric import numeric
from ppgen.models import shipped
from ppgen.models.small_cases import call
from tests.shipped_pairs import numpyro_run, pyro_run

UNITS = {"x_units": np.array([[1.0, -2.0], [0.5, 3.0]]), "y_units": np.array([10.0, 4.0])}
X_UNITS = {"x_units": UNITS["x_units"]}
THERE = np.random.default_rng(1).random((3, 8)) < 0.7
SLOPES = {"x_units": np.array([[1.0], [0.5]]), "y_units": UNITS["y_units"]}

SEEN = {"X_seen": np.array([[0.3], [9.0]]), "y_seen": np.array([1.0, -2.0])}
# Each pair at least once.
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in shipped.names()[:6]),
    ("linear_regression", UNITS | {"horseshoe": 1.0, "n_total": 40}),
    ("logistic_regression", X_UNITS | {"horseshoe": 1.0, "slab_scale": 0.5, "n_total": 60}),
    ("poisson_regression", X_UNITS | {"horseshoe": 1.0, "rate": 3.0, "n_total": 30}),
    ("eight_schools", {"centred": True}),
    ("varying_intercepts", UNITS | {"n_total": 80}),
    ("varying_slopes", SLOPES | {"n_total": 80}),
    ("gp_regression", SLOPES | {"kernel": "rbf"} | SEEN),
    ("gp_classification", {"kernel": "matern32"}),
    ("gp_counts", {"x_units": SLOPES["x_units"]}),
    ("gaussian_hmm", {"y_units": UNITS["x_units"], "n_columns": 2, "there": THERE}),
    ("categorical_hmm", {"there": THERE}),
    ("dirichlet_mixture", {"y_units": UNITS["x_units"], "n_columns": 2}),
    ("bnn_regression", UNITS | {"depth": 2, "n_total": 60}),
    ("bnn_classification", X_UNITS | {"n_total": 60}),
]


WHOLE = ("eight_schools", "gp_regression", "gp_classification", "gp_counts")


def with_options(name: str, options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args, kwargs = call(name)
    return args, kwargs | options


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_the_backends_have_the_same_sites_values_and_log_joint(
    name: str, options: dict[str, Any]
) -> None:
    given = with_options(name, options)
    drawn = pyro_run(name, given)
    theirs = pyro_run(name, given, drawn.values)
    ours = numpyro_run(name, given, drawn.values)
    assert ours.plates == theirs.plates
    assert ours.scales == theirs.scales
    for site, value in theirs.values.items():
        np.testing.assert_allclose(ours.values[site], value, rtol=1e-10)
        assert ours.values[site].shape == value.shape
    assert ours.log_joint == pytest.approx(theirs.log_joint, rel=1e-10)


@pytest.mark.parametrize("name", shipped.names())
def test_what_is_observed_is_drawn_where_it_is_left_out(name: str) -> None:
    drawn, again, other = (pyro_run(name, call(name), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_equal(drawn.values, again.values)
    assert not np.array_equal(drawn.values["y"], other.values["y"])
    assert np.isfinite(drawn.values["y"]).all()
    kinds = {value.dtype for value in drawn.values.values() if value.dtype.kind == "f"}
    assert kinds == {np.dtype("float64")}


@pytest.mark.parametrize("name", [n for n in shipped.names() if n not in WHOLE])
def test_a_minibatch_counts_as_the_rows_it_stands_for(name: str) -> None:
    args, kwargs = call(name)
    drawn = pyro_run(name, (args, kwargs))
    larger = args, kwargs | {"n_total": 3 * len(drawn.values["y"])}
    part = pyro_run(name, larger, drawn.values)
    assert part.scales == {k: 3 if "rows" in p else 1 for k, p in drawn.plates.items()}


def test_every_pair_is_compared() -> None:
    assert {name for name, _ in OPTIONS} == set(shipped.names())


def test_a_name_that_is_none_is_answered_by_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'eight_schools'"):
        shipped.model("eight_school", "numpyro")
    with pytest.raises(InputError, match="no backend 'torch'"):
        shipped.model("eight_schools", "torch")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name.startswith("gp") else pytest.mark.slow)
        for name in shipped.names()
    ],
)
def test_a_compiled_gradient_is_the_slope_of_the_log_joint(name: str) -> None:
    args, kwargs = call(name)
    data = {"y": pyro_run(name, (args, kwargs)).values["y"]}
    f = numeric(ppgen.Pair(shipped.model(name, "numpyro")).target(*args, **kwargs, **data))
    z = np.random.default_rng(0).uniform(-1.0, 1.0, (16, f.target.size))
    steps = 1e-5 * np.eye(f.target.size)
    for at, slope in zip(z, f.slopes(z)[1], strict=True):
        values, _ = f.slopes(np.concatenate([at + steps, at - steps]))
        differences = np.subtract(*np.split(values, 2)) / 2e-5
        np.testing.assert_allclose(slope, differences, atol=1e-5 * (1 + abs(slope).max()))
