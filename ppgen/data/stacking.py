"""Lists of images into one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError


def stack_images(X: Any) -> Any:
    """A list of images, or an array of objects that are images, as one array (n, ...).

    Anything else is given back as it is.

    Raises:
        InputError: if one differs from the first in size, channels or type, naming it.
    """
    if isinstance(X, np.ndarray):
        items: Any = X.tolist() if X.dtype == object and X.ndim == 1 else ()
    else:
        items = X if isinstance(X, list | tuple) else ()
    if not len(items) or not all(isinstance(i, np.ndarray) and i.ndim in (2, 3) for i in items):
        return X
    first = items[0]
    for i, image in enumerate(items):
        if image.shape != first.shape:
            raise InputError(
                f"image {i} has shape {image.shape}, image 0 {first.shape}; expected images of one "
                "size with as many channels. Resize or crop them, or turn grey ones into colour."
            )
        if image.dtype != first.dtype:
            raise InputError(
                f"image {i} is of type {image.dtype}, image 0 of type {first.dtype}; expected one "
                "type and one scale of values. Convert them (astype)."
            )
    return np.stack(items)
