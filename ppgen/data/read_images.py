"""Data sets of pictures: folders, ZIP and TAR files, single files.

Pictures of one data set have one size; where some are in colour, grey ones get three equal
channels, and where some have 16 bits, values k of 8 bits become 257 k.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, as_dataset
from .given_parts import parted
from .media_sources import PICTURES, Found, Opened, in_tar, in_zip
from .memory_limit import check_memory
from .picture import Picture, read_picture, upright_size
from .read_arrays import read_npz
from .reading import Reading

ENDINGS = PICTURES
_AS_THEY_ARE = Reading()


class LeftOut(UserWarning):
    """Pictures of a folder or an archive were not read; a data set's `notes` say so too."""


def read_tar(path: Path, said: Reading = _AS_THEY_ARE) -> Dataset:
    """Read the pictures of a TAR file, as `read_images` says."""
    return read_images(in_tar(path), said)


def read_zip(path: Path, said: Reading = _AS_THEY_ARE) -> Dataset:
    """Read the pictures of a ZIP file, as `read_images` says; or the arrays of an NPZ file, which
    is one."""
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is no readable ZIP file. It is cut off or damaged: get it again.")
    with zipfile.ZipFile(path) as archive:
        arrays = all(name.endswith(".npy") for name in archive.namelist())
    if arrays and said.pictures:
        raise InputError(f"{path} holds arrays; size and crop are for pictures, leave them out.")
    return read_npz(path) if arrays else read_images(in_zip(path), said)


def read_image(path: Path, said: Reading = _AS_THEY_ARE) -> Dataset:
    """Read one picture, a data set of one row; InputError if it cannot be read."""
    pixels = read_picture(path, path, said)
    check_memory(path, pixels.nbytes)
    return replace(as_dataset(pixels[None]), files=np.array([path.name]))


def read_images(found: Found, said: Reading = _AS_THEY_ARE) -> Dataset:
    """Read the pictures of a folder or an archive.

    Folders of classes become the `target`, folders of parts the `parts`, and `files` holds the
    files' names; `notes` says what was left out.

    Raises:
        InputError: if one cannot be read or has another size (naming it), or they do not fit in
            memory.
    """
    if found.recordings:
        raise InputError(f"{found.path} holds recordings. Unpack them, and give their folder.")
    stack, layout = _read(found, found.rows, said), found.layout
    images, kept = stack.images(found.path)
    notes = found.notes(stack.skipped)
    if layout.left_out or stack.skipped:
        warnings.warn(f"{found.path}: {notes[0]}", LeftOut, stacklevel=2)
    data = replace(
        as_dataset(images),
        target=None if layout.classes is None else layout.classes[kept],
        files=np.array([str(found.rows[i]) for i in kept]),
        notes=notes,
    )
    parts = {name: np.flatnonzero(np.isin(kept, at)) for name, at in (layout.parts or {}).items()}
    parts = {name: at for name, at in parts.items() if len(at)}
    return parted(data, parts) if "train" in parts and len(parts) > 1 else data


def read_tar_images(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    limit: int | None = None,
) -> tuple[NDArray[Any], list[str]]:
    """The images of a TAR file, zipped or not, in its order; nothing is extracted.

    Args:
        path: the file. Members that are no images are passed over.
        size: (height, width) that images are brought to, whatever their own, each of its pixels the
            mean of those it covers. None keeps theirs, which must then be the same.
        limit: how many are read, the first ones. None reads all.

    Returns:
        (n, c, h, w) values, and the names of the n members.

    Raises:
        InputError: if the file is damaged, holds no images, one of them cannot be read or has
            another size (naming it), or they do not fit in memory.
    """
    if (limit is not None and limit < 1) or (size is not None and min(size) < 1):
        raise InputError(f"size is {size} and limit {limit}; expected positive numbers.")
    found = in_tar(Path(path))
    names = found.names[:limit]
    images, _ = _read(found, names, Reading(size=size or ())).images(found.path)
    return images, [str(name) for name in names]


@dataclass
class _Stack:
    """Pictures read so far, in an array that is as long as all of them.

    Attributes:
        size: how many there are to be.
        array: (size, c, h, w); None before the first.
        kept: numbers of those that could be read.
        skipped: names of those that could not.
        first: the name of the first.
    """

    size: int
    array: NDArray[Any] | None = None
    kept: list[int] = field(default_factory=list)
    skipped: list[PurePosixPath] = field(default_factory=list)
    first: PurePosixPath = field(default_factory=PurePosixPath)

    def add(self, where: Path, name: PurePosixPath, number: int, picture: Picture) -> None:
        """Take a picture in; InputError if it has another size than the first."""
        if self.array is None:
            self.first = name
            check_memory(where, self.size * picture.nbytes)
            self.array = np.empty((self.size, *picture.shape), picture.dtype)
        array = self.array
        (_, h, w), (_, height, width) = picture.shape, array.shape[1:]
        if (h, w) != (height, width):
            raise InputError(
                f"{where / name} is {w} x {h} pixels, {self.first} {width} x {height}; expected "
                f"images of one size. Bring them to one while they are read: "
                f"size={min(h, w, height, width)}, and crop=True to keep their proportions."
            )
        if picture.dtype != array.dtype:
            picture = self._of_one_type(where / name, picture)
        if len(picture) > len(self.array[0]):
            check_memory(where, len(picture) * self.array.nbytes)
            self.array = np.repeat(self.array, len(picture), axis=1)
        self.array[len(self.kept)] = picture
        self.kept.append(number)

    def _of_one_type(self, what: Path, picture: Picture) -> Picture:
        """Of two types, which the array and a picture have, the deeper."""
        assert self.array is not None
        kinds = {picture.dtype, self.array.dtype}
        if kinds != {np.dtype(np.uint8), np.dtype(np.uint16)}:
            raise InputError(
                f"{what} holds values of type {picture.dtype}, {self.first} {self.array.dtype}; "
                "expected one type and one scale of values. Convert them."
            )
        if picture.dtype == np.uint8:
            return picture.astype(np.uint16) * np.uint16(257)
        check_memory(what, 2 * self.array.nbytes)
        self.array = self.array.astype(np.uint16) * np.uint16(257)
        return picture

    def images(self, where: Path) -> tuple[NDArray[Any], NDArray[np.intp]]:
        """The pictures and their numbers; InputError if none could be read."""
        if self.array is None:
            raise InputError(f"{where}: none of {self.size} pictures can be read. Replace them.")
        return self.array[: len(self.kept)], np.array(self.kept, dtype=np.intp)


def _read(found: Found, names: Sequence[PurePosixPath], said: Reading) -> _Stack:
    stack = _Stack(len(names))
    least = None
    if said.crop and not said.size:
        sizes = list(_sizes(found, names, said))
        least = (min(h for h, _ in sizes), min(w for _, w in sizes)) if sizes else None
    for number, (name, file) in enumerate(_each(found, names)):
        try:
            picture = read_picture(found.path / name, file, said, least)
        except InputError:
            if not said.skip_unreadable:
                raise
            stack.skipped.append(name)
            continue
        stack.add(found.path, name, number, picture)
    return stack


def _each(found: Found, names: Sequence[PurePosixPath]) -> Iterable[tuple[PurePosixPath, Opened]]:
    return zip(names, found.opened(names), strict=True)


def _sizes(
    found: Found, names: Sequence[PurePosixPath], said: Reading
) -> Iterator[tuple[int, int]]:
    for name, file in _each(found, names):
        try:
            yield upright_size(found.path / name, file)
        except InputError:
            if not said.skip_unreadable:
                raise
