"""Successive halving, and the kind of flow that it chooses."""

from __future__ import annotations

import math

import numpy as np
import pytest

import ppgen
from ppgen.models.nets.halving import Round, best, spent

ROUNDS = (Round(0.05, 3), Round(0.1, 1))


def test_the_best_at_the_end_of_each_round_stays():
    trained = dict.fromkeys("abcde", 0.0)
    worth = {"a": (3, 5), "b": (4, 1), "c": (1, 9), "d": (2, 6), "e": (math.nan, 9)}

    def train(name, share):
        trained[name] += share
        return worth[name][0 if trained[name] == 0.05 else 1]

    found, scores = best(list(trained), train, ROUNDS)
    assert found == "d"
    assert trained == pytest.approx({"a": 0.15, "b": 0.15, "c": 0.05, "d": 0.15, "e": 0.05})
    assert scores == {"a": 5, "b": 1, "c": 1, "d": 6, "e": -math.inf}
    assert spent(ROUNDS, 5) == pytest.approx(0.15)
    assert spent(ROUNDS, 1) == 0


def test_rounds_end_when_one_is_left():
    calls = []
    rounds = (Round(0.1, 1), Round(0.2, 1))
    assert best([1, 2], lambda c, share: calls.append(share) or c, rounds)[0] == 2
    assert calls == [0.1, 0.1]
    assert spent(rounds, 2) == 0.1


def rows(n, seed=0):
    """Affine given the first column, so that no spline is needed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x[:, 1] = np.sin(2 * x[:, 0]) + 0.1 * x[:, 1]
    return x


@pytest.fixture(scope="module")
def settings():
    return {"n_transforms": 1, "hidden": (8,), "batch_size": 100, "random_state": 0}


def test_a_flow_chooses_its_kind_on_held_out_rows(settings, tmp_path):
    x = rows(600)
    flow = ppgen.NormalizingFlow(**settings, max_epochs=210).fit(x, checkpoint_dir=tmp_path / "c")
    kind = flow.architecture_.kind
    said = [reason.what for reason in flow.verdict_.reasons]
    assert any(f"of 3 kinds and sizes, {kind} (1 x 8) was chosen by held-out" in s for s in said)
    assert flow.kind == "auto"
    assert list((tmp_path / "c").iterdir()) == []
    assert flow.n_steps_ <= 1.01 * 210 * 5
    flow.save(tmp_path / "run")
    back = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(back.score_samples(x), flow.score_samples(x))


@pytest.mark.parametrize(
    "how", [{"max_epochs": 5}, {"kind": "maf", "max_epochs": 5}, {"backend": "numpyro"}]
)
def test_nothing_competes_where_the_kind_is_given_or_the_fit_is_short(settings, how):
    from ppgen.fitting import Fit
    from ppgen.models.flow.choosing import plans
    from ppgen.progress import Clock

    chosen = ppgen.NormalizingFlow(**settings, **how)._chosen()
    fit = Fit(0, None, Clock())
    assert [kind for kind, _ in plans(chosen, 540, 3, 60, fit)] == [how.get("kind", "nsf-ar")]


def test_bins_are_of_splines(settings):
    from ppgen.fitting import Fit
    from ppgen.models.flow.choosing import plans
    from ppgen.progress import Clock

    chosen = ppgen.NormalizingFlow(**settings, bins=4)._chosen()
    kinds = [kind for kind, _ in plans(chosen, 540, 3, 60, Fit(0, None, Clock()))]
    assert kinds
    assert all(kind.startswith("nsf") for kind in kinds)


def test_the_kind_is_the_first_argument():
    assert ppgen.NormalizingFlow("maf").kind == "maf"
    with pytest.raises(TypeError):
        ppgen.NormalizingFlow("maf", 3)


def test_killed_after_the_contest_it_goes_on_with_the_same_kind(settings, tmp_path, monkeypatch):
    from ppgen.fitting import Fit
    from ppgen.inference import gradient
    from ppgen.models.flow.choosing import Contest

    x, how = rows(600), {**settings, "max_epochs": 210}
    whole = ppgen.NormalizingFlow(**how).fit(x)

    class Killed(Exception):
        pass

    report, save = Fit.report, gradient._Loop.save

    def dies(self, progress):
        report(self, progress)
        if len(self.trace) > 6:  # more than a contender has
            raise Killed

    def saved(self):
        self.saved = -1e9
        save(self)

    monkeypatch.setattr(gradient._Loop, "save", saved)
    with monkeypatch.context() as inner:
        inner.setattr(Fit, "report", dies)
        with pytest.raises(Killed):
            ppgen.NormalizingFlow(**how).fit(x, checkpoint_dir=tmp_path)
    monkeypatch.setattr(Contest, "_train", None)  # nothing competes again
    resumed = ppgen.NormalizingFlow(**how).fit(x, checkpoint_dir=tmp_path)
    assert len(resumed.trace_) < len(whole.trace_)
    assert str(resumed.verdict_) == str(whole.verdict_)
    np.testing.assert_array_equal(resumed.score_samples(x), whole.score_samples(x))
