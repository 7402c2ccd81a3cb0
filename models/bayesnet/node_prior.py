"""What is assumed of the parameters of one node, for each configuration u of its discrete parents:

    theta[u] ~ Dirichlet(alpha[u])                          of a discrete node
    s2[u]    ~ InverseGamma(a[u], b[u])                     of a continuous one, whose intercept and
    beta[u] | s2[u] ~ Normal(m[u], s2[u] Lambda[u]^-1)      coefficients are beta,

with the log densities

    log Gamma(sum alpha) - sum log Gamma(alpha) + sum (alpha - 1) log theta,
    a log b - log Gamma(a) - (a + 1) log s2 - b / s2,
    (log |Lambda| - p log(2 pi s2) - (beta - m)' Lambda (beta - m) / s2) / 2,    p numbers in beta.

`prior` has what rows make of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln, polygamma, xlogy

from ...arrays import Floats
from ...covariance import correlations
from .conditionals import LinearGaussian, Table

Draws = dict[str, Floats]

_LEAST = 1e-10  # eigenvalue of Lambda, scaled to a diagonal of 1
_TINY = np.finfo(np.float64).tiny  # probabilities below it, which have no logarithm, count as it


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """Of a table: alpha (r_1, ..., r_q, k)."""

    alpha: Floats

    def updated(self, N: Floats) -> Dirichlet:
        """The posterior."""
        return Dirichlet(self.alpha + N)

    def centre(self) -> Table:
        """Means; even where nothing is known."""
        total = self.alpha.sum(axis=-1, keepdims=True)
        even = 1 / self.alpha.shape[-1]
        return Table(np.where(total > 0, self.alpha / np.where(total > 0, total, 1.0), even))

    def log_penalty(self, table: Table) -> float:
        """sum alpha log theta, what it adds to the log likelihood that `centre` maximises."""
        return float(xlogy(self.alpha, table.probs).sum())

    @property
    def proper(self) -> bool:
        """Whether it is a distribution."""
        return bool((self.alpha > 0).all())

    def on(self, array: Callable[[Any], Any]) -> Dirichlet:
        """The same with arrays made a backend's own."""
        return Dirichlet(array(self.alpha))

    def numbers(self, name: str) -> Draws:
        """Moments of the stick-breaking logits: the share of state k in what k and those after it
        have is Beta distributed."""
        rest = self.alpha[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
        own, after = self.alpha[..., :-1], np.arange(self.alpha.shape[-1] - 1, 0, -1)
        return {
            f"theta_{name}_loc": digamma(own) - digamma(rest) + np.log(after),
            f"theta_{name}_scale": np.sqrt(polygamma(1, own) + polygamma(1, rest)),
        }

    def draw(self, name: str, rng: np.random.Generator, n: int) -> Draws:
        """n draws of the site theta."""
        # Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha), in logarithms: small ones would all be 0.
        shape = (n, *self.alpha.shape)
        with np.errstate(divide="ignore"):
            log_g = np.log(rng.standard_gamma(self.alpha + 1, shape))
            log_g += np.log(rng.random(shape)) / self.alpha
        g = np.exp(log_g - log_g.max(axis=-1, keepdims=True))
        return {f"theta_{name}": g / g.sum(axis=-1, keepdims=True)}

    def log_prob(self, name: str, draws: Mapping[str, Any]) -> Draws:
        """(chain, draw) log densities of draws of the site theta."""
        theta = np.maximum(draws[f"theta_{name}"], _TINY)
        constant = gammaln(self.alpha.sum(axis=-1)) - gammaln(self.alpha).sum(axis=-1)
        return {f"theta_{name}": _summed(constant + xlogy(self.alpha - 1, theta).sum(axis=-1))}

    def rescaled(self, shift: Floats, scale: Floats) -> Dirichlet:
        """The same: states have no units."""
        return self


@dataclass(frozen=True, eq=False)
class NormalInverseGamma:
    """Of a linear Gaussian with m parents: means m (r_1, ..., r_q, m + 1), precisions Lambda
    (..., m + 1, m + 1), in units of 1 / s2, shapes a and rates b (r_1, ..., r_q)."""

    m: Floats
    Lambda: Floats
    a: Floats
    b: Floats

    def updated(self, S: Floats) -> NormalInverseGamma:
        """The posterior."""
        G, c = S[..., :-1, :-1], S[..., :-1, -1]
        Lambda = self.Lambda + G
        m = solve(Lambda, np.einsum("...ij,...j->...i", self.Lambda, self.m) + c)
        r = np.concatenate([-m, np.ones((*m.shape[:-1], 1))], axis=-1)  # residual: r'(1, z, x)
        square = np.einsum("...i,...ij,...j->...", r, S, r) + self._distance(m)
        b = self.b + np.maximum(square, 0.0) / 2
        return NormalInverseGamma(m, Lambda, self.a + S[..., 0, 0] / 2, b)

    def centre(self, floor: float = 0.0) -> LinearGaussian:
        """Means of beta, and b / a, at least `floor`; where nothing is known of a configuration
        (a = 0), those of all configurations together."""
        m, a, b = self.m, self.a, self.b
        if (empty := a <= 0).any():
            whole = self._pooled()
            m = np.where(empty[..., None], whole.m, m)
            a, b = np.where(empty, whole.a, a), np.where(empty, whole.b, b)
        s2 = np.where(a > 0, b / np.where(a > 0, a, 1.0), 1.0)
        return LinearGaussian(m[..., 0], m[..., 1:], np.maximum(s2, floor))

    def log_penalty(self, gaussian: LinearGaussian) -> float:
        """-sum a log s2 + (b + (beta - m)' Lambda (beta - m) / 2) / s2, what it adds to the log
        likelihood that `centre` maximises."""
        beta = np.concatenate([gaussian.intercept[..., None], gaussian.coefficients], axis=-1)
        s2, rate = gaussian.variance, self.b + self._distance(beta) / 2
        known = self.a > 0
        safe = np.where(known, s2, 1.0)
        return -float(np.where(known, self.a * np.log(safe) + rate / safe, 0.0).sum())

    @property
    def proper(self) -> bool:
        """Whether it is a distribution."""
        least = np.linalg.eigvalsh(correlations(self.Lambda)[0])[..., 0]
        return bool((self.a > 0).all() and (self.b > 0).all() and (least > _LEAST).all())

    def on(self, array: Callable[[Any], Any]) -> NormalInverseGamma:
        """The same with arrays made a backend's own."""
        return NormalInverseGamma(*map(array, (self.m, self.Lambda, self.a, self.b)))

    def root(self) -> Floats:
        """R (..., m + 1, m + 1), lower triangular, with R R' = Lambda^-1."""
        return np.asarray(np.linalg.cholesky(np.linalg.inv(np.asarray(self.Lambda))))

    def numbers(self, name: str) -> Draws:
        """Moments of log s2, and of beta, whose covariance is root root'."""
        return {
            f"b_{name}_loc": self.m,
            f"b_{name}_root": np.sqrt(self.b / self.a)[..., None, None] * self.root(),
            f"s2_{name}_loc": np.log(self.b) - digamma(self.a),
            f"s2_{name}_scale": np.sqrt(polygamma(1, self.a)),
        }

    def draw(self, name: str, rng: np.random.Generator, n: int) -> Draws:
        """n draws of the sites b and s2."""
        s2 = self.b / rng.standard_gamma(self.a, (n, *self.a.shape))
        noise = rng.standard_normal((n, *self.m.shape))
        off = np.einsum("...ij,...j->...i", self.root(), noise)
        return {f"b_{name}": self.m + np.sqrt(s2)[..., None] * off, f"s2_{name}": s2}

    def log_prob(self, name: str, draws: Mapping[str, Any]) -> Draws:
        """(chain, draw) log densities of draws of the sites s2, and b given s2."""
        s2, p = np.asarray(draws[f"s2_{name}"]), self.m.shape[-1]
        of_s2 = self.a * np.log(self.b) - gammaln(self.a) - (self.a + 1) * np.log(s2) - self.b / s2
        square = self._distance(np.asarray(draws[f"b_{name}"])) / s2
        log_det = np.linalg.slogdet(self.Lambda)[1]
        of_b = (log_det - p * np.log(2 * math.pi * s2) - square) / 2
        return {f"b_{name}": _summed(of_b), f"s2_{name}": _summed(of_s2)}

    def rescaled(self, shift: Floats, scale: Floats) -> NormalInverseGamma:
        """What it says of shift + scale x, of shifts and positive scales (1 + parents,) of the
        node and its continuous parents, in this order."""
        own = scale[0]
        T = np.diag(np.concatenate([[own], own / scale[1:]]))  # of beta, besides what is added
        T[0, 1:] = -own * shift[1:] / scale[1:]
        m = self.m @ T.T
        m[..., 0] += shift[0]
        inverse = own * np.linalg.inv(T)
        Lambda = inverse.T @ self.Lambda @ inverse
        return NormalInverseGamma(m, Lambda, self.a, own**2 * self.b)

    def _distance(self, beta: Floats) -> Floats:
        """(beta - m)' Lambda (beta - m)."""
        off = beta - self.m
        return np.asarray(np.einsum("...i,...ij,...j->...", off, self.Lambda, off))

    def _pooled(self) -> NormalInverseGamma:
        """What all configurations say of one that they had in common."""
        width = self.m.shape[-1]
        m, Lambda = self.m.reshape(-1, width), self.Lambda.reshape(-1, width, width)
        whole = Lambda.sum(axis=0)
        centre = solve(whole, np.einsum("uij,uj->i", Lambda, m))
        b = self.b.sum() + self._distance(centre).sum() / 2
        return NormalInverseGamma(centre, whole, self.a.sum(), b)


def _summed(log_p: Floats) -> Floats:
    """Over all configurations."""
    return np.asarray(log_p.reshape(*log_p.shape[:2], -1).sum(axis=-1))


def solve(A: Floats, c: Floats) -> Floats:
    """A^-1 c of symmetric, positive semidefinite A (..., p, p); the shortest solution, in units of
    the diagonal, where there are many."""
    spread = np.sqrt(np.diagonal(A, axis1=-2, axis2=-1))
    spread = np.where(spread > 0, spread, 1.0)
    unitless = A / spread[..., :, None] / spread[..., None, :]
    inverse = np.linalg.pinv(unitless, rcond=1e-12, hermitian=True)
    return np.asarray(np.einsum("...ij,...j->...i", inverse, c / spread) / spread)
