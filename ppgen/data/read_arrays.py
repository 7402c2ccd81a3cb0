"""NumPy's and IDX files; what a header claims is checked against the file and the memory.

Large files of images are mapped: their pages are read where rows of them are used, so that they may
be larger than the memory. Such a file must stay as it is while its rows are in use.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, as_dataset
from .memory_limit import check_memory
from .read_text import GZIP, read_bytes
from .units import split_units

_PARTS = {name: name for name in ("train", "valid", "test")} | {
    "val": "valid",
    "validation": "valid",
}
_TARGETS = ("y", "target", "targets", "label", "labels")
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

    It holds `train`, `valid` and `test`: these are the parts (without `test`, half of `valid` is;
    without `valid`, a tenth of `train` is); or `X`, or any one array, with
    labels under `y`, `target` or `labels`: these are kept as `target`.

    Raises:
        InputError: if no array or more than one could be the data, or one is as `read_npy` refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_memory(path, sum(member.file_size for member in members))
            arrays = {}
            for member in members:
                with archive.open(member) as file:
                    what = f"{path}, array {member.filename!r}"
                    name = member.filename.removesuffix(".npy")
                    arrays[name] = _load(what, file, member.file_size)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path} is no readable NPZ file: {error}.") from None
    return _from_arrays(path, arrays)


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
    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise InputError(f"{what} is no NPY file: {error}") from None
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


def _from_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    parts = {_PARTS[n.lower()]: a for n, a in arrays.items() if n.lower() in _PARTS}
    if "train" in parts:
        return _from_parts(path, parts)
    targets = [n for n in arrays if n.lower() in _TARGETS]
    others = [n for n in arrays if n not in targets]
    named = [n for n in others if n.lower() == "x"] or others
    if len(named) != 1:
        raise InputError(
            f"{path} holds the arrays {', '.join(arrays) or 'none'}; expected one with the data "
            "('X'), or parts named 'train', 'valid' and 'test'."
        )
    data = _dataset(f"{path}, array {named[0]!r}", arrays[named[0]])
    if not targets:
        return data
    labels = arrays[targets[0]]
    if len(labels) != len(data):
        raise InputError(
            f"{path} has {len(labels)} labels in {targets[0]!r} for {len(data)} rows; give one a "
            "row."
        )
    return replace(data, target=labels)


def _from_parts(path: Path, parts: Mapping[str, NDArray[Any]]) -> Dataset:
    """Rows with the parts that they come in; a part that is not there is cut from another."""
    shapes = {a.shape[1:] for a in parts.values()}
    if len(shapes) > 1:
        raise InputError(
            f"{path} has parts with rows of shapes {sorted(shapes)}; expected the same in each."
        )
    data = _dataset(path, np.concatenate(list(parts.values())))
    ends = np.cumsum([len(a) for a in parts.values()])
    rows = dict(zip(parts, np.split(np.arange(len(data)), ends[:-1]), strict=True))
    # What was held out stays held out: no row is tuned on and scored on, none of `test` is trained
    # on.
    cuts = [("train", "valid", 0.1)] if "valid" not in rows else []
    if "test" not in rows:
        cuts.insert(0, ("valid", "test", 0.5) if "valid" in rows else ("train", "test", 0.1))
    for source, new, share in cuts:
        left, cut = split_units(data.take(rows[source]), (1 - share, share), seed=0)
        rows[source], rows[new] = rows[source][left], rows[source][cut]
    return replace(data, parts=(rows["train"], rows["valid"], rows["test"]))


def _dataset(what: object, array: NDArray[Any]) -> Dataset:
    if array.ndim == 1 and not array.dtype.names:
        array = array[:, None]
    try:
        return as_dataset(array)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
