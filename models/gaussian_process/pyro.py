"""Gaussian processes in Pyro: the twin of `numpyro.py`, which explains the models, with the same
sites, shapes and log joint.

    f ~ GP(0, k),    k(x, x') = eta^2 kappa(r),    r^2 = sum_j (u_j - u'_j)^2 / ell_j^2
    eta ~ Normal+(1),   ell_j ~ InverseGamma(3, 3),   sigma ~ Exponential(1),   epsilon = 1e-6

    K = k(X, X) + epsilon eta^2 I,   and of rows seen, by L and w,   A = L^-1 k(X_s, X)

    regression   v ~ Normal(A' w, K + sigma^2 I - A' A),   L L' = K_s + sigma^2 I,   w = L^-1 v_s,
                 y = location + scale v
    others       f ~ Normal(alpha + A' z, K - A' A),   f(X_s) = alpha + L z,   L L' = K_s,
                 z ~ Normal(0, I),   alpha ~ Normal(0, 2.5),
                 y ~ Bernoulli(1 / (1 + exp(-f)))  or  y ~ Poisson(exp(f))
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
    X_seen: Tensor | None = None,
    y_seen: Tensor | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
    y_units: Units = (0.0, 1.0),
) -> Tensor:
    """Gaussian process regression of y (n,) on X (n, d). The twin describes each argument, here and
    below."""
    eta, ell = _kernel_sites(X, x_units, y_units[1])
    sigma = pyro.sample("sigma", dist.Exponential(torch.ones_like(eta)))
    y_loc, y_scale = y_units
    pyro.deterministic("noise", y_scale * sigma)
    U = (X - x_units[0]) / x_units[1] / ell
    mean, C = U.new_zeros(len(U)), covariance(U, eta, kernel) + sigma**2 * torch.eye(len(U)).to(U)
    if X_seen is not None:
        U_s, v_s = (X_seen - x_units[0]) / x_units[1] / ell, (y_seen - y_loc) / y_scale
        C_s = covariance(U_s, eta, kernel) + sigma**2 * torch.eye(len(U_s)).to(U)
        L = torch.linalg.cholesky(C_s)
        A = torch.linalg.solve_triangular(L, eta**2 * gram(U_s, U, kernel), upper=False)
        w = torch.linalg.solve_triangular(L, v_s[:, None], upper=False)[:, 0]
        mean, C = A.T @ w, C - A.T @ A
    tril = y_scale * torch.linalg.cholesky(C)
    normal = dist.MultivariateNormal(y_loc + y_scale * mean, scale_tril=tril)
    drawn: Tensor = pyro.sample("y", normal, obs=y)
    return drawn


def classification(
    X: Tensor,
    y: Tensor | None = None,
    X_seen: Tensor | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Tensor:
    """Classes 0 and 1, y (n,), by a latent function."""
    return _of_latent(lambda f: dist.Bernoulli(logits=f), X, y, X_seen, kernel, x_units)


def counts(
    X: Tensor,
    y: Tensor | None = None,
    X_seen: Tensor | None = None,
    *,
    kernel: str = "matern52",
    x_units: Units = (0.0, 1.0),
) -> Tensor:
    """Counts y (n,) by a latent function, the log of their mean."""
    return _of_latent(lambda f: dist.Poisson(f.exp()), X, y, X_seen, kernel, x_units)


def _of_latent(
    of: Callable[[Tensor], Any],
    X: Tensor,
    y: Tensor | None,
    X_seen: Tensor | None,
    kernel: str,
    x_units: Units,
) -> Tensor:
    """y (n,) of the distribution `of` the latent function."""
    rows = pyro.plate("rows", len(X))
    f = _latent(rows, X, X_seen, kernel, x_units)
    y = y if y is None else y.to(f)  # of whole numbers torch takes lgamma in single precision
    with rows:
        drawn: Tensor = pyro.sample("y", of(f), obs=y)
    return drawn


def _latent(
    rows: pyro.plate, X: Tensor, X_seen: Tensor | None, kernel: str, x_units: Units
) -> Tensor:
    """f (n,). At inputs that were not seen it is drawn, and is no site: they have no data."""
    zero = 0.0 * X.new_ones(())
    alpha = pyro.sample("alpha", dist.Normal(zero, 2.5))
    eta, ell = _kernel_sites(X, x_units, 1.0)
    U_s = ((X if X_seen is None else X_seen) - x_units[0]) / x_units[1] / ell
    L = torch.linalg.cholesky(covariance(U_s, eta, kernel))
    with pyro.plate("places", len(U_s)):
        z = pyro.sample("z", dist.Normal(zero, 1.0))
    f: Tensor = alpha + L @ z
    if X_seen is not None:
        U = (X - x_units[0]) / x_units[1] / ell
        A = torch.linalg.solve_triangular(L, eta**2 * gram(U_s, U, kernel), upper=False)
        tril = torch.linalg.cholesky(covariance(U, eta, kernel) - A.T @ A)
        f = alpha + A.T @ z + tril @ torch.randn(len(U), dtype=tril.dtype)
    with rows:
        pyro.deterministic("f", f, event_dim=0)
    return f


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
    least = 100 * torch.finfo(r2.dtype).eps  # the root has no slope at 0, kappa has
    return KERNELS[kernel](r2.clamp_min(least**2).sqrt())


def covariance(U: Tensor, eta: Tensor, kernel: str) -> Tensor:
    """K (n, n) of inputs in units of the length scales, (n, d), with its jitter."""
    return eta**2 * (gram(U, U, kernel) + EPSILON * torch.eye(len(U)).to(U))
