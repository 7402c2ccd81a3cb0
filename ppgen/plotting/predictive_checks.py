"""Statistics of data among those of data that a model draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..inference.predictive_checks import PredictiveCheck, Replicated
from .axis import shortened
from .style import ACCENT, MUTED, REAL, WRONG, figure, heading, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 4
_BINS = 24


def plot_check(found: PredictiveCheck) -> Figure:
    """A panel for each statistic: grey, those of replicated data; the line, that of the data, red
    where nearly all replicates are on one side of it.

    Args:
        found: what `check_predictive` or `check_prior` gave.

    Raises:
        InputError: if it has no statistics.
    """
    several = len(found.sites) > 1
    panels = [
        (f"{site}: {name}" if several else name, one)
        for site, each in found.sites.items()
        for name, one in each.items()
    ]
    if not panels:
        raise InputError("the check has no statistics; there is nothing to draw.")
    wide = min(_ACROSS, len(panels))
    down = math.ceil(len(panels) / wide)
    with styled():
        made = figure(1.9 * wide, 1.6 * down + 0.3)
        grid = made.subplots(down, wide, squeeze=False).ravel()
        for axes, (name, one) in zip(grid, panels, strict=False):
            _panel(axes, name, one)
        for axes in grid[len(panels) :]:
            axes.remove()
        what = ", ".join(found.sites)
        title = f"{shortened(what, 40)}: the data (line) among data drawn from the {found.source}"
        heading(made, title)
    return made


def _panel(axes: Axes, name: str, one: Replicated) -> None:
    values = np.asarray(one.replicated, np.float64)
    values = values[np.isfinite(values)]
    if len(values):
        # The few beyond are in the bins at the ends, so that they do not squeeze the rest.
        low, q05, q95, high = np.quantile(values, [0.005, 0.05, 0.95, 0.995])
        low, high = max(low, 2 * q05 - q95), min(high, 2 * q95 - q05)
        low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
        edges = np.linspace(low, high, _BINS + 1)
        counts, _ = np.histogram(np.clip(values, low, high), edges)
        axes.stairs(counts, edges, fill=True, color=REAL, alpha=0.55, linewidth=0)
    if math.isfinite(one.observed):
        axes.axvline(one.observed, color=WRONG if one.extreme else ACCENT, linewidth=1.6)
    axes.set_title(f"{shortened(name, 18)}, p = {one.p_value:.3f}")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=3)
    axes.tick_params(axis="x", labelcolor=MUTED)
