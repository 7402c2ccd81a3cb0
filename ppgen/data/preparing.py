"""Rows as a user says that they are to be read: markers of missing values, columns left out, the
column that is what to condition on."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, as_dataset
from .leaving_out import without
from .reading import Reading


def prepared(data: Dataset, said: Reading) -> Dataset:
    """The rows read as was said; their schema keeps it.

    Raises:
        InputError: if there is no such column, or the rows are no table.
    """
    if said == Reading():
        return data
    if not data.schema.columns and (said.missing or said.left_out):
        raise InputError(
            f"the data are {data.schema}, which have no columns; leave out "
            f"{', '.join(n for n in ('missing', 'drop', 'target') if getattr(said, n))}."
        )
    data = marked(data, said)
    target = data.target
    if said.target:
        target = data.values(next(iter(data.schema.named_any({said.target: None}))))
    if said.left_out:
        data = without(data, said.left_out, f"{', '.join(map(repr, said.left_out))} left out")
    read = data.schema.reading
    kept = replace(
        said,
        decimal=said.decimal or read.decimal,
        groups=read.groups,
        delimiter=read.delimiter,
        notations=read.notations,
    )
    return replace(data, target=target, schema=replace(data.schema, reading=kept))


def with_target(data: Dataset, name: str) -> Dataset:
    """Rows for a fit: the column that it conditions on, where they have it, is their target."""
    return replace(data, target=data.columns[name]) if name in data.schema.names else data


def marked(data: Dataset, said: Reading) -> Dataset:
    """The rows with missing values where there is a marker."""
    whole: dict[str, NDArray[Any]] = {}
    if not said.missing:
        return data
    for name, values in data.columns.items():
        gone = _marked(values, markers_of(said, name, data.schema.names))
        if gone.any():
            nothing: Any = None if values.dtype == object else np.nan
            whole[name] = np.where(gone, nothing, values)
    if not whole:
        return data
    held = as_dataset(data.replaced({**data.columns, **whole}))
    more = {"parts": data.parts, "target": data.target, "groups": data.groups, "notes": data.notes}
    return replace(held, split_seed=data.split_seed, **more)


def markers_of(said: Reading, name: str, names: Any) -> tuple[str, ...]:
    """The markers of a column: those of all columns, and its own."""
    own = []
    for marker in said.missing:
        column, equals, value = marker.rpartition("=")
        if not (equals and column in names):
            own.append(marker)
        elif column == name:
            own.append(value)
    return tuple(own)


def floats_of(markers: Collection[str]) -> list[float]:
    """The markers that are numbers."""
    numbers = []
    for marker in markers:
        with suppress(ValueError):
            numbers.append(float(marker))
    return numbers


def _marked(values: NDArray[Any], markers: tuple[str, ...]) -> NDArray[np.bool_]:
    """(n,) whether each value is one of the markers."""
    if values.dtype == object:
        known = set(markers)
        return np.array([v in known for v in values.tolist()], bool)
    return np.isin(values, np.array(floats_of(markers), values.dtype))
