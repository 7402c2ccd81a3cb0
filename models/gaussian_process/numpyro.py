"""Gaussian processes in NumPyro (twin: `pyro`).

A row is x in R^d and y. With u = (x - location) / scale in units that the model is told,

    f ~ GP(0, k),    k(x, x') = eta^2 kappa(r),    r^2 = sum_j (u_j - u'_j)^2 / ell_j^2

    rbf       kappa(r) = exp(-r^2 / 2)
    matern32  kappa(r) = (1 + a) exp(-a),            a = sqrt(3) r
    matern52  kappa(r) = (1 + a + a^2 / 3) exp(-a),  a = sqrt(5) r

    eta   ~ Normal+(1)                amplitude
    ell_j ~ InverseGamma(3, 3)        a length scale of each input (automatic relevance
                                      determination): far above 1 where f does not depend on it
    sigma ~ Exponential(1)

Regression: y = location + scale v with v ~ Normal(f(x), sigma). At rows X, f is integrated out,

    v ~ Normal(0, C),    C = K + sigma^2 I,    K = k(X, X) + epsilon eta^2 I,

and where rows X_s, v_s were seen, C_s = L L' of them, A = L^-1 k(X_s, X) and w = L^-1 v_s,

    v ~ Normal(A' w, C - A' A).

Classes and counts: with z ~ Normal(0, I) at the n places X_s, L L' = K of them, and
alpha ~ Normal(0, 2.5), not centred,

    f(X_s) = alpha + L z,    f(X) ~ Normal(alpha + A' z, K - A' A),
    y ~ Bernoulli(1 / (1 + exp(-f)))  or  y ~ Poisson(exp(f)).

The jitter epsilon = 1e-6 keeps covariances positive definite: it stands for noise of a thousandth
of the amplitude. All takes the cube of the number of rows, which cannot be split into minibatches.
`amplitude`, `length_scale` and `noise` are in the units of the data. A Gaussian process is its
data: a prediction is told the rows that were seen.

Reference: Rasmussen and Williams, "Gaussian processes for machine learning", 2006,
https://gaussianprocess.org/gpml (algorithm 2.1, section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array
from jax.scipy.linalg import solve_triangular

Units = Any  # (location, scale), numbers or arrays (d,), or an array of both, (2, d)

EPSILON = 1e-6

KERNELS: dict[str, Callable[[Array], Array]] = {
    "rbf": lambda r: jnp.exp(-(r**2) / 2),
    "matern32": lambda r: (1 + math.sqrt(3) * r) * jnp.exp(-math.sqrt(3) * r),
    "matern52": lambda r: (1 + math.sqrt(5) * r + 5 * r**2 / 3) * jnp.exp(-math.sqrt(5) * r),
}


def regression(
    X: Array,
    y: Array | None = None,
    X_seen: Array | None = None,
    y_seen: Array | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
) -> Array:
    """Gaussian process regression, f integrated out.

    Args:
        X: (n, d) inputs.
        y: (n,) numbers; None draws them.
        X_seen, y_seen: (m, d) and (m,) rows that were seen, given which those of X and y are new: a
            fit has none, a prediction those that were fitted.
        kernel: one of `KERNELS`.
        x_units, y_units: location and scale of inputs and y.
    """
    eta, ell = _kernel_sites(X.shape[1], x_units, y_units[1])
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    y_loc, y_scale = y_units
    numpyro.deterministic("noise", y_scale * sigma)
    U = (X - x_units[0]) / x_units[1] / ell
    mean, C = jnp.zeros(len(X)), covariance(U, eta, kernel) + sigma**2 * jnp.eye(len(X))
    if X_seen is not None:
        U_s, v_s = (X_seen - x_units[0]) / x_units[1] / ell, (y_seen - y_loc) / y_scale
        C_s = covariance(U_s, eta, kernel) + sigma**2 * jnp.eye(len(U_s))
        L = jnp.linalg.cholesky(C_s)
        A = solve_triangular(L, eta**2 * gram(U_s, U, kernel), lower=True)
        mean, C = A.T @ solve_triangular(L, v_s, lower=True), C - A.T @ A
    tril = y_scale * jnp.linalg.cholesky(C)
    normal = dist.MultivariateNormal(y_loc + y_scale * mean, scale_tril=tril)
    drawn: Array = numpyro.sample("y", normal, obs=y)
    return drawn


def classification(
    X: Array,
    y: Array | None = None,
    X_seen: Array | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Array:
    """Classes 0 and 1, y (n,), by a latent function; the other arguments are those of
    `regression`."""
    return _of_latent(lambda f: dist.Bernoulli(logits=f), X, y, X_seen, kernel, x_units)


def counts(
    X: Array,
    y: Array | None = None,
    X_seen: Array | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Array:
    """Counts y (n,) by a latent function, the log of their mean; the other arguments are those of
    `regression`."""
    return _of_latent(lambda f: dist.Poisson(jnp.exp(f)), X, y, X_seen, kernel, x_units)


def _of_latent(
    of: Callable[[Array], Any],
    X: Array,
    y: Array | None,
    X_seen: Array | None,
    kernel: str,
    x_units: Units,
) -> Array:
    """y (n,) of the distribution `of` the latent function."""
    rows = numpyro.plate("rows", len(X))
    f = _latent(rows, X, X_seen, kernel, x_units)
    with rows:
        drawn: Array = numpyro.sample("y", of(f), obs=y)
    return drawn


def _latent(
    rows: numpyro.plate, X: Array, X_seen: Array | None, kernel: str, x_units: Units
) -> Array:
    """f (n,). At inputs that were not seen it is drawn, and is no site: they have no data."""
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 2.5))
    eta, ell = _kernel_sites(X.shape[1], x_units, 1.0)
    U_s = ((X if X_seen is None else X_seen) - x_units[0]) / x_units[1] / ell
    L = jnp.linalg.cholesky(covariance(U_s, eta, kernel))
    with numpyro.plate("places", len(U_s)):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
    f: Array = alpha + L @ z
    if X_seen is not None:
        U = (X - x_units[0]) / x_units[1] / ell
        A = solve_triangular(L, eta**2 * gram(U_s, U, kernel), lower=True)
        tril = jnp.linalg.cholesky(covariance(U, eta, kernel) - A.T @ A)
        e = jax.random.normal(numpyro.prng_key(), (len(U),), tril.dtype)
        f = alpha + A.T @ z + tril @ e
    with rows:
        numpyro.deterministic("f", f)
    return f


def _kernel_sites(d: int, x_units: Units, y_scale: Any) -> tuple[Array, Array]:
    """eta and ell (d,)."""
    eta = numpyro.sample("eta", dist.HalfNormal(1.0))
    numpyro.deterministic("amplitude", y_scale * eta)
    with numpyro.plate("inputs", d):
        ell = numpyro.sample("ell", dist.InverseGamma(3.0, 3.0))
        numpyro.deterministic("length_scale", x_units[1] * ell)
    return eta, ell


def gram(U: Array, V: Array, kernel: str) -> Array:
    """kappa (n, m) of inputs in units of the length scales, (n, d) and (m, d).

    The root has no slope at 0, where kappa has one. What is compiled may compute a difference
    several times and round it to 0 in some of them only, so that r = 0 is not to be told from
    others: r is at least 100 roundings of U, where kappa is 1.
    """
    r2 = jnp.square(U[:, None] - V).sum(-1)
    least = 100 * float(np.finfo(r2.dtype).eps)
    return KERNELS[kernel](jnp.sqrt(jnp.maximum(r2, least**2)))


def covariance(U: Array, eta: Array, kernel: str) -> Array:
    """K (n, n) of inputs in units of the length scales, (n, d), with its jitter."""
    return eta**2 * (gram(U, U, kernel) + EPSILON * jnp.eye(len(U)))
