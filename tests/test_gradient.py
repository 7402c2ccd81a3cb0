"""The training loop: batches, schedule, early stopping, divergence, budget, resuming."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest

from ppgen.checkpoint import Checkpoints
from ppgen.inference.gradient import Learner, Schedule, batches, finish, train
from ppgen.inference.pace import Pace
from ppgen.inference.schedule import rate, worth_going_on
from ppgen.progress import Clock


class MeanLearner(Learner):
    """Gradient steps with momentum on the mean of a unit normal: small enough to check by hand."""

    compiled = False

    def __init__(self, x, held, *, nan_above=math.inf, seconds=0.0, validation_seconds=0.0):
        self.x, self.held = x, held
        self.mean = self.averaged = np.zeros(1)
        self.velocity = np.zeros(1)
        self.nan_above, self.seconds, self.validation_seconds = (
            nan_above,
            seconds,
            validation_seconds,
        )
        self.seen, self.epochs = [], []

    def begin_epoch(self, epoch):
        self.epochs.append(epoch)

    def run(self, batches, rates):
        losses = []
        for rows, step in zip(batches, rates, strict=True):
            time.sleep(self.seconds)
            self.seen.append(rows.copy())
            r = self.x[rows] - self.mean
            losses.append(0.5 * (r**2).mean() if step <= self.nan_above else math.nan)
            self.velocity = 0.9 * self.velocity + r.mean()
            self.mean = self.mean + step * self.velocity
        return np.asarray(losses)

    def average(self, decay):
        self.averaged = decay * self.averaged + (1 - decay) * self.mean

    def evaluate(self):
        time.sleep(self.validation_seconds)
        return -0.5 * (self.held - self.averaged) ** 2

    def state(self):
        return {
            "mean": self.mean.copy(),
            "averaged": self.averaged.copy(),
            "v": self.velocity.copy(),
        }

    def load(self, state):
        self.mean, self.averaged = state["mean"].copy(), state["averaged"].copy()
        self.velocity = state["v"].copy()


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    return rng.normal(2.0, 1.0, 203), rng.normal(2.0, 1.0, 50)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_clock_is_looked_at_before_many_steps_are_taken(rows, compiled):
    learner = MeanLearner(*rows)
    learner.compiled = compiled
    sizes, run = [], learner.run
    learner.run = lambda block, rates: (sizes.append(len(block)), run(block, rates))[1]
    settings = Schedule(batch_size=10, max_epochs=2, chunk=16)
    how = {"seed": 0, "validation": learner.evaluate}
    finish(train(learner, 203, settings, deadline=Clock(1.5).left, **how))
    assert sizes[: 1 + compiled] == [1] * (1 + compiled)
    sizes.clear()
    finish(train(learner, 203, settings, **how))
    assert sizes == [16, 4, 16, 4]  # nothing waits for a clock that is not there


def test_chunks_are_sized_by_the_time_of_a_step_but_for_one_that_compiles():
    left = [10.0]
    pace = Pace(lambda: left[0], 16, compiled=True, spent=0.0)
    pace.evaluated(0.5)
    pace.evaluated(0.1)
    left[0] = 5.0
    assert pace.chunk() == 1
    assert not pace.ended(1, 4.0)  # though another such step would not fit
    assert pace.used() == pytest.approx(0.0)  # the schedule begins here
    assert pace.chunk() == 1
    assert not pace.ended(1, 0.01)
    assert pace.chunk() == 10  # a fiftieth of 5 s
    left[0] = 2.55
    assert pace.used() == pytest.approx(0.5)
    left[0] = 0.2
    assert not pace.ended(8, 0.08)
    assert pace.ended(8, 0.09)  # the evaluation at the end is kept in reserve
    assert pace.compiling == pytest.approx(4.0 - 0.09 / 8 + 0.4)


def test_batches_are_a_pure_function_of_seed_epoch_and_step():
    one = batches(7, 3, 103, 20)
    assert one.shape == (5, 20)
    expected = np.random.default_rng([7, 3]).permutation(103)[:100].reshape(5, 20)
    np.testing.assert_array_equal(one, expected)
    assert len(np.unique(one)) == one.size
    assert not np.array_equal(one, batches(7, 4, 103, 20))
    assert not np.array_equal(one, batches(8, 3, 103, 20))
    assert batches(0, 0, 5, 20).shape == (1, 5)


def test_the_loop_takes_exactly_those_batches(rows):
    learner = MeanLearner(*rows)
    finish(train(learner, 203, Schedule(batch_size=32, max_epochs=3, chunk=4), seed=5))
    expected = np.concatenate([batches(5, epoch, 203, 32) for epoch in range(3)])
    np.testing.assert_array_equal(np.stack(learner.seen), expected)
    assert learner.epochs == [0, 1, 2]


def test_rate_warms_up_and_falls_to_zero():
    settings = Schedule(learning_rate=0.1, warm_up=0.1)
    steps = [rate(settings, s, 1000, 0.0) for s in range(1000)]
    assert steps[0] == pytest.approx(0.001, rel=0.01)
    assert max(steps) == pytest.approx(0.1, rel=0.03)
    assert np.argmax(steps) == pytest.approx(100, abs=2)
    assert steps[-1] < 1e-5
    assert rate(settings, 500, 1000, 0.0) == pytest.approx(0.05)
    assert rate(settings, 500, 1000, 0.9) < rate(settings, 500, 1000, 0.6) < 0.05  # the clock leads
    assert rate(settings, 500, 1000, 1.0) == 0.0
    assert rate(Schedule(decay="constant"), 900, 1000, 0.0) == 1e-3


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_false_stops_are_as_rare_as_stated(scale):
    # Every window improves by exactly min_delta: stopping at any of its checks is false.
    rng = np.random.default_rng(0)
    settings = Schedule(alpha=0.1, min_delta=0.02)
    repeats, checks, n = 2000, 15, 40
    stopped = 0
    for _ in range(repeats):
        d = rng.normal(0.02, scale, size=(checks, n))
        stopped += any(not worth_going_on(d[j], j + 1, settings) for j in range(checks))
    # alpha and three standard errors above; well below would mean a test that sees nothing.
    bound = 3 * math.sqrt(0.1 * 0.9 / repeats)
    assert 0.1 * 0.9 - bound < stopped / repeats < 0.1 + bound


def test_a_fit_that_gets_worse_is_stopped():
    rng = np.random.default_rng(0)
    assert not worth_going_on(rng.normal(-1, 1, 100), 5, Schedule())
    assert worth_going_on(rng.normal(1, 1, 100), 5, Schedule())
    assert worth_going_on(np.zeros(1), 1, Schedule())


def test_it_stops_early_where_nothing_improves(rows):
    learner = MeanLearner(*rows)
    settings = Schedule(
        batch_size=50, learning_rate=0.05, max_epochs=500, decay="constant", patience=4
    )
    outcome = finish(train(learner, 203, settings, seed=0, validation=learner.evaluate))
    assert outcome.why == "stopped"
    assert outcome.epochs < 100
    assert abs(learner.averaged[0] - rows[0].mean()) < 0.3


def test_best_weights_are_kept_however_it_ends(rows):
    learner = MeanLearner(*rows)
    settings = Schedule(batch_size=50, learning_rate=0.02, max_epochs=40, patience=0)
    loop = train(learner, 203, settings, seed=0, validation=learner.evaluate)
    records = list(itertools.islice(loop, 12))
    loop.close()
    best = max(r.validation for r in records)
    assert records[0].best
    assert learner.evaluate().mean() == best

    interrupted, seen = MeanLearner(*rows), []

    def report(record):
        seen.append(record)
        if len(seen) == 12:
            raise KeyboardInterrupt

    loop = train(interrupted, 203, settings, seed=0, validation=interrupted.evaluate)
    outcome = finish(loop, report)
    assert (outcome.why, outcome.steps) == ("interrupted", records[-1].step)
    np.testing.assert_array_equal(interrupted.averaged, learner.averaged)


class Stopped(MeanLearner):
    """One that is interrupted before some step."""

    at = 0

    def run(self, batches, rates):
        if len(self.seen) >= self.at:
            raise KeyboardInterrupt
        return super().run(batches, rates)


def test_what_was_learnt_since_the_last_evaluation_is_evaluated_when_interrupted(rows):
    learner = Stopped(*rows)
    learner.at = 150
    settings = Schedule(batch_size=2, learning_rate=1e-3, max_epochs=10, patience=0)  # of 101 steps
    outcome = finish(train(learner, 203, settings, seed=0, validation=learner.evaluate))
    assert (outcome.why, outcome.steps, outcome.best_step) == ("interrupted", 165, 165)
    assert learner.evaluate().mean() == outcome.best
    assert math.isfinite(outcome.train_loss)


def test_a_second_interrupt_ends_that_evaluation(rows):
    learner = Stopped(*rows)
    learner.at = 150
    kept, evaluations = [], itertools.count()

    def evaluate():
        if next(evaluations) == 2:
            raise KeyboardInterrupt
        kept.append(learner.averaged.copy())
        return learner.evaluate()

    settings = Schedule(batch_size=2, learning_rate=0.05, max_epochs=10, patience=0)
    outcome = finish(train(learner, 203, settings, seed=0, validation=evaluate))
    assert (outcome.why, outcome.best_step) == ("interrupted", 101)
    np.testing.assert_array_equal(learner.averaged, kept[-1])


def test_before_its_first_step_an_interrupt_leaves_nothing(rows, tmp_path):
    learner, store = Stopped(*rows), Checkpoints(tmp_path, "f")
    with pytest.raises(KeyboardInterrupt):
        finish(train(learner, 203, Schedule(), seed=0, checkpoints=store))
    assert store.latest() is None


@pytest.mark.parametrize("at", [60, 215])
def test_an_interrupted_fit_goes_on_from_its_last_evaluation_bit_for_bit(rows, tmp_path, at):
    settings = Schedule(batch_size=2, learning_rate=0.05, max_epochs=4, patience=3)

    def run(learner, folder):
        store = Checkpoints(folder, "this fit")
        how = {"seed": 3, "validation": learner.evaluate, "checkpoints": store}
        return finish(train(learner, 203, settings, **how))

    whole, stopped, resumed = MeanLearner(*rows), Stopped(*rows), MeanLearner(*rows)
    stopped.at = at
    expected = run(whole, tmp_path / "whole")
    assert run(stopped, tmp_path / "stopped").why == "interrupted"
    assert run(resumed, tmp_path / "stopped") == expected
    assert len(resumed.seen) == 404 - at // 101 * 101
    for name, array in whole.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array)


def test_divergence_rolls_back_at_half_the_rate(rows):
    learner = MeanLearner(*rows, nan_above=0.03)
    settings = Schedule(batch_size=50, learning_rate=0.1, max_epochs=10, patience=0)
    outcome = finish(train(learner, 203, settings, seed=0, validation=learner.evaluate))
    assert outcome.rollbacks == 2  # 0.1 -> 0.05 -> 0.025
    assert outcome.why == "max_epochs"
    assert np.isfinite(learner.mean).all()


def test_divergence_gives_up_after_three(rows):
    learner = MeanLearner(*rows, nan_above=0.0)
    outcome = finish(
        train(learner, 203, Schedule(max_epochs=10), seed=0, validation=learner.evaluate)
    )
    assert (outcome.why, outcome.rollbacks) == ("diverged", 3)
    np.testing.assert_array_equal(learner.mean, 0.0)


@pytest.mark.parametrize("killed_after", [1, 5, 9])
def test_resuming_is_bit_for_bit(rows, tmp_path, killed_after):
    settings = Schedule(
        batch_size=32, max_epochs=12, learning_rate=0.03, checkpoint_every=0.0, patience=0
    )

    def run(folder):
        learner = MeanLearner(*rows, nan_above=0.02)  # with a rollback within
        store = Checkpoints(folder, "this fit")
        return learner, train(
            learner, 203, settings, seed=3, validation=learner.evaluate, checkpoints=store
        )

    whole, loop = run(tmp_path / "whole")
    expected = finish(loop)
    _, loop = run(tmp_path / "killed")
    records = list(itertools.islice(loop, killed_after + 1))
    del loop  # the learner is gone too: only the folder is left
    resumed, loop = run(tmp_path / "killed")
    rest = []
    outcome = finish(loop, rest.append)
    assert outcome == expected
    assert rest[-1].step == expected.steps
    if killed_after > 1:
        assert rest[0].step > records[1].step  # it went on, not anew
    for name, array in whole.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array)


def test_a_finished_fit_is_not_trained_again(rows, tmp_path):
    settings = Schedule(
        batch_size=50,
        max_epochs=300,
        learning_rate=0.05,
        decay="constant",
        patience=4,
        checkpoint_every=0.0,
    )
    for _ in range(2):
        learner = MeanLearner(*rows)
        outcome = finish(
            train(
                learner,
                203,
                settings,
                seed=0,
                validation=learner.evaluate,
                checkpoints=Checkpoints(tmp_path, "f"),
            )
        )
    assert outcome.why == "stopped"
    assert learner.seen == []


def test_a_budget_ends_within_an_epoch_and_counts_validation(rows):
    learner = MeanLearner(*rows, seconds=0.01, validation_seconds=0.1)
    settings = Schedule(batch_size=2, max_epochs=1000, chunk=4)  # an epoch would take a second
    clock = Clock(0.7)
    outcome = finish(
        train(learner, 203, settings, seed=0, validation=learner.evaluate, deadline=clock.left)
    )
    assert outcome.why == "budget"
    assert outcome.steps < 101
    assert clock.seconds() < 0.7 + 0.15
    assert outcome.best_step == outcome.steps  # it was evaluated at the end


@pytest.mark.parametrize("left", [0.0, 1e-9])
def test_a_fit_whose_time_was_up_before_it_began_ends_at_its_first_look_at_the_clock(rows, left):
    learner = MeanLearner(*rows)
    settings = Schedule(batch_size=50, max_epochs=50, chunk=2)
    clock = Clock(left)
    outcome = finish(
        train(learner, 203, settings, seed=0, validation=learner.evaluate, deadline=clock.left)
    )
    assert outcome.why == "budget"
    assert outcome.steps == 1


def test_without_averaging_the_weights_of_the_last_step_are_validated_and_kept(rows):
    learner = MeanLearner(*rows)
    finish(train(learner, 203, Schedule(batch_size=50, max_epochs=3, ema=0.0), seed=0))
    assert learner.mean != 0
    np.testing.assert_array_equal(learner.averaged, learner.mean)


def test_without_held_out_rows_the_last_weights_are_kept(rows):
    learner = MeanLearner(*rows)
    outcome = finish(train(learner, 203, Schedule(batch_size=50, max_epochs=4), seed=0))
    assert outcome.best_step == outcome.steps == 16
    assert learner.averaged[0] != 0


def test_a_state_with_other_arrays_is_refused():
    from ppgen.errors import InputError
    from ppgen.inference.jax_learner import JaxLearner

    made = JaxLearner({"w": np.zeros(2)}, lambda p, key, batch, step: p["w"].sum(), [np.zeros(3)])
    state = made.state()
    made.load(state)
    state["['optimiser'][1].mu['w']"] = state.pop("['optimiser'][0]")
    with pytest.raises(InputError, match="another version"):
        made.load(state)
