"""Criteria, bounds and traces are in the units of the data, so that models can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import lognorm

import ppgen
from ppgen import GaussianMixture
from ppgen.data import Dataset, as_dataset

G = GaussianMixture


def lengths(n: int = 400) -> np.ndarray:
    return np.exp(np.random.default_rng(0).normal(5.0, 0.4, n))[:, None]


def positive(x: np.ndarray) -> Dataset:
    """The rows, modelled by their logarithm."""
    return as_dataset(x).override({"x0": "positive"})


def log_density(x: np.ndarray) -> np.ndarray:
    """SciPy's log-normal at its maximum likelihood."""
    logs = np.log(x[:, 0])
    return np.asarray(lognorm.logpdf(x[:, 0], logs.std(), scale=np.exp(logs.mean())))


def test_criteria_of_a_positive_column_are_those_of_the_log_normal() -> None:
    x = lengths()
    fit = G(1, random_state=0).fit(positive(x))
    total = log_density(x).sum()
    assert fit.score_samples(x).sum() == pytest.approx(total, rel=1e-9)
    assert fit.bic(x) == pytest.approx(-2 * total + 2 * np.log(400), rel=1e-9)
    assert fit.aic(x) == pytest.approx(-2 * total + 2 * 2, rel=1e-9)
    assert fit.icl(x) == pytest.approx(fit.bic(x), rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_bound_and_the_trace_are_in_the_units_of_the_data(weighted: bool) -> None:
    x = lengths()
    weights = np.repeat([1.0, 3.0], 200) if weighted else None
    fit = G(2, random_state=0).fit(positive(x), sample_weight=weights)
    expected = np.average(fit.score_samples(x), weights=weights)
    assert fit.lower_bound_ == pytest.approx(expected, abs=1e-3)
    assert fit.trace_[-1]["loss"] == pytest.approx(-expected, abs=1e-3)


@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_the_scores_of_sizes_are_in_the_units_of_the_data(criterion: Any) -> None:
    x = lengths()
    fit = G(criterion, random_state=0).fit(positive(x))
    best = {row["n_components"]: row for row in fit.selection_}[fit.n_components_]
    assert fit.n_components_ == 1
    assert best["log_likelihood"] == pytest.approx(log_density(x).sum(), abs=0.1)
    assert best[criterion] == pytest.approx(getattr(fit, criterion)(x), abs=0.1)


def test_new_units_change_a_criterion_by_the_jacobian() -> None:
    x = lengths()
    metres, millimetres = (G(2, random_state=0).fit(positive(x * f)) for f in (1.0, 1000.0))
    change = millimetres.bic(1000 * x) - metres.bic(x)
    assert change == pytest.approx(2 * 400 * np.log(1000), abs=0.05)


def test_the_criterion_of_rounded_rows_is_of_what_their_density_says() -> None:
    x = np.round(lengths(), 0)
    fit = G(1, random_state=0).fit(positive(x))
    density = fit.log_density(x)
    assert density.dequantised
    assert fit.bic(x) == pytest.approx(-2 * density.values.sum() + 2 * np.log(400))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["svi", "nuts"])
def test_the_trace_of_a_posterior_is_in_the_units_of_the_data(engine: Any) -> None:
    settings: dict[str, Any] = {"num_steps": 100}
    if engine == "nuts":
        settings = {"num_warmup": 50, "num_samples": 50, "num_chains": 1}
    x = lengths()
    model = ppgen.GaussianMixture(1, engine=engine, engine_settings=settings, random_state=0)
    fit = model.fit(positive(x))
    assert fit.trace_[-1]["loss"] == pytest.approx(-log_density(x).mean(), abs=0.1)
