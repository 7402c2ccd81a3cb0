"""Gaussian processes in Pyro: the twin of `numpyro.py`, which explains the models, with the same
sites, shapes and log joint.

    f ~ GP(0, k),    k(x, x') = eta^2 kappa(r),    r^2 = sum_j (u_j - u'_j)^2 / ell_j^2
    eta ~ Normal+(1),   ell_j ~ InverseGamma(3, 3),   sigma ~ Exponential(1),   epsilon = 1e-6

    regression   v ~ Normal(0, C),   C = K + sigma^2 I,   y = location + scale v,
                 K = k(X, X) + epsilon eta^2 I,   C = L L',   w = L^-1 v
    others       f = alpha + L z,   K = L L',   z ~ Normal(0, I),   alpha ~ Normal(0, 2.5),   w = z,
                 y ~ Bernoulli(1 / (1 + exp(-f)))  or  y ~ Poisson(exp(f))
    new inputs   f_* ~ Normal(A' w, k(X_*, X_*) + epsilon eta^2 I - A' A),   A = L^-1 k(X, X_*)
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

Units = Any  # (location, scale), numbers or tensors (d,), or a tensor of both, (2, d)

EPSILON = 1e-6

KERNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "rbf": lambda r: torch.exp(-(r**2) / 2),
    "matern32": lambda r: (1 + math.sqrt(3) * r) * torch.exp(-math.sqrt(3) * r),
    "matern52": lambda r: (1 + math.sqrt(5) * r + 5 * r**2 / 3) * torch.exp(-math.sqrt(5) * r),
}


def regression(
    X: Tensor,
    y: Tensor | None = None,
    X_new: Tensor | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
) -> Tensor:
    """Gaussian process regression of y (n,) on X (n, d), with `f_new` and `y_new` at `X_new`. The
    twin describes each argument, here and below."""
    eta, ell = _kernel_sites(X, x_units, y_units[1])
    sigma = pyro.sample("sigma", dist.Exponential(torch.ones_like(eta)))
    y_loc, y_scale = y_units
    pyro.deterministic("noise", y_scale * sigma)
    U = (X - x_units[0]) / x_units[1] / ell
    C = eta**2 * gram(U, U, kernel) + (EPSILON * eta**2 + sigma**2) * torch.eye(len(X)).to(U)
    L = torch.linalg.cholesky(C)
    normal = dist.MultivariateNormal(y_loc * U.new_ones(len(X)), scale_tril=y_scale * L)
    drawn: Tensor = pyro.sample("y", normal, obs=y)
    if X_new is not None:
        U_new = (X_new - x_units[0]) / x_units[1] / ell
        v = (drawn - y_loc) / y_scale
        w = torch.linalg.solve_triangular(L, v[:, None], upper=False)[:, 0]
        mean, covariance = conditional(U, U_new, L, w, eta, kernel)
        normal = dist.MultivariateNormal(y_loc + y_scale * mean, y_scale**2 * covariance)
        f_new = pyro.sample("f_new", normal)
        with pyro.plate("new rows", len(X_new)):
            pyro.sample("y_new", dist.Normal(f_new, y_scale * sigma))
    return drawn


def classification(
    X: Tensor,
    y: Tensor | None = None,
    X_new: Tensor | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Tensor:
    """Classes 0 and 1, y (n,), by a latent function."""
    return _latent(X, y, X_new, kernel, x_units, lambda f: dist.Bernoulli(logits=f))


def counts(
    X: Tensor,
    y: Tensor | None = None,
    X_new: Tensor | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Tensor:
    """Counts y (n,) by a latent function, the log of their mean."""
    return _latent(X, y, X_new, kernel, x_units, lambda f: dist.Poisson(f.exp()))


def _latent(
    X: Tensor,
    y: Tensor | None,
    X_new: Tensor | None,
    kernel: str,
    x_units: Units,
    likelihood: Callable[[Tensor], Any],
) -> Tensor:
    zero = 0.0 * X.new_ones(())
    alpha = pyro.sample("alpha", dist.Normal(zero, 2.5))
    eta, ell = _kernel_sites(X, x_units, 1.0)
    U = (X - x_units[0]) / x_units[1] / ell
    L = eta * torch.linalg.cholesky(gram(U, U, kernel) + EPSILON * torch.eye(len(X)).to(U))
    with pyro.plate("rows", len(X)):
        z = pyro.sample("z", dist.Normal(zero, 1.0))
        f = pyro.deterministic("f", alpha + L @ z, event_dim=0)
        y = y if y is None else y.to(f)  # torch takes neither classes nor counts as whole numbers
        drawn: Tensor = pyro.sample("y", likelihood(f), obs=y)
    if X_new is not None:
        U_new = (X_new - x_units[0]) / x_units[1] / ell
        mean, covariance = conditional(U, U_new, L, z, eta, kernel)
        f_new = pyro.sample("f_new", dist.MultivariateNormal(alpha + mean, covariance))
        with pyro.plate("new rows", len(X_new)):
            pyro.sample("y_new", likelihood(f_new))
    return drawn


def _kernel_sites(X: Tensor, x_units: Units, y_scale: Any) -> tuple[Tensor, Tensor]:
    """eta and ell (d,)."""
    one = 1.0 * X.new_ones(())
    eta = pyro.sample("eta", dist.HalfNormal(one))
    pyro.deterministic("amplitude", y_scale * eta)
    with pyro.plate("inputs", X.shape[1]):
        ell = pyro.sample("ell", dist.InverseGamma(3 * one, 3 * one))
        pyro.deterministic("length_scale", x_units[1] * ell, event_dim=0)
    return eta, ell


def gram(U: Tensor, V: Tensor, kernel: str) -> Tensor:
    """kappa (n, m) of inputs in units of the length scales, (n, d) and (m, d)."""
    r2 = (U[:, None] - V).square().sum(-1)
    apart = r2 > 0  # the root has no slope at 0, kappa has
    return KERNELS[kernel](torch.where(apart, torch.where(apart, r2, 1.0).sqrt(), 0.0))


def conditional(
    U: Tensor, U_new: Tensor, L: Tensor, w: Tensor, eta: Tensor, kernel: str
) -> tuple[Tensor, Tensor]:
    """Mean A' w (m,) and covariance (m, m) of f at new inputs, less alpha, in standard units."""
    A = torch.linalg.solve_triangular(L, eta**2 * gram(U, U_new, kernel), upper=False)
    K = gram(U_new, U_new, kernel) + EPSILON * torch.eye(len(U_new)).to(U)
    return A.T @ w, eta**2 * K - A.T @ A
