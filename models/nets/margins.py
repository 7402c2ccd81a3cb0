"""Numbers as the normal scores of their ranks, and back.

With F the distribution function of a column over the rows fitted and Phi that of the normal
distribution,

    s = Phi^-1(p),      p = F(x-) + u (F(x) - F(x-)),      x = F^-1(Phi(s)),

where u in [0, 1) spreads a value that several rows have over its interval of ranks. Every column
of scores is normal whatever the column was, so a net has only the dependence of the columns to
learn (their copula); the margins, with their bounds, gaps and atoms, come back with F^-1.

F is kept at so many knots as `MOST`; between two of them, p is linear in x. A value that several
rows have gets an interval of its own. Beyond the ends, x stays at the least or the greatest value
fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

from ...arrays import Array, Floats

MOST = 4096  # knots of a column


@dataclass(frozen=True, eq=False)
class Margin:
    """The distribution function of one column.

    Attributes:
        x: (k,) its knots, ascending.
        low, high: (k,) F(x-) and F(x) at each; their mean, twice, where one row has the value.
        least: p stays as far from 0 and 1: half of the lightest row.
    """

    x: Floats
    low: Floats
    high: Floats
    least: float

    @classmethod
    def fit(cls, x: Floats, weights: Floats | None = None, most: int = MOST) -> Self:
        """The distribution of (n,) numbers, weighted if so given."""
        knots, group, counts = np.unique(x, return_inverse=True, return_counts=True)
        mass = np.bincount(group, weights, len(knots))
        least = float((mass / counts).min() / mass.sum() / 2)
        high = np.cumsum(mass) / mass.sum()
        high[-1] = 1.0  # sums that are rounded end a little below or above
        low = np.append(0.0, high[:-1])
        if len(knots) > most:
            at = np.unique(np.searchsorted(high, np.linspace(0.0, 1.0, most)))
            at = at[at < len(knots)]
            knots, low, high, counts = knots[at], low[at], high[at], counts[at]
        once = counts == 1
        middle = (low + high) / 2
        low, high = np.where(once, middle, low), np.where(once, middle, high)
        return cls(knots, low, high, least)

    def scores(self, x: Floats, u: Floats | float = 0.5) -> Floats:
        """(n,) scores of numbers, NaN where they are; u are their places in [0, 1) within ties."""
        after = np.minimum(np.searchsorted(self.x, x), len(self.x) - 1)
        before = np.maximum(after - 1, 0)
        at = self.x[after] == x
        step = self.x[after] - self.x[before]
        share = np.clip((x - self.x[before]) / np.where(step > 0, step, 1.0), 0.0, 1.0)
        between = self.high[before] + share * (self.low[after] - self.high[before])
        within = self.low[after] + u * (self.high[after] - self.low[after])
        p = np.where(at, within, between)
        p = np.where(x < self.x[0], self.low[0], np.where(x > self.x[-1], self.high[-1], p))
        scores: Floats = ndtri(np.clip(p, self.least, 1 - self.least))
        return scores

    def numbers(self, scores: Floats) -> Floats:
        """(n,) numbers of scores."""
        p = np.column_stack([self.low, self.high]).ravel()
        values: Floats = np.interp(ndtr(scores), p, np.repeat(self.x, 2))
        return values


@dataclass(frozen=True, eq=False)
class Margins:
    """The distribution functions of some columns."""

    columns: tuple[Margin, ...]

    @classmethod
    def fit(cls, x: Floats, weights: Floats | None = None, most: int = MOST) -> Self:
        """Those of rows (n, d)."""
        return cls(tuple(Margin.fit(x[:, j], weights, most) for j in range(x.shape[1])))

    def scores(self, x: Floats, rng: np.random.Generator | None = None) -> Floats:
        """(n, d) scores of numbers; `rng` draws the places within ties, None takes the middles."""
        u = np.full(x.shape, 0.5) if rng is None else rng.random(x.shape)
        each = [m.scores(x[:, j], u[:, j]) for j, m in enumerate(self.columns)]
        return np.column_stack([np.empty((len(x), 0)), *each])

    def numbers(self, scores: Floats) -> Floats:
        """(n, d) numbers of scores."""
        each = [m.numbers(scores[:, j]) for j, m in enumerate(self.columns)]
        return np.column_stack([np.empty((len(scores), 0)), *each])

    @property
    def tied(self) -> bool:
        """Whether some rows have equal values, whose places within their interval are drawn."""
        return any(bool((m.high > m.low).any()) for m in self.columns)

    def arrays(self) -> dict[str, Array]:
        """What a saved run keeps."""
        columns: Sequence[Margin] = self.columns
        return {
            "sizes": np.array([len(m.x) for m in columns], np.int64),
            "least": np.array([m.least for m in columns], np.float64),
            **{
                name: np.concatenate([np.empty(0), *(getattr(m, name) for m in columns)])
                for name in ("x", "low", "high")
            },
        }

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Self:
        """Those that `arrays` gave."""
        ends = np.cumsum(arrays["sizes"])[:-1]
        parts = (np.split(arrays[name], ends) for name in ("x", "low", "high"))
        each = zip(*parts, arrays["least"].tolist(), strict=True) if len(arrays["least"]) else ()
        return cls(tuple(Margin(*one) for one in each))
