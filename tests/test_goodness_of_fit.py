"""The line on goodness of fit that ends a verdict."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import ppgen
from ppgen import goodness_of_fit
from ppgen.capabilities import Capabilities
from ppgen.data import Encoded, as_dataset
from ppgen.fitting import Fit
from ppgen.goodness_of_fit import _effective, _independent, _part
from ppgen.progress import Clock
from ppgen.rows import Rows
from ppgen.sampler import Sampler

from .zoo import fitted


def ring(n=600, seed=0):
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.random(n)
    return np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=(n, 2))


def line(model):
    (found,) = [r for r in model.verdict_.reasons if "goodness of fit" in r.what]
    return found


@pytest.mark.parametrize(
    "model", [ppgen.Gaussian(random_state=0), ppgen.IndependentColumns(random_state=0)], ids=str
)
def test_one_gaussian_or_independent_columns_on_a_ring_warn(model):
    found = line(model.fit(ring()))
    assert found.status == "warn"
    assert "samples are told from 120 held-out rows with AUC 0." in found.what
    assert "is detected 4 times in 5" in found.what
    assert found.advice


@pytest.mark.parametrize(
    "model",
    [ppgen.KernelDensity(random_state=0), ppgen.GaussianMixture(6, n_init=1, random_state=0)],
    ids=str,
)
def test_a_model_that_can_bend_round_the_ring_is_ok_and_says_what_would_be_seen(model):
    found = line(model.fit(ring()))
    assert found.status == "ok"
    assert "is detected 4 times in 5" in found.what


class Drawn(Sampler):
    """Rows drawn anew from those fitted, moved by some noise and a shift; no density."""

    name = "drawn"
    capabilities = Capabilities(density=None, samples=True)
    random_state = 0
    _state = _restore = None

    def __init__(self, shift=0.0):
        self.shift = shift

    def _fit(self, rows, fit):
        self.x_ = rows.data.x
        fit.held_out = np.arange(len(self.x_)) % 3 == 0
        return []

    def _sample(self, n, rng, given, context, **how):
        x = self.x_[rng.integers(0, len(self.x_), n)]
        x = x + 0.1 * rng.normal(size=x.shape) + self.shift
        return Encoded(x, np.empty((n, 0), np.int32), np.zeros(n))


def test_what_has_no_density_is_judged_by_its_samples():
    well, off = (line(Drawn(shift).fit(ring())) for shift in (0.0, 1.0))
    assert (well.status, off.status) == ("ok", "warn")
    assert "from 200 held-out rows with AUC" in well.what
    assert "densities" not in well.what + off.what
    assert "is off by 0.0" in well.what
    assert "is not distributed as that of 200 held-out rows" in off.what


def test_one_component_on_two_clusters_warns_and_two_do_not():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 2)) + 5 * rng.integers(0, 2, (600, 1))
    one, two = (ppgen.GaussianMixture(k, n_init=1, random_state=0).fit(rows) for k in (1, 2))
    assert line(one).status == "warn"
    assert two.verdict_.ok


def test_right_models_are_warned_of_as_seldom_as_stated():
    # At a level of 1%, 40 fits warn 0.4 times on average, and three times or more once in 130.
    warned = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(200, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
        warned += line(ppgen.Gaussian(random_state=seed).fit(rows)).status == "warn"
    assert warned < 3


def test_rows_given_as_validation_are_the_rows_judged_by():
    rng = np.random.default_rng(0)
    model = ppgen.Gaussian(random_state=0)
    shifted = model.fit(rng.normal(size=(300, 1)), validation=rng.normal(size=(200, 1)) + 2)
    assert "200 validation rows" in line(shifted).what
    assert line(shifted).status == "warn"


def test_nets_are_judged_by_the_rows_they_held_out():
    assert "40 are" not in line(fitted("flow-maf")).what
    assert "fewer than 50 independent rows are held out" in line(fitted("flow-maf")).what


@pytest.mark.parametrize(("budget", "kept"), [("3s", 0.3), ("60s", 0.5), (None, 0.0)])
def test_a_share_of_a_budget_is_kept_for_judging(budget, kept):
    told = []

    class Told(ppgen.Gaussian):
        def _fit(self, rows, fit):
            told.append((fit.judging, fit.deadline(), fit.clock.left()))
            return super()._fit(rows, fit)

    Told(random_state=0).fit(ring(), budget=budget)
    judging, left, of_all = told[0]
    assert judging == pytest.approx(kept)
    assert left is None if budget is None else left == pytest.approx(of_all - kept, abs=0.1)


def test_few_rows_and_images_are_said_not_to_be_checked():
    few = ppgen.Gaussian().fit(np.random.default_rng(0).normal(size=(60, 1)))
    assert "not checked: fewer than 150" in line(few).what
    assert few.verdict_.ok


def test_gaps_that_depend_on_what_is_seen_do_not_count_against_the_model():
    rng = np.random.default_rng(0)
    rows = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 800)
    rows[rows[:, 0] > 0.3, 1] = np.nan
    assert line(ppgen.Gaussian(random_state=0).fit(rows)).status == "ok"
    assert "is detected 4 times in 5" in line(ppgen.Gaussian(random_state=0).fit(rows)).what


def test_a_weight_of_two_and_a_row_given_twice_are_judged_as_one_row():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2))
    twice = ppgen.Gaussian(random_state=0).fit(np.r_[rows, rows])
    # A fifth of the 800 rows, but one of each pair.
    assert "from 80 held-out rows" in line(twice).what
    weighted = ppgen.Gaussian(random_state=0).fit(rows, sample_weight=np.full(400, 2.0))
    assert "from 100 held-out rows" in line(weighted).what


def test_the_check_changes_neither_the_fit_nor_the_random_state():
    rows = ring(300)
    before = np.random.get_state()[1].copy()
    model = ppgen.GaussianMixture(2, n_init=1, random_state=0).fit(rows)
    again = ppgen.GaussianMixture(2, n_init=1, random_state=0)
    again._goodness = lambda *of: []
    again.fit(rows)
    np.testing.assert_array_equal(model.means_, again.means_)
    assert model.trace_[-1]["loss"] == again.trace_[-1]["loss"]
    assert (np.random.get_state()[1] == before).all()
    assert line(model) == line(ppgen.GaussianMixture(2, n_init=1, random_state=0).fit(rows))


def test_the_line_is_saved_with_the_verdict(tmp_path):
    model = ppgen.KernelDensity(random_state=0).fit(ring(300))
    assert line(ppgen.load(model.save(tmp_path / "run"))) == line(model)


def test_a_row_of_each_unit_is_taken_units_in_proportion_to_their_weight():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(300, dtype=np.uint64), np.tile([1, 1, 2], 100))
    part = _part(units, rng)
    assert not set(units[part]) & set(units[~part])
    found = np.concatenate([_independent(np.arange(400), units, None, rng) for _ in range(20)])
    # A unit of two rows is always taken, one of one row half the time; each row is as likely.
    counts = np.bincount(found, minlength=400)
    single = np.bincount(units.astype(int))[units.astype(int)] == 1
    assert abs(counts[single].mean() - 10) < 4 * np.sqrt(5 / 200)
    assert abs(counts[~single].mean() - 10) < 1e-9


def test_a_column_that_varies_in_the_rows_left_out_alone_does_not_fail_the_fit():
    # Two values of 160 are not zero; those that the judging fit is made on are all zero.
    rng = np.random.default_rng(10)
    x = np.c_[rng.normal(size=160), np.zeros(160)]
    x[rng.choice(160, 2, replace=False), 1] = [np.pi / 3, np.e]
    assert "fitted rows" in line(ppgen.Gaussian(random_state=10).fit(x)).what


def test_the_error_of_a_fit_to_few_groups_is_that_of_as_many_draws():
    # 25 groups of 40 rows say of the population what 25 rows do: others are bound to differ.
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(25), 40)
    rows = as_dataset(rng.normal(size=(25, 2))[group] * 3 + rng.normal(size=(1000, 2)))
    others = rng.normal(size=(1000, 2)) * 3 + rng.normal(size=(1000, 2))
    model = ppgen.IndependentColumns(random_state=3).fit(rows.grouped(group), validation=others)
    assert line(model).status == "ok"


def test_rows_are_worth_as_many_draws_as_their_units_and_weights_say():
    units = np.repeat(np.arange(5, dtype=np.uint64), 4)
    assert _effective(units, None) == 5
    assert _effective(units, None, slice(0, 8)) == 2
    assert _effective(np.arange(20, dtype=np.uint64), np.r_[np.ones(10), np.zeros(10)]) == 10


def test_so_many_rows_are_judged_as_the_time_allows(monkeypatch):
    def rows_in(budget, first=1.0):  # where a row takes 50 ms, 20 rows at first so many seconds
        times = iter([0.0, first, first, first + 1.0])
        clock = SimpleNamespace(perf_counter=lambda: next(times))
        monkeypatch.setattr(goodness_of_fit, "time", clock)
        fit = Fit(0, model.schema_, Clock(budget))
        return goodness_of_fit._in_time(model, rows, fit)

    model = ppgen.Gaussian(random_state=0).fit(ring())
    rows = Rows(model._encode(ppgen.as_dataset(ring())))
    assert rows_in(None) == rows_in(1e6) == 1000
    assert rows_in(100.0) == pytest.approx(466, abs=3)  # as many and twice as many drawn, in 70 s
    assert rows_in(40.0) == pytest.approx(60, abs=3)  # 500 are drawn at least
    assert rows_in(10.0) < 50
    assert rows_in(100.0, first=30.0) == rows_in(100.0)  # which compiled
    assert rows_in(100.0, first=90.0) < 50
