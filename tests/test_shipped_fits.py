"""Pairs that ship, by name: simulated, seen by engines, predicting."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

import ppgen
from ppgen.models import shipped
from ppgen.models.small_cases import call
from ppgen.models.units import units


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpyro", "pyro"])
@pytest.mark.parametrize("name", shipped.names())
def test_a_pair_by_name_is_simulated_and_then_seen_by_engines(
    name: str, backend: Literal["numpyro", "pyro"]
) -> None:
    pair, (args, kwargs) = ppgen.Pair(name, backend=backend), call(name)
    drawn = pair.prior(3, *args, random_state=1, **kwargs)
    target = pair.target(*args, **kwargs, y=drawn["y"][0])
    with target.precision():
        z = target.start(0)
        assert np.isfinite(float(target.log_joint(z)))
    assert list(target.sites.observed) == ["y"]
    assert {"z"} >= set(target.sites.discrete)


def test_a_logistic_regression_in_pyro_takes_classes_as_whole_numbers() -> None:
    X: Any = np.linspace(-1, 1, 12)[:, None]
    y = (X[:, 0] > 0.1).astype(int)
    pair = ppgen.Pair("logistic_regression", backend="pyro")
    target = pair.target(X, y)
    assert target.sites["y"].kind == "observed"
    fit = pair.fit(X, y, method="laplace", num_starts=1, num_draws=100)
    assert set(np.unique(fit.predictive()["y"])) <= {0.0, 1.0}
    new = fit.predictive([[-3.0], [3.0]])["y"].mean(axis=(0, 1))
    assert new[0] < 0.2 < 0.8 < new[1]


def test_a_prediction_is_refused_where_units_of_the_fit_are_forgotten() -> None:
    X = np.linspace(5, 9, 12)[:, None]
    told = units(X)
    pair = ppgen.Pair("logistic_regression", backend="pyro")
    how: Any = {"method": "laplace", "num_starts": 1, "num_draws": 100}
    fit = pair.fit(X, X[:, 0] > 7.1, **how, **told)
    with pytest.raises(ppgen.InputError, match="fitted with x_units"):
        fit.predictive(X[:3])
    assert fit.predictive(X[:3], **told)["y"].shape[-1] == 3
