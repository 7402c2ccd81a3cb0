"""A weighted sum of Gaussian kernels of one common shape.

    p(x) = sum_i w_i N(x; x_i, h^2 S),        S = L L^T the covariance of the winsorised x_i,

each column drawn in to its median +- 5 robust deviations, so that no few values set the shape. The
bandwidth h maximises the leave-one-out score

    sum_i w_i log((1 - e) p_{-i}(x_i) + e q(x_i)),        e = 1 / n,

where p_{-i} leaves out all copies of a row (equal rows are one kernel, whose weight is the sum of
theirs) and all rows of its unit, and q is a multivariate Cauchy density of shape S: a row far from
all others asks for a wide kernel by at most its share of that background (without it: van der Laan,
Dudoit and Keles, "Asymptotic optimality of likelihood-based cross-validation", 2004,
https://doi.org/10.2202/1544-6115.1036). The search goes over multiples of Scott's rule
h = n^(-1/(d+4)): a coarse grid on few rows, then `minimize_scalar` within its best step on more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import gammaln

from ...thinning import thinned

Floats = NDArray[np.float64]

_BLOCK_CELLS = 1 << 20  # distances held at a time
_COARSE_ROWS = 400  # rows that the grid is searched on
_FINE_ROWS = 2000  # rows of a fine search, in more than one dimension
_FINE_ROWS_1D = 1000  # in one
_MULTIPLES = np.geomspace(1e-3, 10.0, 13)
_CLIP = 5.0  # robust deviations that columns are drawn in to
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
        effective: mean number of other kernels that bear a row's density, 1 / sum of squared
            shares.
        at_edge: whether h is at an end of what was searched.
    """

    centres: Floats
    log_weights: Floats
    mean: Floats
    factor: Floats
    bandwidth: float
    leave_one_out: float = float("nan")
    effective: float = float("nan")
    at_edge: bool = False

    @classmethod
    def fit(
        cls,
        x: Floats,
        weights: Floats | None,
        rng: np.random.Generator,
        most: int,
        units: NDArray[np.uint64] | None = None,
    ) -> KernelSum:
        """Kernels on the rows of x (n, d), thinned to `most` of them.

        Args:
            weights: (n,) or None; a weight of 2 is the row given twice.
            rng: thins.
            units: (n,) rows that are left out together, or None.
        """
        x = np.asarray(x, dtype=np.float64)
        weights = np.ones(len(x)) if weights is None else weights
        keep = weights > 0
        x, weights = x[keep], weights[keep]
        units = np.arange(len(x), dtype=np.uint64) if units is None else units[keep]
        x, weights, units = _merged(x, weights, units)
        mean, factor = _shape(x, weights)
        kept = thinned(len(x), most, rng)
        x, weights, units = x[kept], weights[kept], units[kept]
        centres = solve_triangular(factor, (x - mean).T, lower=True).T
        log_weights = np.log(weights) - np.log(weights.sum())
        found = _bandwidth(centres, weights, units, rng)
        score = found[1] - float(np.log(np.diag(factor)).sum())
        return cls(centres, log_weights, mean, factor, found[0], score, *found[2:])

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
            logs = _squared_distances(y[rows], self.centres)
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

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """(n, d) draws."""
        shares = np.exp(self.log_weights)
        chosen = rng.choice(len(shares), size=n, p=shares / shares.sum())
        noise = rng.standard_normal((n, self.centres.shape[1]))
        return self.mean + (self.centres[chosen] + self.bandwidth * noise) @ self.factor.T

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


def _squared_distances(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "sqeuclidean"))


