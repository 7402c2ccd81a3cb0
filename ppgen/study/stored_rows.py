"""Rows on disk: a data set, or samples, as arrays without any code in them.

Columns are stored by their place, names stand in the schema: a name may hold anything. Text is
stored as places among the schema's levels; arrays of objects, which need code to be read, do not
occur.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset, Schema
from ..data.dataset import PARTS
from ..data.values import is_gap
from ..errors import InputError
from ..files import whole_folder, write_bytes
from ..sealing import DAMAGED, damage, digests
from .cells import parts
from .store import read_json, write_json

Arrays = Mapping[str, NDArray[Any]]

_SCHEMA, _COLUMNS, _BLOCK, _PARTS = "schema.json", "columns.npz", "rows.npy", "parts.npz"
_TARGET, _GROUPS, _BESIDE, _FILES = "target.npy", "groups.npz", "beside.npz", "files.npy"


def save_dataset(folder: Path, data: Dataset) -> None:
    """Keep a whole data set; nothing is done where it is kept already.

    Raises:
        InputError: if what is kept was damaged.
    """
    if folder.exists():
        _checked(folder)
        return
    with whole_folder(folder) as made:
        blocks = data.images if data.images is not None else data.array
        if blocks is not None:
            _save_array(made / _BLOCK, blocks)
        else:
            save_arrays(made / _COLUMNS, pack(data))
        if data.beside:
            save_arrays(made / _BESIDE, _pack_beside(data))
        if data.parts is not None:
            save_arrays(made / _PARTS, dict(zip(PARTS, parts(data), strict=True)))
        if data.groups is not None:
            gaps = is_gap(data.groups)
            text = data.groups.dtype == object
            named = np.where(gaps, "", data.groups).astype(str) if text else data.groups
            save_arrays(made / _GROUPS, {"labels": named, "gaps": gaps})
        labels = _labels(data)
        if labels is not None:
            _save_array(made / _TARGET, labels)
        if data.files is not None:
            _save_array(made / _FILES, np.asarray(data.files, dtype=str))
        files = digests(made, made.iterdir())
        body = {"schema": data.schema.to_json(), "like": data.like, "files": files}
        write_json(made / _SCHEMA, body)


@lru_cache(maxsize=2)
def load_dataset(folder: Path) -> Dataset:
    """What `save_dataset` kept. An array is mapped, so that several workers share its pages.

    Raises:
        InputError: if it was damaged.
    """
    body = _checked(folder)
    schema = Schema.from_json(body["schema"])
    if (folder / _BLOCK).exists():
        block = np.asarray(np.load(folder / _BLOCK, mmap_mode="r", allow_pickle=False))
        if schema.image_shape is not None:
            data = Dataset(schema, like=body["like"], images=block)
        else:
            columns = dict(zip(schema.names, block.T, strict=True))
            data = Dataset(schema, columns, body["like"], block)
    else:
        data = replace(unpack(schema, load_arrays(folder / _COLUMNS)), like=body["like"])
    if (folder / _BESIDE).exists():
        data = replace(data, beside=_unpack_beside(schema, load_arrays(folder / _BESIDE)))
    if (folder / _PARTS).exists():
        held = load_arrays(folder / _PARTS)
        train, valid, test = (held[name] for name in PARTS)
        data = replace(data, parts=(train, valid, test))
    if (folder / _GROUPS).exists():
        held = load_arrays(folder / _GROUPS)
        groups = held["labels"]
        if groups.dtype.kind == "U":
            groups = groups.astype(object)
            groups[held["gaps"]] = None
        data = replace(data, groups=groups)
    if (folder / _TARGET).exists():
        data = replace(data, target=np.load(folder / _TARGET, allow_pickle=False))
    if (folder / _FILES).exists():
        data = replace(data, files=np.load(folder / _FILES, allow_pickle=False))
    return data


def _checked(folder: Path) -> dict[str, Any]:
    """What is said of a data set that is kept, all of whose files are as they were written."""
    body = read_json(folder / _SCHEMA)
    how = f"{_SCHEMA} {DAMAGED}" if body is None else damage(folder, body["files"])
    if body is None or how is not None:
        raise InputError(
            f"the copy of the data in {folder} is damaged: {how}. Remove this folder, and run the "
            "study again with its data."
        )
    return body


def pack(data: Dataset) -> dict[str, NDArray[Any]]:
    """The columns or images as plain arrays: numbers as they are, the rest as places of levels."""
    if data.images is not None:
        return {"images": np.asarray(data.images)}
    arrays: dict[str, NDArray[Any]] = {}
    for i, column in enumerate(data.schema.columns):
        values = data.columns[column.name]
        if values.dtype.kind == "f":
            arrays[f"x{i}"] = values
        else:
            place = {level: j for j, level in enumerate(column.levels)}
            codes = [-1 if v is None else place[v] for v in values]
            arrays[f"codes{i}"] = np.array(codes, np.int32)
    return arrays


def unpack(schema: Schema, arrays: Arrays) -> Dataset:
    """The data set that `pack` made arrays of."""
    if "images" in arrays:
        return Dataset(schema, images=arrays["images"])
    columns: dict[str, NDArray[Any]] = {}
    for i, column in enumerate(schema.columns):
        if f"x{i}" in arrays:
            columns[column.name] = arrays[f"x{i}"]
            continue
        levels = np.array([*column.levels, None], dtype=object)  # -1 picks the last
        columns[column.name] = levels[arrays[f"codes{i}"]]
    return Dataset(schema, columns)


def _pack_beside(data: Dataset) -> dict[str, NDArray[Any]]:
    """The columns that are left out, by which copies of rows are told apart: numbers as they are,
    text as its bytes end to end and their number a row, -1 for what is missing."""
    arrays: dict[str, NDArray[Any]] = {}
    for i, column in enumerate(data.schema.left_out):
        values = data.beside.get(column.name)
        if values is None:
            continue
        if values.dtype != object:
            arrays[f"x{i}"] = values
            continue
        raw = [None if v is None else str(v).encode("utf-8", "surrogatepass") for v in values]
        arrays[f"text{i}"] = np.frombuffer(b"".join(v for v in raw if v is not None), np.uint8)
        arrays[f"sizes{i}"] = np.array([-1 if v is None else len(v) for v in raw], np.int64)
    return arrays


def _unpack_beside(schema: Schema, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The columns that `_pack_beside` made arrays of."""
    beside: dict[str, NDArray[Any]] = {}
    for i, column in enumerate(schema.left_out):
        if f"x{i}" in arrays:
            beside[column.name] = arrays[f"x{i}"]
        elif f"text{i}" in arrays:
            raw, sizes = arrays[f"text{i}"].tobytes(), arrays[f"sizes{i}"]
            ends = np.cumsum(np.maximum(sizes, 0))
            texts = np.empty(len(sizes), dtype=object)
            for row, (size, end) in enumerate(zip(sizes.tolist(), ends.tolist(), strict=True)):
                if size >= 0:
                    texts[row] = raw[end - size : end].decode("utf-8", "surrogatepass")
            beside[column.name] = texts
    return beside


def save_arrays(file: Path, arrays: Arrays) -> None:
    """Write an npz whole or not at all."""
    out = BytesIO()
    np.savez(out, **dict(arrays))  # type: ignore[arg-type]
    write_bytes(file, out.getvalue())


def load_arrays(file: Path) -> dict[str, NDArray[Any]]:
    # Of bytes, as NumPy leaves a file open that it cannot read.
    with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def readable(file: Path) -> bool:
    """Whether a file of arrays, if it is there, can be read; each array has a checksum."""
    try:
        if file.exists():
            load_arrays(file)
    except Exception:  # whatever a parser makes of damaged bytes
        return False
    return True


def _labels(data: Dataset) -> NDArray[Any] | None:
    """The target as a plain array: a number or text a row, several numbers, or named fields."""
    labels = None if data.target is None else np.asarray(data.target)
    if labels is None or labels.ndim not in (1, 2) or len(labels) != len(data):
        return None
    if labels.ndim == 2 or labels.dtype.names:
        return None if labels.dtype.hasobject else labels
    return labels if labels.dtype.kind in "biufU" else np.array([str(v) for v in labels])


def _save_array(file: Path, array: NDArray[Any]) -> None:
    with file.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())
