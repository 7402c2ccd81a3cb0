"""Values of a continuous column that have a mass each, such as the zeros among proportions.

With atoms a_1 < ... < a_m of shares p_i, and c = 1 - sum_i p_i left to the values between, the line
of places (0, 1) is cut into a stretch of length p_i for each atom and the rest:

    place(v)       = sum_{a_j < v} p_j   + c sigma((y - m) / s),           y = g(v), v no atom,
    place(a_i, u)  = sum_{j < i} p_j     + c sigma((g(a_i) - m) / s) + p_i u,       u in [0, 1),

with sigma the logistic function and g the column's map onto the line (see `bijections`), so that
sigma is 0 at a lower bound and 1 at an upper one. The model sees the logit of the place. Between
the atoms this is one to one and its density exact; at an atom the mean over u bounds its log mass
from below. The shares lay out the line only: the mass of an atom is what a model gives its stretch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bijections import LARGEST_EXPONENT, Floats

_LEAST = 2.0**-10  # the least stretch, of an atom or of what lies between
_TINY = 1e-300
_LOGISTIC = math.pi / math.sqrt(3)  # the standard deviation of a logistic variable


@dataclass(frozen=True)
class Atoms:
    """Where a column's atoms stand on the line.

    Attributes:
        values: (m,) the atoms, ascending.
        images: (m,) g of each; -inf at a lower bound, inf at an upper one.
        shares: (m,) lengths of their stretches, which sum to less than 1.
        centre, spread: m and s.
    """

    values: tuple[float, ...]
    images: tuple[float, ...]
    shares: tuple[float, ...]
    centre: float = 0.0
    spread: float = 1.0

    @classmethod
    def fit(
        cls, values: tuple[float, ...], images: tuple[float, ...], v: Floats, y: Floats, w: Floats
    ) -> Atoms:
        """The layout for (n,) values v without gaps, their images y (of any number where v is an
        atom) and weights w."""
        counts = np.array([w[v == a].sum() for a in values])
        between = ~np.isin(v, values)
        parts = np.maximum(np.append(counts, w[between].sum()) / w.sum(), _LEAST)
        shares = tuple((parts[:-1] / parts.sum()).tolist())
        centre, spread = 0.0, 1.0
        if between.any():
            near = float(y[between][0])
            centre = near + float(np.average(y[between] - near, weights=w[between]))
            square = np.average((y[between] - centre) ** 2, weights=w[between])
            spread = math.sqrt(float(square)) / _LOGISTIC
            spread = spread if spread > 0 and math.isfinite(spread) else 1.0
        return cls(values, images, shares, centre, spread)

    def forward(self, v: Floats, y: Floats, log_slope: Floats, u: Floats) -> tuple[Floats, Floats]:
        """(n,) logits of the places, and their log derivative: by v between the atoms, by u at one.

        Args:
            v: (n,) values, NaN where missing.
            y, log_slope: (n,) g(v) and log g'(v), NaN where missing; any number where v is an atom.
            u: (n,) places in (0, 1) within an atom.
        """
        first = np.searchsorted(self.values, v)  # the first atom that is not below v
        first[np.isnan(v)] = 0
        x = (y - self.centre) / self.spread
        with np.errstate(invalid="ignore"):  # gaps stay NaN
            log_low, log_high = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
            log_below = np.logaddexp(_log(self._below)[first], self._log_rest + log_low)
            log_above = np.logaddexp(_log(self._above)[first], self._log_rest + log_high)
        slope = self._log_rest + log_low + log_high + log_slope - math.log(self.spread)
        at = np.append(self.values, np.nan)[first] == v
        i, u = first[at], u[at]
        share = np.array(self.shares)[i]
        starts, rests = self._sides
        log_below[at] = np.log(starts[i] + share * u)
        log_above[at] = np.log(rests[i] + share * (1 - u))
        slope[at] = np.log(share)
        return log_below - log_above, slope - log_below - log_above

    def inverse(self, logit: Floats) -> tuple[Floats, NDArray[np.intp]]:
        """(n,) images y of the values between the atoms, and the number of the atom or -1."""
        small = np.exp(-np.abs(logit))  # never overflows
        near, far = small / (1 + small), 1 / (1 + small)
        place, rest = np.where(logit < 0, near, far), np.where(logit < 0, far, near)
        starts = self._sides[0]
        edges = np.column_stack([starts, starts + self.shares]).ravel()
        stretch = np.searchsorted(edges, place, side="right")
        atom = np.where(stretch % 2 == 1, stretch // 2, -1)
        between = stretch // 2  # how many atoms stand below
        low = np.maximum(place - self._below[between], _TINY)
        high = np.maximum(rest - self._above[between], _TINY)
        odds = np.clip(np.log(low) - np.log(high), -LARGEST_EXPONENT, LARGEST_EXPONENT)
        y = odds * self.spread + self.centre
        return np.where(np.isnan(logit), np.nan, y), np.where(np.isnan(logit), -1, atom)

    def to_json(self) -> dict[str, Any]:
        """The numbers; the values and images are the column's."""
        return {"shares": list(self.shares), "centre": self.centre, "spread": self.spread}

    @property
    def _log_rest(self) -> float:
        """log c."""
        return math.log1p(-sum(self.shares))

    @cached_property
    def _below(self) -> Floats:
        """(m + 1,) the shares of the atoms below each atom, and of all."""
        return np.concatenate([[0.0], np.cumsum(self.shares)])

    @cached_property
    def _above(self) -> Floats:
        """(m + 1,) the shares of each atom and those above it, and 0."""
        return np.concatenate([np.cumsum(self.shares[::-1])[::-1], [0.0]])

    @cached_property
    def _sides(self) -> tuple[Floats, Floats]:
        """(m,) where the stretches begin, and what is left of the line behind them."""
        x = (np.array(self.images) - self.centre) / self.spread
        lower, rest = 0.5 * (1 + np.tanh(x / 2)), math.exp(self._log_rest)
        return self._below[:-1] + rest * lower, self._above[1:] + rest * (1 - lower)


def _log(shares: Floats) -> Floats:
    return np.log(shares, out=np.full(len(shares), -np.inf), where=shares > 0)
