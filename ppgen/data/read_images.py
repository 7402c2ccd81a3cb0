"""Images: lists of files, and TAR files.

Images become bytes: one channel if all are grey, else three, grey ones with three equal channels.
What is transparent is shown on white. An animation is its first picture. Images of more than 8 bits
a channel are refused, since bytes would keep a part of each value only.
"""

from __future__ import annotations

import io
import math
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, as_dataset
from .memory_limit import check_memory

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_GREY = ("1", "L", "LA")
_AHEAD = 256  # images between two looks at the memory


def read_images(files: list[Path], target: NDArray[Any] | None = None) -> Dataset:
    """Read image files of one size; InputError if one cannot be read or has another size (naming
    it), or they do not fit in memory."""
    sizes, grey = [], []
    for file in files:
        with _opened(file, file) as image:
            sizes.append(image.size)
            grey.append(image.mode in _GREY)
        if sizes[-1] != sizes[0]:
            raise _differ(file, sizes[-1], files[0].name, sizes[0])
    size, channels = sizes[0], 1 if all(grey) else 3
    check_memory(files[0].parent, len(files) * channels * size[0] * size[1])
    out = np.empty((len(files), channels, size[1], size[0]), dtype=np.uint8)
    for i, file in enumerate(files):
        out[i] = _pixels(file, file)
    return replace(as_dataset(out), target=target)


def read_tar(path: Path) -> Dataset:
    """Read the images of a TAR file as `read_tar_images` does.

    Where they lie in several folders, the folder's name is the `target`.
    """
    images, names = read_tar_images(path)
    folders = np.array([PurePosixPath(name).parent.name for name in names])
    return replace(as_dataset(images), target=folders if len(set(folders)) > 1 else None)


def read_tar_images(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    limit: int | None = None,
) -> tuple[NDArray[np.uint8], list[str]]:
    """The images of a TAR file, zipped or not, in its order; nothing is extracted.

    Args:
        path: the file. Members that are no images are passed over.
        size: (height, width) that images are brought to, whatever their own, each of its pixels the
            mean of those it covers. None keeps theirs, which must then be the same.
        limit: how many are read, the first ones. None reads all.

    Returns:
        (n, c, h, w) bytes, and the names of the n members.

    Raises:
        InputError: if the file is damaged, holds no images, one of them cannot be read or has
            another size (naming it), or they do not fit in memory.
    """
    if (limit is not None and limit < 1) or (size is not None and min(size) < 1):
        raise InputError(f"size is {size} and limit {limit}; expected positive numbers.")
    pictures: list[NDArray[np.uint8]] = []
    names: list[str] = []
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                inside = PurePosixPath(member.name)
                hidden = inside.name.startswith(".")
                if not member.isfile() or hidden or inside.suffix.lower() not in ENDINGS:
                    continue
                check_memory(path, member.size)
                stream = archive.extractfile(member)
                content = b"" if stream is None else stream.read()
                pixels = _pixels(f"{path}, {member.name}", io.BytesIO(content), size)
                if pictures and pixels.shape[1:] != pictures[0].shape[1:]:
                    (_, h, w), (_, height, width) = pixels.shape, pictures[0].shape
                    raise _differ(f"{path}, {member.name}", (w, h), names[0], (width, height))
                if len(pictures) % _AHEAD == 0:
                    check_memory(path, (len(pictures) + 2 * _AHEAD) * pixels.size)
                pictures.append(pixels)
                names.append(member.name)
                if len(pictures) == limit:
                    break
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is no readable TAR file: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not pictures:
        raise InputError(f"{path} holds no images. Give a TAR file of {', '.join(ENDINGS)} files.")
    channels = max(len(pixels) for pixels in pictures)
    shape = (len(pictures), channels, *pictures[0].shape[1:])
    check_memory(path, math.prod(shape))
    return np.stack([np.broadcast_to(pixels, shape[1:]) for pixels in pictures]), names


def _differ(file: object, size: Sequence[int], first: str, other: Sequence[int]) -> InputError:
    return InputError(
        f"{file} is {size[0]} x {size[1]} pixels, {first} {other[0]} x {other[1]}; expected images "
        "of one size. Resize or crop them."
    )


@contextmanager
def _opened(what: object, file: Path | IO[bytes]) -> Iterator[Any]:
    """An image file, opened; what goes wrong within is an InputError."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            yield image
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{what} is no readable image: {error}. Replace or remove it.") from None


def _is_deep(image: Any) -> bool:
    """Whether an opened image file holds more than 8 bits a channel, whatever it is opened as."""
    if image.mode[:1] in ("I", "F"):
        return True
    return any(
        re.search(r";(16|32)[BLNS]", str(args)) or (codec.startswith("ppm") and args[-1] > 255)
        for codec, _, _, args in image.tile
    )


def _pixels(
    what: object, file: Path | IO[bytes], size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """(1, h, w) bytes of a grey image, (3, h, w) of another."""
    from PIL import Image

    with _opened(what, file) as image:
        if _is_deep(image):
            raise InputError(
                f"{what} has more than 8 bits a channel; expected 8. Convert it, or give the "
                "values as an array (.npy), which keeps them."
            )
        mode = "L" if image.mode in _GREY else "RGB"
        plain = image
        if image.has_transparency_data:
            clear = image.convert("RGBA")
            plain = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
        plain = plain.convert(mode)
    if size is not None:
        plain = plain.resize((size[1], size[0]), Image.Resampling.BOX)
    pixels = np.asarray(plain)
    return pixels[None] if mode == "L" else pixels.transpose(2, 0, 1)
