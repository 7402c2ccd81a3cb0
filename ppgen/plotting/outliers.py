"""The rows least like the others, and in which column they differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..analysis.outliers import Outliers
from ..errors import InputError
from .axis import shortened
from .style import ACCENT, INK, MUTED, RULE, heading, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_outliers(
    found: Outliers, *, most: int = 12, names: ArrayLike | None = None, title: str = ""
) -> Figure:
    """The scores of the most unusual rows, the highest first, each with the column in which it
    differs most; dashed, the score that one row in twenty is above.

    Args:
        found: what `ppgen.outliers` gave.
        most: rows drawn.
        names: (n,) of the rows; by default their numbers, from 0.
        title: of the figure.

    Raises:
        InputError: if there are no rows, or not one name a row.
    """
    n = len(found)
    if not n:
        raise InputError("no rows given; there is nothing to draw.")
    said: Any = np.arange(n) if names is None else np.asarray(names)
    if said.shape != (n,):
        raise InputError(f"names of shape {said.shape} given for {n} rows; give one each.")
    order = np.argsort(-found.score, kind="stable")[:most]
    score = found.score[order]
    with panel(4.6, 0.6 + 0.24 * len(order)) as (made, axes):
        axes.barh(np.arange(len(order)), score, height=0.7, color=ACCENT, alpha=0.85)
        axes.axvline(np.quantile(found.score, 0.95), color=RULE, linewidth=1, linestyle=(0, (4, 3)))
        labels = [f"{shortened(said[i], 18)}  {shortened(found.column[i], 16)}" for i in order]
        axes.set_yticks(np.arange(len(order)), labels)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("score, nats; dashed: one row in twenty is above", color=MUTED)
        which = f"the {len(order)} most unusual of {n} rows, and the column that tells"
        heading(made, shortened(title or which, 120))
    return made
