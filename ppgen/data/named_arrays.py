"""Files as named arrays: what a model's arguments are found in, by name.

| ending | names |
|---|---|
| csv, tsv, parquet | columns, read as tables of rows are, whole numbers as such |
| npz | its arrays; one without dimensions is a number |
| json, json.zip | the keys of an object of numbers and lists, as Stan's data are written |
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

ENDINGS = (".csv", ".tsv", ".parquet", ".npz", ".json", ".zip")


@dataclass(frozen=True)
class NamedArrays:
    """Values by name; `table` says that each is a column of the same rows, `notes` what is to be
    said of how they were read."""

    values: dict[str, Any]
    table: bool
    notes: tuple[str, ...] = ()


def read_named(
    source: str,
    *,
    drop: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    decimal: str | None = None,
) -> NamedArrays:
    """The arrays of a file.

    Args:
        drop, missing, decimal: of a table, as `ppgen.read` takes them. Keys are kept: a model may
            want them.

    Raises:
        InputError: if there is no such file, or it cannot be read.
    """
    said = {"drop": drop, "missing": missing, "decimal": decimal}
    said = {name: value for name, value in said.items() if value}
    path = Path(source)
    if not path.is_file():
        raise InputError(f"there is no file {source!r}; give one that ends in {_words()}.")
    ending = path.suffix.lower()
    try:
        if ending in (".csv", ".tsv", ".parquet"):
            return _table(source, said)
        if said:
            raise InputError(
                f"{', '.join(said)} was given, and {source} is no table of rows; leave it out."
            )
        if ending == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                each = {name: arrays[name] for name in arrays.files}
            return NamedArrays({n: a if a.ndim else a.item() for n, a in each.items()}, table=False)
        if ending in (".json", ".zip"):
            return NamedArrays(_object(path), table=False)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source} cannot be read as {ending}: {error}.") from error
    raise InputError(f"{source} ends in {ending or 'nothing'}; expected {_words()}.")


def _words() -> str:
    return ", ".join(ENDINGS)


def _table(source: str, said: Any) -> NamedArrays:
    from .readers import read

    rows = read(source, **said)
    frame = rows.to_native()
    values = {str(name): frame[name].to_numpy() for name in frame.columns}
    return NamedArrays(values, table=True, notes=rows.notes)


def _object(path: Path) -> dict[str, Any]:
    text = path.read_bytes()
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".json")]
            if len(names) != 1:
                raise InputError(f"{path} holds {len(names)} JSON files; expected one.")
            text = archive.read(names[0])
    body = json.loads(text)
    if not isinstance(body, dict):
        raise InputError(f"{path} holds a {type(body).__name__}; expected an object of arrays.")
    return body
