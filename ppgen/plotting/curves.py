"""Training curves: what a fit gained over time, on the rows it trained on and on rows held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats
from .axis import shortened
from .style import ACCENT, RULE, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Trace = Sequence[Mapping[str, Any]]


def training_curves(
    traces: Sequence[Trace], *, title: str = "", unit: str = "nats a row", losses: bool = True
) -> Figure:
    """The training records of one model's fits (a line a seed), in nats a row over seconds.

    Grey: minus the loss on the rows trained on. Accent: mean log density of validation rows, a dot
    where the best of a fit was. Both are objectives in training, in the units of the data. A model
    without density has another `unit`; without `losses`, the loss, of yet another, is left out.
    """
    with panel(3.5, 2.3) as (made, axes):
        ends: dict[str, tuple[float, float, str]] = {}
        levels: list[Floats] = []
        for trace in traces:
            x, loss, validation = _series(trace)
            lines = [("training", -loss, RULE)] if losses else []
            for name, y, colour in (*lines, ("validation", validation, ACCENT)):
                seen = np.isfinite(y)
                if not seen.any():
                    continue
                axes.plot(x[seen], y[seen], color=colour, alpha=0.85, linewidth=1.2)
                ends[name] = (float(x[seen][-1]), float(y[seen][-1]), colour)
                levels.append(y[seen])
            if np.isfinite(validation).any():
                top = int(np.nanargmax(validation))
                axes.plot(x[top], validation[top], "o", color=ACCENT, markersize=3.5)
        if levels:
            axes.set_ylim(*_reach(levels))
        _label(axes, ends)
        axes.set(xlabel="seconds", ylabel=unit, title=shortened(title, 40))
    return made


def _series(trace: Trace) -> tuple[Floats, Floats, Floats]:
    def column(name: str) -> Floats:
        return np.array([row.get(name) for row in trace], np.float64)  # None: not a number

    seconds = column("seconds")
    useful = len(trace) > 1 and np.isfinite(seconds).all() and np.ptp(seconds) > 0
    return seconds if useful else column("step"), column("loss"), column("validation")


def _reach(levels: Sequence[Floats]) -> tuple[float, float]:
    """Limits that show the later part of training rather than its first fall."""
    high = max(float(y.max()) for y in levels)
    low = min(float(np.quantile(y[max(len(y) // 10, int(len(y) > 3)) :], 0.02)) for y in levels)
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + margin


def _label(axes: Axes, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Name the lines where they end, above them; the lower one below where the two are close."""
    low, high = axes.get_ylim()
    ordered = sorted(ends.items(), key=lambda item: -item[1][1])
    for place, (name, (x, y, colour)) in enumerate(ordered):
        close = place > 0 and ordered[0][1][1] - y < 0.2 * (high - low)
        axes.annotate(
            name,
            (x, y),
            xytext=(-2, -5 if close else 5),
            textcoords="offset points",
            ha="right",
            va="top" if close else "bottom",
            color=colour,
            fontsize=8,
        )
