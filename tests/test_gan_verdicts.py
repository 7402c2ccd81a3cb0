"""What a GAN's verdict says: of planted faults, and nothing of what is well."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.inference.learner import Outcome
from ppgen.models.gan.trained import GENERATED, REAL
from ppgen.models.gan.verdicts import course, lost_modes, memory
from ppgen.models.nets.memory import repeated
from ppgen.neighbours import memorised


def normal(n, seed, d=2):
    return np.random.default_rng(seed).normal(size=(n, d))


def groups(n, seed):
    """Four groups far apart."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) + 20.0 * rng.integers(0, 2, (n, 2))


def said(generated, seen=None, unseen=None):
    seen = groups(900, 1) if seen is None else seen
    unseen = groups(100, 2) if unseen is None else unseen
    each = tuple(np.arange(len(rows), dtype=np.uint64) for rows in (seen, unseen))
    modes = lost_modes(generated, seen, unseen, np.random.default_rng(0))
    return [r.what for r in (*modes, *memory(repeated(generated, seen, unseen, each)))]


# Samples


def test_samples_of_the_right_law_are_well():
    # Memory is tested at 0.1 %: of 12 sets of samples one is alleged once in 80 series.
    found = [
        said(groups(400, 10 + s), groups(400, 100 + s), groups(60, 200 + s)) for s in range(12)
    ]
    assert not any(found)


def test_narrow_and_wide_samples_are_no_copies():
    for scale in (0.7, 1.3):
        found = said(scale * normal(1000, 5), normal(900, 6), normal(100, 7))
        assert not any("memorised" in what for what in found)


def test_one_mode_of_four_is_a_collapse():
    rows = groups(4000, 3)
    one = rows[(rows < 10).all(axis=1)][:900]
    (found,) = said(one)
    assert "samples leave out part of the rows (mode collapse)" in found
    two = rows[rows[:, 0] < 10][:1000]
    assert "mode collapse" in said(two)[0]


def test_few_steps_are_no_collapse():
    seen, unseen, rng = groups(900, 1), groups(100, 2), np.random.default_rng(0)
    (found,) = lost_modes(np.zeros((500, 2)), seen, unseen, rng, steps=47)
    assert "little is learnt after 47 steps" in found.what
    assert "collapse" not in found.what
    assert found.advice.startswith("Train longer")


def test_one_row_alone_is_a_collapse():
    found = said(np.tile(groups(1, 3), (500, 1)))
    assert "they cover" in found[0]


def test_rows_that_return_training_rows_are_memorised():
    seen, rng = groups(900, 1), np.random.default_rng(4)
    copies = seen[rng.integers(0, 900, 1000)] + 0.01 * rng.normal(size=(1000, 2))
    found = said(copies, seen)
    assert any("about 100% of samples" in what for what in found)
    half = np.concatenate([copies[:500], groups(500, 8)])
    assert any("memorised" in what for what in said(half, seen))


def test_copies_of_any_of_many_rows_are_found():
    # Of 30,000 rows of 40 numbers, each sample repeats another.
    rng = np.random.default_rng(0)
    seen, unseen = rng.normal(size=(30_000, 40)), rng.normal(size=(3000, 40))
    each = tuple(np.arange(len(rows), dtype=np.uint64) for rows in (seen, unseen))
    copies = seen[rng.integers(0, len(seen), 200)] + 0.1
    (found,) = memory(repeated(copies, seen, unseen, each))
    assert "about 100% of samples" in found.what
    assert memory(repeated(rng.normal(size=(200, 40)), seen, unseen, each)) == []


def test_few_rows_are_not_judged():
    assert not said(np.zeros((1000, 2)), unseen=groups(20, 0))


def test_the_nearest_rows_are_counted_by_hand():
    train, held = np.array([[0.0], [1.0], [2.0]]), np.array([[10.0]])
    made = np.array([[0.1], [1.2], [9.0], [2.1], [6.0]])  # the last is as near to both
    found = memorised(train, made, held)
    assert found.to_held_out == pytest.approx(1.5 / 5)
    assert found.expected == 0.25
    assert found.share == 0.0  # more often than by chance
    assert found.p_value == 1.0  # of four rows with the counts 1.5, 1, 1, 1.5 none has more


def test_chance_is_counted_over_units_held_out_by_hand():
    # Of 3 units of two rows each, one is held out; it is nearest to none of the samples.
    held, train = np.array([[0.0], [1.0]]), np.array([[50.0], [51.0], [90.0], [91.0]])
    made = np.array([[50.1], [50.9], [90.1]])
    units = np.array([7, 7, 8, 8], np.uint64), np.array([9, 9], np.uint64)
    found = memorised(train, made, held, units)
    assert (found.to_held_out, found.expected) == (0.0, pytest.approx(1 / 3))
    assert found.p_value == pytest.approx(1 / 3, abs=0.04)  # one choice in three
    assert memorised(train, made, held).p_value == pytest.approx(3 / 15, abs=0.04)


