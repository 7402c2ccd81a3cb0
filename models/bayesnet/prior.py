"""What is assumed of a network's parameters, and what rows without gaps make of it.

    theta[u] ~ Dirichlet(alpha[u])                          of a discrete node
    s2[u]    ~ InverseGamma(a[u], b[u])                     of a continuous one, whose intercept and
    beta[u] | s2[u] ~ Normal(m[u], s2[u] Lambda[u]^-1)      coefficients are beta,

for each configuration u of a node's discrete parents, all independent. Given rows whose families
have no gaps the posterior has the same form: with the sums N and S of `families`, S = sum of
(1, z, x) (1, z, x)' being parted into G of (1, z), c of (1, z) x, and n its first entry,

    alpha' = alpha + N
    Lambda' = Lambda + G,    m' = Lambda'^-1 (Lambda m + c),    a' = a + n / 2,
    b' = b + 1/2 [ sum (x - m'(1, z))^2 + (m' - m)' Lambda (m' - m) ].

The point that stands for it, `centre`, has the posterior means of theta and beta, and b' / a' for
s2, the inverse of the mean precision. With hyperparameters of 0 it is maximum likelihood, and it
maximises in any case

    log p(rows) + sum_uk alpha log theta
        - sum_u [ a log s2 + (b + (beta - m)' Lambda (beta - m) / 2) / s2 ].

References: Heckerman, Geiger and Chickering, "Learning Bayesian networks: the combination of
knowledge and statistical data", 1995, https://doi.org/10.1007/BF00994016; Murphy, "Conjugate
Bayesian analysis of the Gaussian distribution", 2007,
https://www.cs.ubc.ca/~murphyk/Papers/bayesGauss.pdf.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma, xlogy

from ...arrays import Floats
from ...covariance import correlations
from ...errors import InputError
from ...inference.dag import DAG
from .conditionals import LinearGaussian, Table
from .families import Statistics

Draws = dict[str, Floats]

_LEAST = 1e-10  # eigenvalue of Lambda, scaled to a diagonal of 1


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


@dataclass(frozen=True, eq=False)
class ConjugatePrior:
    """What is assumed of all parameters of a network.

    Attributes:
        dag: the graph.
        sizes: states of each node, 0 of a continuous one.
        nodes: of each node, what is assumed of its parameters.
    """

    dag: DAG
    sizes: tuple[int, ...]
    nodes: tuple[Dirichlet | NormalInverseGamma, ...]

    def updated(self, sums: Statistics) -> ConjugatePrior:
        """The posterior given the sums of `families.statistics`, which are of rows without gaps."""
        nodes = tuple(node.updated(sum_) for node, sum_ in zip(self.nodes, sums, strict=True))
        return ConjugatePrior(self.dag, self.sizes, nodes)

    def check_proper(self) -> None:
        """Raise InputError if there is no such distribution, as where a hyperparameter is 0."""
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            if not node.proper:
                raise InputError(
                    f"a posterior of the parameters needs a prior of them, and that of {name!r} is "
                    'none: give prior="bdeu" or "laplace", and no parents of which one is a '
                    "function of others."
                )

    def centre(self, floor: float = 0.0) -> tuple[Table | LinearGaussian, ...]:
        """The conditionals that stand for it, variances at least `floor`."""
        return tuple(
            node.centre() if isinstance(node, Dirichlet) else node.centre(floor)
            for node in self.nodes
        )

    def log_penalty(self, conditionals: Sequence[object]) -> float:
        """What it adds to the log likelihood that `centre` maximises."""
        return sum(map(_log_penalty, self.nodes, conditionals))

    def on(self, array: Callable[[Any], Any]) -> ConjugatePrior:
        """The same with its arrays made a backend's own by `array`."""
        nodes = tuple(node.on(array) for node in self.nodes)
        return ConjugatePrior(self.dag, self.sizes, nodes)

    def numbers(self) -> Draws:
        """What the pair's guide is to start at: its moments on the unconstrained scale."""
        out: Draws = {}
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            out |= node.numbers(name)
        return out

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """n draws of all parameters, by site: theta_<node> (n, r_1, ..., r_q, k) of discrete nodes,
        b_<node> (n, r_1, ..., r_q, m + 1), the intercept first, and s2_<node> (n, r_1, ..., r_q) of
        continuous ones."""
        out: Draws = {}
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            out |= node.draw(name, rng, n)
        return out


def _log_penalty(node: Dirichlet | NormalInverseGamma, given: object) -> float:
    if isinstance(node, Dirichlet):
        assert isinstance(given, Table)
        return node.log_penalty(given)
    assert isinstance(given, LinearGaussian)
    return node.log_penalty(given)


def solve(A: Floats, c: Floats) -> Floats:
    """A^-1 c of symmetric, positive semidefinite A (..., p, p); the shortest solution, in units of
    the diagonal, where there are many."""
    spread = np.sqrt(np.diagonal(A, axis1=-2, axis2=-1))
    spread = np.where(spread > 0, spread, 1.0)
    unitless = A / spread[..., :, None] / spread[..., None, :]
    inverse = np.linalg.pinv(unitless, rcond=1e-12, hermitian=True)
    return np.asarray(np.einsum("...ij,...j->...i", inverse, c / spread) / spread)
