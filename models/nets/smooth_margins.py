"""Numbers as normal scores of a distribution that has a density, and back.

    F(x) = (1 - b) H(x) + b S((x - m) / w),      s = Phi^-1(F(x)),      x = F^-1(Phi(s)),
    log |ds/dx| = log F'(x) - log phi(s),

with H the distribution of the rows fitted, linear between knots, S the logistic distribution, m and
w mean and scale of the rows, and b = 1 / (1 + rows), so that every number has a density. A density
of scores is one of numbers by log |ds/dx|, exactly, wherever they lie.

H is one of two (`margin_knots`), whichever makes rows likelier that were left out of it: of values
that recur, or of a column that has none. `margins` has the ranks without a density.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from ...arrays import Array, Floats, Hashes
from ...data.warp import Warp
from .margin_knots import between_quantiles, draws, in_cells

_VALUES = 4096  # that recur, at most
_FOLDS = 5  # of the rows that are left out in turn
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
    def fit(
        cls,
        x: Floats,
        values: Floats,
        warp: Warp,
        weights: Floats | None = None,
        units: Hashes | None = None,
    ) -> Self:
        """The distribution of (n,) encoded numbers, weighted if so given.

        Args:
            values: (n,) what they encode.
            warp: that encoded them.
            units: (n,) which rows are one draw: values recur in others. None takes each for one.
        """
        n = len(x)
        w = np.ones(n) if weights is None else weights
        found = cls._of(x, w, *between_quantiles(x, w))
        distinct, value = np.unique(values, return_inverse=True)
        if not warp.noisy or warp.column.period is not None or len(distinct) > _VALUES:
            return found
        unit = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1]
        if unit.max() + 1 < 2 * _FOLDS or draws(value, unit).max() == 1:
            return found
        fold = np.random.default_rng(n).permutation(unit.max() + 1)[unit] % _FOLDS
        gain = 0.0
        for k in range(_FOLDS):
            out = fold == k
            a, b = x[~out], w[~out]
            recur = cls._of(a, b, *in_cells(values[~out], unit[~out], b, warp))
            between = cls._of(a, b, *between_quantiles(a, b))
            gain += w[out] @ (recur.log_density(x[out]) - between.log_density(x[out]))
        return cls._of(x, w, *in_cells(values, unit, w, warp)) if gain > 0 else found

    @classmethod
    def _of(cls, x: Floats, w: Floats, knots: Floats, p: Floats) -> Self:
        """That of H (k,) at knots (k,), up to a factor, for (n,) encoded numbers and weights."""
        mean = float(np.average(x, weights=w))
        spread = float(np.sqrt(np.average((x - mean) ** 2, weights=w)))
        return cls(knots, p / p[-1], 1 / (1 + len(x)), mean, max(LOGISTIC * spread, 1e-6))

    def scores(self, x: Floats) -> Floats:
        """(n,) scores of numbers, NaN where they are."""
        h, z = np.interp(x, self.x, self.p), (x - self.centre) / self.spread
        below = (1 - self.unseen) * h + self.unseen * expit(z)
        above = (1 - self.unseen) * (1 - h) + self.unseen * expit(-z)
        least = np.finfo(float).tiny
        low, high = (ndtri(np.clip(p, least, 0.5)) for p in (below, above))
        return np.asarray(np.where(np.isnan(x), np.nan, np.where(below < above, low, -high)))

    def log_density(self, x: Floats) -> Floats:
        """(n,) log F'(x) of numbers, NaN where they are."""
        steps = np.diff(self.p) / np.diff(self.x)
        at = np.searchsorted(self.x, x, side="right") - 1
        inside = (x >= self.x[0]) & (x <= self.x[-1])
        step = np.where(inside, steps[np.clip(at, 0, len(steps) - 1)], 0.0)
        log_s = log_logistic(x, self.centre, self.spread)
        with np.errstate(divide="ignore"):
            log_h = np.log((1 - self.unseen) * step)
        return np.asarray(np.logaddexp(log_h, np.log(self.unseen) + log_s))

    def log_slope(self, x: Floats) -> Floats:
        """(n,) log |ds/dx| of numbers, NaN where they are."""
        log_slope = self.log_density(x) + self.scores(x) ** 2 / 2
        return np.asarray(log_slope + np.log(2 * np.pi) / 2)

    def numbers(self, scores: Floats) -> Floats:
        """(n,) numbers of scores, NaN where they are."""
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
        x = np.where(p < ends[0], self.centre + self.spread * before, x)
        return np.asarray(np.where(np.isnan(scores), np.nan, x))


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
