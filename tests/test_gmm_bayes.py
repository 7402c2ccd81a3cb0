"""Posteriors of mixtures by SVI and NUTS, from a start to draws and a verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ppgen import GaussianMixture
from ppgen.data import Schema
from ppgen.errors import InputError
from ppgen.fitting import Fit
from ppgen.models.gmm.bayes import fit_bayes
from ppgen.models.gmm.parameters import Mixture
from ppgen.models.gmm.posterior import log_prob_draws
from ppgen.models.gmm.weighted_rows import WeightedRows, score
from ppgen.progress import Clock


def two_groups(n: int = 300) -> tuple[Any, Any, Mixture]:
    rng = np.random.default_rng(0)
    z = (rng.random(n) < 0.4).astype(int)
    centre, spread = np.array([[100.0, 2.0], [120.0, 0.0]]), np.array([[5.0, 0.5], [4.0, 1.0]])
    x = centre[z] + spread[z] * rng.normal(size=(n, 2))
    x[::17, 0] = np.nan
    codes = (rng.random(n) < np.where(z, 0.8, 0.2)).astype(np.int32)[:, None]
    tables = (np.array([[0.8, 0.2], [0.2, 0.8]]),)
    return x, codes, Mixture(np.array([0.6, 0.4]), centre, spread**2, "diag", tables)


def fitted(engine: str, backend: str, settings: dict[str, Any]) -> Any:
    x, codes, start = two_groups()
    fit = Fit(seed=0, schema=Schema(()), clock=Clock())
    rows = WeightedRows(x, codes, (2,), None)
    return *fit_bayes(rows, start, engine, backend, settings, fit), fit


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_svi_finds_the_posterior(backend: str) -> None:
    _, _, truth = two_groups()
    mixture, posterior, found, reasons, fit = fitted("svi", backend, {"num_steps": 300})
    assert posterior["mu"].shape == (1, 500, 2, 2)
    assert posterior["B_0"].shape == (1, 500, 2, 2)
    # Standard errors of the means are about 0.4 and 0.05; an allowance of five.
    np.testing.assert_allclose(mixture.means, truth.means, atol=2.0)
    np.testing.assert_allclose(mixture.weights, truth.weights, atol=0.15)
    error = truth.covariances[:, 1] ** 0.5 / np.sqrt(300 * truth.weights)
    np.testing.assert_allclose(posterior["mu"].std(axis=(0, 1))[:, 1], error, rtol=0.35)
    assert found["lp"].shape == (1, 500)
    assert {reason.status for reason in reasons} <= {"ok"}
    assert all(np.isfinite(record["loss"]) for record in fit.trace)


def test_a_few_steps_of_svi_warn() -> None:
    reasons = fitted("svi", "pyro", {"num_steps": 5, "num_draws": 20})[3]
    assert "only" in reasons[0].what
    assert "steps were taken" in reasons[0].what
    assert reasons[0].status == "warn"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engine": "gibbs"}, "engine is 'gibbs'"),
        ({"engine": "nuts", "backend": "pyro"}, "NumPyro"),
        ({"engine": "svi", "backend": "stan"}, "backend is 'stan'"),
        ({"engine": "svi", "engine_settings": {"num_step": 3}}, "Did you mean 'num_steps'"),
        ({"engine": "nuts", "engine_settings": {"num_chains": 0}}, "num_chains is 0; expected an"),
        ({"engine_settings": {"num_steps": 3}}, "Leave engine_settings out"),
    ],
)
def test_what_is_not_there_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        GaussianMixture(2, **given).fit(two_groups()[0])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["svi", "nuts"])
@pytest.mark.parametrize(
    ("kind", "columns"), [("full", 2), ("tied", 2), ("spherical", 2), ("full", 0)]
)
def test_every_covariance_type_is_fitted_with_gaps(engine: str, kind: str, columns: int) -> None:
    x, codes, start = two_groups()
    short = {"svi": {"num_steps": 200}, "nuts": {"num_warmup": 200, "num_samples": 200}}
    d = start.means[:, :columns].shape[1]
    variance = start.covariances[:, :d]
    own = {"full": variance[:, :, None] * np.eye(d), "tied": np.diag(variance.mean(axis=0))}
    covariances = own.get(kind, variance.mean(axis=-1) if d else np.ones(2))
    begin = Mixture(start.weights, start.means[:, :d], covariances, kind, start.probs)
    fit = Fit(seed=0, schema=Schema(()), clock=Clock())
    rows = WeightedRows(x[:, :d], codes, (2,), None)
    mixture, posterior, _, _ = fit_bayes(rows, begin, engine, "numpyro", short[engine], fit)
    assert mixture.means.shape == (2, d)
    assert mixture.covariances.shape == covariances.shape
    draws = log_prob_draws(posterior, kind, x[:, :d], codes)
    exact = score(mixture, x[:, :d], codes)[1]
    assert np.abs(np.log(np.exp(draws).mean(axis=0)) - exact).mean() < 0.2
