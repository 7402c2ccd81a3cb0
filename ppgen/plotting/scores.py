"""Scores beside what they are to be read against: what real rows, or chance, reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.completeness import Completeness
from ..analysis.continuity import Continuity
from ..analysis.score import Score
from ..errors import InputError
from .axis import shortened
from .style import ACCENT, INK, MUTED, RULE, figure, heading, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = 1.96  # standard errors to each side of a 95 % interval
_WAYS = {"low": "lower is better", "high": "higher is better", "control": "nearer is better"}


class _Line(NamedTuple):
    name: str
    value: float
    low: float
    high: float
    control: float
    against: str
    way: str


def plot_scores(
    found: Mapping[str, Score] | Score | Completeness | Continuity, *, title: str = ""
) -> Figure:
    """Scores, a line each on a scale of its own: a dot with its 95 % interval, and a dashed line
    where other real rows, or a decoder by chance, would stand.

    Args:
        found: what `sample_quality`, `reconstruction_error`, `completeness` or `continuity` gave.
        title: of the figure.

    Raises:
        InputError: if there are no scores.
    """
    lines = _lines(found)
    if not lines:
        raise InputError("no scores given; expected what sample_quality gives, name -> Score.")
    with styled():
        made = figure(5.2, 0.34 + 0.5 * len(lines) + 0.2 * bool(title))
        for axes, line in zip(
            made.subplots(len(lines), 1, squeeze=False).ravel(), lines, strict=True
        ):
            _draw(axes, line)
        against = " or ".join(dict.fromkeys(line.against for line in lines if line.against))
        if against:
            made.supxlabel(f"dashed: {against}", fontsize=8, color=MUTED)
        if title:
            heading(made, shortened(title, 120))
    return made


def _lines(found: Mapping[str, Score] | Score | Completeness | Continuity) -> list[_Line]:
    if isinstance(found, Completeness):
        reach = _WIDE * found.stderr
        return [
            _Line(
                "completeness", found.value, found.value - reach, found.value + reach,
                found.control, "real rows", _WAYS["control"],
            )
        ]  # fmt: skip
    if isinstance(found, Continuity):
        own, jump = _WIDE * found.stderr, _WIDE * found.jump_stderr
        return [
            _Line(
                "continuity", found.value, found.value - own, found.value + own,
                found.chance, "chance", _WAYS["high"],
            ),
            _Line(
                "longest step over the mean", found.jump, found.jump - jump, found.jump + jump,
                math.nan, "", _WAYS["low"],
            ),
        ]  # fmt: skip
    named = {"": found} if isinstance(found, Score) else found
    return [
        _Line(
            name, s.value, s.value if s.low is None else s.low,
            s.value if s.high is None else s.high, s.control, "real rows", _WAYS[s.better],
        )
        for name, s in named.items()
    ]  # fmt: skip


def _draw(axes: Axes, line: _Line) -> None:
    seen = [v for v in (line.value, line.low, line.high, line.control) if math.isfinite(v)]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    margin = 0.12 * (high - low) or 0.1 * abs(high) or 0.1
    axes.set(xlim=(low - margin, high + margin), ylim=(-1, 1))
    if math.isfinite(line.control):
        axes.axvline(line.control, color=RULE, linewidth=1.0, linestyle=(0, (4, 3)))
    if math.isfinite(line.value):
        axes.plot([line.low, line.high], [0, 0], color=INK, linewidth=1.2)
        axes.plot(line.value, 0, "o", color=ACCENT, markersize=6)
    else:
        axes.text(0.5, 0, f"{line.value:g}", transform=axes.get_yaxis_transform(), color=MUTED)
    axes.set_yticks([0], [shortened(line.name.replace("_", " "), 30)])
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
    axes.text(1.02, 0.5, line.way, transform=axes.transAxes, va="center", fontsize=8, color=MUTED)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)
