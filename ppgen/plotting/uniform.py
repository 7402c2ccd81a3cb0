"""Numbers that are to be uniform: ranks of true values, and places among predictive draws.

A panel shows the share of numbers below each of L + 1 equal cells' edges z_i, less the share that
is expected, S_i / n - z_i, and the band that uniform numbers leave anywhere with a chance of
`level` at most (see `inference.rank_uniformity`, whose test it is).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array
from ..inference.calibration import reading
from ..inference.rank_uniformity import rank_bands
from .axis import shortened
from .style import ACCENT, INK, MUTED, RULE, WRONG, figure, heading, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 4
OFF = "share below,\nless expected"
CELLS = 64  # that places are counted in


@dataclass(frozen=True, eq=False)
class Ranks:
    """(n,) whole numbers 0, ..., `largest`, and the chance that uniform ones leave the band."""

    values: Array
    largest: int
    level: float


def ranks_of_places(u: Array, level: float) -> Ranks:
    """The cells of places in [0, 1], those that are not known left out."""
    known = np.ravel(u)[np.isfinite(np.ravel(u))]
    return Ranks(np.minimum((known * CELLS).astype(int), CELLS - 1), CELLS - 1, level)


def uniform_panels(
    found: Mapping[str, Ranks],
    *,
    below: str,
    title: str,
    words: bool = False,
) -> Figure:
    """A panel for each name, red where the numbers leave the band.

    Args:
        found: name -> its ranks.
        below: what the ranks are, under the panels.
        title: of the figure.
        words: whether panels whose numbers leave the band say in words what they tell of draws.
    """
    wide = min(_ACROSS, len(found))
    down = math.ceil(len(found) / wide)
    with styled():
        made = figure(max(3.6, 2.0 * wide + 0.4), 1.6 * down + 0.6)
        grid = made.subplots(down, wide, squeeze=False, sharex=True)
        for axes, (name, one) in zip(grid.ravel(), found.items(), strict=False):
            _panel(axes, name, one, words)
        for axes in grid.ravel()[len(found) :]:
            axes.set_visible(False)
        for axes in grid.ravel()[: len(found)][-wide:]:
            axes.tick_params(labelbottom=True)
        made.supxlabel(below, fontsize=9, color=MUTED)
        for axes in grid[:, 0]:
            axes.set_ylabel(OFF, fontsize=8)
        heading(made, title)
    return made


def _panel(axes: Axes, name: str, one: Ranks, words: bool) -> None:
    n, z = len(one.values), np.arange(1, one.largest + 1) / (one.largest + 1)
    below = np.cumsum(np.bincount(one.values, minlength=one.largest + 1))[:-1]
    least, most = rank_bands(n, one.largest, one.level)
    out = bool(((below < least) | (below > most)).any())
    edges = np.concatenate([[0.0], z, [1.0]])

    def off(counts: Array) -> Array:
        return np.concatenate([[0.0], counts / n - z, [0.0]])

    axes.fill_between(edges, off(least), off(most), color=RULE, alpha=0.3, linewidth=0)
    axes.axhline(0, color=RULE, linewidth=0.7)
    axes.plot(edges, off(below), color=WRONG if out else ACCENT, linewidth=1.4)
    axes.set(xlim=(0, 1), xticks=[0, 0.5, 1])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.locator_params(axis="y", nbins=4)
    said = f"\n{reading(one.values, one.largest)}" if out and words else ""
    axes.set_title(shortened(name, 26) + said, color=WRONG if out else INK, fontsize=9)
