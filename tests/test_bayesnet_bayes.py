"""Posteriors of a network's parameters, from a fit to predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import ppgen
from ppgen.data import Schema
from ppgen.errors import InputError
from ppgen.fitting import Fit
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.bayes import Posterior, fit_bayes
from ppgen.models.bayesnet.draws import (
    flat,
    log_prob_draws,
    mean_network,
    networks,
    predictive,
    rescaled,
)
from ppgen.models.bayesnet.em import Result, fit_em
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.node_density import direct_log_prob
from ppgen.models.bayesnet.parameters import Assumed
from ppgen.models.bayesnet.prior import ConjugatePrior
from ppgen.models.bayesnet.settings import ENGINE_SETTINGS
from ppgen.progress import Clock

from .conjugate_priors import conjugate_prior

GRAPH = DAG.of("abx", map(tuple, ["ab", "ax"]))
STATES = ((0, 1), (0, 1, 2), ())


def rows(n: int = 200, share: float = 0.0, seed: int = 0) -> NodeRows:
    rng = np.random.default_rng(seed)
    a = rng.integers(2, size=n)
    b = np.where(rng.random(n) < 0.7, a, 2)
    x = rng.normal(2.0 * a, 1 + a)
    codes = np.column_stack([a, b, np.full(n, -1)]).astype(np.int32)
    values = np.column_stack([np.full((n, 2), np.nan), x])
    lost = rng.random(codes.shape) < share
    return NodeRows(np.where(lost, -1, codes), np.where(lost, np.nan, values))


def fitted(data: NodeRows) -> Result:
    fit = Fit(0, Schema(()), Clock())
    return fit_em(GRAPH, STATES, data, None, Assumed("laplace"), fit, floor=1e-9)


def drawn(data: NodeRows, engine: str, backend: str = "numpyro", **options: Any) -> Posterior:
    found, fit = fitted(data), Fit(0, Schema(()), Clock())
    options = ENGINE_SETTINGS[engine].values(options)
    return fit_bayes(
        found.prior, found.posterior, found.network, data, None, engine, backend, options, fit
    )


def test_the_mean_over_draws_is_the_posterior_predictive() -> None:
    # In closed form: the means of the tables, and Student's t.
    data, test = rows(), rows(50, seed=1)
    found = fitted(data)
    draws = drawn(data, "conjugate", num_draws=1000).draws
    density = predictive(found.network, draws, test)
    tables = mean_network(found.network, draws)
    exact = direct_log_prob(found.network, NodeRows(test.codes, np.full_like(test.x, np.nan)))
    x = found.posterior.nodes[2]
    a = test.codes[:, 0]
    scale = np.sqrt(x.b / x.a * (1 + 1 / x.Lambda[:, 0, 0]))[a]  # type: ignore[union-attr]
    exact += stats.t(2 * x.a[a], x.m[a, 0], scale).logpdf(test.x[:, 2])  # type: ignore[union-attr]
    assert density.kind == "estimate"
    assert density.stderr is not None
    assert (np.abs(density.values - exact) < 4.5 * density.stderr + 1e-4).all()
    for one, other in zip(tables.numbers()[:2], found.network.numbers()[:2], strict=True):
        np.testing.assert_allclose(one, other, atol=0.01)


def test_draws_in_other_units_are_networks_in_other_units() -> None:
    data = rows()
    found = fitted(data)
    draws = drawn(data, "conjugate", num_draws=3).draws
    shift, scale = np.array([0, 0, 3.0]), np.array([1, 1, 0.5])
    moved = rescaled(found.network, draws, shift, scale)
    for one, other in zip(
        networks(found.network, draws), networks(found.network, moved), strict=True
    ):
        for left, right in zip(one.rescaled(shift, scale).numbers(), other.numbers(), strict=True):
            for part, same in zip(left, right, strict=True):
                np.testing.assert_allclose(part, same)


def test_prior_times_likelihood_over_posterior_is_the_same_for_all_draws() -> None:
    data = rows()
    found = fitted(data)
    draws = drawn(data, "conjugate", num_draws=20).draws
    shift, scale = np.array([0, 0, 3.0]), np.array([1, 1, 0.5])
    moved = rescaled(found.network, draws, shift, scale)

    def over(given: dict[str, Any], prior: Any, posterior: Any) -> Any:
        before, after = prior.log_prob(given), posterior.log_prob(given)
        return sum(before[name] - after[name] for name in given)

    bayes = over(draws, found.prior, found.posterior)
    log_p = log_prob_draws(found.network, draws, data).sum(axis=1)
    np.testing.assert_allclose(bayes + log_p, (bayes + log_p)[0, 0])
    # What units are takes nothing from what rows say.
    there = over(moved, *(p.rescaled(shift, scale) for p in (found.prior, found.posterior)))
    np.testing.assert_allclose(there, bayes)


def test_priors_of_networks_have_their_densities_in_any_units() -> None:
    dag, rng = DAG.of("axy", map(tuple, ["ax", "ay", "xy"])), np.random.default_rng(0)
    prior = conjugate_prior(dag, (2, 0, 0), ess=3.0, precision=0.4, shape=2.5, scale=0.7)
    draws = {name: a[None] for name, a in prior.draw(rng, 4).items()}
    log_p = prior.log_prob(draws)
    theta, s2, b = (draws[name][0] for name in ("theta_a", "s2_y", "b_y"))
    by_hand = stats.dirichlet([1.5, 1.5]).logpdf(theta.T)
    np.testing.assert_allclose(log_p["theta_a"][0], by_hand)
    of_s2 = stats.invgamma(2.5, scale=0.7).logpdf(s2).sum(axis=-1)
    np.testing.assert_allclose(log_p["s2_y"][0], of_s2)
    of_b = stats.norm(0, np.sqrt(s2 / 0.4)[..., None]).logpdf(b).sum(axis=(-1, -2))
    np.testing.assert_allclose(log_p["b_y"][0], of_b)
    # p(moved) = p(draw) / |d moved / d draw|: of each of two configurations, scale^2 for s2, and
    # scale times scale / scale of the parent for b.
    network = Network(dag, prior.centre(), ((0, 1), (), ()))
    shift, scale = np.array([0, 3.0, -2.0]), np.array([1, 0.5, 4.0])
    moved = rescaled(network, draws, shift, scale)
    there = prior.rescaled(shift, scale).log_prob(moved)
    np.testing.assert_allclose(there["theta_a"], log_p["theta_a"])
    np.testing.assert_allclose(there["s2_y"], log_p["s2_y"] - 2 * np.log(16.0))
    np.testing.assert_allclose(there["b_x"], log_p["b_x"] - 2 * np.log(0.5))
    np.testing.assert_allclose(there["b_y"], log_p["b_y"] - 2 * np.log(4.0 * 8.0))
    kept = ConjugatePrior.of_arrays(dag, prior.sizes, prior.arrays()).log_prob(draws)
    assert all((kept[name] == log_p[name]).all() for name in log_p)


def frame(n: int = 300) -> pd.DataFrame:
    data = rows(n)
    a, b = np.array(["no", "yes"])[data.codes[:, 0]], np.array(list("pqr"))[data.codes[:, 1]]
    return pd.DataFrame({"a": a, "b": b, "x": 50 + 10 * data.x[:, 2]})


def test_an_estimator_keeps_draws_in_the_units_of_the_data_and_names_them() -> None:
    data = frame()
    fit = ppgen.BayesianNetwork(
        [("a", "b"), ("a", "x")], engine="conjugate", engine_settings={"num_draws": 60},
        random_state=0,
    ).fit(data)  # fmt: skip
    tree = fit.to_datatree(data[:20], num_replicates=2)
    posterior = tree["posterior"].to_dataset()
    assert posterior["theta_b"].dims == ("chain", "draw", "a", "b")
    assert posterior["b_x"].dims == ("chain", "draw", "a", "terms of x")
    assert posterior["a"].values.tolist() == ["no", "yes"]
    means = posterior["b_x"].mean(("chain", "draw")).values[:, 0]
    np.testing.assert_allclose(means, data.groupby("a")["x"].mean(), atol=1.0)
    joint = tree["log_likelihood"]["joint"].values[0]
    expected = logsumexp(joint, axis=0) - np.log(len(joint))
    np.testing.assert_allclose(fit.score_samples(data[:20]), expected, rtol=1e-6)
    answer = fit.query("a", {"b": "r"}, credible=0.9)
    assert (answer.low < answer.probs).all()
    assert (answer.probs < answer.high).all()


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_arviz_has_the_prior_of_a_network_without_its_rows(tmp_path: Path) -> None:
    import arviz_stats
    from arviz_plots import plot_prior_posterior

    data = frame().rename(columns={"b": "b/c"})
    fit = ppgen.BayesianNetwork(
        [("a", "b/c"), ("a", "x")], engine="conjugate", engine_settings={"num_draws": 1500},
        random_state=0,
    ).fit(data)  # fmt: skip
    tree = ppgen.load(fit.save(tmp_path / "run")).to_datatree()
    prior, posterior = tree["prior"].to_dataset(), tree["posterior"].to_dataset()
    assert set(prior) == set(posterior) == set(tree["log_prior"].data_vars)
    assert "observed_data" not in tree.children
    for name in posterior:
        assert prior[name].dims == posterior[name].dims
        np.testing.assert_array_equal(tree["log_prior"][name], fit._prior_groups(
            fit.posterior_, 1, 0)[1][name])  # fmt: skip
    np.testing.assert_allclose(prior["theta_a"].mean(("chain", "draw")), 0.5, atol=0.1)
    shown = arviz_stats.psense_summary(
        fit.to_datatree(data, num_replicates=0), var_names=["theta_a", "s2_x"]
    )
    assert (shown["likelihood"] > shown["prior"]).all()
    plot_prior_posterior(tree, var_names=["theta_a"], backend="none")


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_arviz_checks_a_column_of_a_network() -> None:
    import arviz_stats

    data = frame()
    fit = ppgen.BayesianNetwork(
        [("a", "b"), ("a", "x")], engine="conjugate", engine_settings={"num_draws": 150},
        random_state=0,
    ).fit(data)  # fmt: skip
    tree = fit.to_datatree(data, column="x")
    assert tree["posterior_predictive/x"].shape == tree["log_likelihood/x"].shape == (1, 150, 300)
    assert "a" not in tree["observed_data"].data_vars
    pit = arviz_stats.loo_pit(tree)["x"].values
    # Replicates are of rows, not given their parents: ranks in the whole column, but for noise.
    np.testing.assert_allclose(pit, data["x"].rank() / 300, atol=6 * 0.5 / 150**0.5)
    rmse = arviz_stats.loo_metrics(tree, var_name="x", round_to="none").mean
    assert rmse == pytest.approx(data["x"].std(), rel=0.05)
    expected, _ = arviz_stats.loo_expectations(tree, var_name="x")
    assert expected.shape == (300,)


def test_rows_in_which_a_column_was_set_say_nothing_of_it() -> None:
    data = frame()
    target = [None if row % 3 else "b" for row in range(len(data))]
    how = {"engine": "conjugate", "engine_settings": {"num_draws": 400}, "random_state": 0}
    fit = ppgen.BayesianNetwork([("a", "b"), ("a", "x")], interventions=target, **how).fit(data)
    seen = data[np.arange(len(data)) % 3 > 0]
    less = ppgen.BayesianNetwork([("a", "b")], **how).fit(seen[["a", "b"]])
    assert fit.posterior_ is not None
    assert less.posterior_ is not None
    for statistic in (np.mean, np.std):
        one, other = (statistic(of.posterior_["theta_b"], axis=(0, 1)) for of in (fit, less))
        np.testing.assert_allclose(one, other, atol=0.01)


def test_what_has_no_posterior_is_said() -> None:
    with pytest.raises(InputError, match="only if nothing is missing, and 'a' has gaps"):
        drawn(rows(share=0.2), "conjugate")
    with pytest.raises(InputError, match="needs a prior"):
        ppgen.BayesianNetwork([("a", "b")], engine="conjugate", prior="none").fit(frame(50))


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
@pytest.mark.slow
def test_svi_finds_the_posterior_with_gaps(backend: str) -> None:
    agrees_with_nuts(drawn(rows(share=0.2), "svi", backend, num_steps=400))


def agrees_with_nuts(found: Posterior) -> None:
    exact = drawn(rows(share=0.2), "nuts", num_samples=300, num_warmup=200, num_chains=2)
    assert not [reason for reason in exact.reasons if "diverged" in reason.what]
    one, other = flat(found.draws, None), flat(exact.draws, None)
    assert one.keys() == other.keys()
    for site, draws in other.items():
        spread = draws.std(axis=0)
        np.testing.assert_allclose(
            one[site].mean(axis=0), draws.mean(axis=0), atol=0.5 * spread.max()
        )
        np.testing.assert_allclose(one[site].std(axis=0), spread, rtol=0.35)


@pytest.mark.slow
def test_svi_in_a_few_steps_says_so() -> None:
    found = drawn(rows(60, 0.1), "svi", "pyro", num_steps=3, num_draws=30)
    assert found.draws["theta_b"].shape == (1, 30, 2, 3)
    assert "steps were taken" in found.reasons[0].what


@pytest.mark.slow
def test_nuts_finds_the_closed_form_without_gaps() -> None:
    data = rows()
    exact = flat(drawn(data, "conjugate", num_draws=4000).draws, None)
    found = flat(drawn(data, "nuts", num_samples=500, num_chains=2).draws, None)
    for site, draws in exact.items():
        spread = draws.std(axis=0)
        np.testing.assert_allclose(
            found[site].mean(axis=0), draws.mean(axis=0), atol=0.25 * spread.max()
        )
        np.testing.assert_allclose(found[site].std(axis=0), spread, rtol=0.2)


def test_a_network_of_draws_is_a_network() -> None:
    found = fitted(rows())
    each = list(networks(found.network, drawn(rows(), "conjugate", num_draws=20).draws, 5))
    assert len(each) == 5
    assert all(isinstance(one, Network) for one in each)


def test_samples_are_of_the_mean_over_draws_of_the_density() -> None:
    # Of eight rows; the mean of the densities has longer tails than the density at the means.
    a = np.repeat(["u", "v"], [5, 3])
    x = np.random.default_rng(0).normal(np.where(a == "u", -1.0, 1.0))
    model = ppgen.BayesianNetwork([("a", "x")], engine="conjugate", random_state=0)
    model.fit(pd.DataFrame({"a": a, "x": x}))
    n, bounds = 20_000, np.array([-20, -6, -3, -1, 0, 1, 3, 6, 20])
    drawn = model.sample(n, random_state=1)
    grid = np.linspace(-20, 20, 4001)
    middle, width = (grid[1:] + grid[:-1]) / 2, grid[1] - grid[0]
    for level in "uv":
        cells = pd.DataFrame({"a": level, "x": middle})
        mass = width * np.exp(model.score_samples(cells))
        expected = np.histogram(middle, bounds, weights=mass)[0]
        found = np.histogram(drawn["x"][drawn["a"] == level], bounds)[0] / n
        assert (np.abs(found - expected) < 4.5 * np.sqrt(expected / n) + 3 / n).all()
    for value in (-3.0, 0.0, 4.0):
        cells = pd.DataFrame({"a": [*"uv"], "x": value})
        expected = np.exp(model.score_samples(cells))
        p = expected[0] / expected.sum()
        found = (model.sample(n, {"x": value}, random_state=2)["a"] == "u").mean()
        assert abs(found - p) < 4.5 * np.sqrt(p * (1 - p) / n)


def test_conditionals_at_the_means_of_the_parameters_are_not_held_against_densities() -> None:
    data = pd.DataFrame(np.random.default_rng(0).choice(list("uv"), size=(30, 3)), columns=[*"abc"])
    model = ppgen.BayesianNetwork([("a", "b")], engine="conjugate", random_state=0).fit(data)
    checks = {check.name: check for check in ppgen.audit(model, budget="20s").checks}
    assert checks["conditional"].status == "not checked"
    assert "conditionals those at the parameters' means" in checks["conditional"].why
    assert checks["given"].status == checks["conditional integral"].status == "holds"
