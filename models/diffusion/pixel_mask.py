"""Which pixels of images are drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Mask
from ...errors import InputError


def pixel_mask(mask: Any, n: int, shape: tuple[int, int, int]) -> Mask:
    """(n, C H W) a mask of n images (C, H, W), given in any of the shapes that `inpaint` takes.

    Raises:
        InputError: for another shape, or values that are not true or false.
    """
    given = np.asarray(mask)
    channels, height, width = shape
    size = (height, width)
    ways = {
        size: lambda m: m[None, None],
        (n, *size): lambda m: m[:, None],
        shape: lambda m: m[None],
        (*size, channels): lambda m: np.moveaxis(m, 2, 0)[None],
        (n, *shape): lambda m: m,
        (n, *size, channels): lambda m: np.moveaxis(m, 3, 1),
    }
    if given.shape not in ways:
        raise InputError(
            f"a mask of shape {given.shape} given, for {n} images of {height} x {width} pixels in "
            f"{channels} channel{'s' * (channels > 1)}. Give one of shape {size} for all of them, "
            f"or one for each, {(n, *size)}; true where pixels are to be drawn."
        )
    if not np.isin(given, (0, 1)).all():
        raise InputError(
            "a mask with other values than 0 and 1 given. Give true where pixels are to be drawn."
        )
    whole = np.broadcast_to(ways[given.shape](given.astype(bool)), (n, *shape))
    return whole.reshape(n, -1)
