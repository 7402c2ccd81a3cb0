"""Leave-one-out and discrete states of fitted pairs, against integrals over a grid, and what ArviZ
makes of their trees."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import arviz_plots
import arviz_stats
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import ppgen
from ppgen.errors import InputError
from ppgen.models.pair import Pair, PairFit

from .discrete_models import Backend, backend
from .pair_models import fitted

GRID = np.linspace(-6, 8, 4001)
LOG_PRIOR = stats.norm.logpdf(GRID, 0, 2)
SHAPE = (2, 500)
Y = np.r_[np.random.default_rng(0).normal(size=10), np.random.default_rng(1).normal(3, 1, size=8)]


def mixture(b: Backend) -> Any:
    """Rows of a normal at 0 or, three times in ten, at m."""

    def model(y: Any) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        with b.plate("rows", len(y)):
            z = b.sample("z", b.dist.Bernoulli(0.3))
            b.sample("y", b.dist.Normal(m * z, 1.0), obs=y)

    return model


def of_mixture(m: Any) -> Any:
    """(..., n) log p(y_i | m)."""
    at_0, at_m = stats.norm.logpdf(Y, 0, 1), stats.norm.logpdf(Y, np.asarray(m)[..., None], 1)
    return np.logaddexp(np.log(0.7) + at_0, np.log(0.3) + at_m)


def normal(b: Backend) -> Any:
    """Rows of a normal at m."""

    def model(y: Any) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        with b.plate("rows", len(y)):
            b.sample("y", b.dist.Normal(m, 1.0), obs=y)

    return model


def of_normal(m: Any) -> Any:
    return stats.norm.logpdf(Y, np.asarray(m)[..., None], 1)


def log_mean(log_p: Any, log_w: Any) -> Any:
    """The log of the mean of p over the grid, weighted."""
    return logsumexp(log_w[:, None] + log_p, axis=0) - logsumexp(log_w)


def left_out(log_lik: Any) -> Any:
    """(n,) log p(y_i | y_-i), the parameter integrated over the grid."""
    each = log_lik(GRID)
    whole = LOG_PRIOR + each.sum(1)
    return np.array([log_mean(each[:, [i]], whole - each[:, i])[0] for i in range(len(Y))])


def posterior_draws(log_lik: Any, seed: int = 0) -> dict[str, Any]:
    log_p = LOG_PRIOR + log_lik(GRID).sum(1)
    p = np.exp(log_p - logsumexp(log_p))
    return {"m": np.random.default_rng(seed).choice(GRID, p=p, size=SHAPE)}


FITS = {
    "numpyro": ("numpyro", normal, of_normal),
    "pyro": ("pyro", normal, of_normal),
    "mixture": ("numpyro", mixture, of_mixture),
    "mixture-pyro": ("pyro", mixture, of_mixture),
}


@pytest.fixture(scope="module")
def fits() -> dict[str, PairFit]:
    return {
        name: fitted(Pair(model(backend(by)), backend=by), posterior_draws(log_lik), Y)
        for name, (by, model, log_lik) in FITS.items()
    }


@pytest.fixture(scope="module")
def trees(fits: dict[str, PairFit]) -> dict[str, Any]:
    return {name: fit.to_datatree(num_prior=50) for name, fit in fits.items()}


every = pytest.mark.parametrize("name", FITS)


@every
def test_log_likelihoods_are_those_of_rows_and_loo_those_without_them(name, fits):
    fit, log_lik = fits[name], FITS[name][2]
    values = fit.log_likelihood()
    np.testing.assert_allclose(values["y"], log_lik(fit.draws["m"]), rtol=0, atol=1e-10)
    found = fit.loo()
    # Of 1,000 independent draws; means of ratios of k-hat below 0.5 err by some hundredths.
    np.testing.assert_allclose(found.density.values, left_out(log_lik), atol=0.05)
    assert len(found.bad) == 0
    each = log_lik(GRID)
    p_loo = log_mean(each, LOG_PRIOR + each.sum(1)) - left_out(log_lik)
    assert found.p_loo == pytest.approx(p_loo.sum(), abs=0.15)


@every
def test_arviz_says_the_same_of_the_tree(name, fits, trees):
    ours, theirs = fits[name].loo(), arviz_stats.loo(trees[name], pointwise=True)
    np.testing.assert_allclose(ours.density.values, theirs.elpd_i.values, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.khat, theirs.pareto_k.values, rtol=0, atol=1e-9)
    assert ours.p_loo == pytest.approx(theirs.p)
    assert f"{ours.elpd:.2f}" in str(ours.to_arviz())
    arviz_plots.plot_khat(ours.to_arviz(), backend="none")


@every
def test_arviz_checks_predictions_and_sensitivity_by_the_tree(name, trees):
    tree = trees[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto")
        pit = arviz_stats.loo_pit(tree, random_state=0)
        expected, _ = arviz_stats.loo_expectations(tree)
        rmse = arviz_stats.loo_metrics(tree)
        table = arviz_stats.psense_summary(tree)
    assert pit["y"].dims == ("rows",)
    assert stats.kstest(pit["y"].values, "uniform").pvalue > 1e-4
    assert expected.shape == (len(Y),)
    assert 0.5 < rmse.mean < 3
    assert table.loc["m", "likelihood"] > table.loc["m", "prior"]
    for plot in (arviz_plots.plot_loo_pit, arviz_plots.plot_prior_posterior):
        plot(tree, backend="none")


def test_fits_are_compared_by_paired_differences(fits, trees):
    a, b = fits["mixture"].loo(), fits["numpyro"].loo()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The inplace keyword")  # of pandas, in ArviZ
        table = arviz_stats.compare({"mixture": trees["mixture"], "normal": trees["numpyro"]})
    assert list(table.index) == ["mixture", "normal"]
    each = a.density.values - b.density.values
    found = ppgen.compare([("mixture", a.density), ("normal", b.density)])
    difference = found["normal"].difference
    assert table.loc["normal", "elpd_diff"] == pytest.approx(each.sum(), rel=1e-6)
    assert difference.mean * len(Y) == pytest.approx(-each.sum(), rel=1e-6)
    assert found.models[0].name == "mixture"


def test_draws_of_an_approximation_are_weighted(fits):
    log_p = LOG_PRIOR + of_normal(GRID).sum(1)
    p = np.exp(log_p - logsumexp(log_p))
    mean = p @ GRID
    sd = np.sqrt(p @ (GRID - mean) ** 2)
    q = stats.norm(mean + 0.5 * sd, 1.3 * sd)  # off by half a standard deviation, and too wide
    draws = q.rvs(size=SHAPE, random_state=0)
    fit = fits["pyro"]
    lp = stats.norm.logpdf(draws, 0, 2) + of_normal(draws).sum(-1)
    posterior = replace(
        fit.posterior, draws={"m": draws}, stats={"lp": lp, "log_q": q.logpdf(draws)}
    )
    approximate = PairFit(
        fit.program, "laplace", fit.settings, fit.sites, posterior, fit.call, fit.target
    )
    found = approximate.loo()
    np.testing.assert_allclose(found.density.values, left_out(of_normal), atol=0.05)
    tree = approximate.to_datatree(groups=("posterior", "log_likelihood"))
    theirs = arviz_stats.loo_approximate_posterior(
        tree, lp.reshape(-1), q.logpdf(draws).reshape(-1), pointwise=True
    )
    np.testing.assert_allclose(found.density.values, theirs.elpd_i.values, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.khat, theirs.pareto_k.values, rtol=0, atol=1e-9)
    unweighted = replace(posterior, stats={"lp": lp})
    wrong = with_posterior(fit, unweighted).loo()
    assert np.abs(wrong.density.values - left_out(of_normal)).max() > 0.05


def with_posterior(fit: PairFit, posterior: Any) -> PairFit:
    return PairFit(
        fit.program, fit.method, fit.settings, fit.sites, posterior, fit.call, fit.target
    )


def test_states_have_the_probabilities_of_bayes_rule(fits):
    fit = fits["mixture-pyro"]
    found = fit.infer_discrete(by_draw=True, random_state=1)
    assert repr(found) == "DiscretePosterior(sites and their states z: (18,) of 2)"
    m = fit.draws["m"][..., None]
    of_1 = 0.3 * stats.norm.pdf(Y, m)
    want = of_1 / (of_1 + 0.7 * stats.norm.pdf(Y))
    np.testing.assert_allclose(found.by_draw["z"][..., 1], want, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.probabilities["z"][:, 1], want.mean((0, 1)), atol=1e-10)
    assert found.draws["z"].shape == (*SHAPE, len(Y))
    assert set(np.unique(found.values("z"))) == {0.0, 1.0}
    error = np.sqrt((want * (1 - want)).mean((0, 1)) / 1000)
    assert (np.abs(found.draws["z"].mean((0, 1)) - want.mean((0, 1))) < 5 * error).all()
    best = fit.infer_discrete(most_probable=True).draws["z"]
    np.testing.assert_array_equal(best, want > 0.5)
    with pytest.raises(InputError, match="no discrete latent site; it has m, y"):
        fits["pyro"].infer_discrete()


def test_rows_held_out_and_fits_that_were_loaded_are_scored(fits, tmp_path):
    fit = fits["mixture-pyro"]
    new = np.array([0.5, 3.5, -2.0])
    m = fit.draws["m"][..., None]
    want = np.log(0.7 * stats.norm.pdf(new) + 0.3 * stats.norm.pdf(new, m))
    np.testing.assert_allclose(fit.log_likelihood(new)["y"], want, rtol=0, atol=1e-10)
    fit.save(tmp_path / "run")
    loaded = Pair.load(tmp_path / "run", mixture(backend("pyro")))
    with pytest.raises(InputError, match="a saved run holds no data"):
        loaded.loo()
    np.testing.assert_array_equal(loaded.loo(Y).density.values, fit.loo().density.values)


def test_steps_of_a_sequence_are_left_out_given_all_others():
    """The ratios are those of p(theta | y_-t), which is not so given the steps before alone."""
    b, y, stay = backend("pyro"), np.array([0.2, 2.5, 1.8, -0.3]), 0.8

    def model(y: Any) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        x = 0
        for t in b.markov(range(len(y))):
            x = b.sample(f"x{t}", b.dist.Bernoulli(stay * x + (1 - stay) * (1 - x)))
            b.sample(f"y{t}", b.dist.Normal(m * x, 1.0), obs=y[t])

    def log_p(seen: Any) -> Any:
        """log p(y_seen | m) over the grid, by the forward sums."""
        alpha = np.tile([0.0, -np.inf], (len(GRID), 1))
        move = np.log([[stay, 1 - stay], [1 - stay, stay]])
        for t in range(len(y)):
            alpha = logsumexp(alpha[:, :, None] + move, axis=1)
            if seen[t]:
                alpha = alpha + stats.norm.logpdf(y[t], np.stack([0 * GRID, GRID], 1), 1)
        return logsumexp(alpha, axis=1)

    whole = LOG_PRIOR + log_p(np.ones(4, bool))
    p = np.exp(whole - logsumexp(whole))
    draws = {"m": np.random.default_rng(0).choice(GRID, p=p, size=(1, 2000))}
    fit = fitted(Pair(model, backend="pyro"), draws, y)
    want = [logsumexp(whole) - logsumexp(LOG_PRIOR + log_p(np.arange(4) != t)) for t in range(4)]
    found = fit.loo()
    np.testing.assert_allclose(found.density.values, want, atol=0.05)
    assert "given the other observations" in str(found.density.method)
    before = fit.log_likelihood(given="previous")
    at = np.searchsorted(GRID, draws["m"][0])
    np.testing.assert_allclose(sum(before.values())[0], log_p(np.ones(4, bool))[at], atol=1e-9)


def test_columns_of_a_row_are_left_out_together():
    b = backend("pyro")

    def model(y: Any, w: Any) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        with b.plate("rows", len(y)):
            b.sample("y", b.dist.Normal(m, 1.0), obs=y)
            b.sample("w", b.dist.Normal(-m, 1.0), obs=w)

    def coupled(y: Any, w: Any) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        with b.plate("rows", len(y)):
            z = b.sample("z", b.dist.Bernoulli(0.3))
            b.sample("y", b.dist.Normal(m * z, 1.0), obs=y)
            b.sample("w", b.dist.Normal(-m * z, 1.0), obs=w)

    draws = {"m": np.random.default_rng(0).normal(size=(1, 200))}
    apart = fitted(Pair(model, backend="pyro"), draws, Y, -Y)
    each = apart.log_likelihood()
    assert set(each) == {"y", "w"}
    both = apart.loo()
    assert len(both.density) == len(Y)
    assert apart.loo(var_name="y").elpd != both.elpd
    with pytest.raises(InputError, match=r"no log likelihood 'Z'; there are y, w"):
        apart.loo(var_name="Z")
    fit = fitted(Pair(coupled, backend="pyro"), draws, Y, -Y)
    tree = fit.to_datatree(groups=("posterior", "log_likelihood"))
    assert tree["log_likelihood"]["joint"].dims == ("chain", "draw", "rows")
    assert arviz_stats.loo(tree).elpd == pytest.approx(fit.loo().elpd)


def test_a_row_that_the_model_counts_twice_is_left_out_twice():
    b, twice = backend("pyro"), 1.0 + (np.arange(len(Y)) < 4)

    def model(y: Any) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        with b.plate("rows", len(y)), b.scale(scale=b.array(twice)):
            b.sample("y", b.dist.Normal(m, 1.0), obs=y)

    each = of_normal(GRID)
    whole = LOG_PRIOR + each @ twice
    p = np.exp(whole - logsumexp(whole))
    draws = {"m": np.random.default_rng(0).choice(GRID, p=p, size=SHAPE)}
    found = fitted(Pair(model, backend="pyro"), draws, Y).loo()
    np.testing.assert_array_equal(found.weights, twice)
    want = [log_mean(each[:, [i]], whole - twice[i] * each[:, i])[0] for i in range(len(Y))]
    np.testing.assert_allclose(found.density.values, want, atol=0.05)


def test_a_plate_that_subsamples_is_no_weight_and_scaled_states_are_refused():
    b = backend("numpyro")

    def model(y: Any, scale: float = 1.0) -> None:
        m = b.sample("m", b.dist.Normal(0.0, 2.0))
        with b.plate("rows", 36, subsample_size=18), b.scale(scale=scale):
            z = b.sample("z", b.dist.Bernoulli(0.3))
            b.sample("y", b.dist.Normal(m * z, 1.0), obs=y)

    draws = {"m": np.random.default_rng(0).normal(2, 0.3, size=(1, 100))}
    pair = Pair(model)
    assert (fitted(pair, draws, Y).loo().weights == 1).all()
    with pytest.raises(InputError, match=r"site 'y' is scaled in the model.*without discrete"):
        fitted(pair, draws, Y, scale=2.0).loo()
