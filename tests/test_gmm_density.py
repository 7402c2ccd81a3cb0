"""The mixture's density: against scikit-learn, brute force, quadrature, and its own samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.mixture import GaussianMixture as Reference

from ppgen import GaussianMixture
from ppgen.models.gmm import conditional
from ppgen.models.gmm.parameters import COVARIANCE_TYPES, Mixture
from ppgen.models.gmm.weighted_rows import score

KINDS = list(COVARIANCE_TYPES)


def mixture(
    kind: Any, k: int = 3, d: int = 3, levels: tuple[int, ...] = (), seed: int = 0
) -> Mixture:
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(k, d, d))
    full = half @ half.mT + 0.3 * np.eye(d)
    covariances = {
        "full": full,
        "tied": full[0],
        "diag": np.diagonal(full, axis1=1, axis2=2).copy(),
        "spherical": full[:, 0, 0].copy(),
    }[kind]
    tables = tuple(rng.dirichlet(np.ones(n), size=k) for n in levels)
    return Mixture(
        rng.dirichlet(np.full(k, 5.0)), rng.normal(0, 2, (k, d)), covariances, kind, tables
    )


def none(n: int) -> np.ndarray:
    return np.empty((n, 0), np.int32)


def with_gaps(x: np.ndarray, share: float, seed: int) -> np.ndarray:
    out = x.copy()
    out[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_density_is_that_of_scikit_learn(kind: str) -> None:
    x = np.random.default_rng(1).normal(size=(200, 3)) @ np.diag([1.0, 10.0, 0.1])
    reference = Reference(3, covariance_type=kind, random_state=0).fit(x)
    ours = Mixture(reference.weights_, reference.means_, reference.covariances_, kind)  # type: ignore[arg-type]
    r, log_prob = score(ours, x, none(len(x)))
    np.testing.assert_allclose(log_prob, reference.score_samples(x), rtol=1e-9)
    np.testing.assert_allclose(r, reference.predict_proba(x), atol=1e-9)
    np.testing.assert_allclose(
        ours.precisions_cholesky(), reference.precisions_cholesky_, rtol=1e-6, atol=1e-12
    )
    assert ours.n_parameters() == reference._n_parameters()


@pytest.mark.parametrize("kind", KINDS)
def test_gaps_are_integrated_out(kind: str) -> None:
    # Brute force: the sum over components of w times SciPy's density of what is there.
    m = mixture(kind, d=4, levels=(3, 2))
    rng = np.random.default_rng(2)
    x = with_gaps(rng.normal(0, 2, (60, 4)), 0.4, 3)
    codes = np.stack([rng.integers(-1, 3, 60), rng.integers(-1, 2, 60)], axis=1).astype(np.int32)
    x[0], codes[0] = np.nan, -1
    expected = np.zeros(len(x))
    for k, sigma in enumerate(m.full_covariances()):
        for i in range(len(x)):
            o = ~np.isnan(x[i])
            p = m.weights[k]
            if o.any():
                p *= multivariate_normal.pdf(x[i, o], m.means[k, o], sigma[o][:, o])
            for code, table in zip(codes[i], m.probs, strict=True):
                p *= 1.0 if code < 0 else table[k, code]
            expected[i] += p
    np.testing.assert_allclose(score(m, x, codes)[1], np.log(expected), rtol=1e-9, atol=1e-12)
    assert abs(score(m, x, codes)[1][0]) < 1e-12  # a row of gaps only says nothing


def test_a_level_never_seen_has_density_zero() -> None:
    m = mixture("full", levels=(3,))
    x = np.zeros((3, 3))
    codes = np.array([[-2], [0], [-1]], np.int32)
    values = score(m, x, codes)[1]
    assert values[0] == -np.inf
    assert np.isfinite(values[1:]).all()
    with_nan = x.copy()
    with_nan[:, 0] = np.nan
    assert score(m, with_nan, codes)[1][0] == -np.inf
    assert not np.isnan(score(m, with_nan, codes)[0]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_density_integrates_to_one(kind: str) -> None:
    m = mixture(kind, d=2)
    edge = np.linspace(-25, 25, 601)
    grid = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    total = np.exp(score(m, grid, none(len(grid)))[1]).sum() * (edge[1] - edge[0]) ** 2
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_conditional_is_joint_over_marginal(kind: str) -> None:
    # By quadrature: p(x0 | x1) = p(x0, x1) / int p(x0, x1) dx0.
    m = mixture(kind, d=2, seed=4)
    edge = np.linspace(-30, 30, 6001)
    rows = np.stack([edge, np.full_like(edge, 0.7)], axis=1)
    joint = np.exp(score(m, rows, none(len(rows)))[1])
    rest = conditional.condition(m, np.array([np.nan, 0.7]), np.empty(0, np.int32))
    assert rest.covariance_type == kind
    np.testing.assert_allclose(
        np.exp(score(rest, edge[:, None], none(len(edge)))[1]),
        joint / (joint.sum() * (edge[1] - edge[0])),
        atol=1e-8,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_estimator_conditions_and_marginalises(kind: Any) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) + rng.integers(0, 2, (300, 1)) * 4.0
    fit = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
    a, b, c = fit.schema_.names
    rest, evidence = fit.condition({b: 0.4}), fit.marginal([b])
    assert type(rest) is GaussianMixture
    rows = x[:20].copy()
    rows[:, 1] = 0.4
    expected = fit.score_samples(rows) - evidence.score_samples(np.full((20, 1), 0.4))
    np.testing.assert_allclose(rest.score_samples(rows[:, [0, 2]]), expected, rtol=1e-9)
    assert rest.schema_.names == (a, c)
    assert rest.sample(5).shape == (5, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_density_they_are_scored_with(kind: Any) -> None:
    # Kolmogorov-Smirnov on each column's mixture CDF, at 1e-4 a column: false alarm 3e-4.
    rng = np.random.default_rng(6)
    x = rng.normal(size=(400, 3)) + rng.integers(0, 2, (400, 1)) * 3.0
    fit = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    drawn = fit.sample(4000, random_state=1)
    m = fit.mixture_
    for j in range(3):
        sd = np.sqrt(m.full_covariances()[:, j, j])
        u = norm.cdf((drawn[:, j, None] - m.means[:, j]) / sd) @ m.weights
        assert kstest(u, "uniform").pvalue > 1e-4
    # The mean log density of samples is minus the entropy: two independent sets agree.
    scores = fit.score_samples(drawn), fit.score_samples(fit.sample(4000, random_state=2))
    error = np.sqrt(sum(s.var() / len(s) for s in scores))
    assert abs(scores[0].mean() - scores[1].mean()) < 4 * error


def test_conditional_samples_follow_the_conditional() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(500, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    fit = GaussianMixture(1, random_state=0).fit(x)
    drawn = fit.sample(5000, given={fit.schema_.names[0]: 1.0}, random_state=1)
    assert (drawn[:, 0] == 1.0).all()
    mean, cov = fit.means_[0], fit.covariances_[0]
    centre = mean[1] + cov[0, 1] / cov[0, 0] * (1.0 - mean[0])
    sd = np.sqrt(cov[1, 1] - cov[0, 1] ** 2 / cov[0, 0])
    # False alarm 1e-4.
    assert kstest((drawn[:, 1] - centre) / sd, "norm").pvalue > 1e-4
