"""Regressions and models of groups that ship: log joints as written down by hand."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import betaln

from ppgen.models.hierarchical.numpyro import of_rows
from ppgen.models.regression.pyro import regularised
from ppgen.models.units import units
from tests.shipped_pairs import pyro_run

RNG = np.random.default_rng(3)
X = RNG.normal([1.0, -5.0], [2.0, 0.1], size=(9, 2))
UNITS = units(X)["x_units"]
U = (X - UNITS[0]) / UNITS[1]
GROUP = np.array([0, 1, 2, 0, 1, 2, 0, 0, 3])


def at(name: str, args: Any, kwargs: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Values of the sites, drawn, and the log joint there."""
    drawn = pyro_run(name, (args, kwargs))
    return drawn.values, pyro_run(name, (args, kwargs), drawn.values).log_joint


def test_linear_regression_is_its_formula_in_the_units_of_the_data() -> None:
    v, log_joint = at("linear_regression", (X,), {"x_units": UNITS, "y_units": (10.0, 4.0)})
    prior = stats.norm(0, 2.5).logpdf([v["alpha"], *v["beta"]]).sum() - v["sigma"]
    mean = 10 + 4 * (v["alpha"] + U @ v["beta"])
    by_hand = prior + stats.norm(mean, 4 * v["sigma"]).logpdf(v["y"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-10)
    np.testing.assert_allclose(v["intercept"] + X @ v["slope"], mean, rtol=1e-10)
    assert v["noise"] == pytest.approx(4 * v["sigma"])


def test_logistic_regression_is_its_formula() -> None:
    v, log_joint = at("logistic_regression", (X,), {"x_units": UNITS})
    eta = v["alpha"] + U @ v["beta"]
    by_hand = stats.norm(0, 2.5).logpdf([v["alpha"], *v["beta"]]).sum()
    by_hand += stats.bernoulli(1 / (1 + np.exp(-eta))).logpmf(v["y"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-8)
    np.testing.assert_allclose(v["intercept"] + X @ v["slope"], eta, rtol=1e-10)


def test_poisson_regression_counts_in_proportion_to_exposure() -> None:
    exposure = RNG.uniform(1, 9, len(X))
    given = {"x_units": UNITS, "exposure": exposure, "rate": 2.5}
    v, log_joint = at("poisson_regression", (X,), given)
    mean = exposure * 2.5 * np.exp(v["alpha"] + U @ v["beta"])
    by_hand = stats.norm.logpdf([v["alpha"], *v["beta"]]).sum()
    by_hand += stats.poisson(mean).logpmf(v["y"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-10)
    log_rate = v["intercept"] + X @ v["slope"]
    np.testing.assert_allclose(exposure * np.exp(log_rate), mean, rtol=1e-10)


def test_the_horseshoe_is_its_formula() -> None:
    v, log_joint = at("linear_regression", (X,), {"horseshoe": 0.5, "slab_scale": 3.0})
    tau_0 = v["sigma"] * 0.5 / 1.5 / np.sqrt(len(X))
    prior = stats.norm(0, 2.5).logpdf(v["alpha"]) - v["sigma"]
    prior += stats.halfcauchy(scale=tau_0).logpdf(v["tau"])
    prior += stats.invgamma(2, scale=2 * 3.0**2).logpdf(v["c2"])
    prior += stats.halfcauchy.logpdf(v["lambda"]).sum() + stats.norm.logpdf(v["z"]).sum()
    l2 = v["c2"] * v["lambda"] ** 2 / (v["c2"] + v["tau"] ** 2 * v["lambda"] ** 2)
    beta = v["tau"] * np.sqrt(l2) * v["z"]
    np.testing.assert_allclose(v["beta"], beta, rtol=1e-10)
    mean = v["alpha"] + X @ beta
    by_hand = prior + stats.norm(mean, v["sigma"]).logpdf(v["y"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-10)


def test_large_slopes_of_the_horseshoe_are_the_slabs_and_small_ones_its_own() -> None:
    tau, lambda_ = torch.tensor([0.1, 1e-6, 1e6]), torch.tensor([2.0, 3.0, 5.0])
    scale = tau * regularised(lambda_, tau, torch.tensor(4.0))
    torch.testing.assert_close(scale[1:], torch.tensor([3e-6, 2.0]))
    without_slab = tau * regularised(lambda_, tau, torch.tensor(1e12))
    torch.testing.assert_close(without_slab[0], tau[0] * lambda_[0])


def test_eight_schools_are_the_same_centred_or_not() -> None:
    sigma = np.array([15.0, 10.0, 16.0])
    v, log_joint = at("eight_schools", (), {"sigma": sigma})
    centred = pyro_run("eight_schools", ((), {"sigma": sigma, "centred": True}), v)
    by_hand = stats.norm(0, 5).logpdf(v["mu"]) + stats.halfcauchy(scale=5).logpdf(v["tau"])
    by_hand += stats.norm(v["mu"], v["tau"]).logpdf(v["theta"]).sum()
    by_hand += stats.norm(v["theta"], sigma).logpdf(v["y"]).sum()
    assert centred.log_joint == pytest.approx(by_hand, rel=1e-10)
    assert log_joint == pytest.approx(by_hand + 3 * np.log(v["tau"]), rel=1e-10)


def test_varying_intercepts_are_their_formula() -> None:
    given = {"n_groups": 5, "x_units": UNITS, "y_units": (10.0, 4.0)}
    v, log_joint = at("varying_intercepts", (X, GROUP), given)
    mean = 10 + 4 * (v["alpha"] + U @ v["beta"] + v["tau"] * v["z"][GROUP])
    by_hand = stats.norm(0, 2.5).logpdf([v["alpha"], *v["beta"]]).sum() - v["sigma"]
    by_hand += stats.halfnorm.logpdf(v["tau"]) + stats.norm.logpdf(v["z"]).sum()
    by_hand += stats.norm(mean, 4 * v["sigma"]).logpdf(v["y"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-10)
    whole = v["intercept"] + X @ v["slope"] + v["effect"][GROUP]
    np.testing.assert_allclose(whole, mean, rtol=1e-10)


def test_varying_slopes_are_their_formula() -> None:
    given = {"n_groups": 4, "x_units": UNITS, "y_units": (10.0, 4.0)}
    v, log_joint = at("varying_slopes", (X, GROUP), given)
    w = np.stack([np.diag(v["tau"]) @ v["L"] @ z for z in v["z"]])
    np.testing.assert_allclose(v["effect"], 4 * w, rtol=1e-10)
    design = np.column_stack([np.ones(len(X)), U])
    mean = 10 + 4 * (v["alpha"] + U @ v["beta"] + (design * w[GROUP]).sum(axis=1))
    by_hand = stats.norm(0, 2.5).logpdf([v["alpha"], *v["beta"]]).sum() - v["sigma"]
    by_hand += stats.halfnorm.logpdf(v["tau"]).sum() + stats.norm.logpdf(v["z"]).sum()
    by_hand += stats.norm(mean, 4 * v["sigma"]).logpdf(v["y"]).sum()
    # |R|^(eta - 1) of R = L L' as a density of L: prod_k L_kk^(d - k + 2 eta - 2), k = 2, ..., d,
    # and its constant for d = 3, eta = 2, by the densities of the vines.
    L = np.diagonal(v["L"])
    log_lkj = 3 * np.log(L[1]) + 2 * np.log(L[2])
    constant = {2: (2.5, 2.5), 3: (2.5, 2.5), 4: (2.0, 2.0)}
    log_lkj -= sum(np.log(2 ** (a + b - 1)) + betaln(a, b) for a, b in constant.values())
    assert log_joint == pytest.approx(by_hand + log_lkj, rel=1e-9)


@pytest.mark.parametrize("name", ["varying_intercepts", "varying_slopes"])
def test_a_group_that_there_is_not_is_never_another(name: str) -> None:
    for wrong in (-1, 4):
        with pytest.raises(IndexError):
            pyro_run(name, ((X, np.full(9, wrong)), {"n_groups": 4}))


def test_in_numpyro_the_effect_of_a_group_that_there_is_not_is_nan() -> None:
    effects = of_rows(jnp.arange(4.0), jnp.array([-1, 0, 3, 4]))
    np.testing.assert_array_equal(effects, [np.nan, 0, 3, np.nan])


def test_units_are_means_and_deviations_and_1_where_a_column_is_constant() -> None:
    told = units([[1.0, 7.0], [3.0, 7.0]], y=[0.0, 4.0])
    np.testing.assert_allclose(told["x_units"], [[2.0, 7.0], [1.0, 1.0]])
    np.testing.assert_allclose(told["y_units"], [2.0, 2.0])
