"""What a component's density makes of a row's distance: normal, or Student's t.

With D = (x - mu)^T Sigma^-1 (x - mu) over p columns and nu degrees of freedom, the log densities
are, but for -log |Sigma| / 2,

    normal:  -(D + p log 2 pi) / 2,
    t:       log G((nu + p) / 2) - log G(nu / 2) - p/2 log(nu pi) - (nu + p)/2 log(1 + D / nu).

The t is a normal of which each row has a scale of its own, x ~ N(mu, Sigma / tau) with
tau ~ Gamma(nu / 2, nu / 2), and

    E[tau | x]     = u = (nu + p) / (nu + D),
    E[log tau | x] = log u + psi((nu + p) / 2) - log((nu + p) / 2),

psi being the digamma function. So the M step weighs rows by r u, which a row far out has little of,
and nu solves

    log(nu / 2) - psi(nu / 2) + 1 + sum r (E[log tau] - u) / N = 0.

Marginals of a t are t with the same nu; given p of the columns at a distance D, the others are t
with nu + p degrees of freedom and the covariance of the normal times (nu + D) / (nu + p).

References: Peel and McLachlan, "Robust mixture modelling using the t distribution", 2000,
https://doi.org/10.1023/A:1008981510081; Liu and Rubin, "ML estimation of the t distribution using
EM and its extensions, ECM and ECME", 1995,
https://www3.stat.sinica.edu.tw/statistica/oldpdf/A5n12.pdf (rows with gaps); Kent, Tyler and Vardi,
"A curious likelihood identity for the multivariate t-distribution", 1994,
https://doi.org/10.1080/03610919408813180 (Sigma over sum r u, not N, which converges faster).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from ...arrays import Floats

START = 10.0  # degrees of freedom where EM starts
LEAST, MOST = 1.0, 1000.0  # from Cauchy's tails to those that cannot be told from a normal's


def log_norm(size: Any, dof: Floats | None) -> Any:
    """The log density at distance 0 in `size` columns, but for -log |Sigma| / 2."""
    if dof is None:
        return -0.5 * size * np.log(2 * np.pi)
    return gammaln((dof + size) / 2) - gammaln(dof / 2) - size / 2 * np.log(dof * np.pi)


def log_decay(xp: Any, distance: Any, size: Any, dof: Any) -> Any:
    """How the log density falls with the squared distance; of arrays of `xp`, NumPy's or JAX's."""
    if dof is None:
        return -0.5 * distance
    return -0.5 * (dof + size) * xp.log1p(distance / dof)


def log_radial(distance: Floats, size: Any, dof: Floats | None) -> Floats:
    """Log densities (..., k) at squared distances (..., k), but for -log |Sigma| / 2."""
    return np.asarray(log_norm(size, dof) + log_decay(np, distance, size, dof))


def log_tau(size: int, dof: Floats) -> Floats:
    """(k,) E[log tau | x] - log u, which depends on the number of columns alone."""
    return np.asarray(digamma((dof + size) / 2) - np.log((dof + size) / 2))


def better_dof(n: Floats, tail: Floats, old: Floats) -> Floats:
    """(k,) the degrees of freedom that solve the equation of the M step.

    Args:
        n: (k,) N.
        tail: (k,) sum r (E[log tau] - u).
        old: (k,) kept where a component has no rows.
    """
    rest = 1 + tail / np.maximum(n, np.finfo(float).tiny)

    def slope(nu: Floats) -> Floats:  # falls with nu
        return np.asarray(np.log(nu / 2) - digamma(nu / 2) + rest)

    low, high = np.full(len(n), np.log(LEAST)), np.full(len(n), np.log(MOST))
    for _ in range(40):
        middle = (low + high) / 2
        up = slope(np.exp(middle)) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.where(n > 0, np.exp((low + high) / 2), old)
