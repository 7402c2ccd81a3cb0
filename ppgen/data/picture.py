"""One picture file as an array of its values.

A picture is upright, whatever its orientation tag; it has one channel if it is grey, else three.
What is transparent is shown on white; of an animation the first picture counts. Values of 16 bits
keep them all, and values that are real numbers stay so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .deep_pictures import deep_colours, is_deep
from .media_sources import Opened
from .pillow_values import lies_down, upright, values_of
from .reading import Reading

Picture = NDArray[Any]  # (c, h, w) of uint8, uint16 or floats


def read_picture(
    what: object, file: Opened, said: Reading, least: tuple[int, int] | None = None
) -> Picture:
    """A picture's values (c, h, w), fitted.

    Args:
        what: its name, for messages.
        file: it.
        said: how it is brought to a size.
        least: (height, width) that it is cut to where it is cropped without a size.

    Raises:
        InputError: if it cannot be read.
    """
    with opened_picture(what, file) as image:
        if is_deep(image):
            first = np.asarray(image)
            with opened_picture(what, file) as again:
                values = deep_colours(first, again, file)
        else:
            values = values_of(image)
        values = upright(values, image)
    if said.crop:
        values = _cropped(values, said.size, least)
    if said.size and values.shape[:2] != said.size:
        values = _resized(values, said.size)
    return values[None] if values.ndim == 2 else np.moveaxis(values, 2, 0)


def upright_size(what: object, file: Opened) -> tuple[int, int]:
    """(height, width) of a picture file, from its header; InputError if it cannot be read."""
    with opened_picture(what, file) as image:
        width, height = image.size
        return (width, height) if lies_down(image) else (height, width)


@contextmanager
def opened_picture(what: object, file: Opened) -> Iterator[Any]:
    """An image file, opened; what goes wrong within is an InputError that names it."""
    from PIL import Image, UnidentifiedImageError

    way_out = "Replace or remove it, or leave out what cannot be read: skip_unreadable=True."
    try:
        # As a stream: of a path, Pillow maps TIFFs, and those with an orientation get mixed up.
        stream = file.open("rb") if isinstance(file, Path) else nullcontext(file)
        with stream as content, Image.open(content) as image:
            yield image
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(
            f"{what} is no readable image: it is damaged, or of a kind that Pillow does not know "
            f"(pictures of more than four channels are given as an array, .npy). {way_out}"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{what} is no readable image: {error}. {way_out}") from None


def _cropped(
    values: NDArray[Any], size: tuple[int, ...], least: tuple[int, int] | None
) -> NDArray[Any]:
    """The middle of a picture (h, w, ...), as large as the shape of `size`, or as `least`, lets
    it."""
    height, width = values.shape[:2]
    if size:
        scale = min(height / size[0], width / size[1])
        least = (max(1, round(scale * size[0])), max(1, round(scale * size[1])))
    if least is None:
        return values
    top, left = (height - least[0]) // 2, (width - least[1]) // 2
    return values[top : top + least[0], left : left + least[1]]


def _resized(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """A picture (h, w, ...) brought to a size: where it shrinks, each pixel is the mean of those it
    covers; else they are interpolated."""
    from PIL import Image

    shrinks = size[0] <= values.shape[0] and size[1] <= values.shape[1]
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    wanted = (size[1], size[0])
    if values.dtype == np.uint8:
        plain = Image.fromarray(np.ascontiguousarray(values))
        return np.asarray(plain.resize(wanted, how))
    channels = values.reshape(*values.shape[:2], -1).astype(np.float32)
    each = [Image.fromarray(c).resize(wanted, how) for c in np.moveaxis(channels, 2, 0)]
    made = np.stack([np.asarray(c) for c in each], axis=-1).reshape(*size, *values.shape[2:])
    return made.astype(values.dtype) if values.dtype.kind == "f" else np.rint(made).astype("u2")
