"""Colour pictures of 16 bits a channel, of which Pillow keeps the first byte of each value.

Pillow decodes such a value v as its high byte. Told that the bytes stand the other way round, it
decodes the low one; so two readings give v = 256 high + low.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_OTHER_WAY = {"16B": "16L", "16L": "16B", "16N": "16B" if np.little_endian else "16L"}
_MODES = ("RGB", "RGBA", "RGBX", "LA")
_WHITE = 65535.0


def is_deep(image: Any) -> bool:
    """Whether an opened image file holds colours of 16 bits, though it is opened as one of 8."""
    if not image.tile:
        return False
    codec, first = image.tile[0].codec_name, _args(image.tile[0])
    if codec in ("ppm", "ppm_plain"):
        return image.mode == "RGB" and int(first[-1]) > 255
    mode, _, order = str(first[0]).partition(";")
    return mode in _MODES and order in _OTHER_WAY


def deep_colours(first: NDArray[np.uint8], again: Any, file: Path | IO[bytes]) -> NDArray[Any]:
    """(h, w) or (h, w, 3) values of 16 bits; what is transparent is shown on white.

    Args:
        first: (h, w, c) what Pillow made of the image.
        again: the image, opened and not yet read.
        file: where it lies.

    Raises:
        InputError: for a plain PPM.
    """
    codec, args = again.tile[0].codec_name, _args(again.tile[0])
    if codec == "ppm_plain":
        raise InputError(f"{file} is a plain PPM of more than 8 bits. Store it as a PNG.")
    if codec == "ppm":
        return _ppm(file, again.tile[0].offset, first.shape, int(args[-1]))
    mode, _, order = str(args[0]).partition(";")
    # Grey with transparency is four bytes, which are taken as they are.
    as_ = "RGBA" if mode == "LA" else f"{mode};{_OTHER_WAY[order]}"
    again.tile = [t._replace(args=_like(t.args, as_)) for t in again.tile]
    second = np.asarray(again)
    if mode == "LA":
        return _on_white(_joined(second[..., ::2], second[..., 1::2]))[..., 0]
    return _on_white(_joined(first, second))


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return high * np.uint16(256) + low


def _args(tile: Any) -> tuple[Any, ...]:
    return tile.args if isinstance(tile.args, tuple) else (tile.args,)


def _like(args: Any, mode: str) -> Any:
    return (mode, *args[1:]) if isinstance(args, tuple) else mode


def _on_white(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Colours of (h, w, c), of which the last channel is the opacity if c is even."""
    if values.shape[2] % 2:
        return values
    opaque = values[..., -1:] / _WHITE
    return np.rint(_WHITE + opaque * (values[..., :-1] - _WHITE)).astype(np.uint16)


def _ppm(
    file: Path | IO[bytes], offset: int, shape: tuple[int, ...], most: int
) -> NDArray[np.uint16]:
    if isinstance(file, Path):
        content = file.read_bytes()
    else:
        file.seek(0)
        content = file.read()
    size = 2 * int(np.prod(shape))
    if len(content) < offset + size:
        raise OSError("image file is truncated")
    values = np.frombuffer(content[offset : offset + size], ">u2").reshape(shape)
    return np.rint(values.astype(np.float64) * (_WHITE / most)).astype(np.uint16)
