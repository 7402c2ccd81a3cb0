"""A Gaussian mixture over two of its columns: where its components lie and how wide they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..covariance import root
from .axis import shortened
from .style import ACCENT, REAL, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RADII = (1.0, 2.0)


def plot_mixture(
    weights: ArrayLike,
    means: ArrayLike,
    covariances: ArrayLike,
    *,
    rows: ArrayLike | None = None,
    columns: tuple[int, int] = (0, 1),
    names: tuple[str, str] = ("", ""),
) -> Figure:
    """Ellipses of one and two standard deviations, the stronger the heavier the component.

    Args:
        weights: (k,) of the components.
        means: (k, d).
        covariances: (k, d, d).
        rows: (n, d) to draw beneath, in the same units.
        columns: which two of the d dimensions.
        names: what to write on the axes.
    """
    w, m, s = (np.asarray(a, np.float64) for a in (weights, means, covariances))
    m = m[:, list(columns)]
    s = s[:, columns][:, :, columns]
    angles = np.linspace(0, 2 * np.pi, 121)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    with panel(3.6, 3.4) as (made, axes):
        if rows is not None:
            x, y = np.asarray(rows, np.float64)[:, list(columns)].T
            axes.scatter(x, y, s=6, color=REAL, alpha=0.6, linewidths=0, rasterized=True)
        for weight, mean, covariance in zip(w, m, s, strict=True):
            shape = root(covariance) @ circle
            strength = 0.25 + 0.75 * float(weight / w.max())
            for radius in _RADII:
                line = mean[:, None] + radius * shape
                axes.plot(*line, color=ACCENT, alpha=strength / radius, linewidth=1.1)
            axes.plot(*mean, "o", color=ACCENT, alpha=strength, markersize=3)
        axes.set(xlabel=shortened(names[0], 28), ylabel=shortened(names[1], 28))
    return made
