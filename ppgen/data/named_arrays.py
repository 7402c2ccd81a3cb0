"""Files as named arrays: what a model's arguments are found in, by name.

| ending | names |
|---|---|
| csv, tsv, parquet | columns, whole numbers as such |
| npz | its arrays; one without dimensions is a number |
| json, json.zip | the keys of an object of numbers and lists, as Stan's data are written |
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

ENDINGS = (".csv", ".tsv", ".parquet", ".npz", ".json", ".zip")


@dataclass(frozen=True)
class NamedArrays:
    """Values by name; `table` says that each is a column of the same rows."""

    values: dict[str, Any]
    table: bool


def read_named(source: str) -> NamedArrays:
    """The arrays of a file.

    Raises:
        InputError: if there is no such file, or it cannot be read.
    """
    path = Path(source)
    if not path.is_file():
        raise InputError(f"there is no file {source!r}; give one that ends in {_words()}.")
    ending = path.suffix.lower()
    try:
        if ending in (".csv", ".tsv", ".parquet"):
            return NamedArrays(_table(path, ending), table=True)
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


def _table(path: Path, ending: str) -> dict[str, Any]:
    import pandas as pd

    if ending == ".parquet":
        frame = pd.read_parquet(path)
    else:
        frame = pd.read_csv(path, sep="," if ending == ".csv" else "\t")
    if not len(frame):
        raise InputError(f"{path} has no rows below its header; give data with rows.")
    return {str(name): frame[name].to_numpy() for name in frame.columns}


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
