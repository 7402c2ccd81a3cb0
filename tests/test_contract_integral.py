"""Every density of every family integrates to one, in the units of the data, for every kind of
column; where it is a lower bound, to one within its Monte Carlo error."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ppgen.data import Dataset, as_dataset
from ppgen.density_estimator import DensityEstimator

from .integrate import integral
from .zoo import ZOO, each, named, of_one_column

N = 120
UNIT = {"kind": "interval", "lower": 0, "upper": 1}
rng = np.random.default_rng(0)
bumps = rng.normal(np.where(np.arange(N) % 2, 2.0, -2.0), 0.6)
part = rng.beta(2.0, 3.0, N)
few, many = rng.random(N) < 0.1, rng.random(N) < 0.4

# Name -> values and kind.
KINDS: dict[str, tuple[Any, Any]] = {
    "real": (1000 * bumps, "real"),
    "real of heavy tails": (np.where(np.arange(N) == 9, 1e6, bumps), "real"),
    "rounded real": (bumps.round(1), "real"),
    "real with an atom": (np.where(many, 0.5, bumps), {"kind": "real", "atoms": [0.5]}),
    "positive": (np.exp(bumps), "positive"),
    "rounded positive": (np.exp(bumps / 4).round(1), "positive"),
    "positive with zeros": (np.where(many, 0.0, np.exp(bumps)), "positive"),
    "interval": (7 + 3 * part, {"kind": "interval", "lower": 7, "upper": 10}),
    "interval with a bound": (np.where(many, 1.0, part), UNIT),
    "interval with bounds": (np.where(many, 0.0, np.where(few, 1.0, part)), UNIT),
    "interval with one row at a bound": (np.where(np.arange(N) == 7, 1.0, part), UNIT),
    "interval close to a bound": (np.where(many, 0.0, np.exp(-8 + bumps)), UNIT),
    "rounded interval": (np.where(many, 0.0, part.round(2)), UNIT),
    "interval of bounds": (many.astype(float), UNIT),
    "circular": ((20 * bumps) % 360, {"kind": "circular", "period": 360}),
    "rounded circular": ((20 * bumps).round(-1) % 360, {"kind": "circular", "period": 360}),
    "count": (rng.poisson(4.0, N), "count"),
    "ordinal": (rng.integers(0, 5, N), "ordinal"),
    "categorical": (rng.choice(["a", "b", "c"], N, p=[0.6, 0.2, 0.2]), "categorical"),
}
QUICK = ("real", "interval", "interval with bounds", "positive with zeros", "count")


def of(kind: str) -> Dataset:
    values, given = KINDS[kind]
    return as_dataset(pd.DataFrame({"x": values})).override({"x": given})


@cache
def fitted_to(name: str, kind: str) -> DensityEstimator:
    """The model of one column; whether it integrates to one is no question of how well it fits."""
    model = of_one_column(name)
    if "max_epochs" in model.get_params():
        model.set_params(max_epochs=3)
    return model.fit(of(kind))


def _cases() -> list[Any]:
    # Nets and kernels take ten times the time of the others.
    return [
        pytest.param(
            n,
            k,
            marks=[pytest.mark.slow] * (n not in ("gaussian", "gmm") and k not in QUICK),
            id=f"{n}-{k}",
        )
        for n in named("density", per="class")
        for k in KINDS
    ]


@pytest.mark.filterwarnings("ignore:column 'x' holds")
@pytest.mark.parametrize(("name", "kind"), _cases())
def test_the_density_integrates_to_one(name: str, kind: str) -> None:
    data = of(kind)
    model = fitted_to(name, kind)
    found, error = integral(model, data, panels=200 if "tails" in kind else 60)
    density = model.log_density(data)
    if density.kind == "exact":
        assert found == pytest.approx(1, abs=1e-4)
    else:
        # Draws of a cell are stratified: their errors are stated too large rather than too small.
        assert found <= 1 + 3 * error + 1e-3
        assert found >= 1 - 3 * error - 0.03
        assert error < 0.15
    assert np.isfinite(density.values).all()


@pytest.mark.parametrize("name", ["gaussian", "gmm"])
def test_the_density_of_two_columns_integrates_to_one(name: str) -> None:
    frame = pd.DataFrame({"p": KINDS["interval with bounds"][0], "n": KINDS["count"][0]})
    frame["p"] = np.where(frame["n"] > 4, frame["p"], part)
    data = as_dataset(frame).override({"p": UNIT, "n": "ordinal"})
    model = ZOO[name]().fit(data)
    found, error = integral(model, data, panels=30)
    assert model.log_density(data).measure == "mixed"
    assert found == pytest.approx(1, abs=3 * error + 1e-3)
    assert error < 0.05


@each("density", per="class")
def test_a_bound_that_holds_values_has_their_share_as_its_mass(name: str) -> None:
    data = of("interval with bounds")
    model = fitted_to(name, "interval with bounds")
    how = {"n_samples": 2000} if "n_importance" in model.get_params() else {}
    density = model.log_density(as_dataset({"x": [0.0, 1.0]}, data.schema), **how)
    assert density.kind == "lower_bound"
    assert density.measure == "mixed"
    assert density.dequantised == ("x",)
    drawn = np.asarray(model.sample(4000, random_state=0)["x"])
    assert ((drawn >= 0) & (drawn <= 1)).all()
    shares = np.array([(drawn == 0).mean(), (drawn == 1).mean()])
    # What is drawn is what is scored, whatever was learnt.
    np.testing.assert_allclose(np.exp(density.values), shares, atol=0.04)
    if name in ("gmm", "kde", "independent"):
        seen = data.columns["x"]
        np.testing.assert_allclose(shares, [(seen == 0).mean(), (seen == 1).mean()], atol=0.08)
