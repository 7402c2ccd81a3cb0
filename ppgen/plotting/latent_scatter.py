"""A latent space seen from above: the codes of rows as points, coloured by a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis.latent_map import LatentMap, map_of
from ..arrays import Floats
from ..errors import InputError
from .axis import shortened
from .style import MUTED, POINTS, RULE, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PALETTE = (
    "#1f5fbf",
    "#e07b1a",
    "#2a9d5c",
    "#c8324a",
    "#8a5fc4",
    "#8b5a3c",
    "#e377b5",
    "#6b7280",
    "#b5a91c",
    "#1aa7b8",
)
"""Colours of classes, and of latents drawn as lines."""
MAX_POINTS = 5000


def latent_map_plot(
    codes: LatentMap | Mapping[Any, ArrayLike] | ArrayLike,
    labels: ArrayLike | None = None,
    *,
    names: tuple[str, str] | None = None,
    explained: ArrayLike | None = None,
    label: str = "",
    title: str = "",
    seed: int = 0,
) -> Figure:
    """Codes of rows in the plane, coloured by a label.

    Args:
        codes: what `latent_map` gave, or `codes_by`, whose groups are the labels; or (n, 2).
        labels: (n,) classes, drawn with a legend (text, truth values, or at most ten numbers), or
            numbers, drawn with a colour bar.
        names: of the axes; by default those of the latents, or of principal components.
        explained: (2,) share of variance along each, written beside the names.
        label: what the labels are.
        title: of the figure.
        seed: of which points are drawn where there are very many.

    Raises:
        InputError: for codes that are not (n, 2), or another number of labels.
    """
    if isinstance(codes, Mapping):
        groups_of = {group: np.atleast_2d(np.asarray(z)) for group, z in codes.items()}
        if not groups_of:
            raise InputError("no codes given; expected group -> (n, k).")
        if labels is None:
            labels = np.repeat(list(groups_of), [len(z) for z in groups_of.values()])
        codes = map_of(np.concatenate(list(groups_of.values())))
    if isinstance(codes, LatentMap):
        if not codes.exact:
            explained = codes.explained if explained is None else explained
            names = names or ("component 1", "component 2")
        codes = codes.points
    names = names or ("latent 0", "latent 1")
    points = np.asarray(codes, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError(f"codes of shape {points.shape} given; expected (n, 2).")
    groups = None if labels is None else np.asarray(labels)
    if groups is not None and groups.shape != (len(points),):
        raise InputError(f"labels of shape {groups.shape} given for {len(points)} rows.")
    order = np.random.default_rng(seed).permutation(len(points))[:MAX_POINTS]
    points, groups = points[order], None if groups is None else groups[order]
    with panel(3.6 if groups is None else 4.4, 3.4) as (made, axes):
        _points(made, axes, points, groups, shortened(label, 28))
        said = [shortened(name, 28) for name in names]
        if explained is not None:
            shares = np.asarray(explained, np.float64)
            said = [f"{n} ({v:.0%} of the variance)" for n, v in zip(said, shares, strict=True)]
        axes.set(xlabel=said[0], ylabel=said[1], title=shortened(title, 48))
    return made


def _points(
    made: Figure, axes: Axes, points: Floats, groups: NDArray[Any] | None, label: str
) -> None:
    x, y = points.T
    size = float(np.clip(6000 / len(points), 3, 14))
    style: dict[str, Any] = {"s": size, "alpha": 0.75, "linewidths": 0, "rasterized": True}
    if groups is None:
        axes.scatter(x, y, color=POINTS, **style)
        return
    # Numbers by value, not by spelling: 10 comes after 9.
    numbers = groups.dtype.kind in "iuf"
    values = groups if numbers else groups.astype(str)
    kinds, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if numbers and len(kinds) > len(PALETTE):
        drawn = axes.scatter(x, y, c=groups.astype(np.float64), cmap="viridis", **style)
        bar = made.colorbar(drawn, ax=axes, pad=0.02, aspect=30)
        if bar.solids is not None:
            bar.solids.set_alpha(1.0)
        bar.ax.spines[:].set_visible(False)
        bar.set_label(label)
        return
    names = [f"{kind:g}" if numbers else str(kind) for kind in kinds]
    room = len(PALETTE) if len(kinds) <= len(PALETTE) else len(PALETTE) - 1
    common = np.sort(np.argsort(-counts, kind="stable")[:room])
    colour = np.full(len(kinds), RULE, dtype=object)
    colour[common] = PALETTE[:room][: len(common)]
    axes.scatter(x, y, c=list(colour[place]), **style)
    said = [(shortened(names[i], 16), str(colour[i])) for i in common]
    if len(common) < len(kinds):
        said.append((f"{len(kinds) - len(common)} others", RULE))
    side_legend(made, said, label)


def side_legend(
    made: Figure, said: Sequence[tuple[str, str]], title: str = "", *, line: bool = False
) -> None:
    """Names in a column right of the axes, each with its colour."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 5}
    mark = {"linewidth": 1.6} if line else dot
    marks = [Line2D([], [], color=colour, **mark) for _, colour in said]
    made.legend(
        marks,
        [name for name, _ in said],
        loc="outside right upper",
        title=title or None,
        title_fontsize=8,
        fontsize=8,
        handletextpad=0.6 if line else 0.2,
        handlelength=1.2,
        labelcolor=MUTED,
    )
