"""Ties and the grids they lie on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppgen.data.rounding import find_ties, grid_step

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("step", "offset", "spread"),
    [(0.1, 0, 3), (0.01, 0, 0.5), (1, 0, 30), (25, 0, 1000), (0.25, 0.125, 10), (5, 2, 100)],
)
def test_grids_are_found(step, offset, spread, dtype):
    x = (np.round(RNG.normal(size=500) * spread / step) * step + offset).astype(dtype)
    width, note = find_ties(x)
    assert width == pytest.approx(step, rel=1e-9)
    assert note == ""


def test_standardised_whole_numbers_are_on_a_grid():
    x = RNG.integers(0, 1440, 5000) / 415.73 - 1.7
    for values in (x, x.astype(np.float32)):
        width, _ = find_ties(values)
        assert width == pytest.approx(1 / 415.73, rel=1e-5)


def test_step_need_not_occur_as_a_difference():
    assert grid_step(np.array([0.0, 0.6, 1.5])) == pytest.approx(0.3)
    assert grid_step(np.array([10.0, 16.0, 25.0])) == 3.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("shift", "scale"), [(0, 1), (1000, 1), (0, 1e-8), (-1, 1e6)])
def test_continuous_numbers_are_not_tied(shift, scale, dtype):
    x = (shift + scale * RNG.normal(size=20000)).astype(dtype)
    assert find_ties(x) == (None, "")


def test_collisions_of_single_precision_are_no_ties():
    x = np.random.default_rng(1).random(1_000_000, dtype=np.float32)
    assert len(np.unique(x)) < len(x)
    assert find_ties(x) == (None, "")
    assert find_ties(x.astype(np.float64)) == (None, "")


def test_an_atom_without_a_grid_is_named():
    x = RNG.normal(size=1000)
    x[:310] = 0.0
    width, note = find_ties(x)
    assert width is None
    assert "31% of its values are repeated, most often 0 (31.0%)" in note


def test_a_coincidental_grid_is_pointed_out():
    # Twelve values written to five decimals lie on a grid of 1e-5, which explains little.
    x = RNG.choice(np.round(RNG.normal(size=12) * 5, 5), size=20000)
    width, note = find_ties(x)
    assert width == pytest.approx(1e-5)
    assert "far apart" in note


def test_few_repeats_are_let_pass():
    x = np.round(RNG.normal(size=1000) * 1000, 2)
    repeats = 1 - len(np.unique(x)) / len(x)
    assert repeats < 0.02
    assert find_ties(x) == (None, "")


@given(st.integers(1, 9), st.integers(-4, 3), st.integers(-50, 50), st.integers(2, 400), st.data())
@settings(max_examples=60, deadline=None)
def test_any_decimal_grid(digit, power, origin, cells, data):
    step = digit * 10.0**power
    seed = data.draw(st.integers(0, 1000))
    k = np.random.default_rng(seed).integers(0, cells, 2000)
    k[:2] = 0, 1
    x = np.round((origin + k) * step, 12)
    width, note = find_ties(x)
    assert width == pytest.approx(step, rel=1e-6)
    assert note == ""
