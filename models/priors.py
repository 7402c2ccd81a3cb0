"""What is assumed of the parameters of a pair, site by site: densities and draws.

| distribution | log density |
|---|---|
| Normal(m, s) | -(x - m)^2 / 2 s^2 - log s - 1/2 log 2 pi |
| LogNormal(mu, 1) | Normal(log x; mu, 1) - log x |
| Gamma(a, b) | a log b - log Gamma(a) + (a - 1) log x - b x |
| Dirichlet(a, ..., a) of k | log Gamma(k a) - k log Gamma(a) + (a - 1) sum log x |
| LKJCholesky(eta) of d | sum_{i=2..d} (d - i + 2 eta - 2) log L_ii - log Z |

with log Z = (d - 1)/2 log pi + log Gamma_{d-1}(a - 1/2) - (d - 1) log Gamma(a) and
a = eta + (d - 1)/2, Gamma_{d-1} being the multivariate gamma function.
Values are (chain, draw, ...) and densities summed over all but chain and draw. Where entries
are multiples of one number, the density is that of the first.

Reference: Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines
and extended onion method", 2009, https://doi.org/10.1016/j.jmva.2009.04.008.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import gammaln, multigammaln, xlogy

from ..arrays import Floats

Draws = dict[str, Floats]


class SitePrior(Protocol):
    """The prior of one site."""

    def log_prob(self, values: Floats) -> Floats:
        """(chain, draw) log densities of values (chain, draw, ...)."""

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws, (n, ...)."""


class Prior(Protocol):
    """The prior of all sites of a pair."""

    def log_prob(self, draws: Mapping[str, Any]) -> Draws:
        """Site -> (chain, draw) log densities of its draws (chain, draw, ...), given those of the
        sites that it depends on: they add up to that of all."""

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """Site -> (n, ...) draws."""


@dataclass(frozen=True, eq=False)
class Independent:
    """Sites that do not depend on each other."""

    sites: Mapping[str, SitePrior]

    def log_prob(self, draws: Mapping[str, Any]) -> Draws:
        return {name: site.log_prob(np.asarray(draws[name])) for name, site in self.sites.items()}

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        return {name: site.draw(rng, n) for name, site in self.sites.items()}


@dataclass(frozen=True, eq=False)
class Normal:
    """Independent normals of one shape."""

    m: Floats
    s: Floats

    def log_prob(self, values: Floats) -> Floats:
        log_p = -0.5 * np.square((values - self.m) / self.s) - np.log(self.s)
        return _summed(log_p - 0.5 * math.log(2 * math.pi))

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        return np.asarray(self.m + self.s * rng.standard_normal((n, *self.m.shape)))


@dataclass(frozen=True, eq=False)
class LogNormal:
    """Independent ones with medians t, the standard deviation of the logarithm being 1."""

    t: Floats

    def log_prob(self, values: Floats) -> Floats:
        logs = np.log(values)
        return _normal(self.t).log_prob(logs) - _summed(logs)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        return np.exp(_normal(self.t).draw(rng, n))


@dataclass(frozen=True, eq=False)
class Shared:
    """Entries c_j x, (k,), of one number x; their density is that of the first of them."""

    first: SitePrior
    c: Floats

    def log_prob(self, values: Floats) -> Floats:
        return self.first.log_prob(values[..., :1])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        return np.asarray(self.first.draw(rng, n) * (self.c / self.c[0]))


@dataclass(frozen=True, eq=False)
class Gamma:
    """k independent ones, of shape a and rate b."""

    k: int
    a: float
    b: float

    def log_prob(self, values: Floats) -> Floats:
        constant = self.a * math.log(self.b) - math.lgamma(self.a)
        return _summed(constant + xlogy(self.a - 1, values) - self.b * values)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        return rng.gamma(self.a, 1 / self.b, (n, self.k))


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """Independent ones of a shape (..., k), all of one concentration."""

    shape: tuple[int, ...]
    alpha: float

    def log_prob(self, values: Floats) -> Floats:
        k = self.shape[-1]
        constant = gammaln(k * self.alpha) - k * gammaln(self.alpha)
        return _summed(constant + xlogy(self.alpha - 1, values).sum(axis=-1))

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        alpha = np.full(self.shape[-1], self.alpha)
        return rng.dirichlet(alpha, (n, *self.shape[:-1]))


@dataclass(frozen=True, eq=False)
class LKJCholesky:
    """Independent Cholesky factors of correlations, of a shape (..., d, d)."""

    shape: tuple[int, ...]
    eta: float

    def log_prob(self, values: Floats) -> Floats:
        d = self.shape[-1]
        powers = d - np.arange(2, d + 1) + 2 * self.eta - 2
        diagonal = np.diagonal(values, axis1=-2, axis2=-1)[..., 1:]
        a = self.eta + (d - 1) / 2
        log_z = (d - 1) / 2 * math.log(math.pi) + multigammaln(a - 0.5, d - 1)
        log_z -= (d - 1) * gammaln(a)
        return _summed((powers * np.log(diagonal)).sum(axis=-1) - log_z)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        *outer, d, _ = self.shape
        L = np.zeros((n, *outer, d, d))
        L[..., 0, 0] = 1.0
        for i in range(1, d):  # the length of what a row has left of the diagonal, and its way
            square = rng.beta(i / 2, self.eta + (d - 1 - i) / 2, (n, *outer))
            way = rng.standard_normal((n, *outer, i))
            way /= np.linalg.norm(way, axis=-1, keepdims=True)
            L[..., i, :i] = np.sqrt(square)[..., None] * way
            L[..., i, i] = np.sqrt(1 - square)
        return L


def _normal(t: Floats) -> Normal:
    return Normal(np.log(t), np.ones_like(t))


def _summed(log_p: Floats) -> Floats:
    return np.asarray(log_p.reshape(*log_p.shape[:2], -1).sum(axis=-1))
