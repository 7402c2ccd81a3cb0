"""Rows on their way to noise and back, and how few steps will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Floats
from .mosaic import Limits, sheet
from .style import ACCENT, INK, MUTED, REAL, RULE, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..data import Dataset
    from ..inference.diffusion.quality import Quality

_COLOURS = (ACCENT, INK, REAL, MUTED, RULE)


def film_strip(
    frames: Sequence[Dataset],
    ticks: Sequence[str],
    *,
    limits: Limits | None = None,
    title: str = "",
    below: str = "",
) -> Figure:
    """A row for each image, on which it goes through the frames from left to right.

    Args:
        frames: k sets of the same n images.
        ticks: (k,) what is written below each frame.
        limits: the values of black and white; by default the least and the greatest.
        below: what the ticks are.
    """
    grid = np.stack([_pictures(frame) for frame in frames], axis=1)
    return sheet(grid, limits, columns=list(ticks), title=title, axis_names=(below, ""))


def _pictures(frame: Dataset) -> Floats:
    """(n, C, H, W)."""
    images = np.asarray(frame.images, np.float64)
    return images if images.ndim == 4 else images[:, None]


def quality_curves(found: Sequence[Quality], *, distance: bool = False) -> Figure:
    """What each sampler leaves over, by its evaluations of the net; a line a method.

    Args:
        found: as `Diffusion.sampling_quality` gives it.
        distance: whether to draw the energy distance to real rows in place of the error.
    """
    lines: dict[str, list[tuple[int, float]]] = {}
    for q in found:
        value = q.distance if distance else q.error
        if np.isfinite(value):
            lines.setdefault(q.method, []).append((q.evaluations, value))
    with panel(3.5, 2.3) as (made, axes):
        for i, (method, points) in enumerate(lines.items()):
            x, y = np.array(sorted(points)).T
            colour = _COLOURS[i % len(_COLOURS)]
            axes.plot(x, y, "o-", color=colour, linewidth=1.2, markersize=3.5, label=method)
        axes.set_xscale("log")
        ticks = sorted({q.evaluations for q in found})
        shown = [t for i, t in enumerate(ticks) if not i or t >= 1.25 * ticks[i - 1]]
        axes.set_xticks(shown, [str(t) for t in shown])
        axes.minorticks_off()
        axes.set_xlabel("evaluations of the net for each row")
        if distance:
            axes.axhline(0, color=RULE, linewidth=0.8, zorder=0)
            axes.set_ylabel("energy distance")
        else:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set_ylabel("share of the rows' distance")
        if lines:
            axes.legend(fontsize=8, frameon=False)
    return made
