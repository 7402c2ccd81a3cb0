"""Folders of images and recordings."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset
from .memory import check_memory
from .schema import Schema

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_GREY = ("1", "L", "LA")


def read_folder(path: Path) -> Dataset:
    """Read a folder of images or WAV files, or of folders of them.

    A folder of folders holds one a class; its name becomes the `target`.

    Raises:
        InputError: if there are none, images differ in size, or a file cannot be read (naming it).
    """
    files = _files(path, (*_IMAGES, ".wav"))
    target = None
    if not files:
        files = [f for sub in sorted(path.iterdir()) if sub.is_dir() for f in _files(sub)]
        target = np.array([f.parent.name for f in files])
    sounds = [f for f in files if f.suffix.lower() == ".wav"]
    if not files:
        raise InputError(
            f"the folder {path} holds no images or WAV files, and no folders of them. "
            "Give a file, or a folder of such files."
        )
    if sounds and len(sounds) < len(files):
        raise InputError(f"the folder {path} holds images and recordings; expected one kind.")
    return _recordings(sounds, target) if sounds else _images(files, target)


def read_wav(path: Path) -> Dataset:
    """Read one recording.

    Raises:
        InputError: if it cannot be read.
    """
    return _recordings([path], None)


def _files(folder: Path, endings: Sequence[str] = (*_IMAGES, ".wav")) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in endings and f.is_file())


def _images(files: list[Path], target: NDArray[Any] | None) -> Dataset:
    """(n, c, h, w) bytes: one channel if all are grey, else three."""
    from PIL import Image

    heads = []
    for file in files:
        try:
            with Image.open(file) as image:
                heads.append((image.size, image.mode))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{file} is no readable image: {error}") from None
    size = heads[0][0]
    for file, (other, _) in zip(files, heads, strict=True):
        if other != size:
            raise InputError(
                f"{file} is {other[0]} x {other[1]} pixels, {files[0].name} {size[0]} x {size[1]}; "
                "expected images of one size. Resize or crop them."
            )
    mode = "L" if all(m in _GREY for _, m in heads) else "RGB"
    channels = len(mode)
    check_memory(files[0].parent, len(files) * channels * size[0] * size[1])
    out = np.empty((len(files), channels, size[1], size[0]), dtype=np.uint8)
    for i, file in enumerate(files):
        try:
            with Image.open(file) as image:
                pixels = np.asarray(image.convert(mode))
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{file} is no readable image: {error}") from None
        out[i] = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    shape = (channels, size[1], size[0])
    return Dataset(Schema(image_shape=shape), like="numpy:uint8", images=out, target=target)


def _recordings(files: list[Path], target: NDArray[Any] | None) -> Dataset:
    """Sequences in [-1, 1): (t,) for one channel, (t, channels) for more."""
    from scipy.io import wavfile

    sequences, rates = [], []
    check_memory(files[0].parent, 8 * sum(f.stat().st_size for f in files))
    for file in files:
        _check_wav(file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that are no sound
                rate, samples = wavfile.read(file)
        except (ValueError, EOFError, OSError, struct.error) as error:
            raise InputError(f"{file} is no readable WAV file: {error}") from None
        if not len(samples):
            raise InputError(f"{file} holds no sound. Remove it.")
        sequences.append(_unit(samples))
        rates.append(int(rate))
    return Dataset(
        Schema(sequence=True),
        like="sequences",
        sequences=tuple(sequences),
        rates=tuple(rates),
        target=target,
    )


def _check_wav(file: Path) -> None:
    """Refuse a header that claims more samples than follow, before they are allocated."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX") or head[8:] != b"WAVE":
            raise InputError(f"{file} is no WAV file.")
        order = "<" if head[:4] == b"RIFF" else ">"
        while len(chunk := stream.read(8)) == 8:
            (length,) = struct.unpack(order + "I", chunk[4:])
            if length > size - stream.tell():
                raise InputError(
                    f"{file} says that {length:,} bytes follow; {size - stream.tell():,} do. "
                    "It is cut off or damaged: get it again."
                )
            stream.seek(length + length % 2, 1)


def _unit(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Samples as floats; whole numbers as shares of the loudest."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float64)
    info = np.iinfo(samples.dtype)
    middle = (info.max + 1) // 2 if info.min == 0 else 0
    return (samples.astype(np.float64) - middle) / (info.max + 1 - middle)
