"""Folders of images and recordings."""

from __future__ import annotations

import struct
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset
from .given_parts import parted
from .media_sources import in_folder
from .memory_limit import check_memory
from .read_images import read_images
from .reading import Reading
from .schema import Schema

_AS_THEY_ARE = Reading()


def read_folder(path: Path, said: Reading = _AS_THEY_ARE) -> Dataset:
    """Read the pictures or the WAV files of a folder and of the folders in it.

    Folders of folders hold one a class, whose name becomes the `target`; above them may stand
    `train`, `valid` and `test` (see `folder_layout`).

    Raises:
        InputError: if there are no such files, pictures differ in size, or a file cannot be read
            (naming it).
    """
    found = in_folder(path)
    if not found.recordings:
        return read_images(found, said)
    if said.pictures:
        raise InputError(f"{path} holds recordings, which have no size; leave size and crop out.")
    layout = found.layout
    data = _recordings([path / name for name in found.rows], layout.classes)
    data = replace(data, files=np.array([str(name) for name in found.rows]), notes=found.notes())
    return parted(data, layout.parts) if layout.parts else data


def media_files(path: Path) -> list[Path]:
    """The files that `read_folder` reads, in its order; InputError as it says."""
    return [path / name for name in in_folder(path).rows]


def read_wav(path: Path) -> Dataset:
    """Read one recording; InputError if it cannot be read."""
    return _recordings([path], None)


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
