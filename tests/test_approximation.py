"""How far off approximations are: judged by weights, by moments and by short chains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from ppgen.inference.posterior import laplace, pathfinder, svi
from ppgen.inference.posterior.approximation import (
    of_chains,
    of_log_weights,
    of_moments,
    of_weights,
    scales,
)
from ppgen.inference.posterior.modes import Mode, others
from ppgen.inference.posterior.numeric import numeric
from ppgen.inference.posterior.psis import smooth
from ppgen.inference.posterior.short_chains import Walked, walked
from ppgen.inference.posterior.target import Target, make_target
from ppgen.models.pair.settings import SVI, Laplace, Pathfinder
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

SD = np.array([1.0, 100.0])
RHO = 0.9  # of the posterior that chains are tried on
NAMES = ["a", "b"]


def gaussian(z: Any) -> Any:
    x = z / jnp.asarray(SD)
    return -0.5 * (x[0] ** 2 - 2 * RHO * x[0] * x[1] + x[1] ** 2) / (1 - RHO**2)


@pytest.fixture(scope="module")
def correlated() -> Any:
    return exact.density(gaussian, 2)


def draws(n: int = 500, shift: float = 0.0, narrow: float = 1.0, seed: int = 0) -> Any:
    """Of the posterior; or moved along it by standard deviations, or too narrow."""
    noise = np.random.default_rng(seed).normal(size=(n, 2))
    noise[:, 1] = RHO * noise[:, 0] + np.sqrt(1 - RHO**2) * noise[:, 1]
    return (narrow * noise + shift) * SD


def short(f: Any, z: Any, seed: int = 0) -> Walked:
    found = walked(f, z, np.random.default_rng(seed), lambda: None)
    assert found is not None
    return found


def test_chains_from_draws_of_the_posterior_stay_among_them(correlated: Any) -> None:
    z_scores = []
    for seed in range(10):
        found = short(correlated, draws(seed=seed), seed)
        (reason,) = of_chains(found, NAMES, "q", "")
        assert reason.status == "ok", reason.what
        z_scores += [found.shift / found.shift_stderr]
        z_scores += [(found.ratio - 1) / found.ratio_stderr]
        assert found.accepted > 0.5
    assert np.abs(np.mean(z_scores)) < 0.5
    assert 0.6 < np.std(z_scores) < 1.4  # standard errors say how much chains err


@pytest.mark.parametrize(
    ("how", "status"),
    [({"shift": 0.7}, "warn"), ({"shift": 2.0}, "failed"), ({"narrow": 0.4}, "failed")],
)
def test_chains_leave_draws_that_are_beside_the_posterior_or_too_narrow(
    correlated: Any, how: dict[str, float], status: str
) -> None:
    (reason,) = of_chains(short(correlated, draws(**how)), NAMES, "q", "do")
    assert reason.status == status
    assert "leave them" in reason.what
    assert reason.advice == "do"


def test_no_time_for_chains_is_said(correlated: Any) -> None:
    found = walked(correlated, draws(), np.random.default_rng(0), lambda: 0.0)
    assert found is None
    (reason,) = of_chains(found, NAMES, "q", "")
    assert "no short chains were run" in reason.what


def log_normal(x: Any, mean: float, sd: float) -> Any:
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd)


@pytest.mark.parametrize(
    ("mean", "sd", "told"), [(0.0, 1.0, ""), (0.05, 1.0, ""), (0.2, 1.0, "mean"), (0, 0.8, "0.8")]
)
def test_moments_that_the_weights_give_otherwise_are_told(
    mean: float, sd: float, told: str
) -> None:
    z = np.random.default_rng(0).normal(size=(2000, 2))
    log_w = log_normal(z[:, 1], mean, sd) - log_normal(z[:, 1], 0, 1)
    said = of_moments(z, NAMES, smooth(log_w).weights, "q", "")
    assert [reason.status for reason in said] == (["warn"] if told else [])
    if told:
        assert told in said[0].what
        assert "of b is" in said[0].what


def test_a_tail_that_only_the_value_of_a_site_has_is_told() -> None:
    def model() -> None:
        tau = numpyro.sample("tau", dist.HalfNormal(1.0))
        numpyro.sample("y", dist.Normal(0.0, tau), obs=1.0)

    z = np.random.default_rng(0).normal(0.0, 1.5, (4000, 1))
    weights = (z[:, 0] < 3) / np.sum(z < 3)  # of z the sd is 0.94 times as large, of exp(z) 0.4
    values, names = scales(numeric(make_target(model, ())), z)
    assert names == ["tau", "tau on the unconstrained scale"]
    np.testing.assert_allclose(values, np.c_[np.exp(z), z])
    (reason,) = of_moments(values, names, weights, "q", "")
    assert "the mean of tau is" in reason.what
    assert of_moments(values[:, 1:], names[1:], weights, "q", "") == []


def test_draws_whose_few_farthest_make_a_wrong_spread_are_told() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 1))
    weights = np.full(2000, 1 / 2000)
    assert of_moments(values, ["a"], weights, "q", "") == []
    values[0] = 150.0  # one draw, of little weight: no standard error tells it from chance
    weights[0] = 1e-6
    (reason,) = of_moments(values, ["a"], weights / weights.sum(), "q", "")
    assert "standard deviation 0.2" in reason.what


def test_what_is_constant_has_no_spread_to_be_off() -> None:
    values = np.full((200, 2), 3.0)
    assert of_moments(values, NAMES, np.full(200, 1 / 200), "q", "") == []


def test_weights_are_judged_alike_however_draws_are_used() -> None:
    rng = np.random.default_rng(0)
    for tail, plain, resampled in ((0.3, "ok", "ok"), (0.9, "warn", "warn"), (2, "warn", "failed")):
        log_w = tail * rng.exponential(size=1000)
        statuses = [
            of_log_weights(log_w, "q", "", resampled=again)[0].status for again in (False, True)
        ]
        assert statuses == [plain, resampled]
    few = of_log_weights(np.r_[np.zeros(30), np.full(9970, -50.0)], "q", "")
    assert few[0].status == "warn"
    rounded = of_log_weights(1e-13 * rng.normal(size=100), "q", "")
    assert rounded[0].status == "ok"
    even = of_weights(replace(smooth(log_w), khat=1.8, ess=990.0), "q", "")
    assert even[0].status == "ok"
    none = of_log_weights(np.full(100, -np.inf), "q", "")
    assert none[0].status == "failed"


def test_a_khat_just_above_the_limit_is_told_from_it() -> None:
    weights = smooth(np.random.default_rng(0).normal(size=100_000))
    near = type(weights)(weights.weights, 0.7002, weights.ess, weights.evidence)
    (reason,) = of_weights(near, "q", "")
    assert "k-hat 0.7002, above 0.7000" in reason.what


def mode(at: float) -> Mode:
    return Mode(np.array([at]), 0.0, np.eye(1), None)


def test_modes_are_missed_where_there_are_no_draws() -> None:
    z = np.r_[np.full(60, -5.0), np.full(40, 5.2)][:, None]
    assert others([mode(-5), mode(5)], z) == []
    (reason,) = others([mode(-5), mode(5)], z[:60])
    assert "about 50%" in reason.what
    (reason,) = others([mode(-5), mode(5)])  # draws of the first
    assert reason.status == "warn"


def funnel(y: Any) -> None:
    t = exact.numpyro.sample("t", exact.dist.Normal(0.0, 3.0))
    x = exact.numpyro.sample("x", exact.dist.Normal(0.0, jnp.exp(t / 2)).expand([6]).to_event(1))
    exact.numpyro.sample("y", exact.dist.Normal(x[0], 30.0).expand([20]).to_event(1), obs=y)


def test_pathfinder_is_not_ok_where_it_misses_the_scale_of_a_funnel() -> None:
    target = make_target(funnel, (np.random.default_rng(0).normal(0, 30, 20),))
    how = Pathfinder(max_steps=100, num_proposals=4000)
    verdict = Verdict(tuple(pathfinder.run(target, how, exact.fit()).reasons))
    assert not verdict.ok
    assert "short chains that start at the draws of Pathfinder leave them" in str(verdict)


def regression() -> Target:
    """Few rows, many columns: the mode of the scale is far below its mean."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8))

    def model(y: Any) -> None:
        flat = exact.dist.ImproperUniform(exact.dist.constraints.real_vector, (), (8,))
        w = exact.numpyro.sample("w", flat)
        sigma = exact.numpyro.sample("sigma", exact.dist.HalfCauchy(5.0))
        exact.numpyro.sample("y", exact.dist.Normal(x @ w, sigma).to_event(1), obs=y)

    return make_target(model, (x.sum(axis=1) + rng.normal(size=60),))


