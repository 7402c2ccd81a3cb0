"""Every family keeps what a fit came to by an interrupt, wherever that is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ppgen

from .interrupts import NOTHING, raising
from .zoo import ZOO, Floats, answer, fit, given, named, numbers


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
    reached = raising(monkeypatch, place, 2)
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
def test_em_of_gaps_keeps_its_last_iteration(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, "ppgen.fitting:Fit.report", 3)
    model.fit(gappy())
    assert model.interrupted_
    assert model.n_iter_ == 3
    assert "had not converged" not in str(model.verdict_)
    assert np.isfinite(model.score(gappy()))


def test_hidden_nodes_keep_the_start_that_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, "ppgen.fitting:Fit.report", 4)
    edges = [("h", name) for name in ("x0", "x1")]
    model = ppgen.BayesianNetwork(edges, hidden={"h": 2}, n_init=2, random_state=0)
    model.fit(numbers())
    assert model.interrupted_
    assert model.n_iter_ == 4


def test_factors_of_rows_without_gaps_are_the_best_of_the_descent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = ppgen.FactorAnalysis(1, random_state=0).fit(whole())
    assert raising(monkeypatch, "ppgen.models.factor.closed_form._objective", 4)() is False
    model = ppgen.FactorAnalysis(1, random_state=0).fit(whole())
    assert model.interrupted_
    assert not model.converged_
    assert ppgen.Gaussian().fit(whole()).score(whole()) > model.score(whole())
    assert model.score(whole()) == pytest.approx(free.score(whole()), abs=0.1)


def test_a_number_of_factors_is_chosen_of_those_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, "ppgen.models.factor.closed_form.diagonal", 3)
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
    raising(monkeypatch, f"ppgen.inference.structure.{place}", number)
    model = ppgen.BayesianNetwork(random_state=0).fit(whole())
    assert model.interrupted_
    assert "the search for a structure was interrupted; the best so far was taken" in str(
        model.verdict_
    )
    if edges is None:  # the climb that comes before orders are searched
        assert model.score(whole()) == pytest.approx(best.score(whole()), abs=0.05)
    else:
        assert len(model.edges_) == edges


@pytest.mark.parametrize(
    ("place", "number", "edges"),
    [
        ("hill_climbing._best_step", 1, 0),
        ("exact_search.families_of", 2, None),
        ("exact_search._without", 3, None),
    ],
)
def test_an_exact_search_for_a_structure_keeps_what_a_climb_found(
    place: str, number: int, edges: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"random_state": 0, "criterion": "bic"}
    climb = ppgen.BayesianNetwork(structure="hill-climbing", restarts=0, **how).fit(whole())
    reached = raising(monkeypatch, f"ppgen.inference.structure.{place}", number)
    model = ppgen.BayesianNetwork(structure="exact", **how).fit(whole())
    assert reached()
    assert model.interrupted_
    assert (
        "the exact search for a structure was interrupted; the best so far was taken, and a better"
        in str(model.verdict_)
    )
    assert model.edges_ == (climb.edges_ if edges is None else [])


@pytest.mark.parametrize("search", [1, 2])
def test_of_rows_with_gaps_the_last_whole_search_is_kept(
    search: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, "ppgen.models.bayesnet.structure.structural_em.sweep", 10 * search)
    model = ppgen.BayesianNetwork(random_state=0, structure="hill-climbing").fit(gappy())
    assert model.interrupted_
    assert model.n_iter_ == 1  # of EM, for the parameters
    assert len(model.edges_) >= 4
    assert ("in 1 rounds" in str(model.verdict_.reasons)) == (search == 2)


def test_flows_of_a_network_stay_linear_after_an_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raising(monkeypatch, "ppgen.fitting:Fit.report", 2)
    model = ppgen.BayesianNetwork([], conditionals="flow", random_state=0).fit(numbers())
    assert model.interrupted_
    assert "the fit was interrupted: x1 stay linear" in str(model.verdict_.reasons)


def test_bandwidths_are_searched_for_up_to_the_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, "ppgen.models.baseline.kernel_mixture.best_bandwidth", 2)
    model = ppgen.IndependentColumns(random_state=0).fit(numbers())
    assert model.interrupted_
    assert [np.isnan(column.leave_one_out) for column in model.columns_] == [False, True]
    assert "the interrupt left time to search for the bandwidths of 1 of 2 columns" in str(
        model.verdict_
    )
    raising(monkeypatch, "ppgen.models.baseline.kernel_mixture.best_bandwidth", 1)
    kernels = ppgen.KernelDensity(random_state=0).fit(numbers())
    assert kernels.interrupted_
    assert "the interrupt left no time to search for the bandwidth" in str(kernels.verdict_)


def test_a_contest_ends_with_those_that_were_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = raising(monkeypatch, "ppgen.models.nets.contest:Contest._train", 2)
    model = ppgen.NormalizingFlow(random_state=0, max_epochs=250, hidden=(4,), batch_size=50)
    model.fit(numbers(250))
    assert reached()
    assert model.interrupted_
    assert "was chosen of 1 on held-out rows" in str(model.verdict_.reasons)


def test_the_columns_are_told_of_at_the_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, "ppgen.estimator.column_reasons", 1)
    model = ppgen.GaussianMixture(2, random_state=0).fit(numbers())
    assert model.interrupted_
    assert np.isfinite(model.score(numbers()))
