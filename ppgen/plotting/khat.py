"""How far importance samples can be trusted, row by row: a histogram of Pareto k-hat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..density import LogDensity
from ..errors import InputError
from .axis import shortened
from .style import ACCENT, REAL, RULE, heading, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 28
_LEAST, _MOST = -0.5, 1.5


def khat_histogram(
    khat: LogDensity | ArrayLike, good: float | None = None, *, title: str = ""
) -> Figure:
    """How many rows have which k-hat; grey beyond the largest that is good.

    Args:
        khat: what `log_density` gave of a model whose values have it; or (n,) of each row, minus
            infinity for a row without a tail, not a number where there are too few samples to say.
        good: the largest that is good; needed with an array.
        title: of the figure; by default how many rows are good.

    Raises:
        InputError: if there are no rows, or no k-hat.
    """
    if isinstance(khat, LogDensity):
        found = khat.diagnostics
        if "khat" not in found:
            raise InputError("these log densities are without k-hat: nothing was reweighted.")
        khat, good = found["khat"], found["good_khat"] if good is None else good
    if good is None:
        raise InputError("good is not given; expected the largest k-hat that is good, such as 0.7.")
    values = np.asarray(khat, np.float64)
    if values.ndim != 1 or not len(values):
        raise InputError(f"khat of shape {values.shape} given; expected one number a row.")
    trusted = int((np.nan_to_num(values, nan=np.inf, neginf=-1.0) <= good).sum())
    known = np.clip(np.nan_to_num(values, nan=_MOST, posinf=_MOST, neginf=_LEAST), _LEAST, _MOST)
    low, high = min(0.0, float(known.min())), max(1.0, float(known.max()))
    # An edge lies where the colour changes.
    step = (high - low) / _BINS
    edges = good + step * np.arange(
        np.floor((low - good) / step), np.ceil((high - good) / step) + 1
    )
    counts, _ = np.histogram(known, edges)
    fine = edges[1:] <= good + 1e-9
    with panel(3.3, 2.2) as (made, axes):
        for chosen, colour in ((fine, ACCENT), (~fine, REAL)):
            axes.bar(edges[:-1][chosen], counts[chosen], 0.86 * step, align="edge", color=colour)
        axes.axvline(good - 0.07 * step, color=RULE, linewidth=0.8, linestyle=(0, (4, 3)))
        beyond = not np.all(values <= _MOST)  # what is not a number counts too
        more = f", cut at {_MOST}" if beyond else ""
        share = f"{trusted} of {len(values)} rows' bounds can be trusted (k-hat up to {good:.2f})"
        if not trusted:
            share = f"no row's bound can be trusted (k-hat above {good:.2f})"
        elif trusted == len(values):
            share = f"every row's bound can be trusted (k-hat up to {good:.2f})"
        axes.set(xlabel=f"Pareto k-hat of a row{more}", ylabel="rows")
        heading(made, shortened(title or share, 90))
        axes.locator_params(axis="y", nbins=4, integer=True)
    return made
