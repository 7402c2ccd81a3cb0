"""Successive halving, and the kind of flow that it chooses."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import ppgen
from ppgen.checkpoint import Checkpoints
from ppgen.errors import InputError
from ppgen.fitting import Fit
from ppgen.models.flow.choosing import plans
from ppgen.models.flow.sizes import sizes_for
from ppgen.models.nets import contest
from ppgen.models.nets.contest import Contender, Contest, worthwhile
from ppgen.models.nets.halving import Round, best, preferred
from ppgen.models.nets.trainer import Trainer
from ppgen.models.nets.verdicts import likelier
from ppgen.progress import Clock

from .interrupts import killed
from .net_rows import collinear, subset

ROUNDS = (Round(0.05, 3), Round(0.1, 1))


def test_the_best_at_the_end_of_each_round_stays():
    trained = dict.fromkeys("abcde", 0.0)
    worth = {"a": (1, 2.5), "b": (4, 1), "c": (2, 9), "d": (3, 6), "e": (math.nan, 9)}

    def train(name, share):
        trained[name] += share
        return np.full(4, float(worth[name][0 if trained[name] == 0.05 else 1]))

    found, scores = best(list(trained), train, ROUNDS)
    assert found == "d"
    assert trained == pytest.approx({"a": 0.15, "b": 0.15, "c": 0.05, "d": 0.15, "e": 0.05})
    assert scores == {"a": 2.5, "b": 1, "c": 2, "d": 6, "e": -math.inf}


def test_another_than_the_first_is_better_by_two_standard_errors():
    noise = np.tile([-1.0, 1.0], 50)  # of the difference: 0.1 is a standard error
    for gain, expected in ((0.1, "first"), (0.3, "other")):
        scores = {"first": np.arange(100.0), "other": np.arange(100.0) + noise + gain}
        assert preferred(["first", "other"], scores) == expected
        assert preferred(["other", "first"], scores) == "other"
    lost = {"first": np.full(3, np.nan), "other": np.full(3, -1e9)}
    assert preferred(["first", "other"], lost) == "other"


def test_the_first_stays_to_the_last_round():
    worth = {"slow": [0, 9], "fast": [5, 6], "other": [4, 7]}
    rounds = (Round(0.1, 2), Round(0.1, 1))
    found, scores = best(list(worth), lambda c, share: np.full(3, float(worth[c].pop(0))), rounds)
    assert found == "slow"
    assert scores == {"slow": 9, "fast": 5, "other": 4}


def test_what_is_behind_the_first_leaves_at_once():
    calls = []
    noise = np.tile([-1.0, 1.0], 50)  # of the differences: 0.1 is a standard error
    worth = {"slow": np.zeros(100), "behind": noise - 0.3, "near": noise - 0.1}

    def train(name, share):
        calls.append(name)
        return worth[name]

    assert best(list(worth), train, ROUNDS)[0] == "slow"
    assert calls == ["slow", "behind", "near", "slow", "near"]
    calls.clear()
    assert best(["slow", "behind"], train, ROUNDS)[0] == "slow"
    assert calls == ["slow", "behind"]


def test_what_has_come_less_far_than_the_first_leaves_before_its_next_round():
    calls = []
    worth = {"slow": [0, 5], "fast": [3, 9], "faster": [6, 7]}

    def train(name, share):
        calls.append(name)
        return np.full(9, float(worth[name].pop(0)))

    found, scores = best(list(worth), train, (Round(0.1, 3), Round(0.2, 1)))
    assert found == "faster"
    assert calls == ["slow", "fast", "faster", "slow", "faster"]
    assert scores == {"slow": 5, "fast": 3, "faster": 7}


def test_a_few_rows_far_out_do_not_hide_which_is_better():
    noise = np.random.default_rng(0).normal(size=200)
    scores = {"first": noise.copy(), "other": noise + np.linspace(0, 2, 200)}
    scores["first"][[3, 9]] -= 1e6, 2e6  # whose two standard errors are more than their mean
    assert preferred(["first", "other"], scores) == "other"
    scores["other"] -= 0.98
    assert preferred(["first", "other"], scores) == "first"


def test_rows_that_are_copies_do_not_hide_the_others():
    scores = {"a": np.zeros(100), "b": np.where(np.arange(100) < 60, 0.01, -5.0)}
    assert preferred(["b", "a"], scores) == "a"
    scores["b"] = np.where(np.arange(100) < 60, 0.0, 5.0)
    assert preferred(["a", "b"], scores) == "b"


def test_rounds_end_when_one_is_left():
    calls = []
    rounds = (Round(0.1, 1), Round(0.2, 1))

    def train(c, share):
        calls.append(share)
        return np.full(2, float(c))

    assert best([1, 2], train, rounds)[0] == 2
    assert calls == [0.1, 0.1]


@pytest.mark.parametrize("chosen", [True, False])
def test_a_gap_to_rows_that_chose_the_net_says_so(chosen):
    rows = np.arange(100).astype(np.uint64)
    seen, unseen = (np.full(100, 9.0), rows), (np.zeros(100), rows)
    (said,) = likelier(seen, unseen, 1, "a smaller net", chosen=chosen)
    assert ("also chosen on these rows" in said.what) == chosen


@pytest.mark.parametrize("lost", [math.nan, -math.inf])
def test_what_diverged_takes_no_further_round(lost):
    calls = []
    worth = {"first": lost, "second": 1.0, "third": 2.0}

    def train(name, share):
        calls.append(name)
        return np.full(9, worth[name])

    assert best(list(worth), train, ROUNDS)[0] == "third"
    assert calls == ["first", "second", "third", "second", "third"]
    calls.clear()
    assert best(["first", "second"], train, ROUNDS)[0] == "second"
    assert calls == ["first", "second"]
    assert best(["first"], train, ROUNDS)[0] == "first"


def test_rows_of_a_unit_are_one_draw_of_a_contest():
    noise = np.tile([-1.0, 1.0], 5).repeat(10) + 0.3  # of single rows: 0.1 is a standard error
    scores = {"first": np.zeros(100), "other": noise}
    rows, units = np.arange(100).astype(np.uint64), np.arange(10).astype(np.uint64).repeat(10)
    assert preferred(["first", "other"], scores, rows) == "other"
    assert preferred(["first", "other"], scores, units) == "first"
    assert best(["first", "other"], lambda c, share: scores[c], ROUNDS, rows)[0] == "other"
    assert best(["first", "other"], lambda c, share: scores[c], ROUNDS, units)[0] == "first"


def rows(n, seed=0):
    """Affine given the first column, so that no spline is needed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x[:, 1] = np.sin(2 * x[:, 0]) + 0.1 * x[:, 1]
    return x


