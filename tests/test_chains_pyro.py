"""Chains of Pyro pairs, and ChEES, against a posterior in closed form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as numpyro_dist
import pyro
import pyro.distributions as dist
import pytest
import torch

from ppgen.errors import InputError
from ppgen.fitting import EngineFit
from ppgen.inference.diagnostics import worst_by_site
from ppgen.inference.posterior import blocks, chees, hmc_pyro, nuts_pyro
from ppgen.inference.posterior.result import Posterior
from ppgen.inference.posterior.target import Target, make_target
from ppgen.models.pair.settings import HMC, NUTS, ChEES

Y = np.random.default_rng(0).normal(2.0, 1.0, 20)
PRECISION = 1 / 100 + len(Y)
SMALL = {"num_warmup": 30, "num_samples": 20, "num_chains": 2}


def model(y: Any) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
    with pyro.plate("rows", len(y)):
        pyro.sample("y", dist.Normal(mu, 1.0), obs=y)


@pytest.fixture(scope="module")
def target() -> Target:
    return make_target(model, (torch.from_numpy(Y),), backend="pyro")


def draw(target: Target, settings: Any = None, fit: Any = None, **given: Any) -> Posterior:
    settings = settings or NUTS()
    module = hmc_pyro if isinstance(settings, HMC) else nuts_pyro
    values = SimpleNamespace(**{**vars(settings), **SMALL, **given})
    return module.run(target, values, fit or EngineFit(0))


def follows(found: Posterior) -> None:
    """Means within five Monte Carlo standard errors: a false alarm in 1.7 million."""
    mu, size = found.draws["mu"], worst_by_site(found.draws)["mu"]["ess_bulk"]
    assert mu.mean() == pytest.approx(Y.sum() / PRECISION, abs=5 / np.sqrt(size * PRECISION))
    assert mu.std() == pytest.approx(PRECISION**-0.5, rel=5 / np.sqrt(2 * size))
    lp = found.stats["lp"]  # of mu alone, up to a constant
    gap = lp + 0.5 * PRECISION * (mu - Y.sum() / PRECISION) ** 2
    np.testing.assert_allclose(gap, gap[0, 0], atol=1e-8)


@pytest.mark.parametrize("settings", [NUTS(), HMC(adaptation="dense")], ids=["nuts", "hmc"])
def test_draws_of_pyro_follow_the_posterior(target: Target, settings: Any) -> None:
    found = draw(target, settings, num_warmup=60, num_samples=80)
    assert found.draws["mu"].shape == (2, 80)
    assert found.draws["mu"].dtype == np.float64
    follows(found)
    assert found.gradients > found.stats["n_steps"].sum() >= 160
    if isinstance(settings, NUTS):
        assert (found.stats["n_steps"] >= 2 ** (found.stats["tree_depth"] - 1)).all()
    assert (np.abs(found.stats["acceptance_rate"] - 0.5) <= 0.5 + 1e-9).all()
    # The energy is minus the log joint where the path began, and half a squared momentum.
    kinetic = found.stats["energy"][:, 1:] + found.stats["lp"][:, :-1]
    assert (kinetic > 0).all()
    assert kinetic.mean() == pytest.approx(0.5, abs=5 * np.sqrt(0.5 / kinetic.size))


def test_draws_of_pyro_do_not_depend_on_blocks_nor_on_what_was_drawn_before(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = draw(target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        monkeypatch.setattr(blocks, "_FIRST", 7)
        monkeypatch.setattr(blocks, "_SECONDS", 0.0)
        again = draw(target)
    for name in first.stats:
        np.testing.assert_array_equal(first.stats[name], again.stats[name])
    np.testing.assert_array_equal(first.draws["mu"], again.draws["mu"])
    assert not np.array_equal(first.draws["mu"][0], first.draws["mu"][1])


def test_a_budget_cuts_the_warm_up_of_pyro(target: Target) -> None:
    left = iter([10.0, 4.0] + [3.0] * 2 + [0.0] * 50)
    fit = SimpleNamespace(seed=0, deadline=lambda: next(left), report=lambda progress: None)
    found = draw(target, fit=fit)
    assert found.why == "warm-up"
    assert (np.ptp(found.stats["step_size"], axis=1) == 0).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"chain_method": "vectorized"}, "sequential"), ({"adaptation": "low_rank"}, "dense")],
)
def test_what_only_numpyro_has_is_said(target: Target, given: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"{said}.*write the pair in NumPyro"):
        draw(target, **given)


def test_chees_follows_the_posterior() -> None:
    def twin(y: Any) -> None:
        mu = numpyro.sample("mu", numpyro_dist.Normal(0.0, 10.0))
        numpyro.sample("y", numpyro_dist.Normal(mu, 1.0), obs=y)

    with jax.enable_x64(True):
        target = make_target(twin, (jnp.asarray(Y),))
    found = chees.run(target, ChEES(num_warmup=100, num_samples=50, num_chains=16), EngineFit(0))
    assert found.draws["mu"].shape == (16, 50)
    follows(found)
    steps = found.stats["n_steps"]
    assert (steps == steps[0]).all()  # all chains take the same share of T
    assert found.gradients > steps.sum()


def test_a_budget_cuts_the_warm_up_of_chees() -> None:
    def twin(y: Any) -> None:
        mu = numpyro.sample("mu", numpyro_dist.Normal(0.0, 10.0))
        numpyro.sample("y", numpyro_dist.Normal(mu, 1.0), obs=y)

    with jax.enable_x64(True):
        target = make_target(twin, (jnp.asarray(Y),))
    left = iter([10.0, *[4.0] * 3, *[0.0] * 1000])
    cut = EngineFit(0)
    cut.deadline = lambda: next(left)  # type: ignore[method-assign]
    how = ChEES(num_warmup=100_000, num_samples=100_000, num_chains=16)
    found = chees.run(target, how, cut)
    assert found.why == "warm-up"
    assert np.isfinite(found.draws["mu"]).all()
