"""Nested lists, lists of images as one array, and the order of an image's axes.

Within ppgen images are (n, C, H, W), "chw". Users' may be (n, H, W, C), "hwc", or (n, H, W), "hw".
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .pillow_values import is_picture, upright, values_of

Layout = Literal["chw", "hwc", "hw"]

CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency


def layout_of(shape: tuple[int, ...], otherwise: Layout | None = None) -> Layout:
    """The layout of images of a shape; `otherwise`, or InputError, where it does not tell.

    The axis of the channels is the second or the last: the one of 1, 3 or 4; where that does not
    decide, the one that leaves square images; else the one of at most half the length.
    """
    if len(shape) == 3:
        return "hw"
    if len(shape) == 4:
        _, first, middle, last = shape
        if (first in CHANNELS) != (last in CHANNELS):
            return "chw" if first in CHANNELS else "hwc"
        if first in CHANNELS:
            return "chw"
        if (first == middle) != (middle == last):
            return "chw" if middle == last else "hwc"
        if 2 * min(first, last) <= max(first, last):
            return "chw" if first < last else "hwc"
        if otherwise:
            return otherwise
        raise InputError(
            f"images of shape {shape} given, which does not tell whether the channels are the "
            "second axis or the last. Reshape it, so that these differ by more than a factor of 2."
        )
    raise InputError(
        f"an array of shape {shape} given; expected a table (n, d), or images (n, h, w), "
        "(n, c, h, w) or (n, h, w, c). Reshape it."
    )


def as_images(array: NDArray[Any]) -> NDArray[Any]:
    """(n, h, w), (n, h, w, c) or (n, c, h, w) as (n, c, h, w), without a copy."""
    if array.dtype.kind not in "fiub":
        raise InputError(f"images of type {array.dtype} given; expected numbers.")
    layout = layout_of(array.shape)
    if layout == "hw":
        return array[:, None]
    return np.moveaxis(array, 3, 1) if layout == "hwc" else array


def in_shape(
    rows: NDArray[Any], image: tuple[int, int, int], layout: Layout = "chw"
) -> NDArray[Any]:
    """Rows as images (n, C, H, W) of a known size, whatever their layout; `layout` where the size
    does not tell."""
    channels, height, width = image
    last = (height, width, channels)
    if rows.shape[1:] == last and (rows.shape[1:] != image or layout == "hwc"):
        return np.moveaxis(rows, 3, 1)
    return rows.reshape(-1, *image)


def in_layout(images: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """(n, c, h, w) as a layout has them; "hw" where there is one channel only."""
    if layout == "hw" and images.shape[1] == 1:
        return images[:, 0]
    return np.ascontiguousarray(np.moveaxis(images, 1, 3)) if layout == "hwc" else images


def nested_shape(X: Any) -> tuple[int, ...]:
    """The shape of an array, or of nested lists, read off their first items."""
    lengths: list[int] = []
    while isinstance(X, list | tuple):
        lengths.append(len(X))
        X = X[0] if len(X) else None
    return (*lengths, *getattr(X, "shape", ()))


def is_one_image(shape: tuple[int, ...], image: tuple[int, int, int]) -> bool:
    """Whether an array of a shape is one image (C, H, W), (H, W, C), or (H, W) of one channel."""
    channels, height, width = image
    grey = [(height, width)] if channels == 1 else []
    return tuple(shape) in [image, (height, width, channels), *grey]


def as_several(X: Any, image: tuple[int, int, int]) -> Any:
    """One image of a size as a data set of one, (1, ...); anything else as it is."""
    shape = nested_shape(X)
    if not is_one_image(shape, image) or (image[0] == 1 and shape[1:] == image[1:]):
        return X  # (1, H, W) is one image already
    return np.asarray(X)[None]


def dimensions(X: Any) -> int:
    """How many dimensions rows have; 2 where what they come in does not say."""
    if isinstance(X, list | tuple):
        return len(nested_shape(X))
    return int(getattr(X, "ndim", 2))


def stack_images(X: Any) -> Any:
    """A list of images, or an array of objects that are images, as one array (n, ...), one picture
    of Pillow as (1, ...), and anything else as it is.

    InputError names an image of another size, channels or type than the first.
    """
    if is_picture(X):
        return upright(values_of(X), X)[None]
    if isinstance(X, np.ndarray):
        items: Any = X.tolist() if X.dtype == object and X.ndim == 1 else ()
    else:
        items = X if isinstance(X, list | tuple) else ()
    items = [upright(values_of(i), i) if is_picture(i) else i for i in items]
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
