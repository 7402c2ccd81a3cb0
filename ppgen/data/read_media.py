"""Folders of images and recordings."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset
from .memory_limit import check_memory
from .read_images import ENDINGS, read_images
from .schema import Schema


def read_folder(path: Path) -> Dataset:
    """Read a folder of images or WAV files, or of folders of them.

    A folder of folders holds one a class; its name becomes the `target`.

    Raises:
        InputError: if there are no such files, images differ in size, or a file cannot be read
            (naming it).
    """
    files = media_files(path)
    target = None
    if files[0].parent != path:
        target = np.array([f.parent.name for f in files])
    return _recordings(files, target) if _is_wav(files[0]) else read_images(files, target)


def media_files(path: Path) -> list[Path]:
    """The files that `read_folder` reads, in its order; InputError as it says."""
    files = _files(path)
    if not files:
        files = [f for sub in sorted(path.iterdir()) if sub.is_dir() for f in _files(sub)]
    if not files:
        raise InputError(
            f"the folder {path} holds no images or WAV files, and no folders of them. "
            "Give a file, or a folder of such files."
        )
    if len({_is_wav(file) for file in files}) > 1:
        raise InputError(f"the folder {path} holds images and recordings; expected one kind.")
    return files


def _is_wav(file: Path) -> bool:
    return file.suffix.lower() == ".wav"


def read_wav(path: Path) -> Dataset:
    """Read one recording; InputError if it cannot be read."""
    return _recordings([path], None)


def _files(folder: Path) -> list[Path]:
    endings = (*ENDINGS, ".wav")
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in endings and f.is_file())


def _recordings(files: list[Path], target: NDArray[Any] | None) -> Dataset:
    """Sequences in [-1, 1): (t,) for one channel, (t, channels) for more."""
    from scipy.io import wavfile

    sequences, rates, floats = [], [], True
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
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise InputError(f"{file} holds NaN or infinite samples. Mend or remove it.")
        sequences.append(_unit(samples))
        floats &= samples.dtype == np.float32
        rates.append(int(rate))
    return Dataset(
        Schema(sequence=True),
        like="sequences:float32" if floats else "sequences",
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
