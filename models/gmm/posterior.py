"""Densities, components and mixtures from draws of a mixture's parameters.

Draws are named as the sites of the pair, w, mu, sigma, L, nu, B_0, B_1, ..., each
(chain, draw, ...). A row's density given the rows fitted is the mean of its density over S draws,

    p(x | data) = 1/S sum_s p(x | theta_s).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ints
from ...covariance import correlations
from .parameters import CovarianceType, Floats, Mixture

Posterior = Mapping[str, Floats]
_BLOCKS = (64, 512, 4096)
_NU = (1.5, 50.0)


def _flatten(posterior: Posterior, draws: int | None = None) -> dict[str, Floats]:
    """All draws, or `draws` of them evenly spaced, without the chains: name -> (draws, ...)."""
    flat = {name: a.reshape(-1, *a.shape[2:]) for name, a in posterior.items()}
    total = len(flat["w"])
    if draws is None or draws >= total:
        return flat
    keep = np.linspace(0, total - 1, draws).round().astype(int)
    return {name: a[keep] for name, a in flat.items()}


def log_prob_draws(
    posterior: Posterior,
    covariance_type: CovarianceType,
    x: Floats,
    codes: NDArray[np.int32],
    *,
    components: bool = False,
) -> Floats:
    """Log density of each row under each draw, (draws, n); or, with `components`,
    log w_k p(row | z = k), (draws, n, k)."""
    import jax

    flat, gaps, n = _flatten(posterior), bool(np.isnan(x).any()), len(x)
    # Rows in blocks of few sizes, so that few programs are compiled.
    block = next((size for size in _BLOCKS if n <= size), _BLOCKS[-1])
    parts = []
    with jax.enable_x64(True):
        run = _compiled(covariance_type, gaps, components)
        for start in range(0, n, block):
            rows = np.arange(start, start + block).clip(max=n - 1)
            out = np.asarray(run(flat, x[rows], codes[rows]))
            parts.append(out[:, : min(block, n - start)])
    out = np.concatenate(parts, axis=1)
    out[:, (codes < -1).any(axis=1)] = -np.inf  # a level that the fit never saw
    return out


@lru_cache
def _compiled(covariance_type: CovarianceType, gaps: bool, components: bool) -> Any:
    import jax
    import jax.numpy as jnp

    from .numpyro import log_components

    def one(x: Any, codes: Any, draw: Mapping[str, Any]) -> Any:
        w = draw["w"]
        mu = draw.get("mu", jnp.zeros((len(w), 0)))
        sigma = draw.get("sigma", jnp.ones(0))
        if covariance_type == "spherical" and "sigma" in draw:
            sigma = sigma[:, None]
        B = [draw[name] for name in _table_names(draw)]
        log_p = log_components(x, codes, w, mu, sigma, draw.get("L"), B, gaps, draw.get("nu"))
        return log_p if components else jax.nn.logsumexp(log_p, -1)

    return jax.jit(lambda draws, x, codes: jax.lax.map(partial(one, x, codes), draws))


def _table_names(names: Mapping[str, Any]) -> list[str]:
    """B_0, B_1, ... as far as there are."""
    return [f"B_{j}" for j in range(sum(name.startswith("B_") for name in names))]


def parameters(
    posterior: Posterior, covariance_type: CovarianceType, draws: int | None = None
) -> tuple[Floats, Floats, Floats, tuple[Floats, ...], Floats | None]:
    """Weights (S, k), means (S, k, d), covariances (S, ...) in the type's shape, tables
    (S, k, levels) and degrees of freedom (S, k) of all S draws, or of `draws` of them."""
    flat = _flatten(posterior, draws)
    n, k = flat["w"].shape
    mu = flat.get("mu", np.zeros((n, k, 0)))
    tables = tuple(flat[name] for name in _table_names(flat))
    if "sigma" not in flat:
        shape = {"full": (k, 0, 0), "tied": (0, 0), "diag": (k, 0), "spherical": (k,)}
        return flat["w"], mu, np.ones((n, *shape[covariance_type])), tables, None
    sigma, nu = flat["sigma"], flat.get("nu")
    if covariance_type in ("diag", "spherical"):
        return flat["w"], mu, np.square(sigma), tables, nu
    tril = sigma[..., None] * flat.get("L", np.ones((1, 1)))
    return flat["w"], mu, np.asarray(tril @ np.swapaxes(tril, -1, -2)), tables, nu


def mixtures(
    posterior: Posterior, covariance_type: CovarianceType, kept: Ints
) -> Iterator[Mixture]:
    """The mixtures of some draws, numbered through the chains."""
    w, mu, covariances, tables, nu = parameters(posterior, covariance_type)
    for s in kept:
        probs, dof = tuple(table[s] for table in tables), None if nu is None else nu[s]
        yield Mixture(w[s], mu[s], covariances[s], covariance_type, probs, dof)


def predictive_mixture(
    posterior: Posterior, covariance_type: CovarianceType, draws: int | None = None
) -> Mixture:
    """p(x | data) = 1/S sum_s p(x | theta_s) as one mixture, of the components of all S draws."""
    w, mu, covariances, tables, nu = parameters(posterior, covariance_type, draws)
    if covariance_type == "tied":
        covariance_type, covariances = "full", np.repeat(covariances[:, None], w.shape[1], axis=1)
    mu, covariances, *tables_ = (a.reshape(-1, *a.shape[2:]) for a in (mu, covariances, *tables))
    dof = None if nu is None else nu.reshape(-1)
    return Mixture(w.reshape(-1) / w.sum(), mu, covariances, covariance_type, tuple(tables_), dof)


def mean_mixture(posterior: Posterior, covariance_type: CovarianceType) -> Mixture:
    """The mixture at the posterior means of the parameters, of draws numbered alike (`relabel`)."""
    w, mu, covariances, tables, nu = parameters(posterior, covariance_type)
    w, mu, covariances, *means = (a.mean(axis=0) for a in (w, mu, covariances, *tables))
    probs = tuple(table / table.sum(axis=1, keepdims=True) for table in means)
    dof = None if nu is None else nu.mean(axis=0)
    return Mixture(w / w.sum(), mu, covariances, covariance_type, probs, dof)


def sites(mixture: Mixture, floor: float = 1e-3) -> dict[str, Floats]:
    """Values of the pair's sites for a mixture, probabilities kept `floor` inside the simplex."""

    def inside(p: Floats) -> Floats:
        p = np.maximum(p, floor / p.shape[-1])
        return np.asarray(p / p.sum(axis=-1, keepdims=True))

    out = {"w": inside(mixture.weights)}
    out |= {f"B_{j}": inside(p) for j, p in enumerate(mixture.probs)}
    d = mixture.means.shape[1]
    if d == 0:
        return out
    out["mu"] = mixture.means
    if mixture.dof is not None:  # where the prior of nu has mass
        out["nu"] = np.clip(mixture.dof, *_NU)
    cov = mixture.covariances
    if mixture.covariance_type in ("diag", "spherical"):
        return out | {"sigma": np.sqrt(cov)}
    corr, out["sigma"] = correlations(cov)
    if d > 1:
        # A little towards the identity: a correlation of 1 is outside the support.
        out["L"] = np.asarray(np.linalg.cholesky((1 - 1e-6) * corr + 1e-6 * np.eye(d)))
    return out


