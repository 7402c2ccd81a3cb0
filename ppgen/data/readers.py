"""Files, folders and built-in names into data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from ..errors import InputError, did_you_mean
from ..files import path_of
from .builtin import BUILTIN, load_builtin
from .dataset import Dataset, as_dataset
from .memory_limit import check_memory
from .preparing import prepared
from .read_arrays import read_idx, read_npy, read_npz
from .read_images import ENDINGS, read_image, read_tar, read_zip
from .read_media import read_folder, read_wav
from .read_tables import SHEETS, read_json, read_sheet, refuse
from .read_text import GZIP, UTF16, read_text
from .reading import Reading, Said
from .schema import Schema

Reader = Callable[..., Dataset]  # of a path; of text and pictures, also of what was said


def read(
    source: Any,
    *,
    schema: Schema | Mapping[str, str | Mapping[str, Any]] | None = None,
    split_seed: int = 0,
    groups: Any = None,
    **how: Unpack[Said],
) -> Dataset:
    """Read rows.

    Args:
        source: a file, a folder of images or recordings, a built-in name such as "wine" (a file of
            that name is "./wine"), or what `as_dataset` takes. Folders in a folder, or in a ZIP or
            TAR file, are classes, the `target`; `train`, `valid` and `test` above them are parts.
        schema: the schema that the rows have; or kinds that override the inferred ones, such as
            {"mass": "positive", "angle": {"kind": "circular", "period": 360}}.
        split_seed: the seed of `.train`, `.valid` and `.test`.
        groups: what rows belong to: a column's name, such as "patient", which is then left out of
            what is modelled, or (n,) labels. Parts never divide a group; see `Dataset.grouped`.
        how: `missing`, more markers of missing values than the usual ones, such as -999, or
            {"age": -1} for one column alone; `decimal`, "," or ".", where a text's numbers do not
            show it; `drop`, columns to leave out; `target`, the column to condition on, which
            becomes the data set's `target`. Of pictures `size`, pixels of both sides or (height,
            width) that they are brought to; `crop`, True to cut them around their middle to the
            proportions of `size` (without one, to the least height and width of them), which else
            are squeezed; `skip_unreadable`, True to leave out what cannot be read. A fit keeps them
            for files that are read for it, and so they are read under its schema.

    What is left out of a file or a folder is in `notes`; where that is pictures, a warning
    (`LeftOut`) says so.

    Raises:
        InputError: if there is no such file or name, it cannot be read, or its values do not fit
            the schema.
    """
    said = Reading.of(schema.reading.again(how) if isinstance(schema, Schema) else how)
    data = _open(source, said) if isinstance(source, str | os.PathLike) else as_dataset(source)
    if data.files is not None and data.images is not None and said.crop:
        said = replace(said, size=data.images.shape[2:])
    elif data.files is None and Reading.of(how).pictures:
        raise InputError(
            f"{source if isinstance(source, str | os.PathLike) else 'what was given'} holds no "
            "files of pictures, which size, crop and skip_unreadable are for; leave them out."
        )
    data = prepared(data, said)
    if groups is not None:
        data = data.grouped(groups)
    if isinstance(schema, Schema):
        data = data.with_schema(schema)
    elif schema:
        data = data.override(schema)
    return replace(data, split_seed=split_seed)


def check_source(source: str | os.PathLike[str]) -> Path:
    """The path of what is to be read, "." of what is built in; InputError if there is neither."""
    if isinstance(source, str) and (source in BUILTIN or source.startswith("toy:")):
        return Path()
    path = path_of(source, "the data")
    if not path.exists():
        raise _missing(str(source), path)
    return path


def _open(source: str | os.PathLike[str], said: Reading) -> Dataset:
    if isinstance(source, str) and (source in BUILTIN or source.startswith("toy:")):
        return load_builtin(source)
    path = check_source(source)
    try:
        reader = _reader(path)
        return reader(path, said) if reader in _AS_SAID else reader(path)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _missing(source: str, path: Path) -> InputError:
    """The error that there is no such file; of what may be a name, also that no such set is built
    in."""
    if path.suffix or path.name != source:
        if not path.parent.is_dir():
            return InputError(f"there is no file {source!r}: there is no folder {path.parent}.")
        beside = [other.name for other in path.parent.iterdir()]
        return InputError(
            f"there is no file {source!r} in {path.parent.resolve()}."
            + did_you_mean(path.name, beside)
        )
    named = sorted(other.name for other in Path().iterdir() if other.stem == source)
    return InputError(
        f"there is no file and no built-in data set {source!r}."
        + (f" Is it {named[0]!r}?" if named else did_you_mean(source, BUILTIN))
        + f" Built in are {', '.join(BUILTIN)}."
    )


def _reader(path: Path) -> Reader:
    """The function that reads what the path holds, by its name, else by its first bytes."""
    if path.is_dir():
        return read_folder
    for ending, reader in _BY_NAME:
        if re.search(ending, path.name.lower()):
            return reader
    refuse(path)
    with path.open("rb") as file:
        start = file.read(512)
    for at, mark, reader in _BY_START:
        if start.startswith(mark, at):
            return reader
    if b"\0" not in start:
        return read_text
    raise InputError(
        f"{path} is of no known format; read are CSV, TSV, TXT and JSON (also "
        ".gz), Excel, Parquet, NPY, NPZ, IDX, WAV, images, ZIP and TAR files of them, and folders "
        "of images or WAV files."
    )


def _read_parquet(path: Path) -> Dataset:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise InputError(
            f"{path}: reading Parquet needs pyarrow; install it with pip install 'ppgen[parquet]', "
            "or give the table as CSV."
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            groups = file.metadata
            size = sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups))
            check_memory(path, size)
            table = file.read()
    except (ValueError, OSError) as error:  # pyarrow's own errors are these
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no readable Parquet file: {error}") from None
    about = table.schema.pandas_metadata or {}
    labelled = any(isinstance(name, str) for name in about.get("index_columns", ()))
    return as_dataset(table.to_pandas() if labelled else table)


_BY_NAME: tuple[tuple[str, Reader], ...] = (
    (r"\.(tar(\.gz|\.bz2|\.xz)?|tgz|tbz2|txz)$", read_tar),
    (r"\.(csv|tsv|txt|dat|data|tab)(\.gz)?$", read_text),
    (rf"({'|'.join(map(re.escape, SHEETS))})$", read_sheet),
    (r"\.(json|jsonl|ndjson)(\.gz)?$", read_json),
    (r"\.npy(\.gz)?$", read_npy),
    (r"\.npz$", read_npz),
    (r"\.(parquet|pq)(\.gz)?$", _read_parquet),
    (r"\.wav(\.gz)?$", read_wav),
    (rf"({'|'.join(map(re.escape, ENDINGS))})$", read_image),
    (r"(idx\d[.-]ubyte|[.-]idx\d?)(\.gz)?$", read_idx),
)
_BY_START: tuple[tuple[int, bytes, Reader], ...] = (
    (0, b"\x93NUMPY", read_npy),
    (0, b"PK", read_zip),
    (0, b"PAR1", _read_parquet),
    (257, b"ustar", read_tar),
    (0, GZIP, read_text),
    *((0, mark, read_text) for mark in UTF16),
)
_AS_SAID: tuple[Reader, ...] = (
    read_text,
    read_sheet,
    read_json,
    read_folder,
    read_image,
    read_tar,
    read_zip,
)