def _merged(
    x: Floats, weights: Floats, units: NDArray[np.uint64]
) -> tuple[Floats, Floats, NDArray[np.uint64]]:
    """Equal rows as one, with the sum of their weights, in the order of their first."""
    _, first, place = np.unique(x, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(x):
        return x, weights, units
    total = np.bincount(place.reshape(-1), weights=weights).astype(np.float64)
    order = np.argsort(first)
    return x[first[order]], total[order], units[first[order]]


def _shape(x: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The mean and the Cholesky factor of the covariance of winsorised columns."""
    drawn_in = np.empty_like(x)
    for j, column in enumerate(x.T):
        middle, spread = _location(column, weights)
        drawn_in[:, j] = np.clip(column, middle - _CLIP * spread, middle + _CLIP * spread)
    mean = np.average(drawn_in, axis=0, weights=weights)
    centred = drawn_in - mean
    scale = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    scale = np.where(scale > 0, scale, 1.0)
    centred /= scale
    correlation = (centred * weights[:, None]).T @ centred / weights.sum()
    ridged = correlation * (1 - _RIDGE) + _RIDGE * np.eye(len(scale))
    factor: Floats = scale[:, None] * np.linalg.cholesky(ridged)
    return mean, factor


def _location(values: Floats, weights: Floats) -> tuple[float, float]:
    """The median, and half the width of the middle 68%, or of more where that is one value."""
    for share in (0.16, 0.05, 0.005):
        low, middle, high = np.quantile(
            values, [share, 0.5, 1 - share], weights=weights, method="inverted_cdf"
        )
        if high > low:
            return float(middle), float(high - low) / 2
    return float(middle), float(np.ptp(values))


class _LeaveOneOut:
    """The leave-one-out score of some rows y (m, d), as a function of the bandwidth."""

    def __init__(self, y: Floats, weights: Floats, units: NDArray[np.uint64]) -> None:
        m, d = y.shape
        self.d = d
        self.shares = weights / weights.sum()
        squared = _squared_distances(y, y)
        same = units[:, None] == units[None]
        squared[same] = np.inf
        self.nearest = squared.min(axis=1)
        # Exponents are taken in single precision, from the nearest kernel on.
        alone = ~np.isfinite(self.nearest)
        self.nearest[alone] = 0.0
        squared -= self.nearest[:, None]
        self.excess = np.where(squared < 1e38, squared, np.inf).astype(np.float32)
        self.others = 1 - same @ self.shares
        self.others[alone] = 1.0
        self.alone = alone
        self.work = np.empty_like(self.excess)
        log_cauchy = gammaln((d + 1) / 2) - (d + 1) / 2 * (
            np.log(np.pi) + np.log1p((y**2).sum(axis=1))
        )
        self.background = log_cauchy - np.log(m)
        self.log_kept = float(np.log1p(-1.0 / m))

    def kernels(self, h: float) -> NDArray[np.float32]:
        """(m, m) kernels beside the nearest one, 0 for those left out."""
        np.multiply(self.excess, np.float32(-0.5 / h**2), out=self.work)
        np.exp(self.work, out=self.work)
        return self.work

    def __call__(self, h: float) -> float:
        total = self.kernels(h) @ self.shares.astype(np.float32)
        with np.errstate(divide="ignore"):
            logs = np.log(total.astype(np.float64) / self.others)
        logs += -0.5 * self.nearest / h**2 - self.d * np.log(h * np.sqrt(2 * np.pi))
        logs[self.alone] = -np.inf
        return float(self.shares @ np.logaddexp(logs + self.log_kept, self.background))

    def effective(self, h: float) -> float:
        """The mean of 1 / sum_j r_ij^2, r_ij the share of kernel j in row i's density."""
        parts = self.kernels(h).astype(np.float64) * self.shares
        square = (parts**2).sum(axis=1)
        known = square > 0
        if not known.any():
            return 0.0
        number = parts.sum(axis=1)[known] ** 2 / square[known]
        return float(np.average(number, weights=self.shares[known]))


def _bandwidth(
    y: Floats, weights: Floats, units: NDArray[np.uint64], rng: np.random.Generator
) -> tuple[float, float, float, bool]:
    """The bandwidth, its score and effective kernels, and whether it is at an end of the grid."""
    from scipy.optimize import minimize_scalar

    n, d = y.shape
    if len(np.unique(units)) < 3 or d == 0:
        return float(n ** (-1.0 / (d + 4))), float("nan"), float("nan"), False
    # The best h falls as n^(-1/(d+4)), so what is searched on fewer rows is a multiple of that.
    order = rng.permutation(n)
    coarse, fine = (
        _LeaveOneOut(y[rows], weights[rows], units[rows])
        for rows in (order[:_COARSE_ROWS], order[: _FINE_ROWS_1D if d == 1 else _FINE_ROWS])
    )
    scott = [len(part.shares) ** (-1.0 / (d + 4)) for part in (coarse, fine)]
    best = int(np.argmax([coarse(m * scott[0]) for m in _MULTIPLES]))
    around = _MULTIPLES[[max(best - 1, 0), min(best + 1, len(_MULTIPLES) - 1)]]

    def loss(log_multiple: float) -> float:
        return -fine(float(np.exp(log_multiple)) * scott[1])

    found = minimize_scalar(
        loss, bounds=tuple(np.log(around)), method="bounded", options={"xatol": 0.02}
    )
    multiple = float(np.exp(found.x))
    at_edge = best in (0, len(_MULTIPLES) - 1)
    h = multiple * scott[1]
    return multiple * n ** (-1.0 / (d + 4)), -float(found.fun), fine.effective(h), at_edge
