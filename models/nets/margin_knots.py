"""Distribution functions of the rows of a column, linear between knots.

- Of values that recur: each has a mass uniform over its place in the cell, as the codec fills it
  in. From each count N_1 / (N_1 + 2 N_2) is taken, N_r the numbers of values seen r times, and laid
  around the value as below, in one row for each value: there stand the values that were not seen.
- Of others: the mean of histograms between quantiles that are shifted against each other, with
  3 n^(1/3) bins and a bin every `_EACH` rows at least, the bins at the ends halved until two rows
  are left in them. What such steps cost on rows not seen, (bins - 1) / (2 n) in nats, is small.

References: Ney, Essen and Kneser, "On structuring probabilistic dependences in stochastic language
modelling", 1994, https://doi.org/10.1006/csla.1994.1001 (what is taken of counts); Scott,
"Averaged shifted histograms", 1985, https://doi.org/10.1214/aos/1176349654
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...data.warp import Warp

Ints = NDArray[np.intp]
_EACH = 25  # rows a bin
_CUBIC = 3  # bins of few rows, over the cubic root of their number
_MOST = 1024  # bins of a column
_SHIFTS = 4  # histograms that are averaged
_EDGE = 1e-3  # of a cell, beside its edges, that lies between cells instead
_FINE = 32  # knots of a cell that has all the mass


def draws(value: Ints, unit: Ints) -> Ints:
    """(m,) in how many units each of m values is, whose numbers (n,) rows have."""
    pairs = np.unique(value * (int(unit.max()) + 1) + unit)
    return np.bincount(pairs // (int(unit.max()) + 1))


def in_cells(values: Floats, unit: Ints, w: Floats, warp: Warp) -> tuple[Floats, Floats]:
    """Knots in the cells of (n,) values and between them, and H at each, up to a factor."""
    distinct, value = np.unique(values, return_inverse=True)
    middle = warp.forward(distinct, 0.5)[0]
    order = np.argsort(middle)
    middle, distinct = middle[order], distinct[order]
    counts, every = draws(value, unit)[order], np.bincount(value, w)[order]
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    taken = every * once / max(1, once + 2 * twice) / counts
    taken *= len(distinct) > 1
    low = np.append(0.0, (every - taken).cumsum())
    each = 2 + (_FINE * (every - taken) / low[-1]).astype(np.intp) if low[-1] else 2
    size = np.broadcast_to(each, distinct.shape)
    cell = np.repeat(np.arange(len(distinct)), size)
    place = (np.arange(len(cell)) - np.repeat(size.cumsum() - size, size)) / (size[cell] - 1)
    u = _EDGE + (1 - 2 * _EDGE) * place
    x, h = warp.forward(distinct[cell], u)[0], low[cell] + u * (every - taken)[cell]
    kept = np.append(True, np.diff(np.maximum.accumulate(x)) > 0)
    x, h = x[kept], h[kept]
    h[0], h[-1] = 0.0, low[-1]
    if not taken.any():
        return x, h
    places, line = between_quantiles(middle, taken)
    knots = np.unique(np.concatenate([x, places]))
    return knots, np.interp(knots, x, h) + np.interp(knots, places, line)


def between_quantiles(x: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Knots of averaged histograms of (n,) numbers, and H at each, up to a factor."""
    n = len(x)
    bins = min(max(n // _EACH, round(_CUBIC * n ** (1 / 3))), _MOST)
    halved = 0.5 ** np.arange(1, 1 + max(0, int(np.log2(n / bins / 2)))) / bins
    ends = np.unique(np.concatenate([np.linspace(0.0, 1.0, 1 + bins), halved, 1 - halved]))
    bins = len(ends) - 1
    share = np.interp(np.arange(bins * _SHIFTS + 1) / _SHIFTS, np.arange(bins + 1), ends)
    fine = np.quantile(x, share)
    knots = np.unique(fine)
    if len(knots) < 2:
        knots = fine = knots[0] + np.array([-1e-6, 1e-6])
    mass = np.append(0.0, np.histogram(x, knots, weights=w)[0].cumsum())
    h = np.zeros(len(knots))
    for shift in range(_SHIFTS):
        # A bin at an end that is less than half of one is a part of its neighbour.
        first = shift + (_SHIFTS if 2 * shift < _SHIFTS else 0)
        inner = fine[first : len(fine) - _SHIFTS // 2 : _SHIFTS]
        some = np.unique(np.concatenate([knots[:1], inner, knots[-1:]]))
        h += np.interp(knots, some, np.interp(some, knots, mass)) / _SHIFTS
    return knots, h
