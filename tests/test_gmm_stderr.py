"""The density of a posterior over mixtures is an estimate, with the error of its draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

import ppgen
from ppgen import GaussianMixture
from ppgen.analysis.paired import Scored, difference
from ppgen.inference.importance import good_khat
from ppgen.models.gmm.posterior import log_prob_draws, predictive_mixture
from ppgen.models.gmm.uncertainty import mean_density, of_rows_fitted
from ppgen.models.gmm.weighted_rows import score

S = 50


def draws_of(total: int, correlation: float, seed: int) -> dict[str, np.ndarray]:
    """One component's draws (1, total, ...): the mean wanders, all else stays."""
    rng = np.random.default_rng(seed)
    mu = np.empty(total)
    mu[0] = rng.normal()
    for s in range(1, total):
        mu[s] = correlation * mu[s - 1] + np.sqrt(1 - correlation**2) * rng.normal()
    return {
        "w": np.tile([0.4, 0.6], (1, total, 1)),
        "mu": np.stack([mu, mu - 3], -1)[None, :, :, None],
        "sigma": np.full((1, total, 2, 1), 1.0),
    }


X = np.linspace(-5, 3, 9)[:, None]
NONE = np.zeros((9, 0), dtype=np.int32)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_the_error_is_the_scatter_of_other_draws(correlation: float) -> None:
    """Of 300 posteriors of 100 draws: their scatter is known to 4 %."""
    found, errors = [], []
    for seed in range(300):
        mixture = predictive_mixture(draws_of(100, correlation, seed), "diag")
        errors.append(mean_density(mixture, 100, X, NONE).stderr)
        p = np.exp(-0.5 * (X - mixture.means[:, 0]) ** 2) / np.sqrt(2 * np.pi)
        found.append(np.log(p @ mixture.weights))
    told = np.isfinite(errors)
    most = told.mean(axis=0) > 0.9
    assert most.sum() >= 6
    found, errors = np.where(told, found, np.nan)[:, most], np.array(errors)[:, most]
    scatter, error = np.nanstd(found, axis=0), np.sqrt(np.nanmean(np.square(errors), axis=0))
    np.testing.assert_allclose(error, scatter, rtol=0.25)
    plain = np.sqrt(np.mean(np.square(error)) / np.mean(np.square(scatter)))
    assert plain == pytest.approx(1, abs=0.2)  # without the correlation, 0.5 where it is 0.6


def test_rows_where_few_draws_decide_have_no_error_and_are_counted() -> None:
    """One component of spread sigma, uncertain by 7 %, 200 draws of 200 posteriors; rows at z
    standard deviations. At 8 the plain error is 0.4 where the spread is 0.8."""
    z = np.array([[0.0], [2.0], [4.0], [6.0], [8.0], [10.0]])
    none = np.zeros((6, 0), dtype=np.int32)
    values, errors, khats, sizes = [], [], [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        draws = {
            "w": np.ones((1, 200, 1)),
            "mu": 0.07 * rng.normal(size=(1, 200, 1, 1)),
            "sigma": np.exp(0.07 * rng.normal(size=(1, 200, 1, 1))),
        }
        mixture = predictive_mixture(draws, "diag")
        rests = mean_density(mixture, 200, z, none)
        values.append(score(mixture, z, none)[1])
        errors.append(rests.stderr)
        khats.append(rests.diagnostics["khat"])
        sizes.append(rests.diagnostics["ess"])
    told = np.isfinite(errors)
    assert (told[:, :2]).all()
    assert told[:, 2].mean() > 0.9
    assert not told[:, 4:].any()
    for j in range(4):
        spread = np.std(np.array(values)[told[:, j], j])
        stated = np.sqrt(np.nanmean(np.square(np.array(errors)[:, j])))
        assert 0.7 < stated / spread < 1.3
    assert (np.array(khats)[:, 4:] > good_khat(200)).mean() > 0.95
    assert (np.diff(np.mean(sizes, axis=0)) < 0).all()


def test_a_comparison_is_not_decided_by_rows_without_an_error(fit: Any) -> None:
    x = two_groups()[:60]
    estimate = fit.log_density(x)
    other = replace(estimate, values=estimate.values - 1, kind="exact", stderr=None, diagnostics={})
    clear = difference([Scored("a", estimate)], [Scored("b", other)])
    assert clear.outcome == "better"
    errors = np.where(np.arange(60) == 7, np.nan, estimate.stderr)
    unknown = replace(estimate, stderr=errors)
    found = difference([Scored("a", unknown)], [Scored("b", other)])
    assert found.outcome == "close"
    assert np.isnan(found.stderr)


def test_diagnostics_are_those_of_importance_samples(fit: Any) -> None:
    x = np.concatenate([two_groups()[:10], [[40.0, -40.0]]])
    density = fit.log_density(x)
    assert set(density.diagnostics) == {"khat", "good_khat", "ess", "advice"}
    assert density.diagnostics["good_khat"] == good_khat(S)
    assert density.diagnostics["khat"].shape == density.diagnostics["ess"].shape == (11,)
    assert np.isnan(density.stderr[-1])
    assert density.diagnostics["ess"][-1] < 5
    bad = int(np.isnan(density.stderr).sum())
    assert density.diagnostics["advice"].startswith(f"{bad} of 11 rows")


def test_the_verdict_counts_the_rows_fitted_that_have_no_error(fit: Any) -> None:
    mixture, none = fit._predictive(), np.zeros((100, 0), dtype=np.int32)
    near = two_groups()[:100] * 0.1 + [4.0, 0.0]
    assert of_rows_fitted(mixture, S, near, none) == []
    far = np.concatenate([near[:90], np.full((10, 2), 40.0)])
    (reason,) = of_rows_fitted(mixture, S, far, none)
    assert reason.status == "warn"
    assert "10 of 100 rows fitted" in reason.what


def test_it_is_the_delta_method_of_the_draws() -> None:
    posterior = draws_of(80, 0.0, 1)
    each = log_prob_draws(posterior, "diag", X, NONE)
    ratio = np.exp(each - (logsumexp(each, axis=0) - np.log(80)))
    found = mean_density(predictive_mixture(posterior, "diag"), 80, X, NONE).stderr
    plain = ratio.std(axis=0, ddof=1) / np.sqrt(80)
    told = np.isfinite(found)
    assert told.sum() >= 8
    assert (found > 0.999 * plain)[told].all()  # a correlation can only add
    np.testing.assert_allclose(found[told], plain[told], rtol=0.35)
    assert np.isnan(mean_density(predictive_mixture(posterior, "diag", 1), 1, X, NONE).stderr).all()


def two_groups() -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 2))
    x[:, 0] += np.where(np.arange(150) % 2, 4.0, -4.0)
    return x


