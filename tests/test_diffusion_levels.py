"""The levels of generated pixels, brought to the shares of the rows' levels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ppgen.models.diffusion import verdicts
from ppgen.models.diffusion.pixel_levels import PixelView, matched
from ppgen.models.diffusion.views import restored_view
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.values import Values

LEVELS, PIXELS = 256, 64


def images(n: int, seed: int) -> Any:
    """(n, D) levels: dark backgrounds, and strokes of some level above 100."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, PIXELS)) < 0.8, 0, rng.integers(100, LEVELS, (n, PIXELS)))


def subset(x: Any) -> Subset:
    n = len(x)
    units = np.arange(n, dtype=np.uint64)
    return Subset(x, np.arange(n), np.zeros(n), None, None, None, lambda: units)


def view() -> PixelView:
    values = Values(PIXELS, shape=(1, 8, 8), shift=50.0, scale=80.0, filled=True)
    return PixelView(values, levels=LEVELS)


def found(error: float) -> tuple[PixelView, float, Any]:
    """The view for generated images that are off by so many levels, and these."""
    rng, plain = np.random.default_rng(9), view()
    made = images(300, 3) + np.abs(rng.normal(0, error, (300, PIXELS))) if error else images(300, 3)
    features = plain.values.enter(np.asarray(made, np.float64))
    chosen, moved = matched(plain, features, subset(images(2000, 1)), subset(images(300, 2)), 0)
    return chosen, moved, features


def test_faint_grey_becomes_the_background_that_it_stands_for() -> None:
    chosen, moved, features = found(4.0)
    x = chosen.encoded(features).x
    assert moved > 0.5
    assert (x == np.rint(x)).all()
    assert 250 <= x.max() <= LEVELS - 1
    # Of 19,200 pixels 0.8 are dark, with a standard error of 0.003.
    assert (view().encoded(features).x <= 0.5).mean() < 0.1
    assert (x == 0).mean() == pytest.approx(0.8, abs=0.012)
    assert ((x > 0) & (x < 90)).mean() < 0.01
    assert "levels that real ones seldom have" in verdicts.levels(moved)[0].what


def test_levels_that_are_as_those_of_held_out_rows_are_left() -> None:
    chosen, moved, features = found(0.0)
    assert (moved, chosen.table, verdicts.levels(moved)) == (0.0, None, [])
    assert np.array_equal(chosen.finished(features), features)


def test_the_map_of_levels_is_monotone_and_comes_back_from_a_saved_run() -> None:
    chosen, _, features = found(4.0)
    assert chosen.table is not None
    assert (np.diff(chosen.table) >= 0).all()
    state, arrays = chosen.state()
    again = restored_view(json.loads(json.dumps(state)), arrays)
    assert np.array_equal(again.encoded(features).x, chosen.encoded(features).x)


def test_rows_that_weigh_more_count_more_among_the_levels() -> None:
    dark, bright = np.zeros((50, PIXELS)), np.full((50, PIXELS), 200)
    x, weights = np.concatenate([dark, bright]), np.repeat([1.8, 0.2], 50)
    seen = Subset(x, np.arange(100), np.zeros(100), None, weights, None, lambda: np.arange(100))
    made = view().values.enter(np.random.default_rng(0).uniform(0, 20, (400, PIXELS)))
    chosen, _ = matched(view(), made, seen, subset(x), 0)
    # Generated levels have shares of 0.05 each, of which one may fall on either side.
    assert (chosen.encoded(made).x == 0).mean() == pytest.approx(0.9, abs=0.03)
