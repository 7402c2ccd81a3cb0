"""Small pairs in both backends, and fits of them whose draws are made up."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ppgen.inference.posterior.result import Posterior
from ppgen.models.pair import Pair, PairFit
from ppgen.models.pair.arguments import Call
from ppgen.models.pair.settings import NUTS

Y = np.array([28.0, 8.0, -3.0, 7.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0])


def library(backend: str) -> tuple[Any, Any]:
    """A backend, and its distributions."""
    return import_module(backend), import_module(f"{backend}.distributions")


def schools(backend: str) -> Any:
    """The model of four schools, centred."""
    p, dist = library(backend)

    def model(sigma: Any, y: Any, scale: float = 5.0) -> None:
        mu = p.sample("mu", dist.Normal(0.0, scale))
        tau = p.sample("tau", dist.HalfCauchy(5.0))
        with p.plate("schools", len(sigma)):
            theta = p.sample("theta", dist.Normal(mu, tau))
            p.sample("y", dist.Normal(theta, sigma), obs=y)
        p.deterministic("twice", 2 * mu)

    return model


def line(backend: str) -> Any:
    """A line through points."""
    p, dist = library(backend)

    def model(X: Any, y: Any = None) -> None:
        slope = p.sample("slope", dist.Normal(0.0, 1.0).expand([X.shape[1]]).to_event(1))
        with p.plate("rows", X.shape[0]):
            p.sample("y", dist.Normal(X @ slope, 0.1), obs=y)

    return model


def fitted(pair: Pair, draws: dict[str, Any], *data: Any, **named: Any) -> PairFit:
    """A fit with these draws."""
    target = pair.target(*data, **named)
    call = Call.of(pair.model, target.args, target.kwargs, target.sites.data)
    shape = next(iter(draws.values())).shape[:2]
    posterior = Posterior(draws, {"lp": np.zeros(shape), "diverging": np.zeros(shape, bool)})
    return PairFit(pair, "nuts", NUTS(), target.sites, posterior, call, target)


def fitted_schools(backend: str) -> PairFit:
    """Two chains of three made-up draws."""
    rng = np.random.default_rng(0)
    draws = {
        "mu": rng.normal(size=(2, 3)),
        "tau": rng.gamma(3.0, size=(2, 3)),
        "theta": 1000 + rng.normal(size=(2, 3, 4)),
    }
    return fitted(Pair(schools(backend), backend=backend), draws, SIGMA, Y)  # type: ignore[arg-type]
