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

and at new inputs X_*, given y, with C = L L', A = L^-1 k(X, X_*) and w = L^-1 v,

    f_* ~ Normal(A' w, k(X_*, X_*) + epsilon eta^2 I - A' A).

Classes and counts: with z ~ Normal(0, I), K = L L' and alpha ~ Normal(0, 2.5), not centred,

    f = alpha + L z,    y ~ Bernoulli(1 / (1 + exp(-f)))  or  y ~ Poisson(exp(f)),

and f_* is as above, with w = z. The jitter epsilon = 1e-6 keeps covariances positive definite: it
stands for noise of a thousandth of the amplitude. All takes the cube of the number of rows, which
cannot be split into minibatches. `amplitude`, `length_scale` and `noise` are in the units of the
data. A prediction needs the rows it is conditioned on: a Gaussian process is its data.

Reference: Rasmussen and Williams, "Gaussian processes for machine learning", 2006,
https://gaussianprocess.org/gpml (algorithm 2.1, section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
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
    X_new: Array | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
) -> Array:
    """Gaussian process regression, f integrated out.

    Args:
        X: (n, d) inputs.
        y: (n,) numbers; None draws them.
        X_new: (m, d) inputs for which `f_new` and `y_new` (m,) are drawn given y: for predictions,
            not for fits.
        kernel: one of `KERNELS`.
        x_units, y_units: location and scale of inputs and y.
    """
    eta, ell = _kernel_sites(X.shape[1], x_units, y_units[1])
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    y_loc, y_scale = y_units
    numpyro.deterministic("noise", y_scale * sigma)
    U = (X - x_units[0]) / x_units[1] / ell
    C = eta**2 * gram(U, U, kernel) + (EPSILON * eta**2 + sigma**2) * jnp.eye(len(X))
    L = jnp.linalg.cholesky(C)
    normal = dist.MultivariateNormal(y_loc * jnp.ones(len(X)), scale_tril=y_scale * L)
    drawn: Array = numpyro.sample("y", normal, obs=y)
    if X_new is not None:
        U_new = (X_new - x_units[0]) / x_units[1] / ell
        w = solve_triangular(L, (drawn - y_loc) / y_scale, lower=True)
        mean, covariance = conditional(U, U_new, L, w, eta, kernel)
        normal = dist.MultivariateNormal(y_loc + y_scale * mean, y_scale**2 * covariance)
        f_new = numpyro.sample("f_new", normal)
        with numpyro.plate("new rows", len(X_new)):
            numpyro.sample("y_new", dist.Normal(f_new, y_scale * sigma))
    return drawn


def classification(
    X: Array,
    y: Array | None = None,
    X_new: Array | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Array:
    """Classes 0 and 1, y (n,), by a latent function; the other arguments are those of
    `regression`."""
    return _latent(X, y, X_new, kernel, x_units, lambda f: dist.Bernoulli(logits=f))


def counts(
    X: Array,
    y: Array | None = None,
    X_new: Array | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Array:
    """Counts y (n,) by a latent function, the log of their mean; the other arguments are those of
    `regression`."""
    return _latent(X, y, X_new, kernel, x_units, lambda f: dist.Poisson(jnp.exp(f)))


def _latent(
    X: Array,
    y: Array | None,
    X_new: Array | None,
    kernel: str,
    x_units: Units,
    likelihood: Callable[[Array], dist.Distribution],
) -> Array:
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 2.5))
    eta, ell = _kernel_sites(X.shape[1], x_units, 1.0)
    U = (X - x_units[0]) / x_units[1] / ell
    L = eta * jnp.linalg.cholesky(gram(U, U, kernel) + EPSILON * jnp.eye(len(X)))
    with numpyro.plate("rows", len(X)):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
        f = numpyro.deterministic("f", alpha + L @ z)
        drawn: Array = numpyro.sample("y", likelihood(f), obs=y)
    if X_new is not None:
        U_new = (X_new - x_units[0]) / x_units[1] / ell
        mean, covariance = conditional(U, U_new, L, z, eta, kernel)
        f_new = numpyro.sample("f_new", dist.MultivariateNormal(alpha + mean, covariance))
        with numpyro.plate("new rows", len(X_new)):
            numpyro.sample("y_new", likelihood(f_new))
    return drawn


def _kernel_sites(d: int, x_units: Units, y_scale: Any) -> tuple[Array, Array]:
    """eta and ell (d,)."""
    eta = numpyro.sample("eta", dist.HalfNormal(1.0))
    numpyro.deterministic("amplitude", y_scale * eta)
    with numpyro.plate("inputs", d):
        ell = numpyro.sample("ell", dist.InverseGamma(3.0, 3.0))
        numpyro.deterministic("length_scale", x_units[1] * ell)
    return eta, ell


def gram(U: Array, V: Array, kernel: str) -> Array:
    """kappa (n, m) of inputs in units of the length scales, (n, d) and (m, d)."""
    r2 = jnp.square(U[:, None] - V).sum(-1)
    apart = r2 > 0  # the root has no slope at 0, kappa has
    return KERNELS[kernel](jnp.where(apart, jnp.sqrt(jnp.where(apart, r2, 1.0)), 0.0))


def conditional(
    U: Array, U_new: Array, L: Array, w: Array, eta: Array, kernel: str
) -> tuple[Array, Array]:
    """Mean A' w (m,) and covariance (m, m) of f at new inputs, less alpha, in standard units."""
    A = solve_triangular(L, eta**2 * gram(U, U_new, kernel), lower=True)
    K = gram(U_new, U_new, kernel) + EPSILON * jnp.eye(len(U_new))
    return A.T @ w, eta**2 * K - A.T @ A
