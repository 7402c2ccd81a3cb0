"""Rows of a table as densities see them: a map with a Jacobian, where a net sees numbers by ranks.

A net that sees the normal scores of ranks learns how columns go together; their margins are those
of the rows fitted, steps that have no density. For a density each step function F is smoothed to

    G(x) = p_k + (x - q_k) (p_(k+1) - p_k) / (q_(k+1) - q_k)      between quantiles q_k at p_k,

about 2 n^(1/3) of them, with exponential tails of the shares and the mean excess of the first and
the last stretch. With s = Phi^-1(G(x)) and the model's density of scores, a density of x is

    log p(x) = log p(s) + sum log G'(x) - sum log N(s; 0, 1),

which integrates to one whatever G is. Samples have the margins F; the two differ within stretches.

A number of few distinct values is a level, and its density that level's mass, spread evenly over
the cell of the value: between the middles to its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ...arrays import Array, Floats
from ...data import Encoded
from ...errors import InputError
from ..nets.margins import Margin
from ..nets.table_view import TableView
from ..nets.tables import Few
from ..nets.views import View

_FEWEST, _MOST = 4, 256  # stretches of a column
_WITHIN = 16  # quantiles by which the mean excess of a tail is taken
_LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class SmoothMargin:
    """A distribution function with a density, see above.

    Attributes:
        x: (k,) inner quantiles, ascending.
        p: (k,) what G is there.
        tails: mean excess below the first and above the last.
    """

    x: Floats
    p: Floats
    tails: tuple[float, float]

    @classmethod
    def of(cls, margin: Margin) -> SmoothMargin:
        """The margin of a column, smoothed."""
        rows = 0.5 / margin.least
        k = int(np.clip(round(2 * rows ** (1 / 3)), _FEWEST, _MOST))
        p = np.arange(1, k) / k
        x = _quantiles(margin, p)
        kept = np.append(True, np.diff(x) > 0)  # of a value that many rows have, the first
        x, p = x[kept], p[kept]
        inside = (np.arange(_WITHIN) + 0.5) / _WITHIN
        low = x[0] - _quantiles(margin, inside * p[0])
        high = _quantiles(margin, 1 - inside * (1 - p[-1])) - x[-1]
        spread = max(float(margin.x[-1] - margin.x[0]), 1e-12)
        tails = (max(float(side.mean()), 1e-3 * spread) for side in (low, high))
        return cls(x, p, (next(tails), next(tails)))

    def scores(self, x: Floats) -> tuple[Floats, Floats]:
        """(n,) scores of numbers, and log G' - log N(score; 0, 1)."""
        below, above = x < self.x[0], x >= self.x[-1]
        low, high = self.p[0], 1 - self.p[-1]
        left = np.clip((x - self.x[0]) / self.tails[0], -600.0, 0.0)
        right = np.clip((self.x[-1] - x) / self.tails[1], -600.0, 0.0)
        after = np.clip(np.searchsorted(self.x, x, side="right"), 1, max(len(self.x) - 1, 1))
        at = np.minimum(after, len(self.x) - 1)
        step = np.maximum(self.x[at] - self.x[after - 1], _LEAST)
        slope = (self.p[at] - self.p[after - 1]) / step
        inside = self.p[after - 1] + slope * (x - self.x[after - 1])
        # Scores by the nearer tail: 1 - p is 0 long before p is.
        p = np.where(below, low * np.exp(left), np.clip(inside, low, 1 - high))
        score = np.where(above, -ndtri(high * np.exp(right)), ndtri(p))
        log_slope = np.where(
            below,
            np.log(low / self.tails[0]) + left,
            np.where(
                above,
                np.log(high / self.tails[1]) + right,
                np.log(np.maximum(slope, _LEAST)),
            ),
        )
        return score, log_slope + 0.5 * (score**2 + np.log(2 * np.pi))


def _quantiles(margin: Margin, p: Floats) -> Floats:
    knots = np.column_stack([margin.low, margin.high]).ravel()
    return np.asarray(np.interp(p, knots, np.repeat(margin.x, 2)))


def stored_for_densities(view: View, data: Encoded) -> tuple[Array, Floats]:
    """(n, D) values of encoded rows whose densities the model has, and (n,) what is added to these
    for the density of the encoded rows.

    Raises:
        InputError: of a fit that is told some columns, and has no density of these.
    """
    nothing = np.zeros(len(data))
    if not isinstance(view, TableView):
        return view.stored(data), nothing
    if view.told is not None:
        raise InputError(
            f"the fit is told {', '.join(view.told_names)} (condition_on) and models the others "
            "given these, so that rows have no density under it. Fit without condition_on."
        )
    made, _ = view.map.split(data)
    if view.map.margins is None:
        return made, nothing
    plain = data.x[:, view.map.plain]
    each = [SmoothMargin.of(m).scores(plain[:, j]) for j, m in enumerate(view.map.margins.columns)]
    numbers = np.column_stack([np.empty((len(data), 0)), *(score for score, _ in each)])
    log_det = sum((added for _, added in each), nothing)
    codes = made[:, numbers.shape[1] :]
    widths = _log_widths(view.map.few)
    for j, log_width in enumerate(widths):
        log_det = log_det - log_width[np.maximum(codes[:, j], 0).astype(np.intp)]
    return np.column_stack([numbers, codes]), log_det


def _log_widths(few: Sequence[Few]) -> list[Floats]:
    """(L,) logarithms of the width of each value's cell, of each number of few values."""
    found = []
    for one in few:
        ends = np.concatenate([one.places[:1, 0], one.edges, one.places[-1:, -1]])
        widths = np.diff(ends)
        if len(widths) > 1:  # of single values, cells reach as far on the other side
            first, last = one.edges[0], one.edges[-1]
            widths[0] = max(widths[0], 2 * (first - np.median(one.places[0])))
            widths[-1] = max(widths[-1], 2 * (np.median(one.places[-1]) - last))
        found.append(np.log(np.maximum(widths, _LEAST)))
    return found
