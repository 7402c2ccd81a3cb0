"""Answers of networks in the units of the data: circles and counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen.models.bayesnet.queries.mixtures import moments


@pytest.fixture(scope="module")
def network() -> ppgen.BayesianNetwork:
    """A count and an angle about north, given a real column."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=600)
    angle = (15 * x + rng.normal(scale=15, size=600)) % 360
    frame = pd.DataFrame({"x": x, "angle": angle, "count": rng.poisson(np.exp(1 + 0.5 * x))})
    kinds = {"angle": {"kind": "circular", "period": 360}, "count": "count"}
    data = ppgen.as_dataset(frame).override(kinds)
    edges = [("x", "angle"), ("x", "count")]
    return ppgen.BayesianNetwork(edges=edges, random_state=0).fit(data)


def test_an_angle_has_the_mean_direction_and_the_circular_deviation(network) -> None:
    angles = 2 * np.pi / 360 * network.sample(40_000, random_state=0)["angle"].to_numpy()
    u = np.exp(1j * angles).mean()
    for how in ({}, {"method": "sampling", "draws": 40_000, "random_state": 0}):
        found = network.query("angle", **how).continuous["angle"]
        off = (float(found.mean) - np.degrees(np.angle(u)) + 180) % 360 - 180
        assert abs(off) < 0.6
        assert float(found.sd) == pytest.approx(np.degrees(np.sqrt(-2 * np.log(abs(u)))), rel=0.02)


def test_quantiles_of_an_angle_begin_where_the_circle_is_opened_by_each_method(network) -> None:
    exact = network.query("angle").continuous["angle"].quantiles
    how = {"method": "sampling", "draws": 40_000, "random_state": 0}
    drawn = network.query("angle", **how).continuous["angle"].quantiles
    for level, value in exact.items():
        assert abs((float(drawn[level]) - float(value) + 180) % 360 - 180) < 1.5


def test_moments_of_a_function_with_steps_are_sums_over_them() -> None:
    mean, sd = moments(np.ones(1), np.array([0.2]), np.array([0.04]), np.floor, steps=True)
    # The values are -1, 0 or 1 with probabilities by the normal distribution function.
    below, above = 0.158655253931457, 3.167124183312e-05
    assert float(mean) == pytest.approx(above - below, abs=2e-3)
    assert float(sd) == pytest.approx(np.sqrt(below * (1 - below)), abs=2e-3)


def test_moments_of_a_smooth_function_are_exact() -> None:
    mean, sd = moments(np.ones(1), np.array([0.5]), np.array([4.0]), np.exp)
    assert float(mean) == pytest.approx(np.exp(2.5), rel=1e-12)
    assert float(sd) == pytest.approx(np.exp(2.5) * np.sqrt(np.expm1(4.0)), rel=1e-9)


def test_a_value_so_far_out_that_its_density_is_0_is_impossible(network) -> None:
    far = {"x": 1e200}
    with pytest.raises(ppgen.InputError, match="probability zero"):
        network.query("count", far)
    drawn = network.query("count", far, method="sampling", random_state=0)
    assert np.isnan(drawn.continuous["count"].mean)
    row = pd.DataFrame({"x": [1e200], "angle": [1.0], "count": [2]})
    assert np.isneginf(network.score_samples(row)).all()
