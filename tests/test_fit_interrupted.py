"""Fits that the user ends before their end."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.__main__ import main
from ppgen.fitting import EngineFit, Fit
from ppgen.progress import Clock, Progress

from .interrupts import NOTHING, heeded
from .zoo import ZOO, answer, fit, given, named, numbers

Interrupt = Callable[[int], None]

TRAINED = [
    pytest.param(name, marks=[pytest.mark.slow] * (name == "flow-numpyro"))
    for name in (*named("uses", per="class"), "flow-numpyro")
    if "checkpoint_dir" in ZOO[name]()._uses()
]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Interrupts fits at their record of this number."""

    def at(number: int) -> None:
        report, seen = Fit.report, itertools.count()

        def interrupted(self: Fit, record: Progress) -> None:
            report(self, record)
            if next(seen) == number:
                raise KeyboardInterrupt

        monkeypatch.setattr(Fit, "report", interrupted)

    return at


@pytest.mark.parametrize("name", TRAINED)
def test_an_interrupted_fit_keeps_the_best_weights_and_says_so(
    name: str, interrupt: Interrupt, tmp_path: Path
) -> None:
    interrupt(1)
    model = fit(ZOO[name](), given(name), checkpoint_dir=tmp_path / "state")
    assert model.interrupted_
    assert model.verdict_.status == "warn"
    assert "the fit was interrupted after" in str(model.verdict_)
    assert model.n_steps_ == model.trace_[-1]["step"] > 0
    assert list((tmp_path / "state").iterdir())
    rows = given(name, 20, seed=1)
    loaded = ppgen.load(model.save(tmp_path / "run"))
    assert loaded.interrupted_
    np.testing.assert_array_equal(answer(loaded, rows), answer(model, rows))


def test_it_goes_on_from_where_it_was(tmp_path: Path) -> None:
    made = ppgen.Autoencoder(1, hidden=(4,), max_epochs=30, random_state=0)
    whole = made.fit(numbers()).encode(numbers())
    with pytest.MonkeyPatch.context() as patch:
        report = Fit.report
        patch.setattr(Fit, "report", lambda self, r: (report(self, r), _raise(r.step > 0)))
        made.fit(numbers(), checkpoint_dir=tmp_path)
    assert made.interrupted_
    made.fit(numbers(), checkpoint_dir=tmp_path)
    assert not made.interrupted_
    assert made.trace_[0]["step"] > 0
    np.testing.assert_array_equal(made.encode(numbers()), whole)
    assert not list(tmp_path.iterdir())


def _raise(now: bool) -> None:
    if now:
        raise KeyboardInterrupt


def test_before_anything_is_learnt_there_is_nothing_to_keep(interrupt: Interrupt) -> None:
    interrupt(0)
    model = ZOO["vae"]()
    with pytest.raises(KeyboardInterrupt):
        model.fit(numbers())
    assert not hasattr(model, "verdict_")


def test_an_interrupt_while_a_fit_is_judged_leaves_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppgen.goodness_of_fit.two_sample", lambda *a, **how: _raise(True))
    model = ZOO["gmm"]().fit(numbers())
    assert model.interrupted_
    assert "goodness of fit not checked: the fit was interrupted." in [
        reason.what for reason in model.verdict_.reasons
    ]
    assert np.isfinite(model.score(numbers()))


@pytest.mark.parametrize("name", ["gmm", "gmm-bic"])
def test_em_keeps_its_last_iteration(name: str, interrupt: Interrupt) -> None:
    interrupt(1)
    model = ZOO[name]().fit(numbers())
    assert model.interrupted_
    assert model.n_iter_ == 2
    assert "had not converged" not in str(model.verdict_)
    assert np.isfinite(model.score(numbers()))


def test_a_choice_of_size_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    from ppgen.models.gmm import selection

    start, sizes = selection.best_start, itertools.count(1)

    def interrupted(*given: Any) -> Any:
        _raise(next(sizes) == 3)
        return start(*given)

    monkeypatch.setattr(selection, "best_start", interrupted)
    model = ZOO["gmm-bic"]().fit(numbers())
    assert model.interrupted_
    assert model.n_components_ == 2
    assert "the choice of size was interrupted at 2 components" in str(model.verdict_)


def test_of_folds_all_are_meant(interrupt: Interrupt) -> None:
    interrupt(1)
    with pytest.raises(KeyboardInterrupt):
        ppgen.cross_validate(ppgen.GaussianMixture(2, random_state=0), numbers(60), folds=2)


# The command line


def test_the_command_writes_the_run(interrupt: Interrupt, tmp_path: Path, capsys: Any) -> None:
    interrupt(2)
    words = ["fit", "iris", "vae", "--set", "hidden=[4]", "--out", str(tmp_path / "run")]
    assert main([*words, "--budget", "9m"]) == 130
    out, err = capsys.readouterr()
    assert "warn: the fit was interrupted" in err
    assert (
        "Fit again, which begins from the start; with --checkpoints DIR an interrupted fit goes on "
        "from its last evaluation.\n"
    ) in err
    assert "vae: step 0," in err  # no terminal: lines
    assert str(tmp_path / "run") in out
    assert ppgen.load(tmp_path / "run").interrupted_


@pytest.mark.parametrize("uses", [(), ("budget",), ("budget", "checkpoint_dir")])
def test_only_what_a_family_takes_and_was_not_given_is_advised(uses: tuple[str, ...]) -> None:
    for budget in (None, 60.0):
        fit = EngineFit(0, Clock(budget), interrupted=True)
        (reason,) = fit.interrupt_reasons(uses)
        assert ("checkpoint_dir" in reason.advice) == ("checkpoint_dir" in uses)
        assert ("give a budget" in reason.advice) == (bool(uses) and budget is None)


def test_the_command_says_that_there_is_nothing_to_write(
    interrupt: Interrupt, tmp_path: Path, capsys: Any
) -> None:
    interrupt(0)
    words = ["fit", "iris", "vae", "--set", "hidden=[4]", "--out", str(tmp_path / "run")]
    assert main(words) == 130
    assert f"interrupted before the vae {NOTHING}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_ctrl_c_ends_a_fit_with_a_run(tmp_path: Path) -> None:
    words = ["fit", "toy:rings", "autoencoder", "--set", "latent_dim=1", "--budget", "10m"]
    words += ["--checkpoints", str(tmp_path / "state"), "--out", str(tmp_path / "run")]
    with heeded():
        process = subprocess.Popen(
            [sys.executable, "-m", "ppgen", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        assert process.stderr is not None
        while "step" not in (line := process.stderr.readline()) or "step 0," in line:
            assert line, "the fit ended before it was interrupted"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "the fit was interrupted after" in err
    assert "Traceback" not in err
    model = ppgen.load(tmp_path / "run")
    assert model.interrupted_
    assert np.isfinite(model.reconstruction_error(numbers())).all()
    assert list((tmp_path / "state").iterdir())
