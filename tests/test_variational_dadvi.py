"""Deterministic ADVI: exact for Gaussian posteriors, and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.inference.posterior.dadvi import fixed_draws, objective
from ppgen.models.pair import Pair

# y ~ Normal(A theta, 0.5), theta ~ Normal(0, 2): the posterior is Gaussian, with correlations of
# up to 0.9 and standard deviations from 0.1 to 1.9.
A = np.array([[1.0, 0.9, 5.0], [0.2, 0.3, -4.0], [0.0, 0.1, 9.0], [0.3, 0.3, 1.0]])
Y = np.array([3.0, -1.0, 5.0, 1.5])
PRECISION = A.T @ A / 0.25 + np.eye(3) / 4
COVARIANCE = np.linalg.inv(PRECISION)
MEAN = COVARIANCE @ A.T @ Y / 0.25
OF_Y = 4 * A @ A.T + 0.25 * np.eye(4)
LOG_EVIDENCE = -0.5 * (
    Y @ np.linalg.solve(OF_Y, Y) + np.linalg.slogdet(OF_Y)[1] + 4 * np.log(2 * np.pi)
)


@pytest.fixture(scope="module")
def fit():
    import numpyro
    import numpyro.distributions as dist

    def model(A, y):
        theta = numpyro.sample("theta", dist.Normal(0.0, 2.0).expand([3]).to_event(1))
        numpyro.sample("y", dist.Normal(A @ theta, 0.5).to_event(1), obs=y)

    return Pair(model).fit(A, Y, method="dadvi", num_fixed=20, num_draws=100)


def test_a_gaussian_posterior_is_found_exactly(fit):
    guide = fit.posterior.guide
    assert guide["loc"] == pytest.approx(MEAN, rel=1e-6, abs=1e-8)
    assert guide["covariance"] == pytest.approx(COVARIANCE, rel=1e-6)
    # The mean-field spread, which linear response mends, is that given all others.
    assert guide["mean_field_scale"] == pytest.approx(np.diag(PRECISION) ** -0.5, rel=1e-6)
    assert fit.log_evidence_.value == pytest.approx(LOG_EVIDENCE, abs=1e-6)
    assert fit.stats["lp"] - fit.stats["log_q"] == pytest.approx(LOG_EVIDENCE, abs=1e-6)
    assert fit.verdict_.ok, fit.verdict_


@pytest.mark.parametrize(("n", "p"), [(20, 3), (10, 7)])
def test_fixed_draws_have_the_moments_of_a_standard_normal(n, p):
    u = fixed_draws(n, p, np.random.default_rng(0))
    assert u.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert (u**2).mean(axis=0) == pytest.approx(1)
    if p < n // 2:
        assert u.T @ u / n == pytest.approx(np.eye(p), abs=1e-12)
    np.testing.assert_array_equal(u[::2], -u[1::2])


def test_products_and_gradients_of_pairs_are_those_of_the_objective():
    import jax.numpy as jnp

    def log_joint(z):
        return -jnp.exp(z[0]) - 0.5 * (z[1] - z[0] ** 2) ** 2 - 0.1 * z[1] ** 4

    f = objective(log_joint, fixed_draws(8, 2, np.random.default_rng(1)))
    eta, v = np.array([0.3, -0.2, -1.0, 0.4]), np.array([1.0, -2.0, 0.5, 0.3])
    _, slope = f.value_and_gradient(eta)
    step = 1e-6 * v
    up, down = f.value_and_gradient(eta + step), f.value_and_gradient(eta - step)
    assert (up[0] - down[0]) / 2e-6 == pytest.approx(slope @ v, rel=1e-6)
    assert (up[1] - down[1]) / 2e-6 == pytest.approx(f.product(eta, v), rel=1e-5)
    assert f.hessian(eta) @ v == pytest.approx(f.product(eta, v), rel=1e-9)
    assert f.of_pairs(eta).shape == (4, 4)
    assert f.of_pairs(eta).mean(axis=0) == pytest.approx(slope, rel=1e-9)


def test_the_dense_guide_of_svi_does_not_mind_the_units_of_the_data():
    # The posterior as above, its first coordinate in units of a thousandth.
    import numpyro
    import numpyro.distributions as dist

    def model(A, y):
        scale = np.array([2000.0, 2.0, 2.0])
        theta = numpyro.sample("theta", dist.Normal(0.0, scale).to_event(1))
        numpyro.sample("y", dist.Normal(A @ theta, 0.5).to_event(1), obs=y)

    found = Pair(model).fit(A / np.array([1000.0, 1.0, 1.0]), Y, method="svi", num_draws=200)
    assert LOG_EVIDENCE - 0.3 < found.log_evidence_.value < LOG_EVIDENCE + 0.05
    mean = found.draws["theta"].mean(axis=(0, 1)) / np.array([1000.0, 1.0, 1.0])
    assert mean == pytest.approx(MEAN, abs=0.35 * np.sqrt(np.diag(COVARIANCE)).max())
    assert found.verdict_.ok, found.verdict_
