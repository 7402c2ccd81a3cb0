"""Two-sample and probability-integral tests: their level, their power, and what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.significance import holm
from ppgen.two_sample import two_sample
from ppgen.uniformity import pit, pit_by_column, pit_joint


def normal(n, d, seed, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_rows_of_one_kind_are_told_apart_no_more_often_than_stated():
    # At a level of 10%, 60 tests alarm 6 times on average and 15 times or more once in 1,400.
    p = [two_sample(normal(40, 2, s), normal(60, 2, 1000 + s), s).p_value for s in range(60)]
    assert sum(v <= 0.1 for v in p) < 15
    assert np.mean(p) > 0.35


def test_a_shift_is_found_where_the_stated_power_says_so():
    found = two_sample(normal(300, 2, 0), normal(300, 2, 1, shift=1.0), 0)
    assert found.auc > found.detectable_auc
    assert found.p_value < 1e-6
    # The best classifier of N(0, I) and N(1, I) reaches Phi(1) = 0.841.
    assert 0.841 - 0.1 < found.auc < 0.841 + 3 * found.stderr


def test_the_error_of_an_area_is_its_spread_over_samples():
    found = [
        two_sample(normal(100, 1, s), normal(100, 1, 500 + s, shift=1.0), s) for s in range(40)
    ]
    spread = np.std([f.auc for f in found], ddof=1)
    # The spread of 40 is known to 11%.
    assert 0.65 < spread / np.mean([f.stderr for f in found]) < 1.35


def test_more_rows_see_smaller_differences():
    few, many = (two_sample(normal(n, 1, 0), normal(n, 1, 1), 0) for n in (50, 800))
    assert 0.5 < many.detectable_auc < few.detectable_auc < 1


def test_levels_are_compared_as_levels():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 6, (400, 1)).astype(float)
    b = 2.0 * rng.integers(0, 3, (400, 1))
    assert two_sample(a, b, 0, levels=[True]).auc > 0.7
    assert pit_by_column(a, b, 0, levels=[True])[0].statistic == pytest.approx(0.5, abs=0.1)


def test_gaps_are_values_to_trees_and_left_out_of_columns():
    a, b = normal(300, 2, 0), normal(300, 2, 1)
    gap = a.copy()
    gap[::3, 0] = np.nan
    assert two_sample(gap, b, 0).auc > 0.6
    assert pit_by_column(gap, b, 0)[0].p_value > 0.01
    assert pit_by_column(gap, b, 0)[0].n == 200
    a[:, 1] = np.nan
    assert pit_by_column(a, b, 0)[1].n == 0


def test_the_same_seed_gives_the_same_answer_and_leaves_the_global_state_alone():
    a, b = normal(1500, 2, 0), normal(1200, 2, 1)
    before = np.random.get_state()[1].copy()
    assert two_sample(a, b, 3) == two_sample(a, b, 3)
    assert two_sample(a, b, 3) != two_sample(a, b, 4)
    assert (np.random.get_state()[1] == before).all()


def test_too_few_rows_or_other_columns_are_refused():
    with pytest.raises(InputError, match="at least 10"):
        two_sample(normal(9, 1, 0), normal(50, 1, 0), 0)
    with pytest.raises(InputError, match="same columns"):
        two_sample(normal(50, 1, 0), normal(50, 2, 0), 0)


@pytest.mark.parametrize(("n", "m"), [(50, 60), (200, 1000)])
def test_places_among_draws_are_uniform_where_both_agree(n, m):
    # At a level of 5%, 400 tests alarm 20 times on average, with a standard deviation of 4.4.
    continuous, tied = [], []
    for s in range(400):
        rng = np.random.default_rng(s)
        continuous.append(pit_joint(rng.normal(size=n), rng.normal(size=m), s).p_value)
        a, b = rng.integers(0, 4, n), rng.integers(0, 4, m)
        tied.append(pit_by_column(a, b, s, levels=[True])[0].p_value)
    for p in (continuous, tied):
        assert 5 < sum(v <= 0.05 for v in p) < 36


def test_a_place_counts_the_draws_below_and_shares_ties():
    draws = np.arange(9.0)
    u = pit(np.array([-1.0, 4.5, 100.0]), draws, 0)
    assert (np.floor(10 * u) == [0, 5, 9]).all()
    tied = pit(np.full(4000, 3.0), np.full(9, 3.0), 0)
    assert abs(tied.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert (pit(np.array([-np.inf]), draws, 0) < 0.1).all()


def test_a_wrong_scale_of_log_densities_is_found():
    rng = np.random.default_rng(0)
    rows, samples = rng.normal(size=(2, 500))
    log_prob = -0.5 * (rows / 1.0) ** 2, -0.5 * (1.4 * samples) ** 2
    found = pit_joint(*log_prob, 0)
    assert found.statistic > found.detectable
    assert found.p_value < 1e-4


def test_holm_steps_down():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.5]), [0.04, 0.09, 0.09, 0.5])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])
