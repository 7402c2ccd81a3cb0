"""What a fit does in a budget too short for all of it: by a clock that only moves where work is
done."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.checkpoint import Checkpoints
from ppgen.fitting import Fit
from ppgen.inference.learner import Outcome
from ppgen.inference.schedule import Schedule
from ppgen.models.gan.fitting import _late
from ppgen.models.nets.trainer import Trainer
from ppgen.models.nets.verdicts import batch_reasons, compiled, short
from ppgen.models.translation.parted import Parted
from ppgen.progress import Clock

from .net_rows import subset


class Work:
    """Work that takes the clock so long a row."""

    def __init__(self, each: float) -> None:
        self.each, self.now = each, 0.0
        self.rows: list[int] = []

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 10

    def __call__(self, rows: Any) -> None:
        self.rows.append(len(rows))
        self.now += self.each * len(rows)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    done = Work(0.5)
    for module in ("ppgen.progress", "ppgen.models.nets.timing"):
        monkeypatch.setattr(f"{module}.time", done)
    return done


def trainer(budget: float | None, width: int = 10_000, **how: Any) -> Trainer:
    """Of 100 rows."""
    rows = subset(np.broadcast_to(0.0, (100, width)))
    fit = Fit(0, None, Clock(budget))  # type: ignore[arg-type]
    return Trainer(fit, rows, rows, Schedule(batch_size=64), **how)


def learner(work: Work, *, compiled: bool = False) -> Any:
    return SimpleNamespace(probe=work, compiled=compiled)


def test_a_step_of_wide_rows_takes_a_twentieth_of_the_time_at_most(work: Work) -> None:
    assert trainer(100.0)._timely(learner(work), 64) == 10  # of half a second each
    assert work.rows == [1, 1, 4]  # that were timed
    assert work.now < 5


def test_steps_stay_as_large_as_they_are_where_there_is_time(work: Work) -> None:
    work.each = 0.01
    assert trainer(100.0)._timely(learner(work), 64) == 64
    assert trainer(None)._timely(learner(work), 64) == 64
    assert work.now < 1.5


def test_a_step_that_takes_all_of_the_time_is_of_as_few_rows_as_can_be(work: Work) -> None:
    assert trainer(3.0)._timely(learner(work), 64) == 1
    assert work.rows == [1]
    assert trainer(100.0, least=6)._timely(learner(work), 64) == 6
    assert trainer(400.0, least=6)._timely(learner(work), 64) == 36  # in sixes


def test_narrow_rows_and_steps_that_are_compiled_are_not_timed(work: Work) -> None:
    assert trainer(1.0, width=10)._timely(learner(work), 64) == 64
    assert trainer(1.0)._timely(learner(work, compiled=True), 64) == 64
    assert work.rows == []


def test_one_row_is_timed_alone_where_it_takes_long(work: Work) -> None:
    made = trainer(10.0, width=100)
    assert made.looking(work, 50) == (6, 3.0)  # twice 15 %, as they are few
    assert work.rows == [1, 1]
    made = trainer(10.0, width=100)
    work.each = 1e-4
    assert made.looking(work, 50) == (50, pytest.approx(0.005))
    assert work.rows[2:] == [1, 1, 100, 100]


def test_an_evaluation_takes_a_twentieth_of_a_budget_at_most(work: Work) -> None:
    made = trainer(100.0, width=100)
    assert made.evaluating(work) is made.evaluated
    assert made.evaluated is not None
    assert len(made.evaluated) == 20  # twice as many as fit, as they are few


def test_a_fit_that_goes_on_takes_as_many_rows_as_before(work: Work, tmp_path: Path) -> None:
    """Its checkpoints hold scores of those held-out rows, and steps of so many."""

    def decided() -> tuple[int, int]:
        made = trainer(100.0)
        made.fit.checkpoints = Checkpoints(tmp_path, "fit")
        return len(made.evaluating(work)), made._timely(learner(work), 64)  # type: ignore[arg-type]

    first = decided()
    work.each = 2.0
    assert decided() == first
    Checkpoints(tmp_path, "fit").clear()
    assert max(decided()) < min(first)
    Checkpoints(tmp_path, "fit").clear()
    assert list(tmp_path.iterdir()) == []


def test_what_compiling_took_of_a_budget_is_said() -> None:
    (said,) = compiled(Outcome(steps=12, compiling=4.123), 10.0)
    assert said.status == "ok"
    assert "4.1 s of the budget of 10 s went into compiling" in said.what
    assert "after it came 12 steps" in said.what
    assert compiled(Outcome(compiling=1.9), 10.0) == []
    assert compiled(Outcome(compiling=4.0), None) == []


def test_a_budget_that_left_few_steps_says_what_took_it_and_what_to_do(work: Work) -> None:
    clock = Clock(20.0)
    work.now = 20.0
    (busy,) = short(1, clock, 17.0)
    assert busy.status == "warn"
    assert "the budget of 20 s left time for 1 step," in busy.what
    assert "loading and preparing had taken 17 s of it" in busy.what
    assert "the fit had 10% of a core" in busy.what
    assert "when the machine is idle" in busy.advice
    assert short(100, clock, 17.0) == []
    assert short(1, Clock(), 17.0) == []
    work.process_time = work.perf_counter  # type: ignore[method-assign]
    clock = Clock(20.0)
    work.now = 40.0
    (alone,) = short(20, clock, 17.0, few=300)
    assert "left time for 20 steps, and below about 300" in alone.what
    assert "busy" not in alone.what


def test_a_smaller_batch_says_why() -> None:
    assert batch_reasons(64, 64, 64) == []
    (memory,) = batch_reasons(64, 16, 16)
    assert "a batch of 64 rows does not fit in memory; 16 do" in memory.what
    (time,) = batch_reasons(64, 64, 8)
    assert "a step of 64 rows would take much of the budget: steps of 8 were taken" in time.what
    assert len(batch_reasons(64, 16, 8)) == 2


def test_samples_of_a_gan_are_looked_at_unless_that_overruns_the_budget_by_a_quarter(
    work: Work,
) -> None:
    fit = Fit(0, None, Clock(20.0))  # type: ignore[arg-type]
    work.now = 18.0
    assert not _late(7.0, fit)
    assert _late(7.1, fit)
    work.now = 30.0
    assert _late(5.1, fit)
    assert not _late(0.0, fit)
    assert not _late(1e9, Fit(0, None, Clock()))  # type: ignore[arg-type]


def test_held_out_rows_of_translations_are_thinned_in_both_domains() -> None:
    rng = np.random.default_rng(0)
    x, y = np.arange(100), np.arange(200, 260)
    units = np.arange(160, dtype=np.uint64)
    apart = Parted((x, y), (x, y), units, given=False)
    few = apart.at_most(10, rng)
    assert few.held is not None
    assert [len(some) for some in few.held] == [5, 5]
    np.testing.assert_array_equal(few.units, [*few.held[0], *(few.held[1] - 100)])
    assert few.held[1].min() >= 200
    fewest = apart.at_most(0, rng)
    assert fewest.held is not None
    assert [len(some) for some in fewest.held] == [2, 2]
    assert apart.at_most(160, rng) is apart
    pairs = Parted((x, x), (x, x), units[:100], given=False).at_most(10, rng)
    assert pairs.held is not None
    np.testing.assert_array_equal(*pairs.held)
    np.testing.assert_array_equal(pairs.units, pairs.held[0])


def test_rows_that_a_debiasing_fit_did_not_look_at_have_the_mean_weight_of_their_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Trainer, "looking", lambda self, look, wanted, share=None: (250, 0.0))
    rng = np.random.default_rng(0)
    y = np.where(np.arange(500) < 30, "rare", "common")
    x = rng.normal(size=(500, 2)) + 3 * (y == "rare")[:, None]
    model = ppgen.DebiasingVAE(1, hidden=(4,), max_epochs=2, random_state=0).fit(x, y)
    assert "the budget left time to look at" in str(model.verdict_)
    weights = model.sampling_weights_
    assert weights.shape == (500,)
    assert weights.sum() == pytest.approx(1)
    for name, looked_at in (("rare", 0), ("common", 225)):
        own = weights[y == name]
        value, times = np.unique(own, return_counts=True)
        alike = value[times.argmax()]
        assert times.max() >= looked_at
        if looked_at:
            others = own[own != alike]
            assert alike == pytest.approx(others.mean())
