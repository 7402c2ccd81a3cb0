"""Marginals and conditionals of a mixture, which are mixtures again; its samples and imputations.

With x = (x_o, x_m) and the same for the codes,

    p(x_m, c_m | x_o, c_o) = sum_k w'_k N(x_m; mu_m + G (x_o - mu_o), Sigma_mm - G Sigma_om)
                                     prod_missing P_j[k, c_j],
    G = Sigma_mo Sigma_oo^-1,
    w'_k proportional to w_k N(x_o; mu_o, Sigma_oo) prod_observed P_j[k, c_j].

Of Student's t in place of N, the parts are t too (`radial`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, f

from ...arrays import Ints
from ...covariance import root
from .kernel import responsibilities
from .missing import Filled, blocks
from .parameters import Floats, Mixture
from .weighted_rows import table_columns

_SHARES = 1 << 22  # of levels that are computed at a time
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
    probs, means = tuple(mixture.probs[j] for j in tables), mixture.means[:, columns]
    return Mixture(mixture.weights, means, covariances, kind, probs, mixture.dof)


def condition(mixture: Mixture, x: Floats, codes: NDArray[np.int32]) -> Mixture:
    """The mixture of the gaps in one row x (d,), codes (c,), given the rest of the row."""
    filled = _fill_one(mixture, x, codes)
    r, _ = responsibilities(np, filled.joint)
    free = np.flatnonzero(np.isnan(x))
    stretch, kind = filled.stretch[0], mixture.covariance_type
    covariances = filled.covariance[0] * stretch[:, None, None]
    if kind == "tied" and mixture.dof is None:
        covariances = covariances[0]
    elif kind == "tied":  # each component is widened by its own distance
        kind = "full"
    elif kind == "diag":
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    elif kind == "spherical":
        covariances = mixture.covariances * stretch
    probs = tuple(p for p, code in zip(mixture.probs, codes, strict=True) if code == -1)
    dof = None if mixture.dof is None else mixture.dof + len(x) - len(free)
    means = filled.mean[0][:, free]
    return Mixture(r[0], means, np.ascontiguousarray(covariances), kind, probs, dof)


def _fill_one(mixture: Mixture, x: Floats, codes: NDArray[np.int32]) -> Filled:
    """One row x (d,), codes (c,) under each component."""
    columns = table_columns(codes[None], mixture.n_levels)
    return next(blocks(mixture, x[None], columns))


def far_out(mixture: Mixture, x: NDArray[Any], codes: NDArray[np.int32]) -> float | None:
    """The distance of the continuous values in a row x (d,) from the nearest component, in standard
    deviations; None if at least `_SEEN` of all rows lie as far out."""
    m = int((~np.isnan(x)).sum())
    if m == 0:
        return None
    distance = _fill_one(mixture, np.asarray(x, dtype=np.float64), codes).distance[0]
    dof = mixture.dof
    further = chi2.sf(distance, m) if dof is None else f.sf(distance / m, m, dof)
    if mixture.weights @ further >= _SEEN:
        return None
    return float(np.sqrt(distance.min()))


def impute(
    mixture: Mixture, x: Floats, codes: NDArray[np.int32], rng: np.random.Generator | None
) -> tuple[Floats, NDArray[np.int32], Ints]:
    """Rows with gaps filled: by conditional means and likeliest levels, or by draws from `rng`; and
    the component (n,) that each is drawn from, or the likeliest."""
    x, codes = x.copy(), codes.copy()
    component = np.empty(len(x), np.intp)
    # A level that the fit never saw says nothing about the gaps in its row.
    known = np.where(codes == -2, -1, codes)
    for filled in blocks(mixture, x, table_columns(known, mixture.n_levels)):
        rows, lack = filled.rows, filled.lack
        r, _ = responsibilities(np, filled.joint)
        component[rows] = chosen = r.argmax(axis=1) if rng is None else draw_rows(r, rng)
        each = np.arange(len(rows))
        if rng is None:
            values = np.einsum("nk,nkd->nd", r, filled.mean)
            values = np.take_along_axis(values, lack, axis=1)
        else:
            values = np.take_along_axis(filled.mean[each, chosen], lack, axis=1)
            values = values + _noise(filled, chosen, rng)
        x[rows[:, None], lack] = values
        for j, table in enumerate(mixture.probs):
            gap = codes[rows, j] == -1
            if gap.any():
                if rng is None:
                    codes[rows[gap], j] = _likeliest(r[gap], table)
                else:
                    codes[rows[gap], j] = draw_levels(table, chosen[gap], rng)
    return x, codes, component


def sample(
    mixture: Mixture,
    n: int,
    rng: np.random.Generator,
    given: tuple[Floats, NDArray[np.int32]] | None = None,
) -> tuple[Floats, NDArray[np.int32], Ints]:
    """n rows and codes, and the component (n,) of each; `given` is one row, with NaN and -1 in what
    is to be drawn."""
    k, d = mixture.means.shape
    if given is not None:
        row, row_codes = given
        return impute(mixture, np.tile(row, (n, 1)), np.tile(row_codes, (n, 1)), rng)
    component = rng.choice(k, size=n, p=mixture.weights / mixture.weights.sum())
    x = mixture.means[component].copy()
    factors = root(mixture.full_covariances())
    for c in range(k):
        rows = component == c
        noise = rng.standard_normal((int(rows.sum()), d)) @ factors[c].T
        if mixture.dof is not None:
            noise *= _scales(np.full(len(noise), mixture.dof[c]), rng)[:, None]
        x[rows] += noise
    codes = np.empty((n, len(mixture.probs)), np.int32)
    for j, table in enumerate(mixture.probs):
        codes[:, j] = draw_levels(table, component, rng)
    return x, codes, component


def draw_rows(shares: Floats, rng: np.random.Generator) -> Ints:
    """One index a row, with probability proportional to its share."""
    edges = np.cumsum(shares, axis=1)
    point = rng.random(len(shares))[:, None] * edges[:, -1:]
    return np.asarray((point >= edges).sum(axis=1).clip(max=shares.shape[1] - 1), dtype=np.intp)


def draw_levels(table: Floats, component: Ints, rng: np.random.Generator) -> Ints:
    """(n,) a level a row, of the shares (k, levels) of its component."""
    edges = np.cumsum(table, axis=1)
    point = rng.random(len(component)) * edges[component, -1]
    out = np.empty(len(component), dtype=np.intp)
    for c, ends in enumerate(edges):
        rows = component == c
        out[rows] = np.searchsorted(ends, point[rows], side="right")
    return out.clip(max=table.shape[1] - 1)


def _likeliest(r: Floats, table: Floats) -> Ints:
    """(n,) the level of the largest share, by responsibilities (n, k)."""
    step = max(1, _SHARES // table.shape[1])
    parts = [(r[i : i + step] @ table).argmax(axis=1) for i in range(0, len(r), step)]
    return np.concatenate(parts)


def _noise(filled: Filled, component: Ints, rng: np.random.Generator) -> Floats:
    """(n, m) draws of the gaps about their means, each row of one component."""
    covariances, dof = filled.covariance, filled.mixture.dof
    k, m = covariances.shape[1:3]
    used, which = np.unique(filled.pattern * k + component, return_inverse=True)
    factors = root(covariances[used // k, used % k])
    z = rng.standard_normal((len(component), m))
    noise = np.einsum("nij,nj->ni", factors[which.reshape(-1)], z)
    if dof is not None:
        nu = dof[component] + filled.e.shape[2] - m
        stretch = np.take_along_axis(filled.stretch, component[:, None], axis=1)
        noise = noise * np.sqrt(stretch) * _scales(nu, rng)[:, None]
    return np.asarray(noise)


def _scales(dof: Floats, rng: np.random.Generator) -> Floats:
    """(n,) what makes normal draws those of a t: sqrt(nu / chi^2_nu)."""
    return np.asarray(np.sqrt(dof / rng.chisquare(dof)))