@pytest.fixture(scope="module")
def settings():
    return {"n_transforms": 1, "hidden": (8,), "batch_size": 100, "random_state": 0}


@pytest.fixture
def soon(monkeypatch):
    """Nets compete in fits of 200 steps."""
    monkeypatch.setattr(contest, "_STEPS", 200)


def test_a_flow_chooses_its_kind_on_held_out_rows(settings, tmp_path, soon):
    x = rows(600)
    flow = ppgen.NormalizingFlow(**settings, max_epochs=40).fit(x, checkpoint_dir=tmp_path / "c")
    kind = flow.architecture_.kind
    said = [reason.what for reason in flow.verdict_.reasons]
    assert any(f"{kind} (1 x 8) was chosen of 2 on held-out rows" in s for s in said)
    assert any("also stopped and judged on these rows" in s for s in said)
    assert flow.kind == "auto"
    assert list((tmp_path / "c").iterdir()) == []
    assert flow.n_steps_ <= 1.01 * 40 * 5
    flow.save(tmp_path / "run")
    back = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(back.score_samples(x), flow.score_samples(x))


@pytest.mark.parametrize(
    "how", [{"max_epochs": 5}, {"kind": "maf", "max_epochs": 5}, {"backend": "numpyro"}]
)
def test_nothing_competes_where_the_kind_is_given_or_the_fit_is_short(settings, how):
    assert competing(settings, **how) == [how.get("kind", "nsf-ar")]


