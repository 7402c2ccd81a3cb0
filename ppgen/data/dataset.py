"""Rows with a schema, whatever container they came in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import html
from ..errors import InputError
from .column import CONTINUOUS
from .containers import read_table
from .contents import Contents, RowIndex
from .grouping import grouped
from .hashing import fingerprint
from .held import why_not
from .infer import infer_schema
from .mapped import take_rows
from .override import tied
from .pixels import shown_limits
from .rebuild import as_given, fill, rebuild
from .schema import Schema
from .schema_matching import check_support, complete, match, timed
from .stacking import as_several, in_layout
from .torch_rows import from_torch, is_torch_dataset, without_gradient
from .units import TOGETHER, split_units, unit_hashes
from .values import is_gap

PARTS = ("train", "valid", "test")

_SHOWN, _PICTURES = 5, 12  # rows that a notebook shows, and images


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Contents):
    """A table, images or sequences; `Contents` has the attributes.

    Made by `ppgen.read` and `as_dataset`.
    """

    @property
    def train(self) -> Dataset:
        """The rows to fit: those the source says, or 80% of them."""
        return self._part("train")

    @property
    def valid(self) -> Dataset:
        """The rows to tune on: those the source says, or 10% of them."""
        return self._part("valid")

    @property
    def test(self) -> Dataset:
        """The rows to score on: those the source says, or 10% of them."""
        return self._part("test")

    @cached_property
    def _parts(self) -> Sequence[RowIndex]:
        if self.parts is not None:
            return self.parts
        return split_units(self, (0.8, 0.1, 0.1), self.split_seed)

    def _part(self, name: str) -> Dataset:
        rows = self._parts[PARTS.index(name)]
        if not isinstance(rows, slice) and not len(rows):
            raise InputError(
                f"{len(self)} rows are too few to split: the {name} part is empty ({TOGETHER}). "
                "Give more rows."
            )
        return self.take(rows)

    def grouped(self, by: Any) -> Dataset:
        """The same rows in named groups, which no split parts and which count once in standard
        errors.

        Args:
            by: (n,) labels; or a column's name, such as "patient", which is then left out: what
                rows belong to is not modelled. Rows whose label is missing are in no group.

        Raises:
            InputError: if there is no such column, nothing is left beside it, the labels are not
                one a row, or the source's own parts divide a group.
        """
        return grouped(self, by)

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """(n,) numbers of what is one draw: copies of a row and rows of a group have the same."""
        return np.unique(unit_hashes(self), return_inverse=True)[1].astype(np.int64)

    def _repr_html_(self) -> str:
        what = f"{len(self)} rows"
        if not self.columns:
            said = html.line(f"{what}: {self.schema}", strong=True)
            return html.block(said, self._pictures(), *map(html.line, self.notes))
        shown = [
            ["" if v is None or v != v else c.shown(v) for v in self.columns[c.name][:_SHOWN]]
            for c in self.schema.columns
        ]
        return html.block(
            html.line(f"{what}, {len(self.schema.every)} columns", strong=True),
            html.table(self.schema.names, zip(*shown, strict=True)),
            html.folded("what each column is taken for", self.schema._repr_html_()),
            *map(html.line, self.notes),
        )

    def _pictures(self) -> str:
        """The first images; "" where there are none."""
        if self.images is None or not len(self):
            return ""
        some, pixels = np.asarray(self.images[:_PICTURES]), self.schema.pixels
        low, high = (some.min(), some.max()) if pixels is None else (pixels.low, pixels.high)
        return html.pictures(some, *shown_limits(some, float(low), float(high)))

    def matrix(self) -> NDArray[Any]:
        """(n, d) floats; the array itself where the rows came as one of floats. InputError if a
        column holds text."""
        if self.array is not None:
            return self.array
        if self.images is not None:
            return self.images.reshape(len(self), -1).astype(np.float64)
        if self.schema.sequence:
            raise InputError("sequences of different lengths are no matrix; use `.sequences`.")
        for name, values in self.columns.items():
            if values.dtype == object:
                raise InputError(
                    f"column {name!r} holds text; a matrix needs numbers. Drop it or encode it."
                )
        return np.column_stack(list(self.columns.values()))

    def to_native(self) -> Any:
        """The rows in the container they came in."""
        if self.native is not None:
            if self.native_rows is None:
                return self.native
            if isinstance(self.native, np.ndarray):
                return take_rows(self.native, self.native_rows)
            if isinstance(self.native, Mapping):
                return {label: values[self.native_rows] for label, values in self.native.items()}
            import narwhals as nw

            return nw.from_native(self.native)[self.native_rows].to_native()
        if self.images is not None:
            return in_layout(self.images, self.layout)
        if self.schema.sequence:
            dtype = np.float32 if self.like.endswith(":float32") else np.float64
            return [row.astype(dtype, copy=False) for row in self.sequences]
        return self.rebuild(self.columns)

    def rebuild(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """Other rows of these columns, in the same kind of container."""
        return rebuild(columns, self.schema, self.like)

    def replaced(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """These rows with other values: container, labels of rows and columns, their order and
        types as they were given."""
        if self.native is None or not self.stored:
            return self.rebuild(columns)
        if self.schema.left_out:
            return fill(self, self.to_native(), columns, gaps_only=False)
        if self.like.startswith("numpy"):
            return self.rebuild(columns)
        given, called = as_given(self), None
        if self.like == "pandas":
            called = self.native.columns[[name in given.names for name in self.stored]]
        return rebuild(columns, given, self.like, self.index, called)

    def filled(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """These rows with values in their gaps, those of name -> (n,) values, and all else as it
        was given."""
        whole = {
            name: np.where(is_gap(values), columns[name], values)
            for name, values in self.columns.items()
            if is_gap(values).any()
        }
        if self.native is None or not self.stored:
            return self.rebuild({**self.columns, **whole})
        return fill(self, self.to_native(), whole)

    def override(self, kinds: Mapping[Any, str | Mapping[str, Any]]) -> Dataset:
        """The same rows with other kinds for some columns, as `Schema.override` takes them;
        InputError names column and row of a value outside the support of its column."""
        kinds = self.schema.named_any(kinds)
        data = self.with_schema(timed(self, self.schema.override(kinds)))
        columns = []
        for column in data.schema.columns:
            given = kinds.get(column.name, {"width": None})  # a kind given leaves the width open
            if column.kind in CONTINUOUS and column.kind != "count" and "width" not in given:
                values = data.columns[column.name]
                column = tied(column, values, stated="atoms" in given)
            columns.append(column)
        return data.with_schema(replace(data.schema, columns=tuple(columns)))

    def with_schema(self, schema: Schema) -> Dataset:
        """The same rows under a schema; levels it leaves open are read off the values. InputError
        if the columns do not match, or a value is outside the support of its column."""
        data = match(self, schema)
        data = replace(data, schema=complete(data.columns, schema))
        check_support(data.columns, data.schema)
        return data

    def fingerprint(self) -> str:
        """SHA-256 of the schema and the contents, in hexadecimal."""
        return fingerprint(self)

    @classmethod
    def one_row(cls, schema: Schema, given: Mapping[Any, Any]) -> Dataset:
        """One row that holds the given values and is missing elsewhere; InputError if a column is
        unknown, or a value is one that the column cannot have."""
        row = {name: np.array([None], dtype=object) for name in schema.names}
        for name, value in schema.named(given).items():
            if (of := schema[name].of) in schema.names:
                raise InputError(
                    f"{name!r} was given, a part of {of!r}, which cannot be given by itself. Give "
                    f"{of!r}, or of many rows keep those whose {schema[name].part} is {value!r}."
                )
            if reason := why_not(schema, name, value):
                raise InputError(f"{name}={value!r} was given: {reason}")
            row[name] = np.array([value], dtype=object)
        return as_dataset(row, schema)


def as_dataset(
    X: Any,
    schema: Schema | Mapping[Any, str | Mapping[str, Any]] | None = None,
    *,
    estimator: str = "the fit",
) -> Dataset:
    """Rows as a `Dataset`.

    Args:
        X: array (n, d), images (n, h, w), (n, c, h, w) or (n, h, w, c), nested lists, frame of
            pandas, Polars or Arrow, mapping of names to columns, `Dataset`, a picture of Pillow or
            a list of them, or a `Dataset` of torch, whose labels become the `target`.
        schema: what was fitted. Frames are matched to it by name, whatever their order; arrays by
            position. None reads it off the values; so does a mapping of columns to kinds, which
            take the place of those read off, as `Dataset.override` takes them.
        estimator: who asks, for the message on a wrong number of columns.

    Raises:
        InputError: if the rows cannot be read, or do not have the columns of the schema.
        TypeError: for sparse matrices, and values that are neither numbers nor text.
    """
    if isinstance(schema, Mapping):
        return as_dataset(X).override(schema) if schema else as_dataset(X)
    if isinstance(X, Dataset):
        return X if schema is None or X.schema == schema else match(X, schema, estimator)
    if is_torch_dataset(X):
        rows, target = from_torch(X)
        return replace(as_dataset(rows, schema, estimator=estimator), target=target)
    if isinstance(X, str | os.PathLike):
        raise InputError(f"{X!r} is a name, not rows; read them first: ppgen.read({str(X)!r}).")
    if schema is not None and schema.image_shape is not None:
        X = as_several(without_gradient(X), schema.image_shape)
    table = read_table(
        without_gradient(X), None if schema is None else [c.name for c in schema.every if not c.of]
    )
    if schema is not None:
        table.fit_to(schema)
    else:
        table.read_times()
    inferred = infer_schema(table) if schema is None or table.images is not None else Schema()
    left_out = [column.name for column in inferred.left_out]
    data = Dataset(
        inferred,
        {name: values for name, values in table.columns.items() if name not in left_out},
        table.like,
        array=table.array,
        images=table.images,
        beside={name: table.columns[name] for name in left_out},
        stored=table.dtypes,
        native=table.native,
        notes=tuple(
            f"the times of {name!r} are of several zones or distances from UTC; they are read, "
            "shown and written in UTC."
            for name in sorted(table.zones)
        ),
    )
    return data if schema is None else match(data, schema, estimator)


def split(
    data: Any,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    *,
    groups: Any = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of the train, valid and test parts, each ascending.

    Args:
        data: a `Dataset`, or what `as_dataset` takes.
        fractions: the shares of the parts, which sum to 1.
        seed: another seed gives another split.
        groups: a column's name or (n,) labels: rows of one label stay together. See
            `Dataset.grouped`.

    Raises:
        InputError: if the fractions are not positive or do not sum to 1, or a part is empty.
    """
    rows = as_dataset(data)
    rows = rows if groups is None else rows.grouped(groups)
    train, valid, test = split_units(rows, fractions, seed)
    if not (len(train) and len(valid) and len(test)):
        raise InputError(
            f"{len(train) + len(valid) + len(test)} rows are too few to split into "
            f"{' / '.join(f'{f:g}' for f in fractions)}: a part comes out empty ({TOGETHER}). "
            "Give more rows."
        )
    return train, valid, test
