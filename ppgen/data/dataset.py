"""Rows with a schema, whatever container they came in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .containers import Table, columns_of, rebuild
from .infer import infer_schema
from .schema import DISCRETE, Column, Schema
from .splits import split_rows
from .values import as_floats, as_objects

Rows = NDArray[np.intp] | slice
_HASH_ROWS = 1 << 16


@dataclass(frozen=True)
class Dataset:
    """A table, images or sequences.

    Attributes:
        schema: what the columns are.
        columns: name -> (n,) values: floats with NaN where missing, or objects with None.
        like: the container they came in, such as "numpy:float32" or "pandas".
        array: the table as the one float array it came as, else None.
        images: (n, channels, height, width), else None.
        sequences: one float array a row, else ().
        rates: sampling rate of each sequence, in 1/s.
        target: labels that came with the rows and are no column, or None.
        parts: row numbers of the train, valid and test parts that the source itself defines, or
            None.
        split_seed: seed of the split otherwise.
    """

    schema: Schema
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    like: str = "pandas"
    array: NDArray[Any] | None = None
    images: NDArray[Any] | None = None
    sequences: tuple[NDArray[Any], ...] = ()
    rates: tuple[int, ...] = ()
    target: NDArray[Any] | None = None
    parts: tuple[Rows, Rows, Rows] | None = None
    split_seed: int = 0

    def __len__(self) -> int:
        if self.images is not None:
            return len(self.images)
        if self.schema.sequence:
            return len(self.sequences)
        return len(next(iter(self.columns.values()), ()))

    def take(self, rows: Rows) -> Dataset:
        """Some rows, with the schema as it is."""
        if self.array is None:
            columns = {name: values[rows] for name, values in self.columns.items()}
            array = None
        else:
            array = self.array[rows]
            columns = dict(zip(self.columns, array.T, strict=True))
        numbers = np.arange(len(self))[rows] if self.sequences else ()
        return replace(
            self,
            columns=columns,
            array=array,
            images=None if self.images is None else self.images[rows],
            sequences=tuple(self.sequences[i] for i in numbers),
            rates=tuple(self.rates[i] for i in numbers),
            target=None if self.target is None else self.target[rows],
            parts=None,
        )

    def split(self, seed: int | None = None) -> tuple[Dataset, Dataset, Dataset]:
        """Train, valid and test parts; those that the source defines where it does."""
        parts = self.parts
        if parts is None:
            parts = split_rows(self, seed=self.split_seed if seed is None else seed)
        train, valid, test = (self.take(rows) for rows in parts)
        return train, valid, test

    @cached_property
    def _split(self) -> tuple[Dataset, Dataset, Dataset]:
        return self.split()

    @property
    def train(self) -> Dataset:
        return self._split[0]

    @property
    def valid(self) -> Dataset:
        return self._split[1]

    @property
    def test(self) -> Dataset:
        return self._split[2]

    def matrix(self) -> NDArray[Any]:
        """(n, d) floats; without a copy where the rows came as one float array.

        Raises:
            InputError: if a column holds text.
        """
        if self.array is not None:
            return self.array
        for name, values in self.columns.items():
            if values.dtype.kind != "f":
                raise InputError(
                    f"column {name!r} holds text; a matrix needs numbers. Drop or encode it."
                )
        return np.column_stack(list(self.columns.values()))

    def to_native(self) -> Any:
        """The rows in the container they came in."""
        if self.images is not None:
            return self.images
        if self.schema.sequence:
            return list(self.sequences)
        return rebuild(self.columns, self.schema, self.like)

    def rebuild(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """Other rows of these columns, in the same kind of container."""
        return rebuild(columns, self.schema, self.like)

    def override(self, changes: Mapping[str, str | Mapping[str, Any]]) -> Dataset:
        """The same rows under a schema with some columns said otherwise; values are checked against
        it."""
        schema = self.schema.override(changes)
        columns = tuple(
            replace(c, levels=_levels_of(self.columns[c.name]))
            if c.kind in DISCRETE and not c.levels
            else c
            for c in schema.columns
        )
        return conform(self, replace(schema, columns=columns))

    def fingerprint(self) -> str:
        """SHA-256 of the schema and the contents, in hexadecimal."""
        digest = hashlib.sha256(json.dumps(self.schema.to_json(), sort_keys=True).encode())
        if self.schema.sequence:
            for sequence in self.sequences:
                digest.update(np.ascontiguousarray(sequence).data)
        blocks = self.images if self.images is not None else self.array
        if blocks is not None:
            for start in range(0, len(self), _HASH_ROWS):
                digest.update(np.ascontiguousarray(blocks[start : start + _HASH_ROWS]).data)
        else:
            for values in self.columns.values():
                if values.dtype.kind == "f":
                    digest.update(np.ascontiguousarray(values).data)
                else:
                    digest.update("\x1f".join(map(repr, values)).encode())
        return digest.hexdigest()

    @classmethod
    def one_row(cls, schema: Schema, given: Mapping[str, Any]) -> Dataset:
        """One row that holds the given values and is missing elsewhere."""
        columns = {c.name: np.array([given.get(c.name)], dtype=object) for c in schema.columns}
        return conform(cls(schema, columns), schema)


def as_dataset(X: Any, schema: Schema | None = None) -> Dataset:
    """Rows as a `Dataset`.

    Args:
        X: array (n, d) or of images (n, channels, height, width), frame of pandas, Polars or Arrow,
            mapping of columns, or `Dataset`.
        schema: what the rows must conform to; frames are matched by name. None reads it off the
            values.

    Raises:
        InputError: if the rows cannot be read, or do not conform.
    """
    if isinstance(X, Dataset):
        return X if schema is None or X.schema == schema else conform(X, schema)
    table = columns_of(X, None if schema is None else schema.names)
    if table.images is not None:
        _, channels, height, width = table.images.shape
        found = Schema(image_shape=(channels, height, width))
        return conform(Dataset(found, like=table.like, images=table.images), schema or found)
    _check_size(table)
    if schema is None:
        columns = {name: _parse(name, values) for name, values in table.columns.items()}
        schema = infer_schema(columns, array=table.like.startswith("numpy"))
        schema = table.with_declared_levels(schema)
        data = Dataset(schema, columns, table.like, table.array)
        return data if table.array is not None else conform(data, schema)
    return conform(Dataset(schema, table.columns, table.like, table.array), schema)


def conform(data: Dataset, schema: Schema) -> Dataset:
    """Rows as `schema` has them: its columns in its order, its types, values inside its supports.

    Raises:
        InputError: if columns are unknown or absent, or a value is of another type or outside its
            support.
    """
    if (data.images is None) != (schema.image_shape is None):
        raise InputError(
            f"the fit has {'images' if schema.image_shape else 'a table'}; the rows given are not. Give the same."
        )
    if data.images is not None:
        if data.images.shape[1:] != schema.image_shape:
            raise InputError(
                f"images of shape {data.images.shape[1:]} given; expected {schema.image_shape}. Resize them."
            )
        return replace(data, schema=schema)
    for name in data.columns:
        if name not in schema.names:
            raise InputError(
                f"column {name!r} was not in the fit, which has {', '.join(schema.names)}. Drop it."
            )
    for name in schema.names:
        if name not in data.columns:
            raise InputError(
                f"column {name!r} is absent; the fit has it. Add it, with missing values if it is not known."
            )
    columns = {c.name: _conformed(c, data.columns[c.name]) for c in schema.columns}
    same = (
        all(columns[n] is v for n, v in data.columns.items())
        and tuple(data.columns) == schema.names
    )
    return replace(data, schema=schema, columns=columns, array=data.array if same else None)


def _conformed(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if not column.numeric:
        return as_objects(values)
    if column.kind == "constant" and values.dtype.kind == "O":
        return (
            as_objects(values)
            if any(isinstance(v, str) for v in values)
            else as_floats(column.name, values)
        )
    floats = as_floats(column.name, values)
    if np.isinf(floats).any():
        row = int(np.argmax(np.isinf(floats)))
        raise InputError(
            f"column {column.name!r} holds infinity in row {row}; expected finite numbers. Drop "
            "the row or mark the value as missing."
        )
    outside = {
        "positive": floats <= 0,
        "count": (floats < 0) | (floats != np.round(floats)),
        "interval": (floats < (column.lower or 0)) | (floats > (column.upper or 0)),
    }.get(column.kind)
    if outside is not None:
        outside &= ~np.isnan(floats)
        if outside.any():
            row = int(np.argmax(outside))
            expected = {
                "positive": "numbers > 0",
                "count": "whole numbers >= 0",
                "interval": f"numbers from {column.lower} to {column.upper}",
            }[column.kind]
            raise InputError(
                f"column {column.name!r} holds {floats[row]:g} in row {row}; a {column.kind} "
                f"column takes {expected}. Correct the value or the kind."
            )
    return floats


def _levels_of(values: NDArray[Any]) -> tuple[Any, ...]:
    known = {v for v in values.tolist() if v is not None and v == v}
    return tuple(sorted(known, key=lambda v: (str(type(v)), v)))


def _parse(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "f":
        return values
    objects = as_objects(values)
    if any(isinstance(v, str | bool) for v in objects):
        return objects
    return as_floats(name, objects)


def _check_size(table: Table) -> None:
    d = len(table.columns)
    n = len(next(iter(table.columns.values()), ()))
    shape = f"(shape=({table.n_rows if d == 0 else n}, {d}))"
    if d == 0:
        raise InputError(
            f"0 feature(s) {shape} while a minimum of 1 is required. Give at least one column."
        )
    if n == 0:
        raise InputError(
            f"Found array with 0 sample(s) {shape} while a minimum of 1 is required. Give at least one row."
        )
