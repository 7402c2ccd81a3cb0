"""How well a mixture fits each row when that row is left out, without fitting again.

The likelihood is unbounded where a component sits on few rows, each of which is then likely because
of itself. With the responsibilities r held fixed, taking row x out of component k, of N = sum r
rows with mean mu and covariance Sigma, leaves, in closed form,

    N' = N - r,     mu' = mu - r e / N',     e = x - mu,     e' = e N / N',
    Sigma' = N / N' (Sigma - r / N' e e^T),      q = 1 - r D / N',     D = e^T Sigma^-1 e,
    log |Sigma'| = log |Sigma| + d log N / N' + log q,       e'^T Sigma'^-1 e' = N D / (N' q),

by the matrix determinant lemma and the formula of Sherman and Morrison. For a diagonal covariance
the same holds in each column; for one of a single variance, with D / d in q and d log q; for
tables, with their counts. For Student's t, whose mean and covariance weigh rows by r u
(`radial`), with S = sum r u and S' = S - r u,

    e' = e S / S',      Sigma' = N / N' (Sigma - r u S / (N S') e e^T),
    q = 1 - r u S D / (N S'),      e'^T Sigma'^-1 e' = (S / S')^2 N' D / (N q),

which is the above where u = 1. If the row alone spans a direction, q = 0 and the component cannot
explain it. The score of a row is

    log [ (1 - 1/n) sum_k w'_k p'_k(x) + 1/n b(x) ],

with a heavy-tailed background b, Cauchy about the columns' medians, so that no row that resembles
no other decides alone.

Reference: Stone, "Cross-validatory choice and assessment of statistical predictions", 1974,
https://doi.org/10.1111/j.2517-6161.1974.tb00994.x.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from . import kernel
from .parameters import Floats, Mixture
from .radial import log_decay
from .weighted_rows import WeightedRows

_NUMBERS = 1 << 21  # in the largest temporary
_TINY = 1e-12


def left_out(rows: WeightedRows, mixture: Mixture) -> float:
    """Weighted sum of the rows' log densities, each when the row is left out."""
    n = rows.total
    joint, distance, size = rows.joint(mixture)
    d = size[:, None]
    r, _ = kernel.responsibilities(np, joint)
    out = r * np.minimum(rows.v, 1.0)[:, None]
    held = np.maximum(rows.v @ r, _TINY)
    left = np.maximum(held - out, _TINY * held)
    grown = held / left  # N / N'
    pull = np.ones_like(distance)  # u
    further, part = grown, out / left  # S / S' and r u S / (N S')
    if mixture.dof is not None:
        pull = (mixture.dof + d) / (mixture.dof + distance)
        whole = np.maximum(rows.v @ (r * pull), _TINY)
        further = whole / np.maximum(whole - out * pull, _TINY * whole)
        part = out * pull * further / held
    if mixture.covariance_type == "diag":
        log_det, away = d * np.log(grown), np.empty_like(distance)
        step = max(64, _NUMBERS // max(1, mixture.means.size))
        for start in range(0, len(rows), step):
            at = slice(start, start + step)
            e = np.nan_to_num(rows.x[at, None, :] - mixture.means)
            square = e**2 / mixture.covariances  # (m, k, d), 0 in gaps
            q = np.maximum(1 - part[at, :, None] * square, _TINY)
            log_det[at] += np.log(q).sum(axis=2)
            away[at] = (square / q).sum(axis=2)
        away *= further**2 / grown
    elif mixture.covariance_type == "tied":
        all_left = np.maximum(n - out, _TINY * n)
        q = np.maximum(1 - out * pull * further / n * distance, _TINY)
        log_det = np.log(q) + d * np.log(n / all_left)
        away = further**2 * all_left / n * distance / q
    else:
        each = np.maximum(d, 1) if mixture.covariance_type == "spherical" else 1
        q = np.maximum(1 - part * distance / each, _TINY)
        log_det = each * np.log(q) + d * np.log(grown)
        away = further**2 / grown * distance / q
    decay = log_decay(np, away, d, mixture.dof) - log_decay(np, distance, d, mixture.dof)
    joint = joint + decay - log_det / 2 - np.log(grown)
    joint += np.log(n / np.maximum(n - np.minimum(rows.v, 1.0), 1.0))[:, None]
    for j, table in enumerate(mixture.probs):
        seen = rows.columns[:, j] < table.shape[1]
        p = np.maximum(table, _TINY).T[np.where(seen, rows.columns[:, j], 0)]
        without = np.maximum(p * held - out, _TINY) / left / p
        joint += np.where(seen[:, None], np.log(np.minimum(without, 1.0)), 0.0)
    share = 1 / max(n, 2.0)
    known = np.log1p(-share) + logsumexp(joint, axis=1)
    scores = np.logaddexp(known, np.log(share) + _background(rows))
    return float(rows.v @ scores)


def _background(rows: WeightedRows) -> Floats:
    """(n,) log densities of independent columns: Cauchy, or uniform over levels."""
    width = rows.spread
    z = (np.asarray(rows.x, np.float64) - rows.centre) / width
    logs = np.where(np.isnan(z), 0.0, -np.log(np.pi * width) - np.log1p(np.square(z))).sum(axis=1)
    for j, levels in enumerate(rows.n_levels):
        logs -= np.where(rows.columns[:, j] < levels, np.log(levels), 0.0)
    return np.asarray(logs)
