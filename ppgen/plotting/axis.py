"""One column as an axis: where its values stand, how far it reaches, what its ticks say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..analysis.features import Feature, Features
from ..arrays import Floats
from ..data import Dataset
from ..data.column import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


_MAX_LEVELS = 12
_MAX_LETTERS = 12
_HEAVY_TAIL = 30.0


@dataclass(frozen=True)
class ColumnAxis:
    """A column's axis: limits from the bulk of its real values, logarithmic for a long tail; times
    are told in its zone."""

    column: Column
    feature: Feature
    low: float
    high: float
    log: bool = False

    def place(self, data: Dataset, rng: np.random.Generator) -> Floats:
        """(n,) where the rows stand; levels and tied values are jittered within their cell."""
        codes = self.feature.codes(data.columns[self.feature.name])
        if not self.feature.is_number:
            return codes + rng.uniform(-0.32, 0.32, len(codes))
        if self.feature.kind == "count":
            return codes + rng.uniform(-0.4, 0.4, len(codes))
        return codes

    def dress(self, axes: Axes, which: Literal["x", "y"]) -> None:
        """Set limits, scale, ticks and label of the x or y axis."""
        axis: Axis = getattr(axes, f"{which}axis")
        if self.log:
            axes.set(**{f"{which}scale": "log"})
            plain_numbers(axis)
        elif self.feature.kind in ("time", "duration"):
            axes.locator_params(axis=which, nbins=3)
            axis.set_major_formatter(lambda value, _: self.column.shown(value))
        elif self.feature.is_number:
            axes.locator_params(axis=which, nbins=4)
        else:
            levels = self.feature.levels[:_MAX_LEVELS]
            words = map(self.column.shown if self.column.clock else str, levels)
            many = len(self.feature.levels) > 6 and which == "x"
            axis.set_ticks(range(len(levels)), [shortened(word) for word in words])
            axes.tick_params(axis=which, rotation=60 if many else 0, length=0)
        axes.set(**{f"{which}lim": (self.low, self.high)})
        axis.set_label_text(shortened(self.feature.name, 28))


def column_axes(real: Dataset) -> dict[str, ColumnAxis]:
    """An axis for each column worth drawing."""
    axes = {}
    for feature in Features.fit(real).columns:
        column = real.schema[feature.name]
        if feature.is_number:
            reach = _reach(feature.codes(real.columns[feature.name]))
            axes[feature.name] = ColumnAxis(column, feature, *reach)
        else:
            axes[feature.name] = ColumnAxis(column, feature, -0.6, len(feature.levels) - 0.4)
    return axes


def _reach(values: Floats) -> tuple[float, float, bool]:
    seen = values[np.isfinite(values)]
    if not len(seen):
        return 0.0, 1.0, False
    low, q05, q50, q99, high = np.quantile(seen, [0.002, 0.05, 0.5, 0.99, 0.998])
    if seen.min() > 0 and q99 / q50 > _HEAVY_TAIL and q50 / q05 > 3:
        return float(low / 1.5), float(high * 1.5), True
    # The few beyond are shown too, unless they would squeeze the rest.
    reach = 0.3 * (high - low)
    low, high = max(low - reach, seen.min()), min(high + reach, seen.max())
    margin = 0.05 * (high - low) or 0.5
    return float(low - margin), float(high + margin), False


def plain_numbers(axis: Axis) -> None:
    """Tick labels of a logarithmic axis as plain numbers, at its powers only."""
    from matplotlib.ticker import NullFormatter

    axis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axis.set_minor_formatter(NullFormatter())


def shortened(text: Any, letters: int = _MAX_LETTERS) -> str:
    """The text, cut with an ellipsis where it is long, on one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= letters else line[: letters - 1] + "…"