def test_laplace_is_not_ok_where_a_mean_is_off() -> None:
    verdict = Verdict(tuple(laplace.run(regression(), Laplace(num_starts=2), exact.fit()).reasons))
    assert verdict.status == "warn"
    assert "sigma" in str(verdict)


@pytest.mark.parametrize("backend", ["numpyro", pytest.param("pyro", marks=pytest.mark.slow)])
def test_a_guide_at_one_of_two_modes_is_not_ok(backend: str) -> None:
    found = svi.run(exact.two_modes(backend), "normal", SVI(num_steps=200), exact.fit())
    said = [reason for reason in found.reasons if "several modes" in reason.what]
    assert [reason.status for reason in said] == ["warn"]


def sum_of_two(backend: str) -> Target:
    p, d = exact.library(backend)

    def model(y: Any) -> None:
        flat = d.ImproperUniform if backend == "numpyro" else exact.pyro_dist.ImproperUniform
        a, b = (p.sample(name, flat(d.constraints.real, (), ())) for name in "ab")
        p.sample("y", d.Normal(a + b, 1.0).expand([3]).to_event(1), obs=y)

    y = np.array([0.3, 1.0, -0.2])
    data = y if backend == "numpyro" else exact.torch.as_tensor(y)
    return make_target(model, (data,), backend=backend)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "method", [pytest.param("svi", marks=pytest.mark.slow), "pyro svi", "pathfinder"]
)
def test_an_improper_posterior_has_failed_under_any_method(method: str) -> None:
    if method == "pathfinder":
        how = Pathfinder(max_steps=30, num_proposals=1000)
        found = pathfinder.run(sum_of_two("numpyro"), how, exact.fit())
    else:
        target = sum_of_two("pyro" if "pyro" in method else "numpyro")
        found = svi.run(target, "normal", SVI(num_steps=100, num_draws=200), exact.fit())
    (reason,) = [r for r in found.reasons if r.status == "failed"]
    assert "improper: the log joint does not fall off along a, b" in reason.what
