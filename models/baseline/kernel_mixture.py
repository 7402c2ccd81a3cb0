"""A weighted sum of Gaussian kernels of one common shape.

    p(x) = sum_i w_i N(x; x_i, h^2 S),        S = L L^T the covariance of the winsorised x_i,

each column clipped to its median +- 5 robust deviations, so that no few values set the shape. The
bandwidth h is that of `bandwidth`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from ...arrays import Floats, Ints
from ...thinning import thinned
from ...verdict import Reason
from ..distributions.components import Components
from .bandwidth import Bandwidth, best_bandwidth, scott

_BLOCK_CELLS = 1 << 20  # distances held at a time
_CLIP = 5.0  # robust deviations that columns are clipped to
_LOOKED, _NEIGHBOURS = 500, 10  # rows whose neighbours are looked at, and how many of these
_NEAR_COPY = 0.02  # distance to the nearest row as a share of that to the last of them
_RIDGE = 1e-8  # on the correlations, which makes those of dependent columns regular


@dataclass(frozen=True)
class KernelSum:
    """Kernel centres in whitened coordinates.

    Attributes:
        centres: (m, d) y_i = L^-1 (x_i - mean).
        log_weights: (m,), summing to one.
        mean: (d,).
        factor: (d, d) lower-triangular L.
        bandwidth: h.
        leave_one_out: the score of h, in nats a row.
        effective: mean number of other kernels in a row's density, 1 / sum of squared shares.
        at_edge: whether h is at an end of the range searched.
        of_rows: how many different rows the centres were drawn from, where they were thinned.
    """

    centres: Floats
    log_weights: Floats
    mean: Floats
    factor: Floats
    bandwidth: float
    leave_one_out: float = float("nan")
    effective: float = float("nan")
    at_edge: bool = False
    of_rows: int = 0

    @classmethod
    def fit(
        cls,
        x: Floats,
        weights: Floats | None,
        rng: np.random.Generator,
        most: int,
        units: NDArray[np.uint64] | None = None,
        seconds: float | None = None,
    ) -> KernelSum:
        """Kernels on the rows of x (n, d), thinned to `most` of them by `rng`. A weight (n,) of 2
        is the row given twice; rows of equal `units` (n,) are left out together. The search for the
        bandwidth should take so many `seconds` at most."""
        kernels, units = cls.placed(x, weights, rng, most, units)
        return kernels.searched(units, rng, seconds)

    @classmethod
    def placed(
        cls,
        x: Floats,
        weights: Floats | None,
        rng: np.random.Generator,
        most: int,
        units: NDArray[np.uint64] | None = None,
    ) -> tuple[KernelSum, NDArray[np.uint64]]:
        """As `fit`, with Scott's rule; and the units of the kernels."""
        x = np.asarray(x, dtype=np.float64)
        weights = np.ones(len(x)) if weights is None else weights
        keep = weights > 0
        x, weights = x[keep], weights[keep]
        units = np.arange(len(x), dtype=np.uint64) if units is None else units[keep]
        x, weights, units = _merged(x, weights, units)
        mean, factor = _shape(x, weights)
        of_rows, kept = len(x), thinned(len(x), most, rng)
        x, weights, units = x[kept], weights[kept], units[kept]
        centres = solve_triangular(factor, (x - mean).T, lower=True).T
        log_weights = np.log(weights) - np.log(weights.sum())
        h, of_rows = scott(*centres.shape), of_rows if of_rows > len(x) else 0
        return cls(centres, log_weights, mean, factor, h, of_rows=of_rows), units

    def searched(
        self, units: NDArray[np.uint64], rng: np.random.Generator, seconds: float | None = None
    ) -> KernelSum:
        """With the bandwidth by leaving rows out; `units` (m,) are those of the kernels."""
        weights = np.exp(self.log_weights)
        return self.with_bandwidth(best_bandwidth(self.centres, weights, units, rng, seconds))

    def with_bandwidth(self, found: Bandwidth) -> KernelSum:
        return replace(
            self,
            bandwidth=found.multiple * scott(*self.centres.shape),
            leave_one_out=found.score - float(np.log(np.diag(self.factor)).sum()),
            effective=found.effective,
            at_edge=found.at_edge,
        )

    @property
    def multiple(self) -> float:
        """The bandwidth as a multiple of Scott's rule."""
        return self.bandwidth / scott(*self.centres.shape)

    def reasons(self, column: str | None = None) -> list[Reason]:
        """A warning if h is at an end of the range searched."""
        if not self.at_edge:
            return []
        where = "" if column is None else f" of column {column!r}"
        edge = f"the bandwidth{where} is at the edge of its grid ({self.bandwidth:.2g} of the "
        why, advice = self._cause(column is None)
        return [Reason("warn", f"{edge}spread): {why}.", advice)]

    def _cause(self, several: bool) -> tuple[str, str]:
        """Why the bandwidth is at an end of its grid, and what to do."""
        n = len(self.centres)
        if self.multiple > 1:
            far = "a few values far out ask for wide kernels, or there are too few rows"
            return far, "Mend or leave out values far out, or give more rows."
        if n > _NEIGHBOURS:
            some = self.centres[:: max(1, n // _LOOKED)]
            near = cKDTree(self.centres).query(some, _NEIGHBOURS + 1)[0]
            if np.median(near[:, 1] / np.maximum(near[:, -1], 1e-300)) < _NEAR_COPY:
                same = "most rows are near-copies of another one"
                return same, "Leave out rows that are copies of others up to noise."
        if several:
            line = "the rows lie on a line or a surface"
            return line, "Look for columns that depend on each other."
        return "many values are near-copies of each other", "Look for values repeated up to noise."

    def log_prob(self, x: Floats) -> Floats:
        """(n,) log densities of the rows of x (n, d)."""
        n, d = x.shape
        y = solve_triangular(self.factor, (x - self.mean).T, lower=True).T
        constant = (
            d * (np.log(self.bandwidth) + 0.5 * np.log(2 * np.pi))
            + np.log(np.diag(self.factor)).sum()
        )
        out = np.empty(n)
        step = max(1, _BLOCK_CELLS // len(self.centres))
        for start in range(0, n, step):
            rows = slice(start, start + step)
            logs = np.asarray(cdist(y[rows], self.centres, "sqeuclidean"))
            logs *= -0.5 / self.bandwidth**2
            logs += self.log_weights
            top = logs.max(axis=1, keepdims=True)
            logs -= top
            np.exp(logs, out=logs)
            out[rows] = np.log(logs.sum(axis=1)) + top[:, 0]
        return np.asarray(out - constant)

    def on(
        self, x: Floats, weights: Floats | None, rng: np.random.Generator, most: int
    ) -> KernelSum:
        """Kernels of this shape and bandwidth on other rows, thinned to `most` of them."""
        weights = np.ones(len(x)) if weights is None else weights
        rows = np.flatnonzero(weights > 0)
        rows = rows[thinned(len(rows), most, rng)]
        x, weights = np.asarray(x[rows], dtype=np.float64), weights[rows]
        centres = solve_triangular(self.factor, (x - self.mean).T, lower=True).T
        return replace(self, centres=centres, log_weights=np.log(weights) - np.log(weights.sum()))

    def expected(self) -> Floats:
        """(d,) the mean."""
        return np.asarray(self.mean + np.exp(self.log_weights) @ self.centres @ self.factor.T)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """(n, d) draws."""
        shares = np.exp(self.log_weights)
        chosen = rng.choice(len(shares), size=n, p=shares / shares.sum())
        noise = rng.standard_normal((n, self.centres.shape[1]))
        return self.mean + (self.centres[chosen] + self.bandwidth * noise) @ self.factor.T

    def components(self, places: Ints) -> Components:
        """The kernels as components of a mixture, over the columns at these places (d,)."""
        return Components(
            np.exp(self.log_weights) / np.exp(self.log_weights).sum(),
            places,
            np.empty(0, np.intp),
            self.mean + self.centres @ self.factor.T,
            tril=(self.bandwidth * self.factor)[None],
        )

    def arrays(self) -> dict[str, Floats]:
        return {
            "centres": self.centres,
            "log_weights": self.log_weights,
            "mean": self.mean,
            "factor": self.factor,
            "bandwidth": np.array([self.bandwidth]),
            "course": np.array([self.leave_one_out, self.effective, float(self.at_edge)]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats]) -> KernelSum:
        score, effective, at_edge = arrays.get("course", np.array([np.nan, np.nan, 0.0]))
        return cls(
            arrays["centres"],
            arrays["log_weights"],
            arrays["mean"],
            arrays["factor"],
            float(arrays["bandwidth"][0]),
            float(score),
            float(effective),
            bool(at_edge),
        )


def thinned_reasons(each: Sequence[KernelSum], what: str) -> list[Reason]:
    """That kernels stand on some of the rows only, where they do; `what` they are of."""
    few = [kernels for kernels in each if kernels.of_rows]
    if not few:
        return []
    most = max(few, key=lambda kernels: kernels.of_rows)
    said = f"{len(most.centres)} of {most.of_rows} different {what}, drawn at random."
    return [Reason("ok", f"the kernels stand on {said}")]


def _merged(
    x: Floats, weights: Floats, units: NDArray[np.uint64]
) -> tuple[Floats, Floats, NDArray[np.uint64]]:
    """Equal rows as one, with the sum of their weights, in the order of their first."""
    single = x[:, 0] if x.shape[1] == 1 else x  # whose values are sorted much faster than rows
    _, first, place = np.unique(single, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(x):
        return x, weights, units
    total = np.bincount(place.reshape(-1), weights=weights).astype(np.float64)
    order = np.argsort(first)
    return x[first[order]], total[order], units[first[order]]


def _shape(x: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The mean and the Cholesky factor of the covariance of winsorised columns."""
    clipped = np.empty_like(x)
    for j, column in enumerate(x.T):
        middle, spread = _location(column, weights)
        clipped[:, j] = np.clip(column, middle - _CLIP * spread, middle + _CLIP * spread)
    mean = np.average(clipped, axis=0, weights=weights)
    centred = clipped - mean
    scale = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    scale = np.where(scale > 0, scale, 1.0)
    centred /= scale
    correlation = (centred * weights[:, None]).T @ centred / weights.sum()
    ridged = correlation * (1 - _RIDGE) + _RIDGE * np.eye(len(scale))
    factor: Floats = scale[:, None] * np.linalg.cholesky(ridged)
    return mean, factor


def _location(values: Floats, weights: Floats) -> tuple[float, float]:
    """The median, and half the width of the middle 68%, or of more where that is one value."""
    order = np.argsort(values)
    values, reached = values[order], np.cumsum(weights[order])
    for share in (0.16, 0.05, 0.005):
        at = np.searchsorted(reached, np.array([share, 0.5, 1 - share]) * reached[-1])
        low, middle, high = values[np.minimum(at, len(values) - 1)]
        if high > low:
            return float(middle), float(high - low) / 2
    return float(middle), float(np.ptp(values))
