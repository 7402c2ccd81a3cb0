"""The sums of EM over rows with gaps, each gap integrated out exactly.

Under one component let R be the correlations, P = R^-1 and e = (x - mu) / spread, and let m be the
gaps of a row and o the rest. With the gaps filled by what is expected of them,

    e_m = -P_mm^-1 P_mo e_o,      Cov[e_m | e_o] = P_mm^-1,

the whole row is as far from the middle as its observed part is, and that has a determinant of its
own,

    e^T P e = e_o^T R_oo^-1 e_o,      log |R_oo| = log |R| + log |P_mm|.

So each component is factored once for all patterns of gaps, and a pattern takes the inverse of a
matrix of the size of its gaps. Patterns with as many gaps are inverted together, by Gauss-Jordan
steps over all of them at once where they are small. The pivots of P_mm are 1 / Var[e_i | others],
hence at least 1, and it needs no pivoting. All is computed on correlations: units do not matter.

References: Ghahramani and Jordan, "Supervised learning from incomplete data via an EM approach",
1994, https://papers.nips.cc/paper/1993/hash/f2201f5191c4e92cc5af043eebfd0946-Abstract.html; Rue and
Held, "Gaussian Markov random fields", 2005, section 2.2 (conditioning by the precision),
https://doi.org/10.1201/9780203492024.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ints
from ...covariance import correlations
from .kernel import Moments, add, level_sums, responsibilities
from .parameters import Floats, Mixture, inverse_of_lower
from .radial import log_radial, log_tau

_CELLS = 1 << 18  # numbers in the largest temporary
_SWEPT = 16  # gaps up to which steps over all patterns beat LAPACK, a pattern at a time


@dataclass(frozen=True)
class Patterns:
    """Rows sorted by how many entries they lack, and by which.

    Attributes:
        order: (n,) row numbers so sorted.
        pattern: (n,) pattern of each sorted row, ascending.
        gaps: (p, d) the patterns.
    """

    order: Ints
    pattern: Ints
    gaps: NDArray[np.bool_]

    @classmethod
    def of(cls, x: Floats) -> Self:
        gaps = np.isnan(x)
        if not gaps.any():
            return cls(np.arange(len(x)), np.zeros(len(x), np.intp), gaps[:1])
        packed = np.packbits(gaps, axis=1)
        bits = packed.view(np.dtype((np.void, packed.shape[1]))).reshape(-1)
        _, first, pattern = np.unique(bits, return_index=True, return_inverse=True)
        by_size = np.argsort(gaps[first].sum(axis=1), kind="stable")
        pattern = np.argsort(by_size)[pattern]
        order = np.argsort(pattern, kind="stable")
        return cls(order, pattern[order], gaps[first[by_size]])


class _Frame:
    """The components of a mixture in their own units, each factored once."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture
        R, self.spread = correlations(mixture.full_covariances())
        self.R = np.ascontiguousarray(R)
        inverse = inverse_of_lower(np.linalg.cholesky(self.R))
        self.factor = np.swapaxes(inverse, -1, -2)  # P = U U^T
        self.P = self.factor @ inverse
        self.entries = np.ascontiguousarray(self.P.reshape(len(R), -1).T)  # (d d, k)
        diagonal = np.diagonal(inverse, axis1=-2, axis2=-1)
        self.log_det = -2 * np.log(diagonal).sum(axis=-1)  # (k,) log |R|
        with np.errstate(divide="ignore"):
            self.log_weights = np.log(mixture.weights)
            edge = np.tile([0.0, -np.inf], (mixture.n_components, 1))
            self.tables = [np.concatenate([np.log(p), edge], axis=1) for p in mixture.probs]

    @property
    def independent(self) -> bool:
        """Whether the columns of a component say nothing of each other."""
        return self.mixture.covariance_type in ("diag", "spherical")


