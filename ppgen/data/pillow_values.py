"""Images of Pillow as arrays of their values: upright, grey or in colour."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GREY = ("1", "L", "LA")
_ORIENTATION = 274  # the number of the EXIF tag
_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p),
}


def is_picture(X: Any) -> bool:
    """Whether X is an image of Pillow, which is not loaded to find out."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(X, module.Image)


def values_of(image: Any) -> NDArray[Any]:
    """(h, w) of a grey image, (h, w, 3) of another: bytes, or 16 bits or real numbers of grey. What
    is transparent is shown on white."""
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.dtype.kind == "f":
            return values
        if values.dtype.itemsize == 2 or (values.min() >= 0 and values.max() < 1 << 16):
            return values.astype(np.uint16)
        return values.astype(np.float64)
    grey = image.mode in _GREY
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        grey = bool((palette == palette[:, :1]).all())
    plain = image
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        plain = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return np.asarray(plain.convert("L" if grey else "RGB"))


def upright(values: NDArray[Any], image: Any) -> NDArray[Any]:
    """The values of an image, once it is read, turned as its orientation tag says."""
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))  # Pillow has turned TIFFs
    return values if turn is None else turn(values)


def lies_down(image: Any) -> bool:
    """Whether height and width of an image that is not yet read are to be exchanged."""
    return bool(image.format != "TIFF" and image.getexif().get(_ORIENTATION, 1) >= 5)
