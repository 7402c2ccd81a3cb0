"""Numbers as normal scores of a distribution that has a density, and back.

    F(x) = (1 - b) H(x) + b S((x - m) / w),      s = Phi^-1(F(x)),      x = F^-1(Phi(s)),
    log |ds/dx| = log F'(x) - log phi(s),

with H the distribution of the rows fitted, linear between knots, S the logistic distribution, m and
w mean and scale of the rows, and b the share that values not seen have: (1 + values seen once) /
(1 + rows), by Good and Turing. A density of scores is one of numbers by log |ds/dx|, exactly,
wherever they lie.

A column whose values recur has its knots in their cells, as the codec fills them in: the mass of a
value is uniform over its place in the cell, and between cells there is none but that of S. Others
have a knot every `EACH` rows, but 3 n^(1/3) for few: what the steps of H cost on rows not seen,
about (knots - 1) / (2 n) in nats, is small.

References: Good, "The population frequencies of species", 1953,
https://doi.org/10.1093/biomet/40.3-4.237; `margins` has the ranks without a density.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from ...arrays import Array, Floats
from ...data.warp import Warp

EACH = 25  # rows a knot
_CUBIC = 3  # knots of few rows, over the cubic root of their number
_MOST = 1024  # knots of a column whose values do not recur
_VALUES = 4096  # that recur, at most
_RECUR = 4  # rows a value, on average, from which values recur
_EDGE = 1e-3  # of a cell, beside its edges, that lies between cells instead
_FINE = 32  # knots of a cell that has all the mass
_UNSEEN = 0.2  # share of values not seen, at most
LOGISTIC = np.sqrt(3) / np.pi  # scale of a logistic variable of deviation 1
_HALVINGS = 50


def log_logistic(x: Floats, centre: float, spread: float) -> Floats:
    """(n,) log densities of the logistic distribution."""
    z = np.abs(x - centre) / spread
    found: Floats = -z - 2 * np.log1p(np.exp(-z)) - np.log(spread)
    return found


@dataclass(frozen=True, eq=False)
class SmoothMargin:
    """The distribution function of one column.

    Attributes:
        x: (k,) knots, ascending, no two alike.
        p: (k,) H at each, from 0 to 1.
        unseen: b.
        centre, spread: m and w.
    """

    x: Floats
    p: Floats
    unseen: float
    centre: float
    spread: float

    @classmethod
    def fit(cls, x: Floats, values: Floats, warp: Warp, weights: Floats | None = None) -> Self:
        """The distribution of (n,) encoded numbers, weighted if so given.

        Args:
            values: (n,) what they encode.
            warp: that encoded them.
        """
        w = np.ones(len(x)) if weights is None else weights
        distinct, group, counts = np.unique(values, return_inverse=True, return_counts=True)
        recur = warp.noisy and warp.column.period is None
        recur &= len(distinct) <= min(_VALUES, len(x) // _RECUR)
        if recur:
            knots, p = _in_cells(distinct, np.bincount(group, w).astype(np.float64), warp)
        else:
            steps = max(len(x) // EACH, round(_CUBIC * len(x) ** (1 / 3)))
            share = np.linspace(0.0, 1.0, 1 + min(steps, _MOST))
            knots = np.unique(np.quantile(x, share))
            if len(knots) < 2:
                knots = knots[0] + np.array([-1e-6, 1e-6])
            p = np.append(0.0, np.histogram(x, knots, weights=w)[0].cumsum())
        once = int((counts == 1).sum()) if recur else 1
        mean = float(np.average(x, weights=w))
        spread = float(np.sqrt(np.average((x - mean) ** 2, weights=w)))
        return cls(
            knots,
            p / p[-1],
            min(_UNSEEN, (1 + once) / (1 + len(x))),
            mean,
            max(LOGISTIC * spread, 1e-6),
        )

    def scores(self, x: Floats) -> Floats:
        """(n,) scores of numbers, NaN where they are."""
        h, z = np.interp(x, self.x, self.p), (x - self.centre) / self.spread
        below = (1 - self.unseen) * h + self.unseen * expit(z)
        above = (1 - self.unseen) * (1 - h) + self.unseen * expit(-z)
        least = np.finfo(float).tiny
        low, high = (ndtri(np.clip(p, least, 0.5)) for p in (below, above))
        return np.asarray(np.where(np.isnan(x), np.nan, np.where(below < above, low, -high)))

    def log_slope(self, x: Floats) -> Floats:
        """(n,) log |ds/dx| of numbers, NaN where they are."""
        steps = np.diff(self.p) / np.diff(self.x)
        at = np.searchsorted(self.x, x, side="right") - 1
        inside = (at >= 0) & (at < len(steps))
        step = np.where(inside, steps[np.clip(at, 0, len(steps) - 1)], 0.0)
        log_s = log_logistic(x, self.centre, self.spread)
        with np.errstate(divide="ignore"):
            log_h = np.log((1 - self.unseen) * step)
        s = self.scores(x)
        log_slope = np.logaddexp(log_h, np.log(self.unseen) + log_s) + s**2 / 2
        return np.asarray(log_slope + np.log(2 * np.pi) / 2)

    def numbers(self, scores: Floats) -> Floats:
        """(n,) numbers of scores."""
        p, rest, b = ndtr(scores), ndtr(-scores), self.unseen
        ends = (1 - b) * self.p + b * expit((self.x - self.centre) / self.spread)
        at = np.clip(np.searchsorted(ends, p) - 1, 0, len(ends) - 2)
        low, high = self.x[at], self.x[at + 1]
        start, step = self.p[at], (self.p[at + 1] - self.p[at]) / (high - low)
        left = low
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            h = start + step * (middle - left)
            less = (1 - b) * h + b * expit((middle - self.centre) / self.spread) < p
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        # Beyond the knots there is S alone.
        before, after = (logit(np.clip(q / b, 0.0, 1.0)) for q in (p, rest))
        x = np.where(p > ends[-1], self.centre - self.spread * after, (low + high) / 2)
        return np.asarray(np.where(p < ends[0], self.centre + self.spread * before, x))


def _in_cells(values: Floats, masses: Floats, warp: Warp) -> tuple[Floats, Floats]:
    """Knots in the cells of (m,) values, and H at each, up to a factor."""
    order = np.argsort(warp.forward(values, 0.5)[0])
    low = np.append(0.0, masses[order].cumsum())
    knots, p = [], []
    for place, value in enumerate(values[order]):
        mass = low[place + 1] - low[place]
        u = np.linspace(_EDGE, 1 - _EDGE, 2 + int(_FINE * mass / low[-1]))
        knots.append(warp.forward(np.full(len(u), value), u)[0])
        p.append(low[place] + u * mass)
    x, h = np.concatenate(knots), np.concatenate(p)
    kept = np.append(True, np.diff(np.maximum.accumulate(x)) > 0)
    x, h = x[kept], h[kept]
    h[0], h[-1] = 0.0, low[-1]
    return x, h


@dataclass(frozen=True, eq=False)
class SmoothMargins:
    """The distribution functions of some columns; as `Margins`, without ties."""

    columns: tuple[SmoothMargin, ...]
    tied = False

    def scores(self, x: Floats, rng: np.random.Generator | None = None) -> Floats:
        """(n, d) scores of numbers; `rng` draws nothing."""
        return _columns([m.scores(x[:, j]) for j, m in enumerate(self.columns)], len(x))

    def numbers(self, scores: Floats) -> Floats:
        """(n, d) numbers of scores."""
        return _columns([m.numbers(scores[:, j]) for j, m in enumerate(self.columns)], len(scores))

    def log_slopes(self, x: Floats) -> Floats:
        """(n, d) log |ds/dx| of numbers."""
        return _columns([m.log_slope(x[:, j]) for j, m in enumerate(self.columns)], len(x))

    def arrays(self) -> dict[str, Array]:
        """What a saved run keeps."""
        return {
            "sizes": np.array([len(m.x) for m in self.columns], np.int64),
            "shape": np.array(
                [(m.unseen, m.centre, m.spread) for m in self.columns], np.float64
            ).reshape(-1, 3),
            **{
                name: np.concatenate([np.empty(0), *(getattr(m, name) for m in self.columns)])
                for name in ("x", "p")
            },
        }

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Self:
        """Those that `arrays` gave."""
        ends = np.cumsum(arrays["sizes"])[:-1]
        x, p = (np.split(arrays[name], ends) for name in ("x", "p"))
        each = zip(x, p, arrays["shape"].tolist(), strict=True) if len(arrays["sizes"]) else ()
        return cls(tuple(SmoothMargin(a, b, *shape) for a, b, shape in each))


def _columns(columns: Sequence[Floats], n: int) -> Floats:
    return np.column_stack([np.empty((n, 0)), *columns])
