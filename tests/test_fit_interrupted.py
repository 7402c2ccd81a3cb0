"""Fits that the user ends before their end."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.__main__ import main
from ppgen.fitting import Fit
from ppgen.progress import Progress

from .interrupts import heeded
from .zoo import ZOO, Floats, answer, fit, given, named, numbers

Interrupt = Callable[[int], None]
NOTHING = "had learnt anything; nothing is kept"

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


def _raising(monkeypatch: pytest.MonkeyPatch, place: str, number: int) -> Callable[[], bool]:
    """Interrupt the call of this number of a function, a module's or a class's, given by its dotted
    name; tells whether it was reached."""
    owner, name = place.rsplit(".", 1)
    module, _, member = owner.rpartition(":")
    of: Any = importlib.import_module(module or owner)
    of = getattr(of, member) if module else of
    called, calls, reached = getattr(of, name), itertools.count(1), []

    def raising(*given: Any, **how: Any) -> Any:
        if next(calls) == number:
            reached.append(True)
            raise KeyboardInterrupt
        return called(*given, **how)

    monkeypatch.setattr(of, name, raising)
    return lambda: bool(reached)


@contextlib.contextmanager
def told(model: Any) -> Iterator[None]:
    """An interrupt that leaves no fit says so."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        said = str(interrupt)
        assert said == f"interrupted before the {model.name} {NOTHING}."
        raise


