"""Which of the modes that are known the samples of a model reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..analysis.modes import ModeCounts
from .style import ACCENT, RULE, heading, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_NAMED = 40


def plot_modes(found: ModeCounts) -> Figure:
    """Good samples of each mode, and as many as each would have if all had the same.

    Args:
        found: what `mode_counts` gave.
    """
    counts = np.asarray(found.counts, np.float64)
    k = len(counts)
    with panel(float(np.clip(0.2 * k + 1.2, 3.2, 7.0)), 2.2) as (made, axes):
        axes.bar(np.arange(k), counts, width=0.8, color=ACCENT)
        axes.axhline(counts.sum() / k, color=RULE, linewidth=0.8, linestyle=(0, (4, 3)))
        missed = np.flatnonzero(counts == 0)
        axes.plot(missed, np.zeros(len(missed)), "x", color=RULE, markersize=4, clip_on=False)
        if k > _MAX_NAMED:
            axes.set_xticks([])
        else:
            axes.set_xticks(np.arange(k), [str(i) for i in range(k)])
            axes.tick_params(axis="x", length=0, labelsize=7)
        axes.locator_params(axis="y", nbins=4, integer=True)
        axes.set(xlabel="mode", ylabel="good samples", xlim=(-0.7, k - 0.3))
        heading(made, f"{found.modes} of {found.n_modes} modes reached; dashed: equal shares")
    return made
