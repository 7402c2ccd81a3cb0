"""The objective of deterministic ADVI and its derivatives: see `dadvi`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...arrays import Array


@dataclass(frozen=True)
class Objective:
    """F and its derivatives as functions of eta = (m, w) in R^2p.

    Attributes:
        value_and_gradient: of eta.
        product: of eta and v, the Hessian times v.
        hessian: (2p, 2p).
        of_pairs: (M / 2, 2p) gradients of the pairs of draws.
    """

    value_and_gradient: Callable[[Array], tuple[float, Array]]
    product: Callable[[Array, Array], Array]
    hessian: Callable[[Array], Array]
    of_pairs: Callable[[Array], Array]


def fixed_draws(n: int, p: int, rng: np.random.Generator) -> Array:
    """(n, p) draws in pairs u, -u with the second moments of Normal(0, I)."""
    half = rng.normal(size=(n // 2, p))
    if p < n // 2:
        root = np.linalg.cholesky(half.T @ half / (n // 2))
        half = np.linalg.solve(root, half.T).T
    else:
        half /= np.sqrt((half**2).mean(axis=0))
    return np.stack([half, -half], axis=1).reshape(-1, p)


def objective(log_joint: Callable[[Any], Any], u: Array) -> Objective:
    """F of a log joint that JAX differentiates, by fixed draws (M, p)."""
    import jax
    import jax.numpy as jnp

    p = u.shape[1]

    def mean(eta: Any, u: Any) -> Any:
        m, w = eta[:p], eta[p:]
        return -w.sum() - jax.vmap(lambda each: log_joint(m + jnp.exp(w) * each))(u).mean()

    def numbers(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(function)

        def called(*args: Array) -> Any:
            with jax.enable_x64(True):
                return jax.tree.map(np.asarray, compiled(*map(jnp.asarray, args)))

        return called

    whole = partial(mean, u=u)
    slope = jax.grad(whole)

    def product(eta: Any, v: Any) -> Any:
        return jax.jvp(slope, (eta,), (v,))[1]

    def hessian(eta: Any) -> Any:
        return jax.lax.map(partial(product, eta), jnp.eye(2 * p), batch_size=64)

    def of_pairs(eta: Any) -> Any:
        return jax.lax.map(lambda pair: jax.grad(mean)(eta, pair), jnp.asarray(u.reshape(-1, 2, p)))

    return Objective(
        numbers(jax.value_and_grad(whole)), numbers(product), numbers(hessian), numbers(of_pairs)
    )
