r"""Whitening: coordinates in which the columns of the rows trained on are uncorrelated.

With the mean m and the covariance Sigma = A A^T of those rows, A lower triangular,

    y = W (x - m),      W = A^-1,      log |det dy/dx| = sum_j log W_jj.

Nets find such a map slowly where columns are nearly collinear: its entries are then large, and
steps that suit the rest of a net are small beside them. So it is computed, held fixed, and what is
learnt starts in y. As W is triangular, y_j is what x_j adds to x_1 ... x_{j-1}: the order of the
columns stays, and the first keeps its margin.

Few rows shall not set it alone. Where less than a hundredth of them is beyond `FAR` in some y_j, a
row counts (`FAR` / max_j |y_j|)^2 in m and Sigma, which are found in a few passes. Variances in any
direction are at least `LEAST` of those of the columns, so that y is at most LEAST^-1/2 times as far
out as x; each y_j has the centre and scale of `data.standardisation`, which a few values do not
set; and where nets take y for their input, what lies beyond `BEND` is drawn in (`bent`),

    y' = sign(y) (b + log(1 + |y| - b)) for |y| > b,          log |dy'/dy| = -log(1 + |y| - b).

Whether it helps, held-out rows say (`chosen`): of independent standard normals in y' and in x,
which is where flows begin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from ...arrays import Floats
from ...covariance import correlations
from ...data.standardisation import standard
from ...density import mean_stderr
from .held_out import Subset

BEND, FARTHEST = 5.0, 80.0  # deviations; the largest y' - b that goes back in single precision
FAR = 10.0  # deviations that an encoder sees at most
LEAST = 1e-8  # variance in any direction, where the columns have 1
_PASSES, _FEW = 4, 0.01  # rounds at most; share of the rows
_MOST, _ROWS = 512, 100_000  # columns, and rows that it is computed from


@dataclass(frozen=True, eq=False)
class Whitening:
    """The map of rows x (n, d) to y (n, d).

    Attributes:
        centre: (d,) m.
        matrix: (d, d) W, lower triangular.
        spread: (d,) standard deviations of y over the rows fitted, those beyond `BEND` counted as
            there: less than 1 where a column is nearly determined by those before it.
    """

    centre: Floats
    matrix: Floats
    spread: Floats

    @classmethod
    def fit(cls, x: Floats, shares: Floats | None = None) -> Self:
        """That of rows (n, d) without gaps, weighted if so given."""
        given = np.ones(len(x)) if shares is None else shares
        unit = correlations(_moments(x, given)[2])[1]
        kept, share = None, given
        for _ in range(_PASSES):
            found = cls._of(x, share, unit)
            far = np.abs(found(x)).max(axis=1)
            beyond = np.average(far > FAR, weights=given)
            kept = found if kept is None or beyond < _FEW else kept
            if not 0 < beyond < _FEW:
                break
            share = given * (FAR / np.maximum(far, FAR)) ** 2
        assert kept is not None
        return kept

    @classmethod
    def _of(cls, x: Floats, share: Floats, unit: Floats) -> Self:
        mean, away, covariance = _moments(x, share)
        values, vectors = np.linalg.eigh(covariance / unit / unit[:, None])
        # R = Q Q^T with Q = V diag(values)^1/2; of its transpose, the triangle is that of R.
        half = vectors * np.sqrt(np.maximum(values, LEAST))
        lower = np.asarray(np.linalg.qr(half.T, mode="r")).T
        lower = lower * np.sign(np.diagonal(lower))
        matrix = np.linalg.solve(lower, np.eye(len(lower))) / unit
        y = away @ matrix.T
        least = math.sqrt(LEAST) * np.linalg.norm(matrix * unit, axis=1)
        each = [standard(y[:, j], share, 0.0)[:2] for j in range(y.shape[1])]
        shift, scale = np.array(each).T
        scale = np.maximum(scale, least)
        root = lower * unit[:, None]
        within = np.minimum(np.abs(y - shift) / scale, BEND)
        spread = np.sqrt(np.average(within**2, axis=0, weights=share))
        centre, matrix = mean + root @ shift, np.tril(matrix / scale[:, None])
        return cls(centre, matrix, spread)

    @property
    def log_det(self) -> float:
        """log |det W|."""
        return float(np.log(np.diagonal(self.matrix)).sum())

    @property
    def root(self) -> Floats:
        """(d, d) W^-1, lower triangular."""
        return np.asarray(np.tril(np.linalg.solve(self.matrix, np.eye(len(self.matrix)))))

    def __call__(self, x: Floats) -> Floats:
        """(n, d) y."""
        y: Floats = (x - self.centre) @ self.matrix.T
        return y

    def log_prob(self, x: Floats) -> Floats:
        """(n,) log density of rows of which y' are independent standard normals."""
        y = self(x)
        beyond = np.maximum(np.abs(y) - BEND, 0.0)
        bent = np.minimum(np.abs(y), BEND) + np.log1p(beyond)
        found: Floats = _normal(bent) + self.log_det - np.log1p(beyond).sum(axis=1)
        return found


def _moments(x: Floats, share: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean (d,) of rows, these less it (n, d), and their covariance."""
    mean = np.average(x, axis=0, weights=share)
    away = x - mean
    return mean, away, (share[:, None] * away).T @ away / share.sum()


def buffers(whitening: Whitening | None, numbers: int) -> dict[str, Floats]:
    """m, W and W^-1 by name; those that change nothing, where arrays are loaded next."""
    if whitening is None:
        none = np.zeros(numbers)
        whitening = Whitening(none, np.eye(numbers), none)
    return {"centre": whitening.centre, "matrix": whitening.matrix, "root": whitening.root}


def chosen(
    seen: Subset,
    unseen: Subset | None,
    numbers: int,
    rng: np.random.Generator,
    *,
    always: bool = False,
) -> Whitening | None:
    """The whitening of the first `numbers` stored values of the rows trained on (of many, some).

    Args:
        always: take it whatever held-out rows say.

    Returns:
        None where held-out rows do not say that it helps, or there are none; where values are
        missing; and where columns are one, too many, or more than rows.
    """
    if not 1 < numbers <= _MOST or (unseen is None and not always):
        return None
    seen = seen.thinned(_ROWS, rng)
    x = _numbers(seen, numbers)
    if np.isnan(x).any() or len(x) <= numbers:
        return None
    found = Whitening.fit(x, seen.shares)
    if always or unseen is None:
        return found
    held = _numbers(unseen, numbers)
    if np.isnan(held).any():
        return None
    shares = 1.0 if unseen.shares is None else unseen.shares
    gain = shares * (found.log_prob(held) - _normal(held))
    return found if gain.mean() > 2 * mean_stderr(gain, unseen.units()) else None


def _numbers(rows: Subset, numbers: int) -> Floats:
    return np.asarray(rows.x[rows.numbers, :numbers], dtype=np.float64)


def _normal(y: Floats) -> Floats:
    """(n,) log density of independent standard normals."""
    return np.asarray(-0.5 * (y**2 + math.log(2 * math.pi)).sum(axis=1))
