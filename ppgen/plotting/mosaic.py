"""Many small images as one picture, with see-through gaps between them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats
from ..data.stacking import layout_of
from ..errors import InputError
from .axis import shortened
from .style import INK, bare, figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def limits_of(images: Floats) -> Limits:
    """The least and the greatest value, which become black and white."""
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    return low, high if high > low else low + 1.0


def mosaic(
    images: Floats, limits: Limits, gap: float = _GAP, apart: Collection[int] = ()
) -> tuple[Floats, list[int], list[int]]:
    """Images (R, S, C, H, W) as one picture (height, width, 4) in [0, 1].

    One channel is grey, three are colours (of more, the first three), two are red and green. Values
    that are not a number are see-through, and so is the gap, which is in widths of an image and
    four times as wide after the columns in `apart`.

    Returns:
        The picture, the tops of the rows and the lefts of the columns in pixels.
    """
    rows, across, channels, height, width = images.shape
    low, high = limits
    shown = np.nan_to_num(np.clip((images - low) / (high - low), 0, 1))
    if channels == 1:
        shown = np.repeat(shown, 3, axis=2)
    elif channels == 2:
        shown = np.concatenate([shown, np.zeros_like(shown[:, :, :1])], axis=2)
    opaque = ~np.isnan(images[:, :, :1])
    shown = np.moveaxis(np.concatenate([shown[:, :, :3], opaque], axis=2), 2, -1)
    space = max(1, round(gap * width)) if gap > 0 else 0
    tops = [i * (height + space) for i in range(rows)]
    wider = np.cumsum([0, *(3 * space * (j in apart) for j in range(across - 1))])
    lefts = [int(j * (width + space) + wider[j]) for j in range(across)]
    made = np.zeros((tops[-1] + height, lefts[-1] + width, 4))
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            made[top : top + height, left : left + width] = shown[i, j]
    return made, tops, lefts


def sheet(
    images: Floats,
    limits: Limits | None = None,
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
        limits: the values of black and white; by default the least and the greatest.
        rows, columns: a label left of each row, and below each column.
        touching: the width of an image in inches, drawn without gaps; None leaves gaps.
        apart: columns after which the gap is wide.
    """
    cell = touching or float(np.clip(7.0 / images.shape[1], 0.3, CELL))
    gap = 0.0 if touching else _GAP
    picture, tops, lefts = mosaic(images, limits or limits_of(images), gap, apart)
    (tall, wide), (down, across) = images.shape[3:], picture.shape[:2]
    with styled():
        made = figure(1, 1)
        made.set_layout_engine("none")
        axes = made.add_axes((0, 0, 1, 1))
        axes.imshow(picture, interpolation="nearest", extent=(0, across, down, 0))
        bare(axes)
        if rows:
            axes.set_yticks([top + tall / 2 for top in tops], [shortened(r, 22) for r in rows])
        if columns:
            axes.set_xticks([left + wide / 2 for left in lefts], list(columns))
        axes.tick_params(length=0, pad=4)
        axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
        axes.set(xlabel=axis_names[0], ylabel=axis_names[1])
        # Measured, since a layout engine gives labels no room beside an axis of fixed aspect.
        words = [label.get_window_extent().width for label in axes.get_yticklabels()]
        # Of one width for most labels, so that figures below each other are aligned.
        left = PAD + (max(_LABELS, max(words) / made.dpi) + 0.12 if rows else 0.0)
        left += 0.22 * bool(axis_names[1])
        below = PAD + 0.2 * bool(columns) + 0.22 * bool(axis_names[0])
        width, height = cell * across / wide, cell * down / wide
        whole, high = left + width + PAD, below + height + PAD + 0.26 * bool(title)
        made.set_size_inches(whole, high)
        axes.set_position((left / whole, below / high, width / whole, height / high))
        made.text(PAD / whole, 1 - PAD / high, shortened(title, 90), fontsize=9.5, va="top")
    return made