def test_many_rows_are_judged_by_the_normal_law():
    train, held, made = (normal(n, s) for n, s in ((4400, 1), (500, 2), (1000, 3)))
    assert 0.01 < memorised(train, made, held).p_value < 0.99
    assert memorised(train, train[:1000] + 1e-3, held).p_value < 1e-9


def test_copies_of_a_row_share_a_sample_however_far_out_all_lie():
    train = np.repeat(1e6 + normal(40, 1, 200), 2, axis=0)
    found = memorised(train, train[::2] + 1e-3, 1e6 + normal(40, 2, 200))
    assert found.to_held_out == 0.0
    assert found.p_value < 1e-3


@pytest.mark.parametrize("rows", [1, 20])
def test_memory_is_alleged_as_seldom_as_stated(rows):
    # At a level of 5 %, 60 tests alarm 3 times on average and 10 times or more once in 900. Rows of
    # a unit are one draw: taken for themselves, of 20 each, they alarm five times as often.
    p = []
    for s in range(60):
        rng = np.random.default_rng(s)

        def drawn(n, each, rng=rng):
            middles = np.repeat(rng.normal(size=(n // each, 8)), each, 0)
            return middles + 0.5 * rng.normal(size=(n, 8))

        train, held, made = drawn(600, rows), drawn(200, rows), drawn(300, 1)
        numbers = np.arange(800, dtype=np.uint64) // rows
        p.append(memorised(train, made, held, (numbers[:600], numbers[600:])).p_value)
    assert sum(v < 0.05 for v in p) < 10
    assert 0.35 < np.mean(p) < 0.65


# The course


def trace(scores, real=0.5, fake=0.5):
    measures = {REAL: real, GENERATED: fake}
    return [
        {"step": 100 * i, "validation": s, "measures": {} if i == 0 else measures}
        for i, s in enumerate(scores)
    ]


ENDED = Outcome(why="max_epochs", best=-0.01, best_step=900, improvement=0.0001,
                improvement_stderr=0.001)  # fmt: skip
FALLS = np.linspace(-1, -0.9, 12)


def test_a_course_that_came_near_to_the_rows_is_well():
    assert course(ENDED, trace(-np.geomspace(1, 0.01, 12)), 1e-3) == []
    assert course(ENDED, trace(-np.geomspace(1, 0.01, 12), 0.99, 0.01), 1e-3) == []


def test_a_discriminator_that_has_won_for_good_is_a_failure():
    (found,) = course(ENDED, trace(FALLS, 0.98, 0.03), 1e-3)
    assert found.status == "failed"
    assert "0.98 on held-out real rows, 0.03 on generated ones" in found.what
    assert "learning_rate (0.001)" in found.advice
    # Also where samples were never better than at the start.
    at_start = Outcome(best=-1.0, best_step=0)
    assert course(at_start, trace(-np.linspace(1, 2, 12), 1.0, 0.0), 1e-3)[0].status == "failed"
    # It may tell all rows and still teach.
    assert not course(ENDED, trace(np.linspace(-1, -0.6, 12), 0.98, 0.03), 1e-3)


def test_a_discriminator_that_says_nothing_warns_where_samples_are_bad():
    (found,) = course(ENDED, trace(FALLS, 0.505, 0.495), 1e-3)
    assert found.status == "warn"
    assert "has learnt nothing" in found.what


def test_what_still_improved_or_never_did_is_said():
    rising = Outcome(why="budget", best=-0.1, best_step=900, improvement=0.1,
                     improvement_stderr=0.01)  # fmt: skip
    (found,) = course(rising, trace(-np.geomspace(1, 0.1, 12)), 1e-3)
    assert "still improving when the budget ended" in found.what
    assert "made 50% of the way" in found.what
    assert found.advice == "Raise budget."
    # What came back from a fall is no better than it was.
    assert course(rising, trace([-1, -0.5, -0.1, -0.6, -0.4, -0.3]), 1e-3) == []
    (found,) = course(Outcome(best=-1.0, best_step=0), trace(FALLS, 0.7, 0.3), 1e-3)
    assert "nothing was learnt" in found.what
    early = Outcome(why="budget", best=-1.0, best_step=0, steps=16)
    (found,) = course(early, trace([-1, -1], 0.5, 0.5), 1e-3)
    assert "in the 16 steps that the budget left time for" in found.what
    assert found.advice.startswith("Raise budget")
