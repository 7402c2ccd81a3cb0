"""Pairs whose posterior and evidence are closed forms."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pyro
import pyro.distributions as pyro_dist
import torch
from scipy.stats import multivariate_normal, norm

from ppgen.fitting import EngineFit
from ppgen.inference.posterior.numeric import Numeric, numeric
from ppgen.inference.posterior.target import Target, make_target
from ppgen.progress import Clock

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(12, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
Y = X @ np.array([0.7, -0.4]) + 0.5 * _RNG.normal(size=12)
NOISE = 0.5
# Of y = X w + N(0, NOISE^2) with w ~ N(0, 1).
LOG_EVIDENCE = float(multivariate_normal(np.zeros(12), X @ X.T + NOISE**2 * np.eye(12)).logpdf(Y))
COVARIANCE = np.linalg.inv(np.eye(2) + X.T @ X / NOISE**2)
MEAN = COVARIANCE @ X.T @ Y / NOISE**2

FAR, NARROW, WIDE, SHARE = 3.0, 0.3, 3.0, 0.25
# Of SHARE N(z; -FAR, NARROW^2) + (1 - SHARE) N(z; FAR, NARROW^2) with z ~ N(0, WIDE^2).
TWO_MODES_LOG_EVIDENCE = float(norm.logpdf(FAR, 0, np.hypot(NARROW, WIDE)))


def fit(seed: int = 0, budget: float | None = None, **how: Any) -> EngineFit:
    """What an engine is told."""
    return EngineFit(seed, Clock(budget), **how)


def library(backend: str) -> Any:
    """A backend and its distributions."""
    return (numpyro, dist) if backend == "numpyro" else (pyro, pyro_dist)


def linear_gaussian(backend: str = "numpyro") -> Target:
    """w ~ N(0, I), y ~ N(X w, NOISE^2)."""
    p, d = library(backend)
    args = (X, Y) if backend == "numpyro" else (torch.as_tensor(X), torch.as_tensor(Y))

    def model(x: Any, y: Any) -> None:
        w = p.sample("w", d.Normal(0.0, 1.0).expand([2]).to_event(1))
        with p.plate("rows", 12):
            p.sample("y", d.Normal(x @ w, NOISE), obs=y)

    return make_target(model, args, backend=backend)  # type: ignore[arg-type]


def two_modes(backend: str = "numpyro") -> Target:
    """Two modes far from each other, of weights SHARE and 1 - SHARE."""
    p, d = library(backend)
    add = jnp.logaddexp if backend == "numpyro" else torch.logaddexp

    def model(y: Any) -> None:
        z = p.sample("z", d.Normal(0.0, WIDE))
        low = d.Normal(-FAR, NARROW).log_prob(z) + np.log(SHARE)
        high = d.Normal(FAR, NARROW).log_prob(z) + np.log(1 - SHARE)
        p.factor("data", add(low, high) + 0.0 * y)

    return make_target(model, (0.0,), backend=backend)  # type: ignore[arg-type]


def density(log_joint: Any, p: int) -> Numeric:
    """The functions of a posterior with this log density of z (p,), on all of the reals."""

    def model() -> None:
        flat = dist.ImproperUniform(dist.constraints.real_vector, (), (p,))
        numpyro.factor("data", log_joint(numpyro.sample("z", flat)))

    return numeric(make_target(model))


def check_moments(draws: Any, n: float) -> None:
    """Draws (..., 2) of `linear_gaussian`'s w, worth n independent ones, have its moments."""
    flat = draws.reshape(-1, 2)
    sd = np.sqrt(np.diag(COVARIANCE))
    assert np.abs((flat.mean(axis=0) - MEAN) / sd).max() < 4 / np.sqrt(n)
    assert np.abs(flat.std(axis=0) / sd - 1).max() < 4 / np.sqrt(2 * n)
    correlation = COVARIANCE[0, 1] / sd.prod()
    assert abs(np.corrcoef(flat.T)[0, 1] - correlation) < 4 * (1 - correlation**2) / np.sqrt(n)
