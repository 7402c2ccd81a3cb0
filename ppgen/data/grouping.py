"""Naming the groups that rows belong to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .contents import Held
from .leaving_out import without
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
    return _checked(replace(data, groups=settle("groups", labels).values))


def _by_column(data: Held, name: Any) -> Held:
    if not data.schema.columns:
        raise InputError(
            f"groups is {name!r}, a column's name, and the data are {data.schema}; give one label "
            "a row."
        )
    name = next(iter(data.schema.named_any({name: None})))
    why = f"groups is {name!r}, the only column; what rows belong to is not modelled"
    rest = without(data, [name], why)
    schema = replace(rest.schema, reading=replace(rest.schema.reading, groups=name))
    return replace(rest, schema=schema, groups=data.values(name))


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