def dims(
    posterior: Posterior,
    covariance_type: CovarianceType,
    continuous: Sequence[str],
    discrete: Mapping[str, Sequence[Any]],
) -> dict[str, dict[str, list[Any]]]:
    """Names and labels of the draws' dimensions, for ArviZ: {"dims": ..., "coords": ...}, from the
    names of the columns of x and the levels of each categorical column. (ArviZ has a dimension
    `component` of its own in `psense_summary`.)"""
    own = [] if covariance_type == "tied" else ["mixture_component"]
    names: dict[str, list[Any]] = {
        "w": ["mixture_component"],
        "mu": ["mixture_component", "feature"],
    }
    names["sigma"] = own if covariance_type == "spherical" else [*own, "feature"]
    names["nu"] = ["mixture_component"]
    names["L"] = [*own, "feature", "feature_to"]
    coords: dict[str, list[Any]] = {"mixture_component": list(range(posterior["w"].shape[-1]))}
    coords |= {"feature": list(continuous), "feature_to": list(continuous)}
    for j, (column, levels) in enumerate(discrete.items()):
        names[f"B_{j}"] = ["mixture_component", f"level of {column}"]
        coords[f"level of {column}"] = [str(level) for level in levels]
    used = {dim for name in posterior for dim in names[name]}
    return {
        "dims": {name: names[name] for name in posterior},
        "coords": {dim: labels for dim, labels in coords.items() if dim in used},
    }
