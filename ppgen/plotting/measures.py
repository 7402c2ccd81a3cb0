"""What a training measures besides its loss: outputs of a discriminator, norms of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats
from .axis import shortened
from .style import ACCENT, INK, MUTED, REAL, RULE, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Trace = Sequence[Mapping[str, Any]]

_COLOURS = (ACCENT, REAL, INK, MUTED)
_NORM = "gradient norm"


def measured(trace: Trace) -> dict[str, tuple[Floats, Floats]]:
    """Each measure of a trace: name -> (steps, values)."""
    names = dict.fromkeys(name for row in trace for name in row.get("measures") or {})
    found = {}
    for name in names:
        rows = [row for row in trace if name in (row.get("measures") or {})]
        steps = np.array([row["step"] for row in rows], np.float64)
        found[name] = steps, np.array([row["measures"][name] for row in rows], np.float64)
    return found


def measure_figures(trace: Trace) -> dict[str, Figure]:
    """Title -> figure: shares (outputs of a discriminator among them, with the line of a half) and
    norms of gradients, over steps; nothing of what was not measured."""
    found = measured(trace)
    norms = {k: v for k, v in found.items() if k.endswith(_NORM)}
    others = {k: v for k, v in found.items() if k not in norms}
    shares = {k: v for k, v in others.items() if np.all((v[1] >= 0) & (v[1] <= 1))}
    figures = {}
    if shares:
        figures["Outputs of the discriminator"] = made = _lines(shares, "share")
        axes = made.axes[0]
        axes.axhline(0.5, color=RULE, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.set_ylim(-0.03, 1.03)
    if rest := {k: v for k, v in others.items() if k not in shares}:
        figures["Other measures"] = _lines(rest, "")
    if norms:
        short = {k.removesuffix(_NORM).strip(): v for k, v in norms.items()}
        figures["Norms of the gradients"] = made = _lines(short, "norm")
        if all(np.all(values > 0) for _, values in norms.values()):
            made.axes[0].set_yscale("log")
            made.axes[0].yaxis.set_major_formatter("{x:g}")
            made.axes[0].yaxis.set_minor_formatter("")
    return figures


def _lines(lines: Mapping[str, tuple[Floats, Floats]], unit: str) -> Figure:
    with panel(3.5, 2.3) as (made, axes):
        for i, (name, (steps, values)) in enumerate(lines.items()):
            colour = _COLOURS[i % len(_COLOURS)]
            axes.plot(steps, values, color=colour, linewidth=1.2, label=shortened(name, 32))
        axes.set(xlabel="steps", ylabel=unit)
        axes.legend(fontsize=8, frameon=False)
    return made
