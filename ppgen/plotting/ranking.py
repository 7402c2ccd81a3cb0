"""The ranking as a picture: paired differences to the best, with the margins that decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.compare import Comparison
from ..analysis.paired import Difference
from ..analysis.quality_ranking import QualityRanking
from .axis import plain_numbers, shortened
from .style import ACCENT, INK, MUTED, RULE, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = {"exact": "o", "estimate": "D", "lower_bound": ">", "upper_bound": "<"}


def plot_ranking(comparison: Comparison | QualityRanking) -> Figure:
    """Differences to the best in nats a row, of the models that share its measure; or in the score
    that models are ranked by by their samples, upwards where these are better.

    A dot is an exact value, a diamond an estimate, an arrowhead a bound, pointing where the true
    value lies. The whiskers are the margin of the paired difference, for all models at once.
    """
    lines, unit = _lines(comparison)
    with panel(4.6, 0.5 + 0.3 * max(1, len(lines))) as (made, axes):
        for place, line in enumerate(lines):
            _mark(axes, place, line)
        axes.axvline(0, color=RULE, linewidth=0.7, zorder=0)
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_yticks(range(len(lines)), [shortened(line.name, 22) for line in lines])
        axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        scale = _scale(axes, lines)
        axes.set_xlabel(f"{unit} to the best{scale}")
    return made


class _Line(NamedTuple):
    name: str
    mark: str
    difference: Difference | None
    otherwise: str  # where the difference is not finite


def _lines(found: Comparison | QualityRanking) -> tuple[list[_Line], str]:
    """The lines, and the unit of their differences."""
    if isinstance(found, QualityRanking):
        lines = [_Line(m.name, "o", m.difference, m.verdict) for m in found.models]
        return lines, found.name
    first = found.models[0] if len(found) else None
    shown = [m for m in found if first and m.rank is not None and m.measure == first.measure]
    lines = [
        _Line(m.name, _MARKS[m.kind], m.difference, f"{m.zero_rows} rows of probability zero")
        for m in shown
    ]
    return lines, "nats a row"


def _mark(axes: Axes, place: int, line: _Line) -> None:
    if line.difference is None:
        axes.plot(0, place, line.mark, color=ACCENT, markersize=7)
        return
    mean, margin = line.difference.mean, line.difference.margin
    if not math.isfinite(mean):
        axes.text(0, place, f"  {line.otherwise}", va="center", color=MUTED)
        return
    decided = line.difference.outcome in ("better", "worse")
    colour = INK if decided else MUTED
    if math.isfinite(margin):
        axes.plot([mean - margin, mean + margin], [place, place], color=colour, linewidth=1.2)
    axes.plot(
        mean, place, line.mark, color=colour, markersize=6, fillstyle="full" if decided else "none"
    )


def _scale(axes: Axes, lines: list[_Line]) -> str:
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
