"""At what level a comparison decides: closed forms, and false alarms over simulated tables."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

import ppgen
from benchmarks.calibrate_decided import false_alarms, power
from ppgen.analysis.limits import LEVEL, Family
from ppgen.analysis.paired import Scored, difference
from ppgen.analysis.scatter import Scatter

TABLES = 100
# Of 100 tables at 5 %, more than 13 have an alarm once in a thousand seeds.
MOST = int(stats.binom.isf(1e-3, TABLES, LEVEL))


def scored(name, values, seed=0, rows=None):
    return Scored(name, ppgen.LogDensity(np.asarray(values, float), "exact", "t"), seed, rows)


def zero(seeds, n):
    return [scored("zero", np.zeros(n), seed) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("regime", "n_seeds", "n_models"),
    [
        pytest.param("rows", 1, 20, marks=pytest.mark.slow),
        ("rows", 1, 5),
        ("rows", 10, 2),
        ("starts", 3, 2),
        ("starts", 10, 5),
        ("both", 3, 2),
        ("heavy", 1, 5),
        ("skewed", 1, 2),
        ("splits", 3, 2),
        ("copies", 1, 5),
    ],
)
def test_equal_models_are_called_behind_no_more_often_than_is_said(regime, n_seeds, n_models):
    assert false_alarms(regime, n_seeds, n_models, TABLES) <= MOST


def test_a_better_model_is_seen_as_often_as_is_said():
    seen, detectable = power("rows", 1, 5, 40)
    # Four standard errors lie above what is detectable with a chance of 80 %.
    assert detectable < 4
    assert seen > 0.8


def test_ten_seeds_on_one_test_set_know_no_more_than_its_rows():
    rows = np.random.default_rng(0).normal(size=100)
    once = ppgen.compare([("a", scored("a", rows).density), ("b", scored("b", 0 * rows).density)])
    ten = ppgen.compare(
        (name, scored(name, values).density, seed)
        for seed in range(10)
        for name, values in (("a", rows), ("b", 0 * rows))
    )
    for one, other in zip(once, ten, strict=True):
        assert other.stderr == pytest.approx(one.stderr)
    assert ten.models[1].difference.margin == pytest.approx(once.models[1].difference.margin)


def test_two_seeds_have_students_limit_of_one_degree_of_freedom():
    values = [np.full(50, 1.0), np.full(50, 2.0)]
    found = difference([scored("a", v, s) for s, v in enumerate(values)], zero(2, 50))
    assert found.between == pytest.approx(0.5)
    assert found.df == (49.0, 1.0)
    assert found.margin == pytest.approx(12.706 * 0.5, rel=1e-4)
    assert found.outcome == "seeds"
    assert found.note == "these fits differ, 2 seeds are too few"


def test_one_seed_is_said_to_tell_nothing_of_starts():
    rows = np.random.default_rng(0).normal(size=100)
    one = ppgen.compare([("a", scored("a", rows + 1).density), ("b", scored("b", rows).density)])
    assert "Said of these fits, on new rows" in one.scope
    assert "level of 5%" in str(one)
    assert "level 5%" in one.finding


def test_limits_of_independent_models_are_those_of_tukeys_range():
    rng = np.random.default_rng(0)
    for k, q in ((3, 3.314), (5, 3.858), (20, 5.012)):  # of infinitely many degrees of freedom
        values = np.linalg.qr(rng.normal(size=(400, k + 1)) * 1.0)[0]
        values = np.linalg.qr(np.column_stack([np.ones(400), values[:, :k]]))[0][:, 1:]
        level = Family.of(k, Scatter.of([values], [np.arange(400)])).level
        # 8,000 draws know the tail of 5 % to 0.25 %, five of which are 2.5 % in the limit.
        assert stats.norm.isf(level / 2) == pytest.approx(q / math.sqrt(2), rel=0.025)


def test_models_that_err_alike_count_as_one():
    rng = np.random.default_rng(0)
    alike = rng.normal(size=(300, 1)) * np.r_[np.zeros(10), np.ones(10)]
    level = Family.of(20, Scatter.of([alike], [np.arange(300)])).level
    assert level == pytest.approx(LEVEL, abs=0.011)  # 8,000 draws, 4.5 standard errors
    one_wild = np.column_stack([rng.normal(size=(300, 19)), 1e9 * rng.normal(size=300)])
    assert Family.of(20, Scatter.of([one_wild], [np.arange(300)])).level < 0.001


def test_what_seeds_share_of_their_rows_decides_how_components_add():
    rng = np.random.default_rng(0)
    n, s = 4000, 4
    row, apart = rng.normal(size=n), [rng.normal(size=n) for _ in range(s)]
    same = Scatter.of([(row + a)[:, None] for a in apart], [np.arange(n)] * s)
    # Row effects do not average out over seeds, what is each seed's own does.
    assert same.within[0] == pytest.approx(math.sqrt((1 + 1 / s) / n), rel=0.05)
    assert same.shared[0] == pytest.approx(math.sqrt(1 / n), rel=0.05)
    other = Scatter.of(
        [np.asarray(a)[:, None] for a in apart], [np.arange(n) + n * i for i in range(s)]
    )
    assert other.shared[0] == 0
    assert other.within[0] == pytest.approx(math.sqrt(1 / (n * s)), rel=0.05)


def test_copies_and_groups_are_one_draw_within_a_split():
    values = np.random.default_rng(0).normal(size=60)
    names = np.array([f"patient {i}" for i in range(60)])
    once = difference([scored("a", values, 0, names)], [scored("b", 0 * values)])
    twice = difference(
        [scored("a", np.repeat(values, 3), 0, np.repeat(names, 3))],
        [scored("b", np.zeros(180), 0, np.repeat(names, 3))],
    )
    assert twice.within == pytest.approx(once.within)
    assert twice.margin == pytest.approx(once.margin)
    one_group = difference([scored("a", values, 0, np.zeros(60))], [scored("b", 0 * values)])
    assert one_group.outcome == "close"
    assert "no standard error" in one_group.note


def test_detectable_is_decided_four_times_of_five():
    rng = np.random.default_rng(0)
    rows, seen, said = 200, 0, []
    for _ in range(400):
        found = difference([scored("a", rng.normal(size=rows) + 0.2)], zero(1, rows))
        seen += found.outcome == "better"
        said.append(found.detectable)
    assert np.mean(said) == pytest.approx(0.2, rel=0.02)  # (1.97 + 0.84) / sqrt(200)
    # Of 400, five standard errors are 10 %.
    assert seen / 400 == pytest.approx(0.8, abs=0.1)


def test_skewed_rows_lengthen_the_limit():
    even = stats.norm.ppf((np.arange(40) + 0.5) / 40)
    student = stats.t.isf(0.025, 39)
    assert difference([scored("a", even)], zero(1, 40)).limit == pytest.approx(student, rel=1e-3)
    skewed = stats.lognorm.ppf((np.arange(40) + 0.5) / 40, 2)
    found = difference([scored("a", skewed)], zero(1, 40))
    g, k = stats.skew(skewed), stats.kurtosis(skewed)
    x = student
    longer = g**2 * (x**4 + 2 * x**2 - 3) / 18 - k * (x**2 - 3) / 12
    assert found.limit == pytest.approx(max(x * (1 + longer / 40), stats.t.isf(0.025, found.df[0])))
    assert found.limit > 1.05 * student
