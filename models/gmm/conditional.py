"""Marginals and conditionals of a mixture, which are mixtures again; its samples and imputations.

With x = (x_o, x_m) and the same for the codes,

    p(x_m, c_m | x_o, c_o) = sum_k w'_k N(x_m; mu_m + G (x_o - mu_o), Sigma_mm - G Sigma_om)
                                     prod_missing P_j[k, c_j],
    G = Sigma_mo Sigma_oo^-1,
    w'_k proportional to w_k N(x_o; mu_o, Sigma_oo) prod_observed P_j[k, c_j].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from ...arrays import Ints
from ...covariance import root
from .kernel import responsibilities
from .missing import Filled, blocks, fill
from .parameters import CovarianceType, Floats, Mixture
from .weighted_rows import table_columns

_SEEN = 1e-9  # share of rows


def marginal(mixture: Mixture, columns: Ints, tables: Ints) -> Mixture:
    """The mixture of some continuous columns and some tables."""
    kind, covariances = mixture.covariance_type, mixture.covariances
    if kind == "full":
        covariances = covariances[:, columns[:, None], columns]
    elif kind == "tied":
        covariances = covariances[columns[:, None], columns]
    elif kind == "diag":
        covariances = covariances[:, columns]
    probs = tuple(mixture.probs[j] for j in tables)
    return Mixture(mixture.weights, mixture.means[:, columns], covariances, kind, probs)


def condition(mixture: Mixture, x: Floats, codes: NDArray[np.int32]) -> Mixture:
    """The mixture of the gaps in one row x (d,), codes (c,), given the rest of the row."""
    filled = _fill_one(mixture, x, codes)
    r, _ = responsibilities(np, filled.joint)
    free = np.flatnonzero(np.isnan(x))
    covariances = filled.covariance[0][:, free[:, None], free]
    kind: CovarianceType = mixture.covariance_type
    if kind == "tied":
        covariances = covariances[0]
    elif kind == "diag":
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    elif kind == "spherical":
        covariances = mixture.covariances
    probs = tuple(p for p, code in zip(mixture.probs, codes, strict=True) if code == -1)
    return Mixture(r[0], filled.mean[0][:, free], np.ascontiguousarray(covariances), kind, probs)


def _fill_one(mixture: Mixture, x: Floats, codes: NDArray[np.int32]) -> Filled:
    """One row x (d,), codes (c,) under each component."""
    columns = table_columns(codes[None], mixture.n_levels)
    return fill(mixture, x[None], columns, np.zeros(1, np.intp), ~np.isnan(x)[None])


def far_out(mixture: Mixture, x: NDArray[Any], codes: NDArray[np.int32]) -> float | None:
    """The distance of the continuous values in a row x (d,) from the nearest component, in standard
    deviations; None if at least `_SEEN` of all rows lie as far out."""
    m = int((~np.isnan(x)).sum())
    if m == 0:
        return None
    distance = _fill_one(mixture, np.asarray(x, dtype=np.float64), codes).distance[0]
    if mixture.weights @ chi2.sf(distance, m) >= _SEEN:
        return None
    return float(np.sqrt(distance.min()))


def impute(
    mixture: Mixture, x: Floats, codes: NDArray[np.int32], rng: np.random.Generator | None
) -> tuple[Floats, NDArray[np.int32]]:
    """Rows with gaps filled: by conditional means and likeliest levels, or by draws from `rng`."""
    x, codes = x.copy(), codes.copy()
    # A level that the fit never saw says nothing about the gaps in its row.
    known = np.where(codes == -2, -1, codes)
    for rows, filled in blocks(mixture, x, table_columns(known, mixture.n_levels)):
        r, _ = responsibilities(np, filled.joint)
        chosen = None if rng is None else draw_rows(r, rng)
        if rng is None or chosen is None:
            values = np.einsum("nk,nkd->nd", r, filled.mean)
        else:
            values = filled.mean[np.arange(len(rows)), chosen]
            values = values + _noise(filled.covariance, filled.pattern, chosen, rng)
        gaps = ~filled.observed[filled.pattern]
        part = x[rows]
        part[gaps] = values[gaps]
        x[rows] = part
        for j, table in enumerate(mixture.probs):
            lack = codes[rows, j] == -1
            if lack.any():
                shares = r[lack] @ table if chosen is None else table[chosen[lack]]
                level = shares.argmax(axis=1) if rng is None else draw_rows(shares, rng)
                codes[rows[lack], j] = level
    return x, codes


def sample(
    mixture: Mixture,
    n: int,
    rng: np.random.Generator,
    given: tuple[Floats, NDArray[np.int32]] | None = None,
) -> tuple[Floats, NDArray[np.int32]]:
    """n rows and codes; `given` is one row, with NaN and -1 in what is to be drawn."""
    k, d = mixture.means.shape
    if given is not None:
        row, row_codes = given
        return impute(mixture, np.tile(row, (n, 1)), np.tile(row_codes, (n, 1)), rng)
    component = rng.choice(k, size=n, p=mixture.weights / mixture.weights.sum())
    x = mixture.means[component].copy()
    factors = root(mixture.full_covariances())
    for c in range(k):
        rows = component == c
        x[rows] += rng.standard_normal((int(rows.sum()), d)) @ factors[c].T
    codes = np.empty((n, len(mixture.probs)), np.int32)
    for j, table in enumerate(mixture.probs):
        codes[:, j] = draw_rows(table[component], rng)
    return x, codes


def draw_rows(shares: Floats, rng: np.random.Generator) -> Ints:
    """One index a row, with probability proportional to its share."""
    edges = np.cumsum(shares, axis=1)
    point = rng.random(len(shares))[:, None] * edges[:, -1:]
    return np.asarray((point >= edges).sum(axis=1).clip(max=shares.shape[1] - 1), dtype=np.intp)


def _noise(covariances: Floats, pattern: Ints, component: Ints, rng: np.random.Generator) -> Floats:
    """(n, d) draws from N(0, C), C being (p, k, d, d) by each row's pattern and component."""
    k, d = covariances.shape[1:3]
    used, which = np.unique(pattern * k + component, return_inverse=True)
    factors = root(covariances[used // k, used % k])
    z = rng.standard_normal((len(pattern), d))
    return np.asarray(np.einsum("nij,nj->ni", factors[which.reshape(-1)], z))
