"""Values of a column that lie so far from the others that they are codes or mistakes.

With z the distance from the median in robust deviations (half the width of the middle 68%; of
logarithms in positive and counted columns):

- a code for missing values is an end of the column that is a usual code (-999, 9999, beyond 1e30)
  or repeated, and lies at least 3, else 10, deviations off all other values;
- an extreme value is one with z >= 20 beyond a gap that no tail explains. In a tail of index a,
  P(Z > z) ~ z^-a, the gap below the j-th highest of z, j a log(z_j / z_j+1), is exponential with
  mean 1 (Rényi's representation), with a by Hill from the values below: more than 10 is no chance.

References: A simple general approach to inference about the tail of a distribution (Hill, 1975)
https://doi.org/10.1214/aos/1176343247; On the theory of order statistics (Rényi, 1953)
https://doi.org/10.1007/BF02127580
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .data.column import LINEAR, Column
from .data.levels import short
from .quantiles import sorted_quantiles
from .verdict import Reason

_LEAST_ROWS = 20
_SAMPLE = 20_000  # values that the spread is read off
_NEAR = 6.0  # z below which nothing is looked at
_FAR = 20.0
_GAP = 10.0
_MOST_SHARE, _MOST_FEW = 0.005, 3  # how many values are few
_CODE, _REPEATED = 3.0, 10.0  # deviations off the others
_TIMES = 3
_CODES = (9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
HUGE = 1e30
_SHOWN = 3

_READ = (
    "If it is one, read such values as missing (missing={{{!r}: {}}} of ppgen.read); else name the "
    "value as the column's atom."
)
_MEND = (
    "Mend or leave out such rows, or read the values as missing; they affect scales and samples."
)


def extreme_reasons(
    column: Column, values: Floats, numbers: NDArray[np.intp] | None = None
) -> list[Reason]:
    """What the ends of a column (n,), NaN in gaps, say; atoms are no ends.

    Args:
        numbers: (n,) which rows of the whole these are; None are all of them.
    """
    kept = ~np.isnan(values)
    if column.atoms:
        kept &= ~np.isin(values, column.atoms)
    seen = np.flatnonzero(kept)
    if len(seen) < _LEAST_ROWS:
        return []
    known = np.asarray(values[seen], dtype=np.float64)
    reasons, plain = [], np.ones(len(known), dtype=bool)
    for end in (known.min(), known.max()):
        at = known == end
        if _is_code(column, known, at, end):
            values_are = "value is" if at.sum() == 1 else "values are"
            shown = column.shown(float(end))
            what = (
                f"{at.sum()} {values_are} {shown}, far from all others: a code for missing values?"
            )
            value = short(float(end)) if abs(end) < 2**53 else float(end)
            advice = _READ.format(column.name, value)
            reasons.append(Reason("warn", f"column {column.name!r}: {what}", advice))
            plain &= ~at
    t = _scaled(column, known)
    usual = t[plain]
    middle, spread = _location(usual)
    if spread == 0:
        return reasons
    for sign, end in ((-1.0, usual.min()), (1.0, usual.max())):
        if sign * (end - middle) / spread < _NEAR:
            continue
        z = np.where(plain, sign * (t - middle) / spread, -np.inf)
        far = _beyond(z, len(known))
        if len(far):
            rows = seen[far] if numbers is None else numbers[seen[far]]
            reasons.append(_extreme(column, known[far], rows, float(z[far].max())))
    return reasons


def _scaled(column: Column, values: Floats) -> Floats:
    if column.kind in LINEAR:
        return values
    if column.kind == "positive":
        # A rounded zero stands for something below half a step.
        return np.log(np.maximum(values, (column.width or 0.0) / 2))
    return np.log1p(np.maximum(values, 0))


def _location(values: Floats) -> tuple[float, float]:
    """The median, and half the width of the middle 68%, or of more where that is one value."""
    some = np.sort(values[:: max(1, len(values) // _SAMPLE)])
    for share in (0.16, 0.05, 0.01):
        low, middle, high = sorted_quantiles(some, np.array([share, 0.5, 1 - share]))
        if high > low:
            return float(middle), float(high - low) / 2
    return 0.0, 0.0


def _is_code(column: Column, values: Floats, at: NDArray[np.bool_], end: float) -> bool:
    usual = abs(end) in _CODES or abs(end) >= HUGE
    if (not usual and at.sum() < _TIMES) or at.sum() > len(values) - _LEAST_ROWS:
        return False
    # A column that ends in many equal values everywhere is a grid.
    others = values[~at]
    if not usual and len(np.unique(others[:: max(1, len(others) // 1000)])) < 10:
        return False
    spread = _location(others)[1]
    if spread == 0:
        return False
    nearest = float(np.abs(others - end).min())
    return nearest > (_CODE if usual else _REPEATED) * spread


def _beyond(z: Floats, n: int) -> NDArray[np.intp]:
    """Where the few values are that lie beyond a gap in the upper tail of z."""
    order = np.argsort(-z)[: n // 2]
    tail = z[order]
    tail = tail[tail > 1.0]
    most = min(max(_MOST_FEW, int(_MOST_SHARE * n)), len(tail) - 1)
    best, few = _GAP, 0
    for j in range(1, most + 1):
        if tail[j - 1] < _FAR:
            break
        below = tail[j : j + max(10, n // 20) + 1]
        if len(below) < 5:
            break
        spread = float(np.mean(np.log(below[:-1] / below[-1])))
        gap = j * float(np.log(tail[j - 1] / tail[j])) / max(spread, 0.05)
        if gap > best:
            best, few = gap, j
    return order[:few]


def _extreme(column: Column, values: Floats, rows: NDArray[np.intp], z: float) -> Reason:
    shown = ", ".join(
        f"{column.shown(float(value))} in row {row}"
        for value, row in zip(values[:_SHOWN], rows, strict=False)
    )
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    what = "an extreme value" if len(values) == 1 else "extreme values"
    return Reason(
        "warn",
        f"column {column.name!r} has {what}: {shown}{more} (rows from 0), {z:.3g} robust "
        "deviations from the median.",
        _MEND,
    )
