"""The factor model's pair: the two backends say the same, and what `Factors` says."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyro
import pytest
import torch
from numpyro import handlers
from numpyro.infer.util import log_density
from pyro import poutine

import ppgen
from ppgen import FactorAnalysis
from ppgen.inference.diagnostics import worst_by_site
from ppgen.models.factor import numpyro as jax_pair
from ppgen.models.factor import pyro as torch_pair
from ppgen.models.factor.bayes import of_draws
from ppgen.models.factor.factors import components
from ppgen.models.factor.prior import Prior

D = 4
CASES = [(2, False, True), (2, True, False), (0, False, True)]  # k, isotropic, gaps


def rows(gaps: bool, n: int = 30) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    x = 2 * rng.normal(size=(n, D))
    if gaps:
        x[rng.random((n, D)) < 0.2] = np.nan
        x[4] = np.nan
    return x, rng.uniform(0.5, 2, n)


def parameters(k: int, isotropic: bool) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    psi = rng.uniform(0.5, 2, () if isotropic else D)
    theta = {"mu": rng.normal(size=D), "psi": np.asarray(psi)}
    return theta | ({"W": rng.normal(size=(D, k))} if k else {})


def prior(k: int, isotropic: bool) -> Prior:
    return Prior(
        k, np.full(D, 0.1), np.full(D, 2.0), np.linspace(0.5, 1, D), np.linspace(1, 2, D), isotropic
    )


def tensors(values: dict[str, Any]) -> dict[str, Any]:
    return {name: torch.tensor(value) for name, value in values.items()}


def arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {name: jnp.asarray(value) for name, value in values.items()}


@pytest.mark.parametrize(("k", "isotropic", "gaps"), CASES)
def test_the_twins_have_one_log_joint_and_one_guide(k: int, isotropic: bool, gaps: bool) -> None:
    theta, data, given = parameters(k, isotropic), rows(gaps), prior(k, isotropic)
    how: dict[str, Any] = {"gaps": gaps, "n_total": 1000}
    model = poutine.condition(torch_pair.model, tensors(theta))
    trace = poutine.trace(model).get_trace(
        *map(torch.tensor, data), prior=given.on(torch.tensor), **how
    )
    start = tensors(theta)
    with pyro.get_param_store().scope(), torch.random.fork_rng():
        made = poutine.trace(torch_pair.guide).get_trace(
            None, None, start=start, prior=given.on(torch.tensor)
        )
        drawn = {name: made.nodes[name]["value"].detach().numpy() for name in theta}
        guided, names = float(made.log_prob_sum().detach()), set(pyro.get_param_store().keys())
    with jax.enable_x64(True):
        own = given.on(jnp.asarray)
        joint = float(log_density(partial(jax_pair.model, prior=own, **how), data, {},
                                  arrays(theta))[0])  # fmt: skip
        guide = partial(jax_pair.guide, None, None, start=arrays(theta), prior=own)
        theirs = float(log_density(guide, (), {}, arrays(drawn))[0])
        sites = handlers.trace(handlers.seed(guide, jax.random.key(0))).get_trace()
    assert float(trace.log_prob_sum()) == pytest.approx(joint, rel=1e-10)
    assert guided == pytest.approx(theirs, rel=1e-10)
    assert names == {name for name, site in sites.items() if site["type"] == "param"}


@pytest.mark.parametrize("gaps", [True, False])
def test_the_rows_of_the_pair_have_the_density_that_is_scored(gaps: bool) -> None:
    theta, (x, _) = parameters(2, False), rows(gaps)
    draws = {name: value[None, None] for name, value in theta.items()}
    expected = components(of_draws(draws), x)[:, 0]
    mu, W, psi = (theta[name] for name in ("mu", "W", "psi"))
    ours = torch_pair.log_normal(*map(torch.tensor, (x, mu, W, psi)), gaps)
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    with jax.enable_x64(True):
        ours = jax_pair.log_normal(*map(jnp.asarray, (x, mu, W, psi)), gaps)
        np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_rows_drawn_by_the_pair_are_those_of_the_model() -> None:
    theta = parameters(2, False)
    W, n = theta["W"], 20_000
    expected = W @ W.T + np.diag(theta["psi"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = poutine.condition(torch_pair.model, tensors(theta))(
            None, prior=prior(2, False).on(torch.tensor), n_total=n
        )
    with jax.enable_x64(True):
        conditioned = handlers.condition(jax_pair.model, arrays(theta))
        theirs = handlers.seed(conditioned, jax.random.key(0))(
            None, prior=prior(2, False).on(jnp.asarray), n_total=n
        )
    for x in (np.asarray(drawn), np.asarray(theirs)):
        np.testing.assert_allclose(np.cov(x.T), expected, atol=0.05 * expected.max())
        np.testing.assert_allclose(x.mean(0), theta["mu"], atol=0.1)


def test_replicates_of_a_draw_are_of_its_mean_loadings_and_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, D))
    fit = FactorAnalysis(1).fit(x)
    mu, W, psi = rng.normal(size=(1, 3, D)), rng.normal(size=(1, 3, D, 1)), rng.random((1, 3, D))
    fit.posterior_ = {"mu": mu, "W": W, "psi": psi}
    drawn = fit._sample_draws(np.array([0, 2]), 20_000, rng).x.reshape(2, 20_000, D)
    for block, s in zip(drawn, (0, 2), strict=True):
        expected = W[0, s] @ W[0, s].T + np.diag(psi[0, s])
        np.testing.assert_allclose(block.mean(0), mu[0, s], atol=0.1)
        np.testing.assert_allclose(np.cov(block.T), expected, atol=0.05 * expected.max())
    tree = fit.to_datatree(x)
    assert tree["posterior_predictive"]["x0"].shape == (1, 3, 40)
    assert "prior" not in tree.children  # a run that has not kept the units of its prior
    fit.engine, spread = "svi", np.arange(1.0, D + 1)
    fit._units = np.full(D, 3.0), spread
    tree = fit.to_datatree(x, num_replicates=0)
    normal = -0.5 * np.square((mu - 3) / spread) - np.log(spread * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(tree["log_prior"]["mu"], normal.sum(-1))
    off = np.log(psi) - np.log(0.5 * spread**2)
    log_normal = -0.5 * np.square(off) - np.log(psi * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(tree["log_prior"]["psi"], log_normal.sum(-1))
    assert tree["prior"]["W"].dims == tree["posterior"]["W"].dims
    assert tree["prior"]["mu"].mean() == pytest.approx(3.0, abs=0.5)


def test_noise_that_is_one_number_has_the_prior_of_one_number() -> None:
    rng, spread = np.random.default_rng(0), np.arange(1.0, D + 1)
    fit = FactorAnalysis(1, noise="isotropic").fit(rng.normal(size=(40, D)))
    one = rng.random((1, 5, 1))
    fit.posterior_ = {
        "mu": rng.normal(size=(1, 5, D)),
        "W": rng.normal(size=(1, 5, D, 1)),
        "psi": one * spread**2,
    }
    fit.engine, fit._units = "svi", (np.zeros(D), spread)
    tree = fit.to_datatree()
    off = np.log(one[:, :, 0]) - np.log(0.5)  # the first spread is 1
    log_normal = -0.5 * np.square(off) - np.log(one[:, :, 0] * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(tree["log_prior/psi"], log_normal)
    drawn = tree["prior/psi"].values / spread**2
    np.testing.assert_allclose(drawn, drawn[..., :1] * np.ones(D))
    assert np.log(drawn).std() == pytest.approx(1.0, abs=0.15)


def strong(n: int, d: int, k: int) -> Any:
    """Rows whose factors are plain to see: each moves columns of its own."""
    rng = np.random.default_rng(0)
    W = np.kron(np.eye(k), np.ones((d // k, 1)))
    return rng.normal(size=(n, k)) @ W.T + 0.7 * rng.normal(size=(n, d))


@pytest.mark.slow
def test_a_posterior_by_svi_is_near_maximum_likelihood_where_rows_are_many() -> None:
    units = np.array([1.0, 1e3, 1e-3, 1.0])
    x = strong(1000, D, 1) * units
    how: dict[str, Any] = {"num_steps": 300, "num_draws": 60, "learning_rate": 0.05}
    fit = FactorAnalysis(1, engine="svi", engine_settings=how, random_state=0).fit(x)
    ml = FactorAnalysis(1).fit(x)
    assert fit.score(x) == pytest.approx(ml.score(x), abs=0.02)
    np.testing.assert_allclose(fit.components_, ml.components_, rtol=0.15)
    assert fit.log_density(x[:5]).kind == "estimate"
    tree = ppgen.to_datatree(fit, x[:20], num_replicates=2)
    assert tree["posterior"]["W"].dims == ("chain", "draw", "feature", "factor")
    mean = np.log(np.exp(tree["log_likelihood"]["joint"].values[0]).mean(0))
    np.testing.assert_allclose(fit.score_samples(x[:20]), mean, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_chains_are_turned_to_one_rotation(noise: Any) -> None:
    x = strong(100, 6, 2)
    how: dict[str, Any] = {"num_warmup": 200, "num_samples": 200, "num_chains": 2}
    fit = FactorAnalysis(2, noise=noise, engine="nuts", engine_settings=how, random_state=0).fit(x)
    assert all(row["rhat"] < 1.06 for row in worst_by_site(fit.posterior_).values())
    ml = FactorAnalysis(2, noise=noise).fit(x)
    assert fit.score(x) == pytest.approx(ml.score(x), abs=0.15)
    np.testing.assert_allclose(fit.get_covariance(), ml.get_covariance(), atol=0.2)
