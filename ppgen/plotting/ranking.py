"""The ranking as a picture: paired differences to the best, with the margins that decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..analysis.compare import Comparison
from ..analysis.finding import Ranked
from .axis import plain_numbers, shortened
from .style import ACCENT, INK, MUTED, RULE, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = {"exact": "o", "estimate": "D", "lower_bound": ">", "upper_bound": "<"}


def plot_ranking(comparison: Comparison) -> Figure:
    """Differences to the best in nats a row, of the models that share its measure.

    A dot is an exact value, a diamond an estimate, an arrowhead a bound, pointing where the true
    value lies. The whiskers are the margin of the paired difference, for all models at once.
    """
    first = comparison.models[0] if len(comparison) else None
    lines = [m for m in comparison if first and m.rank is not None and m.measure == first.measure]
    with panel(4.6, 0.5 + 0.3 * max(1, len(lines))) as (made, axes):
        for place, model in enumerate(lines):
            _mark(axes, place, model)
        axes.axvline(0, color=RULE, linewidth=0.7, zorder=0)
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_yticks(range(len(lines)), [shortened(m.name, 22) for m in lines])
        axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        scale = _scale(axes, lines)
        axes.set_xlabel(f"nats a row to the best{scale}")
    return made


def _mark(axes: Axes, place: int, model: Ranked) -> None:
    mark = _MARKS[model.kind]
    if model.difference is None:
        axes.plot(0, place, mark, color=ACCENT, markersize=7)
        return
    mean, margin = model.difference.mean, model.difference.margin
    if not math.isfinite(mean):
        axes.text(
            0, place, f"  {model.zero_rows} rows of probability zero", va="center", color=MUTED
        )
        return
    decided = model.difference.outcome in ("better", "worse")
    colour = INK if decided else MUTED
    if math.isfinite(margin):
        axes.plot([mean - margin, mean + margin], [place, place], color=colour, linewidth=1.2)
    axes.plot(
        mean, place, mark, color=colour, markersize=6, fillstyle="full" if decided else "none"
    )


def _scale(axes: Axes, lines: list[Ranked]) -> str:
    """Set the scale and return what to say of it.

    Logarithmic where one model falls so far behind that the others could not be told apart.
    """
    means = [abs(m.difference.mean) for m in lines if m.difference is not None]
    means = sorted(m for m in means if math.isfinite(m) and m > 0)
    if len(means) > 1 and means[-1] > 20 * means[0]:
        axes.set_xscale("symlog", linthresh=10 ** math.floor(math.log10(2 * means[0])))
        axes.set_xlim(-1.5 * means[-1], max(0.1 * means[0], axes.dataLim.x1))
        plain_numbers(axes.xaxis)
        return " (logarithmic)"
    axes.locator_params(axis="x", nbins=6)
    return ""
