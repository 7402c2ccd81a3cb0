"""NumPy's and IDX files; what a header claims is checked against the file and the memory.

Large files of images are mapped: their pages are read where rows of them are used, so that they may
be larger than the memory. Such a file must stay as it is while its rows are in use.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, as_dataset
from .given_parts import parted
from .memory_limit import check_memory
from .npz_names import Header, Roles, roles
from .read_text import GZIP, read_bytes

MAPPED = 64 << 20  # bytes from which images in a file that is not zipped are mapped, not read
_LONGEST_HEAD = 4 + 4 * 255  # of an IDX file
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_npy(path: Path) -> Dataset:
    """Read a table or images from an NPY file; images of `MAPPED` bytes or more are mapped.

    Raises:
        InputError: if it holds objects, claims more bytes than the file or the memory has, or is
            damaged.
    """
    if path.suffix == ".gz":
        content = read_bytes(path)
        return _dataset(path, _load(path, io.BytesIO(content), len(content)))
    with path.open("rb") as file:
        return _dataset(path, _load(path, file, path.stat().st_size, path))


def read_npz(path: Path) -> Dataset:
    """Read an NPZ file.

    Its arrays are rows, under names such as `X` or `images`, with labels under `y` or `labels`,
    which become the `target`; or parts, `train`, `valid` and `test`, or `x_train`, `y_train` and so
    on (without `test`, half of `valid` is; without `valid`, a tenth of `train` is). See
    `npz_names`. Others are not read; `notes` names them.

    Raises:
        InputError: if no array or more than one could be the data, or one is as `read_npy` refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            found = roles(path, {n: _header_of(path, archive, m) for n, m in members.items()})
            wanted = [*found.rows.values(), *found.labels.values()]
            check_memory(path, sum(members[name].file_size for name in wanted))
            arrays = {}
            for name in wanted:
                with archive.open(members[name]) as file:
                    arrays[name] = _load(f"{path}, array {name!r}", file, members[name].file_size)
    except (zipfile.BadZipFile, RuntimeError, zlib.error) as error:
        raise InputError(f"{path} is no readable NPZ file: {error}.") from None
    others = ", ".join(map(repr, found.others))
    return replace(
        _from_arrays(path, found, arrays),
        notes=(f"left out the arrays {others}.",) if others else (),
    )


def _header_of(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as file:
        shape, _, dtype = _header(f"{path}, array {member.filename!r}", file)
    return Header(shape, dtype)


def read_idx(path: Path) -> Dataset:
    """Read an IDX file, gzipped or not.

    Images of `MAPPED` bytes or more are mapped, if they are of one byte a value and not gzipped.
    Labels that lie beside images, as in MNIST, become the `target`.

    Raises:
        InputError: if it is damaged or of another size than it says.
    """
    data = _dataset(path, load_idx(path))
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    if data.images is None or beside == path or not beside.exists():
        return data
    labels = load_idx(beside)
    if labels.shape != (len(data),):
        raise InputError(
            f"{beside} has {labels.shape} labels for {len(data)} images; expected one each."
        )
    return replace(data, target=labels)


def _load(what: object, file: IO[bytes], size: int, path: Path | None = None) -> NDArray[Any]:
    """An array of an open NPY file of `size` bytes; `path` is where it can be mapped."""
    shape, fortran, dtype = _header(what, file)
    if dtype.hasobject:
        raise InputError(
            f"{what} holds Python objects, which are not loaded because they can run code. "
            "Save numbers or text (astype(float), astype(str))."
        )
    count = math.prod(shape)
    claimed = count * dtype.itemsize
    left = size - file.tell()
    if min(shape, default=0) < 0 or claimed > left:
        raise InputError(
            f"{what} says that it holds {shape} values of type {dtype}, {claimed:,} bytes; "
            f"{left:,} follow. It is cut off or damaged: get it again."
        )
    order: Literal["F", "C"] = "F" if fortran else "C"
    if path is not None and dtype.isnative and _is_mapped(shape, claimed):
        return np.memmap(path, dtype, "r", file.tell(), shape, order)
    check_memory(what, claimed)
    content = file.read(claimed)
    if len(content) < claimed:
        raise InputError(f"{what} ends early. It is cut off or damaged: get it again.")
    array = np.frombuffer(bytearray(content), dtype=dtype, count=count)
    return array.reshape(shape, order=order)


def _header(what: object, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an open NPY file, whose values come next."""
    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return read_header(file)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise InputError(f"{what} is no NPY file: {error}") from None


def _is_mapped(shape: tuple[int, ...], size: int) -> bool:
    return len(shape) in (3, 4) and size >= MAPPED


def load_idx(path: Path) -> NDArray[Any]:
    """The array of an IDX file as `read_idx` reads it; large images are mapped."""
    with path.open("rb") as file:
        content, size = file.read(_LONGEST_HEAD), path.stat().st_size
    zipped = content.startswith(GZIP)
    if zipped:
        content = read_bytes(path)
        size = len(content)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise InputError(f"{path} is no IDX file: it begins with {content[:4]!r}.")
    dtype, axes = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    if axes == 0 or size < start:
        raise InputError(f"{path} is no IDX file: its header is cut off.")
    shape = struct.unpack(f">{axes}I", content[4:start])
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != size - start:
        raise InputError(
            f"{path} says that it holds {shape} values of {dtype.itemsize} bytes, {claimed:,} in "
            f"all; {size - start:,} follow. It is cut off or damaged: get it again."
        )
    if not zipped and dtype.itemsize == 1 and _is_mapped(shape, claimed):
        return np.memmap(path, dtype, "r", start, shape)
    content = content if zipped else read_bytes(path)
    array = np.frombuffer(bytearray(content[start:]), dtype=dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _from_arrays(path: Path, found: Roles, arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    rows = {part: arrays[name] for part, name in found.rows.items()}
    shapes = {array.shape[1:] for array in rows.values()}
    if len(shapes) > 1:
        raise InputError(
            f"{path} has parts with rows of shapes {sorted(shapes)}; expected the same in each."
        )
    name = next(iter(found.rows.values()))
    what = path if len(rows) > 1 else f"{path}, array {name!r}"
    data = _dataset(what, np.concatenate(list(rows.values())) if len(rows) > 1 else arrays[name])
    if found.labels:
        labels = [arrays[found.labels[part]] for part in rows]
        target = np.concatenate(labels) if len(labels) > 1 else labels[0]
        data = replace(data, target=target[:, 0] if target.shape[1:] == (1,) else target)
    if "train" not in rows:
        return data
    ends = np.cumsum([len(array) for array in rows.values()])
    places = np.split(np.arange(len(data)), ends[:-1])
    return parted(data, dict(zip(rows, places, strict=True)))


def _dataset(what: object, array: NDArray[Any]) -> Dataset:
    if array.ndim == 1 and not array.dtype.names:
        array = array[:, None]
    try:
        return as_dataset(array)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
