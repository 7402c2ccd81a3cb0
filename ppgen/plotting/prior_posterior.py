"""What was assumed of parameters beside what is known of them after the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats
from ..errors import InputError, did_you_mean
from .axis import shortened
from .latent_scatter import side_legend
from .style import ACCENT, MUTED, REAL, figure, heading, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 4
_BINS = 40
_ROOM = 1.5  # widths of the posterior that are shown to each of its sides


def prior_posterior_panels(
    tree: Any, var_names: str | Sequence[str] | None, most: int, title: str
) -> Figure:
    """A panel for each number: grey, the density of its prior; the line, that of its posterior.

    A panel shows where the posterior is, and some room beside it: of a prior that is much wider,
    little is in sight.

    Args:
        tree: with groups `prior` and `posterior`.
        var_names: variables drawn; None takes those of both groups.
        most: numbers drawn.
        title: of the figure.

    Raises:
        InputError: if there is no such variable.
    """
    prior, posterior = tree["prior"].to_dataset(), tree["posterior"].to_dataset()
    known = [str(name) for name in posterior.data_vars if name in prior.data_vars]
    given = [var_names] if isinstance(var_names, str) else var_names
    for name in given or ():
        if name not in known:
            raise InputError(
                f"there is no variable {name!r} in prior and posterior; there are "
                f"{', '.join(known)}.{did_you_mean(name, known)}"
            )
    panels = [one for name in given or known for one in _numbers(name, prior, posterior)]
    shown = panels[:most]
    wide = min(_ACROSS, len(shown))
    down = math.ceil(len(shown) / wide)
    with styled():
        made = figure(max(3.6, 2.0 * wide + 1.0), 1.5 * down + 0.3)
        grid = made.subplots(down, wide, squeeze=False).ravel()
        for axes, (name, before, after) in zip(grid, shown, strict=False):
            _panel(axes, name, before, after)
        for axes in grid[len(shown) :]:
            axes.remove()
        side_legend(made, [("prior", REAL), ("posterior", ACCENT)], line=True)
        more = f"the first {len(shown)} of {len(panels)} numbers" if len(panels) > most else ""
        heading(made, shortened(title or more, 120), beside=1.0)
    return made


def _numbers(name: str, prior: Any, posterior: Any) -> Iterator[tuple[str, Floats, Floats]]:
    """Each number of a variable: its name with its place, and its draws, prior and posterior."""
    after, before = posterior[name], prior[name]
    dims = [dim for dim in after.dims if dim not in ("chain", "draw")]
    for place in np.ndindex(*(after.sizes[dim] for dim in dims)):
        at = dict(zip(dims, place, strict=True))
        labels = [str(after[d].values[i]) if d in after.coords else str(i) for d, i in at.items()]
        called = f"{name}[{', '.join(labels)}]" if labels else name
        yield called, np.ravel(before.isel(at).values), np.ravel(after.isel(at).values)


def _panel(axes: Axes, name: str, before: Floats, after: Floats) -> None:
    low, high = np.quantile(after, [0.001, 0.999])
    room = _ROOM * (high - low) or 0.1 * max(abs(high), 1e-12)
    low = max(low - room, min(float(before.min()), low))
    high = min(high + room, max(float(before.max()), high))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    width = edges[1] - edges[0]
    densities = [np.histogram(draws, edges)[0] / (len(draws) * width) for draws in (before, after)]
    axes.stairs(densities[0], edges, fill=True, color=REAL, alpha=0.5, linewidth=0)
    axes.stairs(densities[1], edges, color=ACCENT, linewidth=1.4)
    axes.set_xlim(low, high)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=3)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.set_title(shortened(name, 26), fontsize=9)