def with_draws(x: np.ndarray) -> Any:
    """A fit with a posterior: EM's mixture, and draws around it."""
    fit = GaussianMixture(2, covariance_type="diag", n_init=1, random_state=0).fit(x)
    rng = np.random.default_rng(1)

    def around(a: Any, by: float) -> np.ndarray:
        return np.asarray(a) + by * rng.normal(size=(1, S, *np.shape(a)))

    fit.posterior_ = {
        "w": rng.dirichlet(150 * fit.weights_, (1, S)),
        "mu": around(fit.means_, 0.1),
        "sigma": np.sqrt(fit.covariances_) * np.exp(around(np.zeros((2, 2)), 0.06)),
    }
    return fit


@pytest.fixture(scope="module")
def fit() -> Any:
    return with_draws(two_groups())


def test_a_posterior_gives_estimates(fit: Any) -> None:
    x = two_groups()[:40]
    density = fit.log_density(x)
    assert (density.kind, density.method) == ("estimate", "mean over 50 posterior draws")
    assert density.stderr is not None
    assert (density.stderr > 0).all()
    assert density.stderr.max() < 0.5
    far = fit.log_density(x + 6.0)
    assert far.stderr is not None
    assert np.isnan(far.stderr).mean() > 0.5  # few draws decide out there
    assert np.nanmedian(far.stderr) > 2 * np.median(density.stderr)  # and they disagree
    each = fit._log_prob_draws(fit._encode(fit._dataset(x, reset=False), draw=None))
    np.testing.assert_allclose(density.values, logsumexp(each, axis=0) - np.log(50), atol=1e-4)
    exact = GaussianMixture(2, random_state=0).fit(two_groups()).log_density(x)
    assert (exact.kind, exact.stderr) == ("exact", None)


def test_marginals_and_conditionals_stay_estimates(fit: Any, tmp_path: Any) -> None:
    x = two_groups()[:40]
    first = fit.marginal(["x0"]).log_density(x[:, :1])
    given = fit.condition({"x0": 4.0})
    second = given.log_density(x[:, 1:])
    for density in (first, second):
        assert density.kind == "estimate"
        assert density.method == "mean over 50 posterior draws"
        assert (density.stderr > 0).all()
    # The error of a difference, not of p(a, b) alone: jackknife over draws.
    rows = np.column_stack([np.full(40, 4.0), x[:, 1]])
    both = fit._log_prob_draws(fit._encode(fit._dataset(rows, reset=False), draw=None))
    rows[:, 1] = np.nan
    one = fit._log_prob_draws(fit._encode(fit._dataset(rows, reset=False), draw=None))
    left = np.array(
        [
            logsumexp(np.delete(both, s, 0), axis=0) - logsumexp(np.delete(one, s, 0), axis=0)
            for s in range(50)
        ]
    )
    jackknife = np.sqrt(49 * left.var(axis=0))
    ratio = second.stderr / jackknife
    assert 0.9 < np.median(ratio) < 1.4
    given.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run").log_density(x[:, 1:])
    assert again.kind == "estimate"
    np.testing.assert_allclose(again.stderr, second.stderr)
    refit = given.set_params(engine="em", n_components=1).fit(x[:, 1:])
    assert refit.log_density(x[:, 1:]).kind == "exact"


def test_rounded_columns_stay_bounds_and_add_their_error() -> None:
    x = np.round(two_groups(), 1)
    density = with_draws(x).log_density(x[:30])
    assert density.kind == "lower_bound"
    assert density.dequantised
    em = GaussianMixture(2, covariance_type="diag", n_init=1, random_state=0).fit(x)
    em = em.log_density(x[:30])
    assert (density.stderr > 0).all()
    assert np.median(density.stderr) > np.median(em.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["svi", "nuts"])
def test_engines_give_estimates(engine: str, tmp_path: Any) -> None:
    small = {"num_steps": 100, "num_draws": 50}
    if engine == "nuts":
        small = {"num_warmup": 100, "num_samples": 150, "num_chains": 2}
    model = GaussianMixture(2, engine=engine, engine_settings=small, random_state=0)  # type: ignore[arg-type]
    density = model.fit(two_groups()).log_density(two_groups())
    used = 50 if engine == "svi" else 200
    assert (density.kind, density.method) == ("estimate", f"mean over {used} posterior draws")
    assert density.stderr is not None
    assert 0 < np.median(density.stderr) < 0.1
    model.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run").log_density(two_groups())
    assert again.kind == "estimate"
    np.testing.assert_allclose(again.stderr, density.stderr)
