"""The density of a posterior over mixtures is an estimate, with the error of its draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

import ppgen
from ppgen import GaussianMixture
from ppgen.models.gmm.posterior import log_prob_draws, predictive_mixture
from ppgen.models.gmm.uncertainty import draws_stderr

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
        errors.append(draws_stderr(mixture, 100, X, NONE))
        p = np.exp(-0.5 * (X - mixture.means[:, 0]) ** 2) / np.sqrt(2 * np.pi)
        found.append(np.log(p @ mixture.weights))
    scatter, error = np.std(found, axis=0), np.sqrt(np.mean(np.square(errors), axis=0))
    np.testing.assert_allclose(error, scatter, rtol=0.25)
    plain = np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(scatter)))
    assert plain == pytest.approx(1, abs=0.2)  # without the correlation, 0.5 where it is 0.6


def test_it_is_the_delta_method_of_the_draws() -> None:
    posterior = draws_of(80, 0.0, 1)
    each = log_prob_draws(posterior, "diag", X, NONE)
    ratio = np.exp(each - (logsumexp(each, axis=0) - np.log(80)))
    found = draws_stderr(predictive_mixture(posterior, "diag"), 80, X, NONE)
    plain = ratio.std(axis=0, ddof=1) / np.sqrt(80)
    assert (found > 0.999 * plain).all()  # a correlation can only add
    np.testing.assert_allclose(found, plain, rtol=0.35)
    assert np.isnan(draws_stderr(predictive_mixture(posterior, "diag", 1), 1, X, NONE)).all()


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
    assert np.median(far.stderr) > 2 * np.median(density.stderr)  # draws disagree out there
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
