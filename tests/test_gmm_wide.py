"""Many columns: what BLAS is given is what the plain sums are, and starts of few components do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ppgen import GaussianMixture
from ppgen.models.gmm import kernel, selection
from ppgen.models.gmm.parameters import Mixture, inverse_of_lower
from ppgen.models.gmm.search import Search
from ppgen.models.gmm.weighted_rows import WeightedRows

G = GaussianMixture


def groups(n: int = 900, d: int = 70, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated rows about k centres, and which each is of."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(d, d)) / np.sqrt(d) + np.eye(d)
    z = rng.integers(0, k, n)
    return rng.normal(0, 1.5, (k, d))[z] + rng.normal(size=(n, d)) @ mixing, z


def start(x: np.ndarray, k: int = 3) -> Mixture:
    d = x.shape[1]
    half = np.random.default_rng(1).normal(size=(k, d, d)) / np.sqrt(d)
    return Mixture(np.full(k, 1 / k), x[:k], half @ half.mT + 0.3 * np.eye(d), "full")


def test_passes_over_many_columns_are_the_plain_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = groups(300)
    m, rng = start(x), np.random.default_rng(2)
    rows = WeightedRows(x, np.empty((300, 0), np.int32), (), rng.integers(0, 3, 300).astype(float))
    wide, far = rows.moments("full", 3)(m), rows.joint(m)
    monkeypatch.setattr(kernel, "_WIDE", 1000)
    for ours, theirs in zip(wide[:3], rows.moments("full", 3)(m)[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(far.distance, rows.joint(m).distance, rtol=1e-10, atol=1e-9)
    exact = multivariate_normal.logpdf(x[:5], m.means[0], m.covariances[0]) + np.log(m.weights[0])
    np.testing.assert_allclose(far.log_prob[:5, 0], exact, rtol=1e-9)


def test_inverses_of_many_columns_are_inverses() -> None:
    lower = np.linalg.cholesky(start(groups(10)[0]).covariances)
    np.testing.assert_allclose(inverse_of_lower(lower), np.linalg.inv(lower), atol=1e-9)


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_groups_in_many_columns_are_found(kind: Any) -> None:
    x, z = groups()
    fit = G(3, covariance_type=kind, random_state=0).fit(x)
    labels = fit.predict(x)
    assert len(set(zip(labels, z, strict=True))) == 3
    assert fit.converged_


def test_their_number_is_found_too_and_gaps_are_no_matter() -> None:
    x, z = groups(600, 64)
    x[np.random.default_rng(3).random(x.shape) < 0.05] = np.nan
    fit = G("bic", covariance_type="tied", max_components=4, n_init=1, split_merge=False)
    fit.set_params(random_state=0).fit(x)
    assert fit.n_components_ == 3
    assert len(set(zip(fit.predict(x), z, strict=True))) == 3


def test_a_size_is_judged_by_what_em_comes_to() -> None:
    x, _ = groups(300, 64)
    rows = WeightedRows(x, np.empty((300, 0), np.int32), (), None)
    search = Search.of(G(3, covariance_type="tied", n_init=1), rows, lambda: None)
    _, found = selection._of_size(3, rows, None, search, np.random.default_rng(0))
    again = search.run(rows, found, 2)
    assert again.converged  # a start that EM has not been at gains nats


def test_rows_that_a_component_has_hardly_a_part_of_change_no_moment() -> None:
    rng = np.random.default_rng(4)
    x, share = rng.normal(size=(50, 80)), np.where(np.arange(50) < 20, 1.0, 1e-40)
    found = kernel.second_moments(np, "full", share[:, None], x, False)[0]
    np.testing.assert_allclose(found, x[:20].T @ x[:20], rtol=1e-13, atol=1e-13)


def test_a_start_of_many_components_ends() -> None:
    x, _ = groups(120, 64, 2)
    fit = G(50, n_init=1, split_merge=False, max_iter=1, random_state=0).fit(x)
    assert fit.n_components_ == 50
