"""The columns that a distribution's values have, and what is no density.

A value is a vector (..., D): the columns of the fit in the order of its schema, without those that
have one value or none. A number is in the units of the data; a level is its number in
`Column.levels`, counted from 0. The density of a rounded column is that of the values before they
were rounded. What has a mass that the family spreads by noise (counts, levels that it dequantises,
atoms) is refused: there is no density at its values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints, Mask
from ...data import AnyCodec, Codec
from ...data.column import DISCRETE
from ...data.warp import Warp
from ...errors import InputError
from .change import Change


@dataclass(frozen=True, eq=False)
class Columns:
    """The D columns of a value.

    Attributes:
        names: (D,).
        continuous: (d,) the place among them of each column of `Encoded.x`.
        discrete: (c,) that of each column of `Encoded.codes`.
        levels: (D,) how many levels each has; 0 where it is continuous.
        change: the map of encoded values.
        lower, upper: (D,) ends of the support; infinite where there are none.
        closed: (D,) whether the lower end belongs to it.
    """

    names: tuple[str, ...]
    continuous: Ints
    discrete: Ints
    levels: Ints
    change: Change
    lower: Floats
    upper: Floats
    closed: Mask

    @classmethod
    def of(cls, codec: AnyCodec, who: str) -> Self:
        """The columns of a fit.

        Args:
            codec: of the fit.
            who: the name of its class, for messages.

        Raises:
            InputError: if the fit has no density in the units of the data.
        """
        if not isinstance(codec, Codec):
            raise InputError(
                f"this {who} models images or sequences, and distributions are of tables. "
                "ppgen.Diffusion has one of images."
            )
        for warp in codec.warps:
            _refuse_cells(warp, who)
        warps = {warp.column.name: warp for warp in codec.warps}
        sizes = dict(zip(codec.discrete_names, codec.n_levels, strict=True))
        names = tuple(name for name in codec.schema.names if name in warps or name in sizes)
        if not names:
            raise InputError(
                f"this {who} was fitted to columns that do not vary, which leaves nothing to be "
                "distributed. Fit to columns that vary."
            )
        place = {name: j for j, name in enumerate(names)}
        levels = np.array([sizes.get(name, 0) for name in names], np.intp)
        change = _change([warps.get(name) for name in names])
        between = change.bounded | change.circular
        low = np.where(change.circular, change.start, change.low)
        width = np.where(change.circular, change.period, change.span)
        lower = np.where(between, low, np.where(change.positive | (levels > 0), 0.0, -np.inf))
        upper = np.where(between, low + width, np.where(levels > 0, levels - 1.0, np.inf))
        return cls(
            names,
            np.array([place[name] for name in codec.continuous_names], np.intp),
            np.array([place[name] for name in codec.discrete_names], np.intp),
            levels,
            change,
            lower,
            upper,
            change.circular | (levels > 0),
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def real(self) -> bool:
        """Whether every column may have any value."""
        return bool(np.isinf(self.lower).all() and np.isinf(self.upper).all())

    @property
    def plain(self) -> bool:
        """Whether encoded values are the values."""
        c = self.change
        changed = (c.shift != 0) | (c.scale != 1) | np.isfinite(c.bend) | c.positive | c.bounded
        return not changed.any()

    @property
    def is_discrete(self) -> bool:
        """Whether any column has levels, over which no gradient leads."""
        return bool((self.levels > 0).any())

    def unconstrained(self) -> Change:
        """The map of the line onto the support of each column.

        Raises:
            InputError: if a column has levels.
        """
        if self.is_discrete:
            named = [name for name, size in zip(self.names, self.levels, strict=True) if size]
            raise InputError(
                f"{', '.join(named)} has levels, and no gradient leads over these: a site of this "
                "distribution is observed, drawn, or left out of gradient-based inference. "
                "Fit without the column, or condition on it."
            )
        zeros, ones = np.zeros(len(self)), np.ones(len(self))
        bounded = np.isfinite(self.upper)
        return Change(
            shift=zeros,
            scale=ones,
            bend=np.full(len(self), np.inf),
            low=np.where(bounded, self.lower, 0.0),
            span=np.where(bounded, self.upper - self.lower, 1.0),
            start=zeros,
            cut=zeros,
            period=ones,
            positive=np.isfinite(self.lower) & ~bounded,
            bounded=bounded,
            circular=np.zeros(len(self), bool),
        )

    def inside(self, xp: Any, x: Any, convert: Callable[[NDArray[Any]], Any]) -> Any:
        """(..., D) whether values are in the support of their columns."""
        lower, upper = convert(self.lower), convert(self.upper)
        closed, discrete = convert(self.closed), convert(self.levels > 0)
        above = xp.where(closed, x >= lower, x > lower)
        below = xp.where(discrete, x <= upper, x < upper)
        return above & below & (~discrete | (x == xp.floor(x)))

    def interior(self) -> Floats:
        """(D,) a value of the support."""
        bounded = np.isfinite(self.upper) & (self.levels == 0)
        middle = 0.5 * (np.where(bounded, self.lower, 0.0) + np.where(bounded, self.upper, 0.0))
        positive = np.isfinite(self.lower) & ~np.isfinite(self.upper)
        return np.where(bounded, middle, np.where(positive, self.lower + 1.0, 0.0))


def _change(warps: list[Warp | None]) -> Change:
    """The map of columns; None stands for one of levels."""

    def each(of: Callable[[Warp], Any], otherwise: Any) -> NDArray[Any]:
        return np.array([otherwise if warp is None else of(warp) for warp in warps])

    def bounds(warp: Warp) -> tuple[float, float]:
        column = warp.column
        if column.period is not None:
            return 0.0, column.period
        if column.lower is not None and column.upper is not None:
            return column.lower, column.upper
        return np.nan, np.nan

    low = each(lambda warp: bounds(warp)[0], np.nan).astype(np.float64)
    high = each(lambda warp: bounds(warp)[1], np.nan).astype(np.float64)
    bounded = ~np.isnan(low)
    positive = each(lambda warp: warp.column.kind == "positive", False).astype(bool) & ~bounded
    return Change(
        shift=each(lambda warp: warp.shift, 0.0).astype(np.float64),
        scale=each(lambda warp: warp.scale, 1.0).astype(np.float64),
        bend=each(lambda warp: warp.bend or np.inf, np.inf).astype(np.float64),
        low=np.where(bounded, low, 0.0),
        span=np.where(bounded, high - low, 1.0),
        start=each(lambda warp: warp.start, 0.0).astype(np.float64),
        cut=each(lambda warp: warp.cut, 0.0).astype(np.float64),
        period=each(lambda warp: warp.column.period or 1.0, 1.0).astype(np.float64),
        positive=positive,
        bounded=bounded,
        circular=each(lambda warp: warp.column.period is not None, False).astype(bool),
    )


def _refuse_cells(warp: Warp, who: str) -> None:
    """Raise InputError for a column whose values have a mass that the family spreads by noise."""
    column = warp.column
    if column.kind == "count":
        what = "holds counts"
        schema = f'ppgen.read(..., schema={{{column.name!r}: "real"}})'
        do = f'Say that it is "positive" or "real", {schema}'
    elif column.kind in DISCRETE:
        what = "has levels"
        do = "Take ppgen.GaussianMixture, BayesianNetwork or IndependentColumns, which model levels"
    elif column.atoms:
        what = "has values with a mass of their own"
        do = "Leave the rows that have them out"
    else:
        return
    raise InputError(
        f"column {column.name!r} {what}, whose cells this {who} fills with noise: it has no "
        f"density at the values themselves. {do}, or fit without the column."
    )
