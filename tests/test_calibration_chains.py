"""Replications of chains in one program."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import ppgen
from ppgen.inference.posterior.replicated_chains import _start
from ppgen.models import shipped, small_cases
from ppgen.models.pair import Replications


def normal(y: Any = None, scale: float = 1.0) -> None:
    mu = numpyro.sample("mu", dist.Normal(0.0, scale))
    with numpyro.plate("rows", 3):
        numpyro.sample("y", dist.Normal(mu, 1.0), obs=y)


SHORT = {"method": "hmc", "path_length": 0.5, "target_accept": 0.95, "num_warmup": 100}


def test_chains_of_many_data_sets_are_accepted() -> None:
    # Short paths: draws are correlated until they are thinned.
    found = ppgen.Pair(normal).calibrate(replications=150, **SHORT)
    assert found.verdict_.ok
    assert list(found.ranks) == ["mu", "log_likelihood", "log_joint"]
    assert (found.replications, found.num_draws, found.lost) == (150, 63, 0)
    assert found.autocorrelation < 0.1


@pytest.mark.slow
def test_data_of_another_prior_are_rejected() -> None:
    found = ppgen.Pair(normal).calibrate(
        replications=Replications(100, thin=8),
        scale=1.0,
        simulator=lambda y, scale: normal(y, 4.0),
        **SHORT,
    )
    assert found.verdict_.status == "failed"


@pytest.mark.slow
def test_eight_schools_are_accepted_by_nuts_and_another_prior_is_not() -> None:
    pair = ppgen.Pair(shipped.model("eight_schools", "numpyro"))
    args, kwargs = small_cases.call("eight_schools")
    how = {"replications": 200, "num_warmup": 200, "random_state": 1}
    assert pair.calibrate(*args, **kwargs, **how).verdict_.ok

    def narrow(y: Any = None, *, sigma: Any) -> None:
        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", dist.HalfCauchy(1.0))
        with numpyro.plate("schools", len(sigma)):
            eta = numpyro.sample("eta", dist.Normal(0.0, 1.0))
            numpyro.sample("y", dist.Normal(mu + tau * eta, sigma), obs=y)

    assert "tau" in pair.calibrate(*args, **kwargs, **how, simulator=narrow).rejected


@pytest.mark.slow
def test_a_fit_is_checked_around_its_data() -> None:
    (X,), _ = small_cases.call("linear_regression")
    y = 1 + X @ [0.5, -1.0] + 0.5 * np.random.default_rng(1).normal(size=len(X))
    pair = ppgen.Pair(shipped.model("linear_regression", "numpyro"))
    fit = pair.fit(X, y, random_state=0)
    assert pair.calibrate(X, y, around=fit, replications=100, num_warmup=200).verdict_.ok


def test_data_under_which_no_place_has_a_gradient_have_no_start() -> None:
    key = jax.random.key(0)
    half = SimpleNamespace(size=2, log_joint=lambda z: jnp.log(z[0]) - z[1] ** 2)
    z, usable = _start(half, key)  # type: ignore[arg-type]
    assert usable
    assert z[0] > 0
    rooted = SimpleNamespace(size=2, log_joint=lambda z: jnp.sqrt(0 * z[0]) - z[1] ** 2)
    assert not _start(rooted, key)[1]  # type: ignore[arg-type]
