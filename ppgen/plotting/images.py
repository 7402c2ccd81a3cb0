"""Grids of images: samples by themselves, and beside real ones.

Images are (C, H, W), (H, W, C) or (H, W), one channel grey, three colours. Black and white are the
`limits` given, such as (0, 255).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis.decoded import Decoded
from ..arrays import Floats
from ..data.pixels import shown_limits as shown_limits
from ..errors import InputError
from .mosaic import Limits, as_grid, limits_of, mosaic, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bytes = NDArray[np.uint8]

_WIDTH = 800  # pixels of a picture, about


def image_grid(
    images: Decoded | ArrayLike, *, across: int = 8, limits: Limits | None = None, title: str = ""
) -> Figure:
    """Images (n, C, H, W) in a grid, `across` of them side by side.

    Args:
        images: what `arithmetic` gave, or an array.
        limits: the values of black and white; by default the least and the greatest.

    Raises:
        InputError: for rows of a table, or images of another shape.
    """
    if isinstance(images, Decoded):
        images = images.images
    return sheet(_lines(images, across), limits, title=title)


def image_rows(
    images: Mapping[str, ArrayLike],
    *,
    across: int = 12,
    down: int = 2,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """Images of several sorts below each other, such as real ones and samples.

    Args:
        images: name -> (n, C, H, W), of one shape; of each as many are drawn as all of them have,
            in at most `down` lines of `across`.
        limits: the values of black and white; by default those of the first sort.

    Raises:
        InputError: if there are none, or their shapes differ.
    """
    sorts = {name: as_grid(shown, 1, "(n, C, H, W)") for name, shown in images.items()}
    shapes = sorted({shown.shape[1:] for shown in sorts.values()})
    if len(shapes) != 1:
        raise InputError(f"images of shapes {shapes} given; expected one shape.")
    n = min(len(shown) for shown in sorts.values())
    wide = min(across, n)
    lines = min(down, n // wide)
    whole = [shown[: wide * lines].reshape(lines, wide, *shapes[0]) for shown in sorts.values()]
    names = [name if i == 0 else "" for name in sorts for i in range(lines)]
    first = next(iter(sorts.values()))
    return sheet(np.concatenate(whole), limits or limits_of(first), rows=names, title=title)


def image_pixels(images: ArrayLike, *, across: int = 8, limits: Limits | None = None) -> Bytes:
    """Images (n, C, H, W) in a grid as the pixels (height, width, 4) of one picture.

    Every value becomes a square of whole pixels, so that small images can be looked at; what lies
    between the images is see-through. The arguments are those of `image_grid`.

    Raises:
        InputError: for images of another shape.
    """
    grid = _lines(images, across)
    picture, _, _ = mosaic(grid, limits or limits_of(grid))
    size = max(1, round(_WIDTH / picture.shape[1]))
    drawn = np.rint(255 * picture).astype(np.uint8)
    return drawn.repeat(size, axis=0).repeat(size, axis=1)


def _lines(images: ArrayLike, across: int) -> Floats:
    """Images as lines (down, across, C, H, W); places left free hold no number."""
    shown = as_grid(images, 1, "(n, C, H, W)")
    if across < 1:
        raise InputError(f"across is {across}; expected how many are drawn side by side.")
    wide = min(across, len(shown))
    free = np.full((-len(shown) % wide, *shown.shape[1:]), np.nan)
    return np.concatenate([shown, free]).reshape(-1, wide, *shown.shape[1:])
