"""Mixtures of Student's t: density, conditionals, samples, gaps, EM, saving, the pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_t, norm, t

import ppgen
from ppgen import GaussianMixture
from ppgen.models.gmm import conditional
from ppgen.models.gmm.parameters import COVARIANCE_TYPES, Mixture
from ppgen.models.gmm.posterior import log_prob_draws
from ppgen.models.gmm.weighted_rows import WeightedRows, score

from .test_gmm_density import mixture as gaussians
from .test_gmm_density import none, with_gaps
from .test_gmm_em import blobs, run, start
from .test_gmm_pair import arguments, numpyro_joint, parameters, pyro_joint, rows

G = GaussianMixture
KINDS: list[Any] = list(COVARIANCE_TYPES)
DOF = np.array([2.5, 4.0, 30.0])


def mixture(kind: Any, d: int = 3, levels: tuple[int, ...] = (), seed: int = 0) -> Mixture:
    return replace(gaussians(kind, d=d, levels=levels, seed=seed), dof=DOF)


def brute(m: Mixture, x: np.ndarray) -> np.ndarray:
    """(n,) log densities, by SciPy's t of what is there."""
    out = np.zeros(len(x))
    for i, row in enumerate(x):
        o = ~np.isnan(row)
        for k, sigma in enumerate(m.full_covariances()):
            p = 1.0
            if o.any():
                p = multivariate_t.pdf(row[o], m.means[k, o], sigma[o][:, o], df=DOF[k])
            out[i] += m.weights[k] * p
    return np.log(out)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_density_is_that_of_scipy(kind: Any, gaps: float) -> None:
    m = mixture(kind)
    x = with_gaps(np.random.default_rng(1).normal(0, 3, (30, 3)), gaps, 2)
    np.testing.assert_allclose(score(m, x, none(30))[1], brute(m, x), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_conditional_is_joint_over_marginal(kind: Any) -> None:
    m = mixture(kind, d=3, seed=4)
    known = np.array([0.7, np.nan, -1.3])
    edge = np.linspace(-6, 6, 25)
    whole = np.tile(known, (25, 1))
    whole[:, 1] = edge
    given = conditional.condition(m, known, np.empty(0, np.int32))
    expected = score(m, whole, none(25))[1] - score(m, known[None], none(1))[1]
    np.testing.assert_allclose(score(given, edge[:, None], none(25))[1], expected, rtol=1e-9)
    some = conditional.marginal(m, np.array([0, 2]), np.empty(0, np.intp))
    np.testing.assert_allclose(
        score(some, known[None, [0, 2]], none(1))[1], score(m, known[None], none(1))[1], rtol=1e-9
    )


def cdf(m: Mixture, x: np.ndarray) -> np.ndarray:
    """The distribution function of a mixture over one column."""
    scale = np.sqrt(m.full_covariances()[:, 0, 0])
    return np.asarray(t.cdf((x[:, None] - m.means[:, 0]) / scale, m.dof) @ m.weights)


@pytest.mark.parametrize("kind", ["full", "spherical"])
def test_samples_and_imputations_are_of_the_density(kind: Any) -> None:
    # Two Kolmogorov-Smirnov tests of 4000 rows at 1e-4.
    m, rng = mixture(kind, d=2, seed=5), np.random.default_rng(6)
    drawn, _, component = conditional.sample(m, 4000, rng)
    first = conditional.marginal(m, np.array([0]), np.empty(0, np.intp))
    assert kstest(drawn[:, 0], lambda x: cdf(first, x)).pvalue > 1e-4
    assert abs(np.bincount(component) / 4000 - m.weights).max() < 0.05
    row = np.array([np.nan, 2.5])
    filled = conditional.impute(m, np.tile(row, (4000, 1)), none(4000), rng)[0]
    given = conditional.condition(m, row, np.empty(0, np.int32))
    assert kstest(filled[:, 0], lambda x: cdf(given, x)).pvalue > 1e-4


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_never_falls(kind: Any, gaps: float) -> None:
    x = blobs()
    x[::40] *= 8
    x[np.random.default_rng(1).random(x.shape) < gaps] = np.nan
    first = replace(start(blobs(), kind), dof=np.full(3, 10.0))
    found = [iteration.objective for iteration in run(x, first, 30)]
    assert np.diff(found).min() >= -1e-10


def test_a_compiled_pass_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x, m = blobs(1000, 3), replace(start(blobs(1000, 3), "full"), dof=DOF)
    data = WeightedRows(x, none(1000), (), np.random.default_rng(1).random(1000))
    plain = data.moments("full", 3)(m)
    monkeypatch.setattr("ppgen.models.gmm.kernel._JIT_FROM", 0)
    for ours, theirs in zip(data.moments("full", 3)(m), plain, strict=True):
        if not isinstance(ours, tuple):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_rows_with_no_gap_are_summed_alike_either_way() -> None:
    x, m = blobs(200, 3), replace(start(blobs(200, 3), "full"), dof=DOF)
    whole = WeightedRows(x, none(200), (), None)
    more = WeightedRows(np.vstack([x, np.full((1, 3), np.nan)]), none(201), (), None)
    more.centre = whole.centre
    rest, sums = whole.moments("full", 3)(m), more.moments("full", 3)(m)
    assert sums.log_likelihood == pytest.approx(rest.log_likelihood, rel=1e-12)
    assert sums.n.sum() == pytest.approx(201)


def test_the_degrees_of_freedom_are_found() -> None:
    rng = np.random.default_rng(2)
    x = multivariate_t.rvs(np.zeros(2), np.eye(2), df=3, size=3000, random_state=rng)
    fit = G(1, tails="student", tol=1e-7, random_state=0).fit(x)
    assert fit.dof_[0] == pytest.approx(3, rel=0.15)
    np.testing.assert_allclose(fit.covariances_[0], np.eye(2), atol=0.12)
    # At the maximum: neither more nor fewer degrees of freedom are likelier.
    best = score(fit.mixture_, x, none(3000))[1].sum()
    for factor in (0.97, 1.03):
        other = replace(fit.mixture_, dof=fit.dof_ * factor)
        assert score(other, x, none(3000))[1].sum() < best
    normal = G(1, tails="student", random_state=0).fit(rng.normal(size=(3000, 2)))
    assert normal.dof_[0] > 15  # where the likelihood is flat


def test_rows_far_out_move_components_little() -> None:
    """A twentieth of the rows is noise over a wide square, which Gaussians spread towards."""
    rng = np.random.default_rng(3)
    z = rng.integers(0, 2, 1000)
    x = np.array([[-3.0, 0.0], [3.0, 0.0]])[z] + rng.normal(size=(1000, 2)) * 0.5
    x[::20] = rng.uniform(-40, 40, (50, 2))
    robust = G(2, tails="student", random_state=0).fit(x)
    np.testing.assert_allclose(np.sort(robust.means_[:, 0]), [-3, 3], atol=0.15)
    assert robust.score(x) > G(2, random_state=0).fit(x).score(x) + 0.3
    clean = np.arange(1000) % 20 > 0
    labels = robust.predict(x)[clean]
    assert max(np.mean(labels == z[clean]), np.mean(labels != z[clean])) > 0.99


def test_one_value_far_out_leaves_the_rest_to_one_component() -> None:
    x = np.append(np.random.default_rng(0).normal(size=2000), 1e6)[:, None]
    fit = G(1, tails="student", random_state=0).fit(x)
    assert fit.means_[0, 0] == pytest.approx(0, abs=0.1)
    assert fit.score(x[:-1]) == pytest.approx(norm.logpdf(x[:-1]).mean(), abs=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_rows_out_costs_about_a_nat_a_parameter(kind: Any) -> None:
    from ppgen.models.gmm.leave_one_out import left_out

    x = multivariate_t.rvs(np.zeros(3), np.eye(3), df=5, size=2000, random_state=7)
    fit = G(1, tails="student", covariance_type=kind, random_state=0).fit(x)
    lost = fit.score_samples(x).sum() - left_out(
        WeightedRows(x, none(2000), (), None), fit.mixture_
    )
    assert lost == pytest.approx(fit.mixture_.n_parameters(), rel=0.5)


def test_saved_and_loaded(tmp_path: Any) -> None:
    x = with_gaps(blobs(200), 0.1, 1)
    fit = G(2, tails="student", random_state=0).fit(x)
    fit.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(again.dof_, fit.dof_)
    np.testing.assert_array_equal(again.score_samples(x), fit.score_samples(x))


def test_a_warm_start_of_other_tails_begins_afresh() -> None:
    x = blobs(200)
    fit = G(2, warm_start=True, random_state=0).fit(x)
    with pytest.warns(UserWarning, match="tails"):
        fit.set_params(tails="student").fit(x)
    assert fit.dof_ is not None


def theta(kind: str, d: int) -> dict[str, Any]:
    return parameters(kind, d) | {"nu": DOF}


def student(kind: str, d: int, **more: Any) -> dict[str, Any]:
    given = arguments(kind, d)
    return given | {"prior": replace(given["prior"], student=True)} | more


@pytest.mark.parametrize(("kind", "gaps"), [("full", True), ("full", False), ("diag", True)])
def test_the_twins_have_one_log_joint_which_is_the_mixtures(kind: Any, gaps: bool) -> None:
    (x, codes, weights), values = rows(3), theta(kind, 3)
    if not gaps:
        x = np.nan_to_num(x)
    given = student(kind, 3, gaps=gaps)
    data = (x, codes, weights)
    joint = numpyro_joint(values, data, given)
    assert pyro_joint(values, data, given) == pytest.approx(joint, rel=1e-10)
    prior = pyro_joint(values, (x, codes, np.zeros(len(x))), given)
    draws = {name: value[None, None] for name, value in values.items()}
    from ppgen.models.gmm.posterior import mean_mixture

    exact = score(mean_mixture(draws, kind), x, codes)[1]
    assert joint - prior == pytest.approx(weights @ exact, rel=1e-9)
    if gaps and kind == "full":
        np.testing.assert_allclose(log_prob_draws(draws, kind, x, codes)[0], exact, rtol=1e-9)


@pytest.mark.slow
def test_svi_fits_the_pair_that_is_scored() -> None:
    rng = np.random.default_rng(8)
    x = multivariate_t.rvs(np.array([5.0, -2.0]), np.eye(2), df=4, size=200, random_state=rng)
    settings = {"num_steps": 60, "num_draws": 50}
    fit = G(
        1, tails="student", engine="svi", backend="pyro", engine_settings=settings, random_state=0
    ).fit(x)
    assert fit.posterior_["nu"].shape == (1, 50, 1)
    assert 1.5 < fit.posterior_["nu"].mean() < 12
    em = G(1, tails="student", random_state=0).fit(x)
    assert fit.score(x) == pytest.approx(em.score(x), abs=0.1)
    assert fit._posterior_dims()["dims"]["nu"] == ["mixture_component"]