@dataclass(frozen=True)
class Filled:
    """Rows with as many gaps each, under each component.

    Attributes:
        rows: (n,) their numbers.
        gaps: (p, m) the columns that each pattern lacks.
        pattern: (n,) which of these each row has, ascending.
        joint: (n, k) log w_k p(x_o, c_o | k).
        distance: (n, k) squared distances of x_o.
        e: (k, n, d) E[e | e_o].
        inverse: (m, m, p, k) P_mm^-1, the covariance of the gaps of a normal in its own units.
        mixture: the components.
        spread: (k, d) square roots of their variances.
    """

    rows: Ints
    gaps: Ints
    pattern: Ints
    joint: Floats
    distance: Floats
    e: Floats
    inverse: Floats
    mixture: Mixture
    spread: Floats

    @property
    def lack(self) -> Ints:
        """(n, m) the columns that each row lacks."""
        return np.asarray(self.gaps[self.pattern])

    @property
    def mean(self) -> Floats:
        """(n, k, d) E[x | x_o, k]."""
        return self.mixture.means + self.spread * self.e.transpose(1, 0, 2)

    @property
    def covariance(self) -> Floats:
        """(p, k, m, m) Cov[x_m | x_o, k] of a normal; a t's is wider by `stretch`."""
        spread = self.spread[:, self.gaps].transpose(1, 0, 2)  # (p, k, m)
        unitless = self.inverse.transpose(2, 3, 0, 1)
        return np.asarray(unitless * spread[..., :, None] * spread[..., None, :])

    @property
    def stretch(self) -> Floats:
        """(n, k) what a t multiplies its covariance by, given the row."""
        nu = self.mixture.dof
        size = self.e.shape[2] - self.gaps.shape[1]
        return np.ones(self.joint.shape) if nu is None else (nu + self.distance) / (nu + size)


def _fill(
    frame: _Frame, rows: Ints, x: Floats, codes: NDArray[np.int32], gaps: Ints, pattern: Ints
) -> Filled:
    """Densities and conditional moments of rows x (n, d) with table columns `codes` (n, c), whose
    patterns lack the columns `gaps` (p, m)."""
    mixture, spread = frame.mixture, frame.spread
    (n, d), (p, m), k = x.shape, gaps.shape, mixture.n_components
    e = x - mixture.means[:, None]
    e *= 1 / spread[:, None]
    log_det = np.zeros((p, k))  # log |P_mm|
    if m:
        np.copyto(e, 0.0, where=np.isnan(x))
    if m == d:
        inverse = np.broadcast_to(frame.R.transpose(1, 2, 0)[:, :, None], (d, d, p, k))
        log_det = log_det - frame.log_det
    elif frame.independent:
        inverse = np.broadcast_to(np.eye(m)[:, :, None, None], (m, m, p, k))
    else:
        cells = gaps.T[:, None] * d + gaps.T[None]
        inverse, log_det = _inverses(frame.entries.take(cells.reshape(-1), 0).reshape(m, m, p, k))
        if m:
            lack = (np.arange(n) * d + gaps[pattern].T).reshape(-1)  # among the cells of rows
            h = np.ascontiguousarray((e @ frame.P).reshape(k, -1).take(lack, 1).T)  # P_mo e_o
            own = inverse if p == n else inverse.take(pattern, 2)
            filled = np.einsum("ijnk,jnk->kin", own, h.reshape(m, n, k))
            e.reshape(k, -1)[:, lack] = -filled.reshape(k, -1)
    y = e @ frame.factor
    distance = np.einsum("knd,knd->nk", y, y)
    there = np.ones((p, d))
    np.put_along_axis(there, gaps, 0.0, axis=1)
    log_det = log_det + frame.log_det + 2 * there @ np.log(spread).T
    joint = log_radial(distance, d - m, mixture.dof) - 0.5 * log_det[pattern] + frame.log_weights
    for j, table in enumerate(frame.tables):
        joint += table.T[codes[:, j]]
    return Filled(rows, gaps, pattern, joint, distance, e, inverse, mixture, spread)


def _inverses(M: Floats) -> tuple[Floats, Floats]:
    """Inverses of matrices (m, m, ...) with pivots of at least 1, in place, and the logarithms of
    their determinants (...)."""
    m = len(M)
    if m > _SWEPT:
        last = np.moveaxis(M, (0, 1), (-2, -1))
        inverse = np.asarray(np.linalg.inv(last), dtype=np.float64)
        return np.moveaxis(inverse, (-2, -1), (0, 1)), np.asarray(np.linalg.slogdet(last)[1])
    log_det = np.zeros(M.shape[2:])
    for j in range(m):
        pivot = np.maximum(M[j, j], 1.0)  # rounding of nearly singular correlations aside
        log_det += np.log(pivot)
        row, column = M[j] / pivot, M[:, j].copy()
        row[j] = 1 / pivot
        M[:, j] = 0.0
        M -= column[:, None] * row
        M[j] = row
    return M, log_det