@pytest.mark.parametrize("place", ["ppgen.fitting:Fit.report", "ppgen.fitting:Fit.deadline"])
@pytest.mark.parametrize("name", named(per="class"))
def test_every_fit_keeps_what_it_came_to_or_says_that_it_is_nothing(
    name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = _raising(monkeypatch, place, 2)
    model = ZOO[name]()
    with contextlib.suppress(KeyboardInterrupt), told(model):
        fit(model, given(name))
    if not hasattr(model, "verdict_"):
        assert reached()
        return
    assert model.interrupted_ == reached()
    assert ("the fit was interrupted after" in str(model.verdict_)) == reached()
    assert np.isfinite(np.asarray(answer(model, given(name, 20, seed=1)), float)).all()


def gappy(d: int = 5) -> Floats:
    """(200, d) numbers of one factor, some missing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1)) * np.arange(1, d + 1) + rng.normal(size=(200, d))
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def whole(d: int = 5) -> Floats:
    """(200, d) the same without gaps."""
    x = gappy(d)
    return np.where(np.isnan(x), 0.0, x)


@pytest.mark.parametrize(
    "model",
    [ppgen.FactorAnalysis(1, tol=0.0, random_state=0),
     ppgen.BayesianNetwork([("x0", "x1")], tol=0.0, random_state=0)],
    ids=["factor", "bayesnet"],
)  # fmt: skip
def test_em_of_gaps_keeps_its_last_iteration(model: Any, interrupt: Interrupt) -> None:
    interrupt(2)
    model.fit(gappy())
    assert model.interrupted_
    assert model.n_iter_ == 3
    assert "had not converged" not in str(model.verdict_)
    assert np.isfinite(model.score(gappy()))


def test_hidden_nodes_keep_the_start_that_was_interrupted(interrupt: Interrupt) -> None:
    interrupt(3)
    edges = [("h", name) for name in ("x0", "x1")]
    model = ppgen.BayesianNetwork(edges, hidden={"h": 2}, n_init=2, random_state=0)
    model.fit(numbers())
    assert model.interrupted_
    assert model.n_iter_ == 4


def test_factors_of_rows_without_gaps_are_the_best_of_the_descent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = ppgen.FactorAnalysis(1, random_state=0).fit(whole())
    assert _raising(monkeypatch, "ppgen.models.factor.closed_form._objective", 4)() is False
    model = ppgen.FactorAnalysis(1, random_state=0).fit(whole())
    assert model.interrupted_
    assert not model.converged_
    assert ppgen.Gaussian().fit(whole()).score(whole()) > model.score(whole())
    assert model.score(whole()) == pytest.approx(free.score(whole()), abs=0.1)


def test_a_number_of_factors_is_chosen_of_those_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, "ppgen.models.factor.closed_form.diagonal", 3)
    model = ppgen.FactorAnalysis(random_state=0).fit(whole())
    assert [row["n_components"] for row in model.selection_] == [0, 1]
    assert model.n_components_ == 1
    assert "the choice of the number of factors was interrupted at 1" in str(model.verdict_)


@pytest.mark.parametrize(
    ("place", "number", "edges"),
    [
        ("hill_climbing._best_step", 1, 0),
        ("hill_climbing._best_step", 3, 2),
        ("boss.places", 2, None),
        ("boss.order_score", 1, None),
        ("boss.order_score", 2, None),
    ],
)
def test_a_search_for_a_structure_keeps_its_best_graph(
    place: str, number: int, edges: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = ppgen.BayesianNetwork(random_state=0).fit(whole())
    _raising(monkeypatch, f"ppgen.inference.structure.{place}", number)
    model = ppgen.BayesianNetwork(random_state=0).fit(whole())
    assert model.interrupted_
    assert "the search for a structure was interrupted; the best so far was taken" in str(
        model.verdict_
    )
    if edges is None:  # the climb that comes before orders are searched
        assert model.score(whole()) == pytest.approx(best.score(whole()), abs=0.05)
    else:
        assert len(model.edges_) == edges


@pytest.mark.parametrize("search", [1, 2])
def test_of_rows_with_gaps_the_last_whole_search_is_kept(
    search: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _raising(monkeypatch, "ppgen.models.bayesnet.structure.structural_em.sweep", 10 * search)
    model = ppgen.BayesianNetwork(random_state=0, structure="hill-climbing").fit(gappy())
    assert model.interrupted_
    assert model.n_iter_ == 1  # of EM, for the parameters
    assert len(model.edges_) >= 4
    assert ("in 1 rounds" in str(model.verdict_.reasons)) == (search == 2)


def test_flows_of_a_network_stay_linear_from_the_interrupt_on(interrupt: Interrupt) -> None:
    interrupt(1)
    model = ppgen.BayesianNetwork([], conditionals="flow", random_state=0).fit(numbers())
    assert model.interrupted_
    assert "the fit was interrupted: x1 stay linear" in str(model.verdict_.reasons)


def test_bandwidths_are_searched_for_up_to_the_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, "ppgen.models.baseline.kernel_mixture.best_bandwidth", 2)
    model = ppgen.IndependentColumns(random_state=0).fit(numbers())
    assert model.interrupted_
    assert [np.isnan(column.leave_one_out) for column in model.columns_] == [False, True]
    assert "the interrupt left time to search for the bandwidths of 1 of 2 columns" in str(
        model.verdict_
    )
    _raising(monkeypatch, "ppgen.models.baseline.kernel_mixture.best_bandwidth", 1)
    kernels = ppgen.KernelDensity(random_state=0).fit(numbers())
    assert kernels.interrupted_
    assert "the interrupt left no time to search for the bandwidth" in str(kernels.verdict_)


def test_a_contest_ends_with_those_that_were_trained(interrupt: Interrupt) -> None:
    model = ppgen.NormalizingFlow(random_state=0, max_epochs=250, hidden=(4,), batch_size=50)
    with pytest.MonkeyPatch.context() as patch:
        reached = _raising(patch, "ppgen.models.nets.contest:Contest._train", 2)
        model.fit(numbers(250))
    assert reached()
    assert model.interrupted_
    assert "was chosen of 1 on held-out rows" in str(model.verdict_.reasons)


def test_the_columns_are_told_of_at_the_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, "ppgen.estimator.column_reasons", 1)
    model = ppgen.GaussianMixture(2, random_state=0).fit(numbers())
    assert model.interrupted_
    assert np.isfinite(model.score(numbers()))


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
    assert main(words) == 130
    out, err = capsys.readouterr()
    assert "warn: the fit was interrupted" in err
    assert "vae: step 0," in err  # no terminal: lines
    assert str(tmp_path / "run") in out
    assert ppgen.load(tmp_path / "run").interrupted_


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
