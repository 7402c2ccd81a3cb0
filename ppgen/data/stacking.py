"""Nested lists, and lists of images into one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError


def nested_shape(X: Any) -> tuple[int, ...]:
    """The shape of an array, or of nested lists as far as their first items tell."""
    lengths: list[int] = []
    while isinstance(X, list | tuple):
        lengths.append(len(X))
        X = X[0] if len(X) else None
    return (*lengths, *getattr(X, "shape", ()))


def dimensions(X: Any) -> int:
    """How many dimensions rows have; 2 where what they come in does not say."""
    if isinstance(X, list | tuple):
        return len(nested_shape(X))
    return int(getattr(X, "ndim", 2))


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
