"""Factor analysis and probabilistic PCA against scikit-learn, closed forms and brute force."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize
from sklearn import decomposition

import ppgen
from ppgen import Autoencoder, FactorAnalysis, InputError
from ppgen.models.factor import closed_form
from ppgen.models.factor.em import Gappy, steps
from ppgen.models.factor.factors import Factors, Patterns, impute, posterior
from ppgen.models.factor.fit_ml import identified
from ppgen.models.factor.rotation import aligned, canonical
from ppgen.verdict import Reason

D, K = 7, 2


def rows(n: int = 400, d: int = D, k: int = K, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(d, k))
    return 3 + rng.normal(size=(n, k)) @ W.T + rng.normal(size=(n, d)) * rng.uniform(0.5, 1.5, d)


def gappy(n: int = 100, d: int = 5, seed: int = 1) -> Any:
    x = rows(n, d, 1, seed)
    x[np.random.default_rng(seed).random(x.shape) < 0.25] = np.nan
    x[3] = np.nan
    return x


def brute(x: Any, mean: Any, covariance: Any) -> Any:
    """(n,) log densities of the observed entries."""
    out = np.zeros(len(x))
    for i, row in enumerate(x):
        o = np.flatnonzero(~np.isnan(row))
        if len(o):
            e, C = row[o] - mean[o], covariance[np.ix_(o, o)]
            out[i] = -0.5 * (e @ np.linalg.solve(C, e) + np.linalg.slogdet(2 * np.pi * C)[1])
    return out


# Against scikit-learn and closed forms ------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2])
def test_factor_analysis_is_scikit_learns(k: int) -> None:
    x = rows()
    theirs = decomposition.FactorAnalysis(k, svd_method="lapack", tol=1e-12, max_iter=20_000).fit(x)
    ours = FactorAnalysis(k).fit(x)
    assert ours.score(x) == pytest.approx(theirs.score(x), abs=1e-6)
    assert ours.score(x) >= theirs.score(x) - 1e-9
    assert ours.lower_bound_ == pytest.approx(ours.score(x), abs=1e-9)
    np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), atol=2e-3)
    np.testing.assert_allclose(ours.score_samples(x), theirs.score_samples(x), atol=5e-3)


@pytest.mark.parametrize("k", [0, 1, 3, D - 1])
def test_isotropic_noise_is_scikit_learns_pca(k: int) -> None:
    x = rows() * np.linspace(1, 3, D)
    ours = FactorAnalysis(k, noise="isotropic", standardise=False).fit(x)
    if k:  # scikit-learn divides by n - 1
        theirs = decomposition.PCA(k).fit(x)
        covariance = theirs.get_covariance() * (len(x) - 1) / len(x)
        np.testing.assert_allclose(ours.get_covariance(), covariance, rtol=1e-8)
        np.testing.assert_allclose(
            np.abs(np.sum(ours.components_ / np.linalg.norm(ours.components_, axis=1)[:, None]
                          * theirs.components_, axis=1)), 1, rtol=1e-8,
        )  # fmt: skip
    noise = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[: D - k].mean()
    np.testing.assert_allclose(ours.noise_variance_, noise, rtol=1e-10)


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_as_many_factors_as_columns_are_one_gaussian(noise: str) -> None:
    x = rows(d=4)
    fit = FactorAnalysis(4, noise=noise).fit(x)
    expected = stats.multivariate_normal.logpdf(x, x.mean(0), np.cov(x.T, bias=True))
    np.testing.assert_allclose(fit.score_samples(x), expected, atol=1e-4)
    assert any("tell" in r.what and r.status == "ok" for r in fit.verdict_.reasons)


def test_no_factor_is_independent_columns() -> None:
    x = rows()
    expected = stats.norm.logpdf(x, x.mean(0), x.std(0)).sum(axis=1)
    np.testing.assert_allclose(FactorAnalysis(0).fit(x).score_samples(x), expected)
    none = FactorAnalysis(0).fit(x)
    assert none.encode(x).shape == (len(x), 0)
    said = "no factors: columns are taken as independent, and encode gives no codes."
    assert Reason("ok", said) in none.verdict_.reasons
    assert not any("no factors" in r.what for r in FactorAnalysis(1).fit(x).verdict_.reasons)


def test_the_gradient_of_the_profile_likelihood_is_its_slope() -> None:
    S = np.corrcoef(rows().T)
    at = np.log(np.random.default_rng(0).uniform(0.2, 0.9, D))
    f, gradient = closed_form._objective(at, S, K)
    step = 1e-6 * np.eye(D)
    up, down = ([closed_form._objective(at + s * e, S, K)[0] for e in step] for s in (1, -1))
    np.testing.assert_allclose((np.array(up) - down) / 2e-6, gradient, atol=1e-6)
    W = closed_form._loadings(S, np.exp(at), K)
    expected = -0.5 * (D * np.log(2 * np.pi) + f)
    assert closed_form.mean_log_density(S, W, np.exp(at)) == pytest.approx(expected)


def test_principal_axes_are_the_directions_that_a_linear_autoencoder_keeps() -> None:
    x = rows()
    z = (x - x.mean(0)) / x.std(0)
    fit = FactorAnalysis(2, noise="isotropic").fit(x)
    kept = Autoencoder(2, kind="linear", random_state=0).fit(x).reconstruct(x)
    axes = fit.components_ / x.std(0)
    projected = z @ np.linalg.pinv(axes) @ axes
    np.testing.assert_allclose((kept - x.mean(0)) / x.std(0), projected, atol=1e-4)


def test_units_of_the_columns_do_not_matter() -> None:
    x, spread = rows(), 10.0 ** np.linspace(-6, 6, D)
    for settings in ({}, {"noise": "isotropic"}, {"rotation": "varimax"}):
        plain, scaled = (FactorAnalysis(2, **settings).fit(x * s) for s in (1.0, spread))
        log_units = np.log(spread).sum()
        np.testing.assert_allclose(
            scaled.score_samples(x * spread), plain.score_samples(x) - log_units, atol=1e-6
        )
        np.testing.assert_allclose(scaled.encode(x * spread), plain.encode(x), atol=1e-5)
        np.testing.assert_allclose(scaled.components_, plain.components_ * spread, rtol=1e-3)


# Gaps and weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_a_fit_with_gaps_is_the_best_by_brute_force(noise: str) -> None:
    x, d = gappy(), 5
    fit = FactorAnalysis(1, noise=noise, standardise=noise == "diagonal", tol=1e-12).fit(x)

    def loss(theta: Any) -> float:
        W, psi = theta[d : 2 * d, None], np.exp(theta[2 * d :]) * np.ones(d)
        return float(-brute(x, theta[:d], W @ W.T + np.diag(psi)).mean())

    psi = np.log(fit.noise_variance_)
    at = np.concatenate([fit.mean_, fit.components_[0], psi if noise == "diagonal" else psi[:1]])
    assert loss(at) == pytest.approx(-fit.score(x), abs=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        better = minimize(loss, at, method="BFGS", options={"maxiter": 3})
    assert better.fun > loss(at) - 1e-7
    moved = minimize(loss, at + 0.3, method="L-BFGS-B", options={"maxiter": 8})
    assert moved.fun > loss(at) - 1e-7


def test_em_never_loses_likelihood() -> None:
    for seed in range(4):
        x = gappy(60, seed=seed)
        x = (x - np.nanmean(x, 0)) / np.nanstd(x, 0)
        rng = np.random.default_rng(seed)
        start = Factors(
            np.ones(1), rng.normal(size=(1, 5)), rng.normal(size=(1, 5, 2)), np.ones((1, 5))
        )
        data = Gappy(x, rng.uniform(0.1, 2, 60), 1e-6, isotropic=seed % 2 == 0)
        run = list(steps(data, start, max_iter=40, tol=0.0, deadline=lambda: None))
        assert min(each.change for each in run) > -1e-10
        expected = brute(x, start.means[0], start.covariances()[0])
        assert run[0].objective == pytest.approx(np.average(expected, weights=data.v))


def test_em_without_gaps_ends_at_the_closed_form() -> None:
    x = rows()
    z = (x - x.mean(0)) / x.std(0)
    rng = np.random.default_rng(0)
    start = Factors(np.ones(1), np.zeros((1, D)), rng.normal(size=(1, D, K)), np.ones((1, D)))
    data = Gappy(z, np.ones(len(z)), 1e-6, isotropic=False)
    *_, last = steps(data, start, max_iter=500, tol=1e-13, deadline=lambda: None)
    expected = FactorAnalysis(K).fit(x).lower_bound_ + np.log(x.std(0)).sum()
    assert last.objective == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("make", [rows, gappy])
def test_a_weight_is_a_row_repeated(make: Any) -> None:
    x = make()
    weights = np.random.default_rng(3).integers(0, 3, len(x))
    weighted = FactorAnalysis(1, tol=1e-12).fit(x, sample_weight=weights)
    repeated = FactorAnalysis(1, tol=1e-12).fit(np.repeat(x, weights, axis=0))
    np.testing.assert_allclose(weighted.score_samples(x), repeated.score_samples(x), atol=1e-6)


# Answers ------------------------------------------------------------------------------------------


def model(S: int = 1, seed: int = 0) -> Factors:
    rng = np.random.default_rng(seed)
    return Factors(
        rng.dirichlet(np.ones(S)), rng.normal(size=(S, D)), rng.normal(size=(S, D, K)),
        rng.uniform(0.2, 2, (S, D)),
    )  # fmt: skip


def test_densities_and_posteriors_of_rows_with_gaps_are_those_of_the_joint_gaussian() -> None:
    found, x = model(), rows(60)
    x[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
    mean, W, covariance = found.means[0], found.loadings[0], found.covariances()[0]
    seen = posterior(found, x)
    np.testing.assert_allclose(seen.log_density, brute(x, mean, covariance), rtol=1e-10)
    for i, row in enumerate(x):
        o = ~np.isnan(row)
        gain = np.linalg.solve(covariance[np.ix_(o, o)], W[o]).T
        np.testing.assert_allclose(seen.mean[i], gain @ (row - mean)[o], atol=1e-10)
        np.testing.assert_allclose(
            seen.covariance[seen.pattern[i]], np.eye(K) - gain @ W[o], atol=1e-10
        )
    patterns = Patterns.of(x)
    np.testing.assert_array_equal(patterns.observed[patterns.number], ~np.isnan(x))


def test_a_conditional_of_several_draws_is_joint_over_marginal() -> None:
    found, rng = model(3), np.random.default_rng(1)
    row = rng.normal(size=D)
    row[2:5] = np.nan
    rest = found.given(row)
    for values in rng.normal(size=(5, 3)):
        whole = row.copy()
        whole[2:5] = values
        joint, part = (
            np.log(sum(w * np.exp(brute(x[None], m, c)[0]) for w, m, c in zip(
                found.weights, found.means, found.covariances(), strict=True)))
            for x in (whole, row)
        )  # fmt: skip
        given = sum(
            w * stats.multivariate_normal.pdf(values, m, c)
            for w, m, c in zip(rest.weights, rest.means, rest.covariances(), strict=True)
        )
        assert np.log(given) == pytest.approx(joint - part)
    drawn = impute(found, np.tile(row, (20_000, 1)), rng)[:, 2:5]
    expected = rest.weights @ rest.means
    np.testing.assert_allclose(drawn.mean(0), expected, atol=5 * drawn.std(0).max() / 20_000**0.5)
    np.testing.assert_allclose(impute(found, row[None], None)[0, 2:5], expected)
    spread = np.einsum("s,sij->ij", rest.weights, rest.covariances()) + np.cov(
        rest.means.T, aweights=rest.weights, bias=True
    )
    np.testing.assert_allclose(np.cov(drawn.T), spread, atol=0.1 * spread.max())


def test_a_fit_conditions_marginalises_and_fills_gaps_under_the_names_of_its_columns() -> None:
    frame = pd.DataFrame(rows(), columns=list("abcdefg"))
    fit = FactorAnalysis(2, random_state=0).fit(frame)
    some = frame[:20]
    rest, part = fit.condition({"b": 2.5, "f": 4.0}), fit.marginal(["b", "f"])
    fixed = some.assign(b=2.5, f=4.0)
    np.testing.assert_allclose(
        rest.score_samples(fixed.drop(columns=["b", "f"])),
        fit.score_samples(fixed) - part.score_samples(fixed[["b", "f"]]),
    )
    assert (fit.sample(5, given={"b": 2.5})["b"] == 2.5).all()
    holes = some.mask(np.random.default_rng(0).random(some.shape) < 0.3)
    filled = fit.impute(holes)
    assert list(filled.columns) == list(frame.columns)
    known = holes.notna()
    pd.testing.assert_frame_equal(filled[known], holes[known])
    with pytest.warns(UserWarning, match=r"b = 1000 is far beyond the values seen"):
        fit.condition({"b": 1000.0})


def test_codes_are_the_posterior_of_the_factors() -> None:
    x = rows()
    fit = FactorAnalysis(2, random_state=0).fit(x)
    theirs = decomposition.FactorAnalysis(2, svd_method="lapack", tol=1e-10, max_iter=9999).fit(x)
    W, psi = fit.components_.T, fit.noise_variance_
    precision = W.T @ (W / psi[:, None])
    np.testing.assert_allclose(precision, np.diag(np.diag(precision)), atol=1e-6)
    assert precision[0, 0] > precision[1, 1]
    own = W / x.std(0)[:, None]
    assert (np.take_along_axis(own, np.abs(own).argmax(0)[None], 0) > 0).all()
    np.testing.assert_allclose(
        np.linalg.norm(fit.encode(x), axis=1), np.linalg.norm(theirs.transform(x), axis=1),
        rtol=0.02, atol=0.02,
    )  # fmt: skip
    drawn = fit.sample_posterior(x[:3], n=4000)
    np.testing.assert_allclose(drawn.mean(0), fit.encode(x[:3]), atol=0.06)
    for i, covariance in enumerate(fit.posterior_covariance(x[:3])):
        np.testing.assert_allclose(np.cov(drawn[:, i].T), covariance, atol=0.05)
        np.testing.assert_allclose(covariance, np.linalg.inv(np.eye(2) + precision), atol=1e-8)
    np.testing.assert_allclose(fit.communalities_, 1 - psi / np.diag(fit.get_covariance()))


def test_rotations_change_loadings_and_nothing_else() -> None:
    x = rows(k=3)
    plain, turned = (FactorAnalysis(3, rotation=r).fit(x) for r in (None, "varimax"))
    np.testing.assert_allclose(turned.get_covariance(), plain.get_covariance(), rtol=1e-8)

    def spread(W: Any) -> float:
        return float(np.square(W).var(axis=1).sum())

    assert spread(turned.components_) > spread(plain.components_)
    R = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    W, psi = plain.components_.T, plain.noise_variance_
    again = canonical(W @ R, psi, None)
    np.testing.assert_allclose(np.abs(again), np.abs(W), atol=1e-8)
    np.testing.assert_allclose(aligned((W @ R)[None], W)[0], W, atol=1e-8)


# How many factors ---------------------------------------------------------------------------------


def test_bic_finds_the_number_of_factors() -> None:
    for k in (0, 1, 3):
        x = rows(1000, 9, k, seed=5)
        fit = FactorAnalysis().fit(x)
        assert fit.n_components_ == k
        best = min(fit.selection_, key=lambda row: row["bic"])
        assert best["n_components"] == k
        assert best["bic"] == pytest.approx(fit.bic(x))
        assert FactorAnalysis(noise="isotropic").fit(x / x.std(0)).n_components_ >= min(k, 1)
    few = FactorAnalysis(max_components=1).fit(x)
    assert few.n_components_ == 1
    assert any("max_components=1" in r.what for r in few.verdict_.reasons)


def test_ledermanns_bound() -> None:
    assert [identified(d, "diagonal") for d in range(1, 10)] == [0, 0, 1, 1, 2, 3, 3, 4, 5]
    assert identified(4, "isotropic") == 3


def test_a_heywood_case_is_bounded_and_said() -> None:
    x = rows(100, 4, 1)
    x = np.column_stack([x, x[:, 0]])  # a factor that is one column
    fit = FactorAnalysis(2).fit(x)
    assert np.isfinite(fit.score(x))
    assert (fit.noise_variance_ / x.var(0)).min() == pytest.approx(1e-6, rel=0.01)
    assert any("Heywood" in r.what and "'x0'" in r.what for r in fit.verdict_.reasons)


def test_what_is_wrong_is_refused() -> None:
    x = rows(50)
    with pytest.raises(InputError, match=r"n_components is 9, and 7 columns vary"):
        FactorAnalysis(9).fit(x)
    with pytest.raises(InputError, match="standardise is False"):
        FactorAnalysis(1, standardise=False).fit(x)
    with pytest.raises(InputError, match="nothing is tried"):
        FactorAnalysis(1, max_components=3).fit(x)


def test_a_saved_fit_with_gaps_goes_on(tmp_path: Any) -> None:
    fit = FactorAnalysis(random_state=0).fit(gappy())
    loaded = ppgen.load(fit.save(tmp_path / "run"))
    assert loaded.selection_ == fit.selection_
    np.testing.assert_array_equal(loaded.impute(gappy()), fit.impute(gappy()))
