"""Fourteen posteriors of posteriordb as NumPyro models, with their data and reference draws.

Each model has the densities, the names and the flat priors of the Stan program of its name, which
`tests/test_posteriordb_models.py` writes out again and holds it to. Two differ in form:

    garch11     alpha1 ~ Beta(1, 2) and beta1 / (1 - alpha1) ~ Uniform(0, 1) are together flat on
                alpha1 + beta1 < 1
    lotka_volterra   the flow of log populations by Runge-Kutta's fourth-order rule, ten steps a
                year, in the place of an adaptive solver

Reference: Magnusson, Torgander, Bürkner, Zhang, Carpenter and Vehtari, "posteriordb: testing,
benchmarking and developing Bayesian inference algorithms", 2025, https://arxiv.org/abs/2407.04967.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints

Array = Any
_STEPS = 10  # of Runge-Kutta, between two years


def flat(name: str, size: int | None = None, support: Any = constraints.real) -> Array:
    """A site with a density of 1 everywhere in the support."""
    return numpyro.sample(name, dist.ImproperUniform(support, () if size is None else (size,), ()))


def linear(y: Array, columns: Array, prior: Any = None) -> None:
    """y ~ Normal(columns beta, sigma) with flat priors but, where it is given, of sigma."""
    beta = numpyro.sample(
        "beta", dist.ImproperUniform(constraints.real_vector, (), (columns.shape[1],))
    )
    sigma = flat("sigma", support=constraints.positive) if prior is None else prior()
    with numpyro.plate("rows", len(y)):
        numpyro.sample("y", dist.Normal(columns @ beta, sigma), obs=y)


def half_cauchy() -> Array:
    return numpyro.sample("sigma", dist.HalfCauchy(2.5))


def kidscore_interaction(kid_score: Array, mom_hs: Array, mom_iq: Array) -> None:
    columns = jnp.stack([jnp.ones_like(mom_iq), mom_hs, mom_iq, mom_hs * mom_iq], axis=1)
    linear(kid_score, columns, half_cauchy)


def kidscore_momhs(kid_score: Array, mom_hs: Array) -> None:
    linear(kid_score, jnp.stack([jnp.ones_like(mom_hs), mom_hs], axis=1), half_cauchy)


def kidscore_momiq(kid_score: Array, mom_iq: Array) -> None:
    linear(kid_score, jnp.stack([jnp.ones_like(mom_iq), mom_iq], axis=1), half_cauchy)


def logearn_interaction(earn: Array, height: Array, male: Array) -> None:
    columns = jnp.stack([jnp.ones_like(height), height, male, height * male], axis=1)
    linear(jnp.log(earn), columns)


def mesquite(
    weight: Array,
    diam1: Array,
    diam2: Array,
    canopy_height: Array,
    total_height: Array,
    density: Array,
    group: Array,
) -> None:
    one = jnp.ones_like(diam1)
    columns = [one, diam1, diam2, canopy_height, total_height, density, group]
    linear(weight, jnp.stack(columns, axis=1))


def logmesquite_logvash(
    weight: Array,
    diam1: Array,
    diam2: Array,
    canopy_height: Array,
    total_height: Array,
    group: Array,
) -> None:
    volume, area = jnp.log(diam1 * diam2 * canopy_height), jnp.log(diam1 * diam2)
    shape = jnp.log(diam1 / diam2)
    columns = [jnp.ones_like(volume), volume, area, shape, jnp.log(total_height), group]
    linear(jnp.log(weight), jnp.stack(columns, axis=1))


def nes(
    partyid7: Array,
    real_ideo: Array,
    race_adj: Array,
    educ1: Array,
    gender: Array,
    income: Array,
    age_discrete: Array,
) -> None:
    ages = [(age_discrete == k).astype(income.dtype) for k in (2, 3, 4)]
    columns = [jnp.ones_like(income), real_ideo, race_adj, *ages, educ1, gender, income]
    linear(partyid7, jnp.stack(columns, axis=1))


def blr(X: Array, y: Array) -> None:
    beta = numpyro.sample("beta", dist.Normal(0, 10).expand([X.shape[1]]).to_event(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(10))
    with numpyro.plate("rows", len(y)):
        numpyro.sample("y", dist.Normal(X @ beta, sigma), obs=y)


def arK(K: int, y: Array) -> None:
    alpha = numpyro.sample("alpha", dist.Normal(0, 10))
    beta = numpyro.sample("beta", dist.Normal(0, 10).expand([K]).to_event(1))
    sigma = numpyro.sample("sigma", dist.HalfCauchy(2.5))
    before = jnp.stack([y[K - k : len(y) - k] for k in range(1, K + 1)], axis=1)
    with numpyro.plate("times", len(y) - K):
        numpyro.sample("y", dist.Normal(alpha + before @ beta, sigma), obs=y[K:])


def eight_schools_centered(y: Array, sigma: Array) -> None:
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("schools", len(y)):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


def eight_schools_noncentered(y: Array, sigma: Array) -> None:
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("schools", len(y)):
        theta_trans = numpyro.sample("theta_trans", dist.Normal(0, 1))
        theta = numpyro.deterministic("theta", mu + tau * theta_trans)
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


def garch11(y: Array, sigma1: float) -> None:
    mu = flat("mu")
    alpha0 = flat("alpha0", support=constraints.positive)
    alpha1 = numpyro.sample("alpha1", dist.Beta(1.0, 2.0))
    share = numpyro.sample("beta1_share", dist.Uniform(0, 1))
    beta1 = numpyro.deterministic("beta1", share * (1 - alpha1))

    def following(variance: Array, before: Array) -> tuple[Array, Array]:
        variance = alpha0 + alpha1 * (before - mu) ** 2 + beta1 * variance
        return variance, variance

    first = jnp.asarray(sigma1, y.dtype) ** 2
    _, variances = jax.lax.scan(following, first, y[:-1])
    scale = jnp.sqrt(jnp.concatenate([first[None], variances]))
    with numpyro.plate("times", len(y)):
        numpyro.sample("y", dist.Normal(mu, scale), obs=y)


def low_dim_gauss_mix(y: Array) -> None:
    mu = numpyro.sample("mu", dist.ImproperUniform(constraints.ordered_vector, (), (2,)))
    numpyro.factor("mu_prior", dist.Normal(0, 2).log_prob(mu).sum())
    sigma = numpyro.sample("sigma", dist.HalfNormal(2).expand([2]).to_event(1))
    theta = numpyro.sample("theta", dist.Beta(5, 5))
    shares = dist.Categorical(probs=jnp.stack([theta, 1 - theta]))
    with numpyro.plate("rows", len(y)):
        numpyro.sample("y", dist.MixtureSameFamily(shares, dist.Normal(mu, sigma)), obs=y)


def lotka_volterra(ts: Array, y_init: Array, y: Array) -> None:
    middle = jnp.asarray([1.0, 0.05, 1.0, 0.05])
    spread = jnp.asarray([0.5, 0.05, 0.5, 0.05])
    theta = numpyro.sample("theta", dist.TruncatedNormal(middle, spread, low=0.0).to_event(1))
    z_init = numpyro.sample("z_init", dist.LogNormal(math.log(10), 1).expand([2]).to_event(1))
    sigma = numpyro.sample("sigma", dist.LogNormal(-1, 1).expand([2]).to_event(1))
    alpha, beta, gamma, delta = theta

    def slope(w: Array) -> Array:
        u, v = jnp.exp(w)
        return jnp.stack([alpha - beta * v, -gamma + delta * u])

    def year(w: Array, length: Array) -> tuple[Array, Array]:
        h = length / _STEPS

        def step(_: int, w: Array) -> Array:
            k1 = slope(w)
            k2 = slope(w + h / 2 * k1)
            k3 = slope(w + h / 2 * k2)
            k4 = slope(w + h * k3)
            return w + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

        for i in range(_STEPS):
            w = step(i, w)
        return w, w

    lengths = jnp.diff(ts, prepend=0.0)
    _, w = jax.lax.scan(year, jnp.log(z_init), lengths)
    numpyro.sample("y_init", dist.LogNormal(jnp.log(z_init), sigma).to_event(1), obs=y_init)
    with numpyro.plate("times", len(ts)):
        numpyro.sample("y", dist.LogNormal(w, sigma).to_event(1), obs=y)


@dataclass(frozen=True)
class Posterior:
    """A posterior of the database.

    Attributes:
        name: as there, "data-model".
        model: in NumPyro.
        arguments: of the model, which are keys of the data.
        references: the name of the posterior whose reference draws are of this one.
    """

    name: str
    model: Callable[..., None]
    arguments: tuple[str, ...]
    references: str = ""

    def data(self) -> dict[str, Any]:
        """Arguments of the model by name, arrays in double precision; whole numbers as int."""
        held = _read("data/data", self.name.split("-")[0])
        return {
            name: held[name] if isinstance(held[name], int) else np.asarray(held[name], float)
            for name in self.arguments
        }

    def reference(self) -> dict[str, Array]:
        """Name, such as "beta[1]" -> (chain, draw) reference draws."""
        chains = _read("reference_posteriors/draws/draws", self.references or self.name)
        return {name: np.array([chain[name] for chain in chains]) for name in chains[0]}


def _read(folder: str, name: str) -> Any:
    root = os.environ.get("PPGEN_DATA")
    if not root:
        raise SystemExit("PPGEN_DATA names no folder: it is that with posteriordb in it.")
    path = Path(root, "posteriordb", "posterior_database", folder, f"{name}.json.zip")
    with zipfile.ZipFile(path) as held:
        return json.loads(held.read(held.namelist()[0]))


_SCHOOLS = ("y", "sigma")
_BUSHES = ("weight", "diam1", "diam2", "canopy_height", "total_height")
_VOTERS = ("partyid7", "real_ideo", "race_adj", "educ1", "gender", "income", "age_discrete")
POSTERIORS = {
    p.name: p
    for p in (
        Posterior("arK-arK", arK, ("K", "y")),
        Posterior("earnings-logearn_interaction", logearn_interaction, ("earn", "height", "male")),
        Posterior(
            "eight_schools-eight_schools_centered",
            eight_schools_centered,
            _SCHOOLS,
            "eight_schools-eight_schools_noncentered",
        ),
        Posterior("eight_schools-eight_schools_noncentered", eight_schools_noncentered, _SCHOOLS),
        Posterior("garch-garch11", garch11, ("y", "sigma1")),
        Posterior("hudson_lynx_hare-lotka_volterra", lotka_volterra, ("ts", "y_init", "y")),
        Posterior(
            "kidiq-kidscore_interaction", kidscore_interaction, ("kid_score", "mom_hs", "mom_iq")
        ),
        Posterior("kidiq-kidscore_momhs", kidscore_momhs, ("kid_score", "mom_hs")),
        Posterior("kidiq-kidscore_momiq", kidscore_momiq, ("kid_score", "mom_iq")),
        Posterior("low_dim_gauss_mix-low_dim_gauss_mix", low_dim_gauss_mix, ("y",)),
        Posterior("mesquite-logmesquite_logvash", logmesquite_logvash, (*_BUSHES, "group")),
        Posterior("mesquite-mesquite", mesquite, (*_BUSHES, "density", "group")),
        Posterior("nes1972-nes", nes, _VOTERS),
        Posterior("sblrc-blr", blr, ("X", "y")),
    )
}


def coordinates(draws: dict[str, Array], names: Any) -> dict[str, Array]:
    """Draws of sites (chain, draw, ...) by the names of reference draws, (chain, draw) each."""
    found = {}
    for name in names:
        site, _, rest = name.partition("[")
        place = tuple(int(i) - 1 for i in rest.rstrip("]").split(",")) if rest else ()
        found[name] = np.asarray(draws[site])[(slice(None), slice(None), *place)]
    return found
