"""Many small images as one picture, with see-through gaps between them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.stacking import layout_of
from ..errors import InputError
from .axis import shortened
from .style import INK, MUTED, figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Limits = tuple[float, float]

CELL = 0.55
"""Width of an image in inches; smaller where there are many in a row."""
PAD = 0.07
_LABELS = 0.95
_GAP = 0.08  # widths of an image


def as_grid(images: ArrayLike, ndim: int, what: str) -> Floats:
    """Images (*ndim axes*, C, H, W) as floats; (n, H, W) and (n, H, W, C) are brought to it.

    Raises:
        InputError: if they have another number of axes, or none of them is there.
    """
    grid = np.asarray(images, np.float64)
    if ndim == 1 and grid.ndim == 3:
        grid = grid[:, None]
    elif ndim == 1 and grid.ndim == 4 and layout_of(grid.shape, "chw") == "hwc":
        grid = np.moveaxis(grid, -1, -3)
    if grid.ndim != ndim + 3 or not grid.size:
        raise InputError(f"images of shape {grid.shape} given; expected {what}.")
    return grid


def limits_of(*images: Floats) -> Limits:
    """The least and the greatest value of all, which become black and white."""
    low, high = min(float(i.min()) for i in images), max(float(i.max()) for i in images)
    return low, high if high > low else low + 1.0


def mosaic(
    images: Floats, limits: Limits, gap: float = _GAP, apart: Collection[int] = ()
) -> tuple[Floats, list[int], list[int]]:
    """Images (R, S, C, H, W) as one picture (height, width, 4) in [0, 1].

    One channel is grey, three are colours (of more, the first three), two are red and green. The
    gap is in widths of an image and see-through; four times as wide after the columns in `apart`.

    Returns:
        The picture, the tops of the rows and the lefts of the columns in pixels.
    """
    rows, across, channels, height, width = images.shape
    low, high = limits
    shown = np.clip((images - low) / (high - low), 0, 1)
    if channels == 1:
        shown = np.repeat(shown, 3, axis=2)
    elif channels == 2:
        shown = np.concatenate([shown, np.zeros_like(shown[:, :, :1])], axis=2)
    shown = np.moveaxis(shown[:, :, :3], 2, -1)
    space = max(1, round(gap * width)) if gap > 0 else 0
    tops = [i * (height + space) for i in range(rows)]
    wider = np.cumsum([0, *(3 * space * (j in apart) for j in range(across - 1))])
    lefts = [int(j * (width + space) + wider[j]) for j in range(across)]
    made = np.zeros((tops[-1] + height, lefts[-1] + width, 4))
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            made[top : top + height, left : left + width, :3] = shown[i, j]
            made[top : top + height, left : left + width, 3] = 1.0
    return made, tops, lefts


def lay(
    axes: Axes,
    images: Floats,
    limits: Limits,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    gap: float = _GAP,
    apart: Collection[int] = (),
) -> Floats:
    """Draw images (R, S, C, H, W) on an axis, with a label left of each row and below columns;
    return the picture."""
    picture, tops, lefts = mosaic(images, limits, gap, apart)
    height, width = images.shape[3:]
    down, across = picture.shape[:2]
    axes.imshow(picture, interpolation="nearest", extent=(0, across, down, 0))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=4)
    if rows:
        axes.set_yticks([top + height / 2 for top in tops], [shortened(r, 22) for r in rows])
    else:
        axes.set_yticks([])
    if columns:
        axes.set_xticks([left + width / 2 for left in lefts], list(columns))
    else:
        axes.set_xticks([])
    axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    return picture


def sheet(
    images: Floats,
    limits: Limits,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    title: str = "",
    axis_names: tuple[str, str] = ("", ""),
    touching: float | None = None,
    apart: Collection[int] = (),
) -> Figure:
    """A figure of nothing but images (R, S, C, H, W), as large as they and their labels need.

    Args:
        touching: the width of an image in inches, drawn without gaps; None leaves gaps.
        apart: columns after which the gap is wide.
    """
    cell = touching or float(np.clip(7.0 / images.shape[1], 0.3, CELL))
    gap = 0.0 if touching else _GAP
    with styled():
        made = figure(1, 1)
        made.set_layout_engine("none")
        axes = made.add_axes((0, 0, 1, 1))
        height, width = lay(
            axes, images, limits, rows=rows, columns=columns, gap=gap, apart=apart
        ).shape[:2]
        width, height = cell * width / images.shape[4], cell * height / images.shape[4]
        axes.set_xlabel(axis_names[0])
        axes.set_ylabel(axis_names[1])
        # Measured, since a layout engine gives labels no room beside an axis of fixed aspect.
        words = [label.get_window_extent().width for label in axes.get_yticklabels()]
        # Of one width for most labels, so that figures below each other are aligned.
        left = PAD + (max(_LABELS, max(words) / made.dpi) + 0.12 if rows else 0.0)
        left += 0.22 * bool(axis_names[1])
        below = PAD + 0.2 * bool(columns) + 0.22 * bool(axis_names[0])
        above = PAD + 0.26 * bool(title)
        across, high = left + width + PAD, below + height + above
        made.set_size_inches(across, high)
        axes.set_position((left / across, below / high, width / across, height / high))
        if title:
            made.text(
                PAD / across,
                1 - PAD / high,
                shortened(title, 90),
                fontsize=9.5,
                ha="left",
                va="top",
                parse_math=False,
            )
    return made
