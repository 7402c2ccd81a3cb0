"""Modes counted by hand, by the conventions of the published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.analysis.modes import label_counts, mode_counts
from ppgen.errors import InputError

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_modes_worked_by_hand():
    # Three good samples at the first centre, one at the second; one just outside of 3 sd, one far
    # off between all.
    samples = [[0, 0], [0.1, 0], [0, 0.29], [10, 0.3], [0, 10.31], [5, 5]]
    found = mode_counts(samples, SQUARE, 0.1)
    assert (found.modes, found.n_modes, found.counts) == (2, 4, (3, 1, 0, 0))
    assert found.within == pytest.approx(4 / 6)
    assert found.kl == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(1))
    assert found.kl_floor == pytest.approx(3 / 12)
    assert found.within_floor == pytest.approx(1 - math.exp(-4.5))


def test_reverse_kl_is_of_the_samples_to_the_truth():
    # All in one of four modes: log 4, where KL the other way would be infinite. With unequal
    # weights the truth's shares are those.
    assert mode_counts([[0, 0.0]] * 5, SQUARE, 0.1).kl == pytest.approx(math.log(4))
    weights = [3.0, 1.0, 2.0, 2.0]
    labels = [0, 0, 0, 1, 2, 2, 3, 3]
    assert label_counts(labels, 4, weights).kl == pytest.approx(0, abs=1e-12)
    assert label_counts([1] * 3, 4, weights).kl == pytest.approx(math.log(8))


def test_no_good_sample_is_no_distribution():
    found = mode_counts([[5, 5.0]], SQUARE, 0.1)
    assert (found.modes, found.within, found.kl) == (0, 0.0, math.inf)


def test_the_truth_reaches_its_floors():
    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid(np.arange(5) * 2.0, np.arange(5) * 2.0), -1).reshape(-1, 2)
    runs = [
        mode_counts(
            centres[rng.integers(0, 25, 2000)] + 0.05 * rng.normal(size=(2000, 2)), centres, 0.05
        )
        for _ in range(20)
    ]
    assert {r.modes for r in runs} == {25}
    assert np.mean([r.within for r in runs]) == pytest.approx(runs[0].within_floor, abs=0.003)
    assert np.mean([r.kl for r in runs]) == pytest.approx(runs[0].kl_floor, rel=0.3)


def test_labels_are_modes():
    found = label_counts(np.arange(900), 1000)
    assert (found.modes, found.within) == (900, 1.0)
    assert found.kl == pytest.approx(math.log(1000 / 900))


WRONG = {
    "no samples": (lambda: mode_counts(np.empty((0, 2)), SQUARE, 1.0), "at least one sample"),
    "other columns": (lambda: mode_counts([[0.0]], SQUARE, 1.0), "the same d"),
    "no width": (lambda: mode_counts([[0.0, 0.0]], SQUARE, 0.0), "sd is 0.0"),
    "a mode too many": (lambda: label_counts([0, 4], 4), "numbered 0 to 3"),
    "labels that are no numbers": (lambda: label_counts([0.5], 4), "whole numbers"),
    "weights of other modes": (lambda: label_counts([0], 4, [1.0]), "4 numbers above 0"),
}


@pytest.mark.parametrize(("asked", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(asked, told):
    with pytest.raises(InputError, match=told):
        asked()
