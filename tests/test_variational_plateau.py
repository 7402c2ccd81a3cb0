"""The CUSUM on losses against traces that still improve, and ones that have stopped to."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.early_stopping import NOISE, SHAPES, stopped_at, traces
from ppgen.inference.plateau import BLOCK, Plateau

STEPS, FLAT = 2000, 1000


@pytest.mark.parametrize("shape", SHAPES)
def test_traces_that_still_improve_are_not_stopped(shape):
    rng = np.random.default_rng(0)
    stopped = [stopped_at(x) for noise in NOISE for x in traces(shape, noise, STEPS, 2, rng)]
    assert np.isfinite(stopped).sum() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_half_of_the_plateaus_are_found_within_200_steps(shape):
    rng = np.random.default_rng(1)
    at = [
        stopped_at(x)
        for noise in NOISE
        for x in traces(shape, noise, STEPS, 2, rng, plateau=STEPS - FLAT)
    ]
    delays = np.array(at) - (STEPS - FLAT)
    assert (delays <= 0).sum() == 0
    assert np.median(delays) <= 200
    assert np.isfinite(delays).all()


def test_a_trace_seen_in_parts_is_the_same_trace():
    x = np.random.default_rng(2).normal(size=1000) + 0.05 * np.maximum(500 - np.arange(1000), 0)
    whole, parts = Plateau(), Plateau()
    whole.see(x)
    for part in np.split(x, [7, 160, 161, 800]):
        parts.see(part)
    assert whole.state() == parts.state()
    again = Plateau()
    again.load(whole.state())
    assert again.state() == whole.state()


def test_losses_without_noise_stop_where_they_stand_still():
    falling = np.linspace(1, 0, 1000)
    assert not Plateau().see(falling)
    watch = Plateau()
    assert watch.see(np.concatenate([falling, np.zeros(20 * BLOCK)]))
    # A gain of less than `least` a block is none, however little the losses scatter.
    assert not Plateau().see(1e-6 * np.linspace(1, 0, 1000))
    assert Plateau(least=1e-3).see(1e-6 * np.linspace(1, 0, 1000))


def test_the_recent_mean_is_that_of_the_last_blocks():
    x = np.random.default_rng(3).normal(size=40 * BLOCK)
    watch = Plateau()
    watch.see(x)
    mean, error = watch.recent
    assert mean == pytest.approx(x[-3 * BLOCK :].mean(), abs=0.5)
    assert error == pytest.approx(1 / np.sqrt(3 * BLOCK), rel=0.5)
