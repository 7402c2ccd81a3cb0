"""EM: same steps as scikit-learn, monotone, gaps exact, weights are repetitions, never NaN."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference

from ppgen import GaussianMixture
from ppgen.models.gmm.em import Regularisation, steps
from ppgen.models.gmm.parameters import COVARIANCE_TYPES, Mixture
from ppgen.models.gmm.weighted_rows import WeightedRows

KINDS = list(COVARIANCE_TYPES)


def blobs(
    n: int = 400, d: int = 3, k: int = 3, seed: int = 0, dtype: Any = np.float64
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = rng.integers(0, k, n)
    half = rng.normal(size=(k, d, d)) / 2
    x = rng.normal(0, 4, (k, d))[z] + np.einsum("nij,nj->ni", half[z], rng.normal(size=(n, d)))
    return x.astype(dtype)


def start(x: np.ndarray, kind: Any, k: int = 3) -> Mixture:
    d = x.shape[1]
    shape = {"full": np.tile(np.eye(d), (k, 1, 1)), "tied": np.eye(d), "diag": np.ones((k, d))}
    covariances = shape.get(kind, np.ones(k)) * 4.0
    return Mixture(np.full(k, 1 / k), x[:k].astype(np.float64), covariances, kind)


def run(x: np.ndarray, first: Mixture, n_iter: int, weights: Any = None, reg: float = 0.0) -> Any:
    rows = WeightedRows(x, np.empty((len(x), 0), np.int32), (), weights)
    regularisation = Regularisation(reg, np.zeros(x.shape[1]), 1.0)
    return list(steps(rows, first, regularisation, max_iter=n_iter, tol=0.0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_iterations_are_those_of_scikit_learn(kind: str, dtype: Any) -> None:
    x = blobs(dtype=dtype)
    first = start(x, kind)
    precisions = (
        1 / first.covariances if kind in ("diag", "spherical") else np.linalg.inv(first.covariances)
    )
    reference = Reference(
        3, covariance_type=kind, max_iter=10, tol=0, reg_covar=0, weights_init=first.weights,
        means_init=first.means, precisions_init=precisions, init_params="random_from_data",
        random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        reference.fit(x.astype(np.float64))
    last = run(x, first, 10)[-1]
    assert last.objective == pytest.approx(reference.lower_bound_, rel=1e-6)
    np.testing.assert_allclose(last.state.means, reference.means_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last.state.covariances, reference.covariances_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("columns", [0, 1])
@pytest.mark.parametrize("kind", ["full", "diag"])
def test_compiled_passes_are_the_plain_ones(kind: str, columns: int, dtype: Any) -> None:
    # Enough rows that the pass is compiled; its sums against those over parts that are not.
    from ppgen.models.gmm.kernel import _JIT_FROM, add

    d, k = 6, 8
    n = _JIT_FROM // (d * k) + 777
    x = blobs(n, d, k, dtype=dtype)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, (n, columns)).astype(np.int32)
    tables = (rng.dirichlet(np.ones(3), size=k),) * columns
    first = start(x, kind, k)
    m = Mixture(first.weights, first.means, first.covariances, first.covariance_type, tables)
    rows = WeightedRows(x, codes, (3,) * columns, rng.random(n))
    whole = rows.moments(m.covariance_type, k)(m)
    total: Any = None
    for part in np.array_split(np.arange(n), 8):
        some = rows.take(part)
        some.centre = rows.centre
        sums = some.moments(m.covariance_type, k)(m)
        total = sums if total is None else add(total, sums)
    rtol = 1e-9 if dtype == np.float64 else 1e-3
    for got, expected in zip(whole[:3], total[:3], strict=True):
        np.testing.assert_allclose(
            got, expected, rtol=rtol, atol=rtol * float(np.abs(expected).max())
        )
    for got, expected in zip(whole.counts, total.counts, strict=True):
        np.testing.assert_allclose(got, expected, rtol=rtol)
    assert float(whole.log_likelihood) == pytest.approx(float(total.log_likelihood), rel=1e-5)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_never_falls(kind: str, gaps: float) -> None:
    x = blobs()
    x[np.random.default_rng(1).random(x.shape) < gaps] = np.nan
    first = start(blobs(), kind)
    found = [iteration.objective for iteration in run(x, first, 30)]
    assert np.diff(found).min() >= -1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_is_a_repetition(kind: Any) -> None:
    x = blobs(120)
    x[::5, 0] = np.nan
    weights = np.random.default_rng(2).integers(0, 4, len(x)).astype(float)
    first = start(blobs(120), kind)
    kept = weights > 0
    a = run(x[kept], first, 5, weights[kept])[-1]
    b = run(np.repeat(x, weights.astype(int), axis=0), first, 5)[-1]
    assert a.objective == pytest.approx(b.objective, rel=1e-10)
    np.testing.assert_allclose(a.state.means, b.state.means, rtol=1e-8)
    np.testing.assert_allclose(a.state.covariances, b.state.covariances, rtol=1e-7, atol=1e-10)


def test_rows_of_weight_zero_are_not_there() -> None:
    x = blobs(200)
    far = np.concatenate([x, np.full((5, 3), 1e6)])
    weights = np.concatenate([np.ones(200), np.zeros(5)])
    a = GaussianMixture(2, random_state=0).fit(far, sample_weight=weights)
    b = GaussianMixture(2, random_state=0).fit(x)
    assert a.score(x) == pytest.approx(b.score(x), rel=1e-9)


def test_gaps_at_random_cost_little() -> None:
    # A tenth of the entries missing completely at random: the fit nears the one that saw all.
    x = blobs(2000)
    gaps = x.copy()
    gaps[np.random.default_rng(3).random(x.shape) < 0.1] = np.nan
    whole = GaussianMixture(3, random_state=0).fit(x).score(x)
    assert GaussianMixture(3, random_state=0).fit(gaps).score(x) > whole - 0.05


def test_components_are_factored_once_for_all_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    from ppgen.models.gmm import missing

    x = blobs(300, 8)
    x[np.random.default_rng(7).random(x.shape) < 0.3] = np.nan
    rows = WeightedRows(x, np.empty((300, 0), np.int32), (), None)
    assert len(rows.patterns.gaps) > 100
    factored: list[int] = []
    of = missing.inverse_of_lower

    def counted(lower: np.ndarray) -> np.ndarray:
        factored.append(len(lower))
        return of(lower)

    monkeypatch.setattr(missing, "inverse_of_lower", counted)
    rows.moments("full", 3)(start(blobs(300, 8), "full"))
    assert factored == [3]


@pytest.mark.parametrize("size", [1, 5, 16, 17, 30])
def test_inverses_and_determinants_of_many_are_those_of_each(size: int) -> None:
    from ppgen.models.gmm.missing import _inverses

    a = np.random.default_rng(8).normal(size=(20, 3, size, size))
    each = a @ a.swapaxes(-1, -2) + np.eye(size)
    inverse, log_det = _inverses(each.transpose(2, 3, 0, 1).copy())
    expected = np.linalg.inv(each).transpose(2, 3, 0, 1)
    np.testing.assert_allclose(inverse, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(each)[1], rtol=1e-9)


def test_a_column_hidden_from_some_rows_is_regressed() -> None:
    # One Gaussian, the second column seen in the first rows only: a closed form
    # (Little and Rubin, "Statistical Analysis with Missing Data", 2002, section 7.2).
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    seen = x[:120].copy()
    x[120:, 1] = np.nan
    first = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None], "full")
    state = run(x, first, 500)[-1].state
    slope, intercept = np.polyfit(seen[:, 0], seen[:, 1], 1)
    residual = np.var(seen[:, 1] - slope * seen[:, 0] - intercept)
    mean, var = x[:, 0].mean(), x[:, 0].var()
    np.testing.assert_allclose(state.means[0], [mean, intercept + slope * mean], rtol=1e-6)
    expected = [[var, slope * var], [slope * var, residual + slope**2 * var]]
    np.testing.assert_allclose(state.covariances[0], expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_narrow_clusters_far_apart_keep_their_width(dtype: Any) -> None:
    rng = np.random.default_rng(5)
    width, z = 1e-4 if dtype == np.float64 else 1e-2, np.repeat([0, 1, 2], 200)
    x = (z[:, None] * 10.0 + width * rng.normal(size=(600, 2))).astype(dtype)
    means = np.array([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]])
    first = Mixture(np.full(3, 1 / 3), means, np.tile(np.eye(2), (3, 1, 1)), "full")
    state = run(x, first, 20)[-1].state
    for k in range(3):
        expected = np.cov(x[z == k].astype(np.float64).T, bias=True)
        np.testing.assert_allclose(state.covariances[k], expected, rtol=1e-3, atol=1e-3 * width**2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "x",
    [
        np.repeat([[0.0, 1.0], [2.0, 3.0]], 20, axis=0),
        np.stack([np.arange(40.0), np.arange(40.0)], axis=1),
        np.concatenate([np.random.default_rng(6).normal(size=(40, 2)), [[1e8, 1e8]]]),
    ],
    ids=["two points", "a line", "one row far away"],
)
def test_degenerate_rows_give_numbers(kind: Any, x: np.ndarray) -> None:
    fit = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    assert np.isfinite(fit.score_samples(x)).all()
    for array in (fit.weights_, fit.means_, fit.covariances_):
        assert np.isfinite(array).all()


def test_collapse_is_said() -> None:
    x = np.concatenate([blobs(60, 2, 1), np.tile([[30.0, 30.0]], (20, 1))])
    verdict = GaussianMixture(2, random_state=0).fit(x).verdict_
    assert verdict.status == "warn"
    assert str(verdict)
