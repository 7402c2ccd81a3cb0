"""The sums of EM over rows with gaps, each gap integrated out exactly.

For a row with observed entries o, write M for the diagonal 0/1 matrix of o, e = M (x - mu) and A =
M Sigma M + I - M. Then

    log N(x_o; mu_o, Sigma_oo) = -(e^T A^-1 e + log |A| + |o| log 2 pi) / 2,
    E[x | x_o]   = mu + Sigma A^-1 e,
    Cov[x | x_o] = Sigma - Sigma M A^-1 M Sigma,

which is one shape for every pattern of gaps, so that patterns are handled in batches. It is
computed on correlations, so that units do not matter.

Reference: Ghahramani and Jordan, "Supervised learning from incomplete data via an EM approach",
1994, https://papers.nips.cc/paper/1993/hash/f2201f5191c4e92cc5af043eebfd0946-Abstract.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ints
from ...covariance import correlations
from .kernel import Moments, add, responsibilities
from .parameters import Floats, Mixture

_CELLS = 1 << 21  # numbers in the largest temporary


@dataclass(frozen=True)
class Patterns:
    """Rows sorted by which entries they lack.

    Attributes:
        order: row numbers so sorted.
        pattern: (n,) pattern of each sorted row.
        observed: (p, d) the patterns.
    """

    order: Ints
    pattern: Ints
    observed: NDArray[np.bool_]

    @classmethod
    def of(cls, x: Floats) -> Patterns:
        observed, pattern = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        pattern = pattern.reshape(-1)
        order = np.argsort(pattern, kind="stable")
        return cls(order, pattern[order], observed)


@dataclass(frozen=True)
class Filled:
    """Rows of one block under each component.

    Attributes:
        observed: (p, d) the patterns of gaps among them.
        pattern: (n,) which of these each row has.
        joint: (n, k) log w_k p(x_o, c_o | k).
        distance: (n, k) squared distances e^T A^-1 e.
        mean: (n, k, d) E[x | x_o, k].
        covariance: (p, k, d, d) Cov[x | x_o, k] of each pattern.
    """

    observed: NDArray[np.bool_]
    pattern: Ints
    joint: Floats
    distance: Floats
    mean: Floats
    covariance: Floats


def fill(
    mixture: Mixture,
    x: Floats,
    codes: NDArray[np.int32],
    pattern: Ints,
    observed: NDArray[np.bool_],
) -> Filled:
    """Densities and conditional moments of rows x (n, d) and table columns `codes` (n, c);
    `pattern` numbers their patterns among `observed` (p, d)."""
    k, d = mixture.means.shape
    sigma, spread = correlations(mixture.full_covariances())
    m = observed[:, None, :].astype(np.float64)
    A = sigma * (m[..., :, None] * m[..., None, :]) + (1 - m)[..., None] * np.eye(d)
    inverse = np.linalg.inv(A) * (m[..., :, None] * m[..., None, :])
    gain = sigma @ inverse
    # What is observed has no variance; what rounding leaves there must not be taken for one.
    free = (1 - m) * spread
    covariance = (sigma - gain @ sigma) * (free[..., :, None] * free[..., None, :])
    log_det = np.linalg.slogdet(A)[1] + 2 * observed @ np.log(spread).T
    e = np.where(np.isnan(x)[:, None, :], 0.0, (x[:, None, :] - mixture.means) / spread)
    joint, distance = np.empty((len(x), k)), np.empty((len(x), k))
    mean = np.empty((len(x), k, d))
    for p in range(len(observed)):
        rows = pattern == p
        part = e[rows].transpose(1, 0, 2)
        distance[rows] = ((part @ inverse[p]) * part).sum(axis=2).T
        size = log_det[p] + observed[p].sum() * np.log(2 * np.pi)
        joint[rows] = -0.5 * (distance[rows] + size)
        mean[rows] = (part @ np.swapaxes(gain[p], 1, 2)).transpose(1, 0, 2)
    mean = mixture.means + spread * mean
    with np.errstate(divide="ignore"):
        joint += np.log(mixture.weights)
        for j, table in enumerate(mixture.probs):
            logs = np.concatenate([np.log(table), np.tile([0.0, -np.inf], (k, 1))], axis=1)
            joint += logs.T[codes[:, j]]
    return Filled(observed, pattern, joint, distance, mean, covariance)


def blocks(
    mixture: Mixture, x: Floats, codes: NDArray[np.int32], patterns: Patterns | None = None
) -> Iterator[tuple[Ints, Filled]]:
    """All rows, in blocks that share patterns: their numbers, and what `fill` says of them."""
    patterns = Patterns.of(x) if patterns is None else patterns
    k, d = mixture.means.shape
    # In the worst case each row is its own pattern, with k matrices of d x d.
    size = max(16, _CELLS // max(1, k * d * d))
    for start in range(0, len(x), size):
        rows = patterns.order[start : start + size]
        kept, pattern = np.unique(patterns.pattern[start : start + size], return_inverse=True)
        yield rows, fill(mixture, x[rows], codes[rows], pattern, patterns.observed[kept])


def moments(
    mixture: Mixture,
    x: Floats,
    codes: NDArray[np.int32],
    v: Floats,
    patterns: Patterns,
    shift: Floats,
) -> Moments:
    """The sums of `kernel.moments`, of E[x x^T | x_o] for x x^T; second ones always (k, d, d)."""
    total: Moments | None = None
    for rows, filled in blocks(mixture, x, codes, patterns):
        r, log_prob = responsibilities(np, filled.joint)
        weight = v[rows]
        r = r * weight[:, None]
        mean = filled.mean - shift
        second = np.einsum("nki,nkj->kij", r[:, :, None] * mean, mean, optimize=True)
        share = np.zeros((len(filled.observed), r.shape[1]))
        np.add.at(share, filled.pattern, r)
        second += np.einsum("pk,pkij->kij", share, filled.covariance, optimize=True)
        counts = tuple(
            r.T @ np.eye(t.shape[1] + 2)[codes[rows, j]] for j, t in enumerate(mixture.probs)
        )
        seen = np.where(weight > 0, log_prob, 0.0)
        first = np.einsum("nk,nkd->kd", r, mean, optimize=True)
        part = Moments(r.sum(axis=0), first, second, counts, (weight * seen).sum())
        total = part if total is None else add(total, part)
    assert total is not None
    return total


def log_prob(mixture: Mixture, x: Floats, codes: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """(n, k) responsibilities and (n,) log densities of the observed entries."""
    r, log_density = np.empty((len(x), mixture.n_components)), np.empty(len(x))
    for rows, filled in blocks(mixture, x, codes):
        r[rows], log_density[rows] = responsibilities(np, filled.joint)
    return r, log_density