def blocks(
    mixture: Mixture, x: Floats, codes: NDArray[np.int32], patterns: Patterns | None = None
) -> Iterator[Filled]:
    """All rows, in blocks with as many gaps each."""
    patterns = Patterns.of(x) if patterns is None else patterns
    frame, (k, d) = _Frame(mixture), mixture.means.shape
    sizes = patterns.gaps.sum(axis=1)[patterns.pattern]  # ascending
    start = 0
    while start < len(x):
        m = int(sizes[start])
        most = max(16, _CELLS // max(1, k * max(d, m * m)))
        stop = min(start + most, int(np.searchsorted(sizes, m, side="right")))
        rows, pattern = patterns.order[start:stop], patterns.pattern[start:stop]
        first = pattern[0]
        these = patterns.gaps[first : pattern[-1] + 1]
        lack = np.nonzero(these)[1].reshape(len(these), m)
        yield _fill(frame, rows, x[rows], codes[rows], lack, pattern - first)
        start = stop


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
    for filled in blocks(mixture, x, codes, patterns):
        part = _own_moments(filled, codes[filled.rows], v[filled.rows])
        total = part if total is None else add(total, part)
    assert total is not None
    return _about(total, mixture, shift)


def _own_moments(filled: Filled, codes: NDArray[np.int32], weight: Floats) -> Moments:
    """The sums over rows of one block, of e for x."""
    mixture, m = filled.mixture, filled.gaps.shape[1]
    r, log_prob = responsibilities(np, filled.joint)
    r = r * weight[:, None]
    share, pull, tail = r, None, None
    if mixture.dof is not None:
        size = filled.e.shape[2] - m
        u = (mixture.dof + size) / (mixture.dof + filled.distance)
        share = r * u
        pull = share.sum(axis=0)
        tail = (r * (np.log(u) - u)).sum(axis=0) + r.sum(axis=0) * log_tau(size, mixture.dof)
    weighted = share.T[:, :, None] * filled.e
    second = weighted.transpose(0, 2, 1) @ filled.e
    if m:
        _add_covariance(second, filled, r)
    sizes = [table.shape[1] + 2 for table in mixture.probs]
    counts = tuple(level_sums(np, r, codes[:, j], size) for j, size in enumerate(sizes))
    seen = np.where(weight > 0, log_prob, 0.0)
    first = weighted.sum(axis=1)
    return Moments(r.sum(axis=0), first, second, counts, (weight * seen).sum(), pull, tail)


def _add_covariance(second: Floats, filled: Filled, r: Floats) -> None:
    """Add sum r Cov[e_m | e_o] to second moments (k, d, d), in place."""
    begins = np.flatnonzero(np.diff(filled.pattern, prepend=-1))
    share = np.add.reduceat(r, begins, axis=0)  # (p, k)
    d = second.shape[1]
    cells = (filled.gaps.T[:, None] * d + filled.gaps.T[None]).reshape(-1)
    values = (filled.inverse * share).reshape(len(cells), -1)
    for c in range(len(second)):
        second[c] += np.bincount(cells, values[:, c], d * d).reshape(d, d)


def _about(own: Moments, mixture: Mixture, shift: Floats) -> Moments:
    """Moments of e as those of x - shift, which is (mu - shift) + spread e."""
    spread = correlations(mixture.full_covariances())[1]
    pull = own.n if own.pull is None else own.pull
    delta = mixture.means - shift
    scaled = spread * own.first
    cross = delta[:, :, None] * scaled[:, None, :]
    second = own.second * spread[:, :, None] * spread[:, None, :]
    second += cross + cross.swapaxes(1, 2)
    second += pull[:, None, None] * delta[:, :, None] * delta[:, None, :]
    return own._replace(first=pull[:, None] * delta + scaled, second=second)


def log_prob(
    mixture: Mixture,
    x: Floats,
    codes: NDArray[np.int32],
    patterns: Patterns | None = None,
) -> tuple[Floats, Floats]:
    """(n, k) responsibilities and (n,) log densities of the observed entries."""
    r, log_density = np.empty((len(x), mixture.n_components)), np.empty(len(x))
    for filled in blocks(mixture, x, codes, patterns):
        r[filled.rows], log_density[filled.rows] = responsibilities(np, filled.joint)
    return r, log_density
