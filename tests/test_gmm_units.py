"""Draws, densities and gaps do not depend on the units of the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ppgen import GaussianMixture
from ppgen.covariance import correlations, root
from ppgen.models.gmm import conditional
from ppgen.models.gmm.parameters import COVARIANCE_TYPES, Mixture
from ppgen.models.gmm.weighted_rows import score

UNITS = np.array([1e-3, 1e6, 1e-3, 1.0])
# Given the last column, the first and the third have correlation 0.913.
R = np.array(
    [[1.0, 0.3, 0.93, 0.45], [0.3, 1.0, 0.25, 0.2], [0.93, 0.25, 1.0, 0.45], [0.45, 0.2, 0.45, 1.0]]
)
SIGMA = R * np.outer(UNITS, UNITS)
MEAN = np.array([5e-3, -2e6, 0.1, 3.0])
NONE = np.empty(0, np.int32)


def one(mean: np.ndarray = MEAN, sigma: np.ndarray = SIGMA) -> Mixture:
    return Mixture(np.ones(1), mean[None], sigma[None], "full")


def given_last(x: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the rest, worked out in units of 1."""
    gain = R[:3, 3]
    mean = MEAN[:3] + UNITS[:3] * gain * (x - MEAN[3])
    return mean, (R[:3, :3] - np.outer(gain, gain)) * np.outer(UNITS[:3], UNITS[:3])


def test_conditional_draws_have_the_right_covariance_in_any_units() -> None:
    row = np.array([np.nan, np.nan, np.nan, 4.0])
    x, *_ = conditional.sample(one(), 20_000, np.random.default_rng(0), (row, NONE))
    mean, sigma = given_last(4.0)
    spread = np.sqrt(np.diag(sigma))
    assert sigma[0, 2] / (spread[0] * spread[2]) == pytest.approx(0.913, abs=1e-3)
    drawn = x[:, :3]
    np.testing.assert_allclose((drawn.mean(0) - mean) / spread, 0, atol=4 / np.sqrt(20_000))
    np.testing.assert_allclose(drawn.std(0) / spread, 1, atol=0.03)
    expected = sigma / np.outer(spread, spread)
    np.testing.assert_allclose(np.corrcoef(drawn.T), expected, atol=0.03)
    assert (x[:, 3] == 4.0).all()


def test_gaps_are_drawn_with_the_right_covariance_in_any_units() -> None:
    # Every pattern of gaps of three columns, beside the last one.
    rng = np.random.default_rng(1)
    whole = rng.multivariate_normal(np.zeros(4), R, 8000) * UNITS + MEAN
    gaps = np.zeros((8000, 4), bool)
    gaps[:, :3] = (np.arange(8000)[:, None] >> np.arange(3)) & 1
    x, *_ = conditional.impute(one(), np.where(gaps, np.nan, whole), np.empty((8000, 0), int), rng)
    np.testing.assert_array_equal(x[~gaps], whole[~gaps])
    standard = (x - MEAN) / UNITS
    np.testing.assert_allclose(np.cov(standard.T), R, atol=0.06)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_draws_have_the_right_covariance_in_any_units(kind: Any) -> None:
    shapes = {"full": SIGMA[None], "tied": SIGMA, "diag": np.diag(SIGMA)[None], "spherical": 1e-6}
    mixture = Mixture(np.ones(1), MEAN[None], np.atleast_1d(shapes[kind]), kind)
    expected, unit = correlations(mixture.full_covariances()[0])
    x, *_ = conditional.sample(mixture, 20_000, np.random.default_rng(2))
    np.testing.assert_allclose(np.cov(((x - MEAN) / unit).T), expected, atol=0.04)


def test_the_conditional_density_is_that_of_the_closed_form_in_any_units() -> None:
    rest = conditional.condition(one(), np.array([np.nan, np.nan, np.nan, 4.0]), NONE)
    mean, sigma = given_last(4.0)
    np.testing.assert_allclose(rest.means[0], mean, rtol=1e-12)
    np.testing.assert_allclose(rest.covariances[0], sigma, rtol=1e-9)
    x = mean + np.random.default_rng(3).normal(size=(50, 3)) * np.sqrt(np.diag(sigma))
    unit = np.sqrt(np.diag(sigma))
    exact = multivariate_normal.logpdf((x - mean) / unit, cov=sigma / np.outer(unit, unit))
    found = score(rest, x, np.empty((50, 0), np.int32))[1]
    np.testing.assert_allclose(found, exact - np.log(unit).sum(), rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_a_density_changes_by_the_jacobian_of_new_units(factor: float) -> None:
    rng = np.random.default_rng(4)
    x = rng.multivariate_normal(np.zeros(4), R, 60)
    x[rng.random(x.shape) < 0.3] = np.nan
    scale = np.array([factor, 1.0, 1 / factor, 1.0])
    codes = np.empty((60, 0), np.int32)
    plain = score(one(np.zeros(4), R), x, codes)[1]
    scaled = score(one(np.zeros(4), R * np.outer(scale, scale)), x * scale, codes)[1]
    jacobian = np.where(np.isnan(x), 0.0, np.log(scale)).sum(axis=1)
    np.testing.assert_allclose(scaled + jacobian, plain, rtol=1e-10, atol=1e-10)


def test_samples_given_a_column_have_the_correlation_of_the_rows() -> None:
    # As users meet it: units of 1e-3 beside 1e6, one column given.
    rng = np.random.default_rng(5)
    rows = rng.multivariate_normal(np.zeros(4), R, 4000) * UNITS + MEAN
    fit = GaussianMixture(1, random_state=0).fit(rows)
    drawn = fit.sample(4000, given={"x3": 4.0}, random_state=1)
    spread = np.sqrt(np.diag(given_last(4.0)[1]))
    np.testing.assert_allclose(drawn[:, :3].std(0) / spread, 1, atol=0.06)
    assert np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1] == pytest.approx(0.913, abs=0.01)
    assert np.corrcoef(rows[:, 0], rows[:, 2])[0, 1] == pytest.approx(0.93, abs=0.01)


def test_a_root_of_a_singular_covariance_gives_it_back() -> None:
    sigma = np.array([[1e-6, 1e3, 0.0], [1e3, 1e12, 0.0], [0.0, 0.0, 0.0]])
    factor = root(sigma)
    np.testing.assert_allclose(factor @ factor.T, sigma, rtol=1e-12, atol=0)
