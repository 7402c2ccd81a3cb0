"""Rows without some of their columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from .contents import Contents, Held


def without(data: Held, names: Collection[str], why: str) -> Held:
    """The rows without columns of these names, in their container too; `why` they go, for the
    message where none is left.

    Raises:
        InputError: if there is no such column, or no other.
    """
    if not data.schema.columns:
        raise InputError(f"{why}, and the data are {data.schema}, which have no columns.")
    gone = {*data.schema.named_any(dict.fromkeys(names))}
    if not gone:
        return data
    gone |= {column.name for column in data.schema.columns if column.of in gone}
    schema = data.schema.with_every(c for c in data.schema.every if c.name not in gone)
    if not schema.columns:
        raise InputError(f"{why}, and no column is left. Give data with other columns too.")
    columns = {key: values for key, values in data.columns.items() if key not in gone}
    at = [i for i, c in enumerate(data.schema.columns) if c.name not in gone]
    array = None
    if data.array is not None:
        array = np.ascontiguousarray(data.array[:, at])
        columns = dict(zip(columns, array.T, strict=True))
    return replace(
        data,
        schema=schema,
        columns=columns,
        array=array,
        beside={key: values for key, values in data.beside.items() if key not in gone},
        stored={key: dtype for key, dtype in data.stored.items() if key not in gone},
        native=_native(data, gone),
    )


def _native(data: Contents, gone: Collection[str]) -> Any:
    """The container without columns."""
    every = data.schema.every
    if data.native is None:
        return None
    if isinstance(data.native, np.ndarray):
        among = every if data.native.shape[1] == len(every) else data.schema.columns
        return data.native[:, [i for i, c in enumerate(among) if c.name not in gone]]
    if isinstance(data.native, Mapping):
        labels = [column.label for column in every if column.name in gone]
        return {label: values for label, values in data.native.items() if label not in labels}
    import narwhals as nw

    left = [j for j, column in enumerate(data.stored) if column not in gone]
    return nw.from_native(data.native)[:, left].to_native()