def test_bins_are_of_splines(settings):
    assert competing(settings) == ["nsf-ar", "maf"]
    assert competing(settings, bins=4) == ["nsf-ar"]
    for left, sizes in ((None, 2), (400.0, 2), (60.0, 1)):
        expected = [*["nsf-ar"] * sizes, "maf"]
        assert competing({"random_state": 0}, n=6000, left=left) == expected
    assert competing(settings, held=40) == ["nsf-ar"]


def competing(settings, held=60, n=540, left=None, **how):
    """The kinds of flow that compete for n rows."""
    chosen = ppgen.NormalizingFlow(**settings, **how)._chosen()
    seen, unseen = subset(rows(n)), subset(rows(held))
    training = sizes_for(n, 3, chosen, timed=False).training
    trainer = Trainer(Fit(0, None, Clock()), seen, unseen, training)
    return [kind for kind, _ in plans(chosen, n, 3, left=left, compared=worthwhile(trainer))]


def test_the_kind_is_the_first_argument():
    assert ppgen.NormalizingFlow("maf").kind == "maf"
    with pytest.raises(TypeError):
        ppgen.NormalizingFlow("maf", 3)


def test_killed_after_the_contest_it_goes_on_with_the_same_kind(
    settings, tmp_path, monkeypatch, soon
):

    x, how = rows(600), {**settings, "max_epochs": 40}
    whole = ppgen.NormalizingFlow(**how).fit(x)

    with killed(6):  # more than a contender has
        ppgen.NormalizingFlow(**how).fit(x, checkpoint_dir=tmp_path)
    monkeypatch.setattr(Contest, "_train", None)  # nothing competes again
    resumed = ppgen.NormalizingFlow(**how).fit(x, checkpoint_dir=tmp_path)
    assert len(resumed.trace_) < len(whole.trace_)
    assert str(resumed.verdict_) == str(whole.verdict_)
    np.testing.assert_array_equal(resumed.score_samples(x), whole.score_samples(x))


@pytest.mark.parametrize("gone", ["spent", "label"])
def test_a_choice_that_another_version_made_is_refused(gone, tmp_path):
    decided = {"label": "a", "outcome": {}, "spent": 0.1, "said": "a was chosen"}
    made = [lambda: Contender("a", None, SimpleNamespace(load=lambda arrays: None), None)]
    checkpoints = Checkpoints(tmp_path, "rows and settings")
    trainer = Trainer(Fit(0, None, Clock(5.0), checkpoints=checkpoints), None, None, None)
    checkpoints.part("contest").save(0, {}, {k: v for k, v in decided.items() if k != gone})
    with pytest.raises(InputError, match=r"contest holds a choice.*clear it"):
        Contest(trainer, ROUNDS).best(made)
    checkpoints.part("contest").save(0, {}, decided)
    assert Contest(trainer, ROUNDS).best(made)[1].what == "a was chosen"
    with pytest.raises(InputError, match=r"contest holds a choice"):
        Contest(trainer, ROUNDS).best([])


def test_an_autoencoder_compares_its_noise(soon):
    settings = {"hidden": (8,), "max_epochs": 60, "batch_size": 125, "random_state": 0}
    vae = ppgen.VAE(1, **settings).fit(collinear(600, noise=1e-3))
    assert vae.architecture_.noise == "full"
    said = [reason.what for reason in vae.verdict_.reasons]
    assert any('noise "full" was chosen of 2 on held-out rows' in s for s in said)
