"""The bandwidth of a sum of kernels, by leaving rows out.

The bandwidth h maximises the leave-one-out score

    sum_i w_i log((1 - e) p_{-i}(x_i) + e q(x_i)),        e = 1 / n,

where p_{-i} leaves out all copies of a row (equal rows are one kernel, whose weight is the sum of
theirs, and rows closer than `_COPIES` are copies that were rounded on their way) and all rows of
its unit, and q is a multivariate Cauchy density of the shape S of the kernels: a row far from all
others asks for a wide kernel by at most its share of that background. The search goes over
multiples of Scott's rule h = n^(-1/(d+4)): a coarse grid on few rows, then `minimize_scalar` within
its best step on more, as many as the time allows. In one dimension few are enough: an h that is off
by a quarter adds an eighth to the error of the density.

Reference: van der Laan, Dudoit and Keles, "Asymptotic optimality of likelihood-based
cross-validation" (without the background), 2004, https://doi.org/10.2202/1544-6115.1036.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import gammaln

from ...arrays import Floats

_ROWS = (400, 2000)  # rows that the grid is searched on, and of the fine search
_ROWS_1D = (200, 500)  # in one dimension
_CLOSE = 0.05  # of a bandwidth, to which the best one is sought
_COPIES = 1e-5  # standard deviations between rows that are copies
_MULTIPLES = np.geomspace(1e-3, 10.0, 13)


class _LeaveOneOut:
    """The leave-one-out score of some rows y (m, d), as a function of the bandwidth."""

    def __init__(self, y: Floats, weights: Floats, units: NDArray[np.uint64]) -> None:
        m, d = y.shape
        self.d = d
        self.shares = weights / weights.sum()
        squared = np.asarray(cdist(y, y, "sqeuclidean"))
        same = squared < _COPIES**2
        if len(np.unique(units)) < m:
            same |= units[:, None] == units[None]
        squared[same] = np.inf
        left_out = same @ self.shares
        self.nearest = squared.min(axis=1)
        # Exponents are taken in single precision, from the nearest kernel on.
        alone = ~np.isfinite(self.nearest)
        self.nearest[alone] = 0.0
        squared -= self.nearest[:, None]
        self.excess = np.where(squared < 1e38, squared, np.inf).astype(np.float32)
        self.others = 1 - left_out
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
        """The mean of 1 / sum_j r_ij^2, with r_ij the share of kernel j in row i's density."""
        parts = self.kernels(h).astype(np.float64) * self.shares
        square = (parts**2).sum(axis=1)
        known = square > 0
        if not known.any():
            return 0.0
        number = parts.sum(axis=1)[known] ** 2 / square[known]
        return float(np.average(number, weights=self.shares[known]))


@dataclass(frozen=True)
class Bandwidth:
    """A bandwidth that was searched for.

    Attributes:
        multiple: of Scott's rule.
        score: in nats a row; NaN where nothing was searched.
        effective: how many other kernels bear a row's density.
        at_edge: whether it is at an end of the grid.
    """

    multiple: float = 1.0
    score: float = float("nan")
    effective: float = float("nan")
    at_edge: bool = False


def best_bandwidth(
    y: Floats,
    weights: Floats,
    units: NDArray[np.uint64],
    rng: np.random.Generator,
    seconds: float | None = None,
) -> Bandwidth:
    """The bandwidth of whitened rows y (m, d); Scott's rule where there are too few, or there is no
    time.

    Args:
        seconds: that the search should take at most.
    """
    d = y.shape[1]
    if len(np.unique(units)) < 3 or d == 0 or seconds == 0:
        return Bandwidth()
    # The best h falls as n^(-1/(d+4)), so what is searched on fewer rows is a multiple of that.
    began, order = time.perf_counter(), rng.permutation(len(y))
    few, more = _ROWS_1D if d == 1 else _ROWS
    part = order[:few]
    search = _LeaveOneOut(y[part], weights[part], units[part])
    best = int(np.argmax([search(m * scott(len(part), d)) for m in _MULTIPLES]))
    if seconds is not None:  # a search takes as the square of its rows
        took = max(time.perf_counter() - began, 1e-9)
        more = int(min(more, few * max(1.0, (seconds - took) / took) ** 0.5))
    if more > few and len(y) > few:
        part = order[:more]
        search = _LeaveOneOut(y[part], weights[part], units[part])
    rule = scott(len(part), d)
    around = _MULTIPLES[[max(best - 1, 0), min(best + 1, len(_MULTIPLES) - 1)]]
    least = minimize_scalar(
        lambda log_multiple: -search(float(np.exp(log_multiple)) * rule),
        bounds=tuple(np.log(around)), method="bounded", options={"xatol": _CLOSE},
    )  # fmt: skip
    multiple, at_edge = float(np.exp(least.x)), best in (0, len(_MULTIPLES) - 1)
    return Bandwidth(multiple, -float(least.fun), search.effective(multiple * rule), at_edge)


def scott(n: int, d: int) -> float:
    """Scott's rule for n rows of d whitened columns."""
    return float(n ** (-1.0 / (d + 4)))
