"""Naming the groups that rows belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .contents import Contents, Held
from .values import is_gap, settle


def grouped(data: Held, by: Any) -> Held:
    """The rows with labels of their groups; see `Dataset.grouped`."""
    if np.ndim(by) == 0 or (isinstance(by, tuple) and by in [c.label for c in data.schema.columns]):
        return _checked(_by_column(data, by))
    labels = np.asarray(by)
    if labels.shape != (len(data),):
        raise InputError(
            f"groups of shape {labels.shape} for {len(data)} rows; give a column's name, or one "
            "label a row."
        )
    if labels.dtype.kind in "mM":
        labels = labels.astype(str)
    return _checked(replace(data, groups=settle("groups", labels)[0]))


def _by_column(data: Held, name: Any) -> Held:
    if not data.schema.columns:
        raise InputError(
            f"groups is {name!r}, a column's name, and the data are {data.schema}; give one label "
            "a row."
        )
    name = data.schema[name].name
    schema = data.schema.select({*data.schema.names} - {name})
    if not schema.columns:
        raise InputError(
            f"groups is {name!r}, the only column; what rows belong to is not modelled. Give data "
            "with other columns too."
        )
    columns = {key: values for key, values in data.columns.items() if key != name}
    at = [i for i, c in enumerate(data.schema.columns) if c.name != name]
    array = None
    if data.array is not None:
        array = np.ascontiguousarray(data.array[:, at])
        columns = dict(zip(columns, array.T, strict=True))
    return replace(
        data,
        schema=schema,
        columns=columns,
        array=array,
        groups=data.columns[name],
        stored={key: dtype for key, dtype in data.stored.items() if key != name},
        native=_without(data, name, at),
    )


def _without(data: Contents, name: str, at: list[int]) -> Any:
    """The container without a column, which is the others `at` these places of the schema."""
    if data.native is None or isinstance(data.native, np.ndarray):
        return None if data.native is None else data.native[:, at]
    if isinstance(data.native, Mapping):
        gone = data.schema[name].label
        return {label: values for label, values in data.native.items() if label != gone}
    import narwhals as nw

    left = [j for j, column in enumerate(data.stored) if column != name]
    return nw.from_native(data.native)[:, left].to_native()


def _checked(data: Held) -> Held:
    if data.parts is None or data.groups is None:
        return data
    known = np.flatnonzero(~is_gap(data.groups))
    _, first, group = np.unique(
        data.groups[known].astype(str), return_index=True, return_inverse=True
    )
    part: NDArray[np.intp] = np.full(len(data), -1)
    for k, rows in enumerate(data.parts):
        part[rows] = k
    torn = np.flatnonzero(part[known][first][group] != part[known])
    if len(torn):
        raise InputError(
            f"the data come with parts of their own, and these divide the group "
            f"{data.groups[known[torn[0]]]!r}. Leave groups out, or give the rows without parts."
        )
    return data
