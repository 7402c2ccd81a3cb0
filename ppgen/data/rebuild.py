"""Columns back into the kind of container that the rows came in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from . import column_labels, times
from .column import Column
from .contents import Contents
from .schema import Schema
from .values import is_gap

Columns = Mapping[str, NDArray[Any]]


def rebuild(
    columns: Columns, schema: Schema, like: str, index: Any = None, called: Any = None
) -> Any:
    """Columns as a container.

    Args:
        columns: name -> (n,) floats with NaN, or objects with None; as `Codec.decode` gives them.
        schema: what they are, how they were stored, and what the container called them.
        like: the kind of container, `Dataset.like`.
        index, called: the labels of rows and columns of a pandas frame; None numbers the rows, and
            takes the schema's for the columns.

    Returns:
        (n, d) array, dict of arrays or frame, stored as it was where the values allow it.
    """
    kind, _, dtype = like.partition(":")
    # Parts of times that are there themselves are in no container.
    shown = tuple(c for c in schema.columns if not c.of or c.of not in schema.names)
    schema = replace(schema, columns=shown)
    if kind == "numpy":
        return _array([columns[name] for name in schema.names], schema, dtype)
    if kind == "dict":
        return {c.label: _dict_array(c, columns[c.name]) for c in schema.columns}
    if kind == "pandas":
        return _pandas(columns, schema, index, called)
    return narwhals_frame(columns, schema, kind)


def as_given(data: Contents) -> Schema:
    """The columns that are modelled in the order of their container, with its labels and types.

    Gaps force whole numbers into floats and truth values into objects: such a column is of the
    type that was fitted.
    """
    given = data.native if isinstance(data.native, Mapping) else data.stored
    column_of = {c.name: c for c in data.schema.columns}
    columns = []
    for label, (name, dtype) in zip(given, data.stored.items(), strict=True):
        if name not in column_of:  # it is not modelled
            continue
        column, gaps = column_of[name], bool(is_gap(data.columns[name]).any())
        forced = gaps and dtype.startswith(("float", "object")) and _is_whole(column.dtype)
        form = "" if times.clock_of(dtype) else column.form
        forced = forced or bool(column.clock and not times.clock_of(dtype, form))
        dtype = column.dtype if forced else dtype
        written = column_labels.written(label, name)
        columns.append(replace(column, dtype=dtype, written=written, form=form))
    return replace(data.schema, columns=tuple(columns))


def fill(data: Contents, rows: Any, columns: Columns, *, gaps_only: bool = True) -> Any:
    """The container `rows` of these data with some columns replaced by others.

    All other columns, and all that a container holds besides, stay as they are; if `gaps_only`, so
    do the values beside the gaps, and the columns put in have no gaps.
    """
    kind, _, _ = data.like.partition(":")
    given = as_given(data)
    place = {name: j for j, name in enumerate(data.stored)}
    if kind == "numpy":
        out = np.array(rows)
        every = [column for column in data.schema.every if not column.of]
        among = every if out.shape[1] == len(every) else given.columns
        for j, column in enumerate(among):
            if column.name in columns:
                gaps = is_gap(data.columns[column.name]) if gaps_only else np.ones(len(out), bool)
                values = columns[column.name][gaps]
                out[gaps, j] = scalars(column, values) if out.dtype == object else values
        return out
    changed = [c for c in given.columns if c.name in columns]
    if kind == "dict":
        made = {c.label: _dict_array(c, columns[c.name]) for c in changed}
        for column in changed:
            if column.clock and gaps_only:
                gaps, kept = is_gap(data.columns[column.name]), np.array(rows[column.label])
                kept[gaps] = made[column.label][gaps]
                made[column.label] = kept
        return {**rows, **made}
    if kind == "pandas":
        frame = rows.copy()
        for column in changed:
            old = frame.iloc[:, place[column.name]]
            values = _pandas_column(_categories(column, old), columns[column.name])
            values = getattr(values, "array", values)
            if column.clock and gaps_only:
                gaps, kept = is_gap(data.columns[column.name]), old.array.copy()
                kept[gaps] = values[gaps]
                values = kept
            frame.isetitem(place[column.name], values)
        return frame
    import narwhals as nw

    series = []
    for column in changed:
        listed = scalars(column, columns[column.name])
        dtype = _narwhals_type(column, listed)
        one = nw.new_series(column.name, listed, dtype, backend=cast(Any, kind))
        if column.clock and gaps_only:
            gaps = is_gap(data.columns[column.name])
            at = np.flatnonzero(gaps).tolist()
            one = nw.from_native(rows)[column.name].scatter(at, one.filter(gaps.tolist()))
        series.append(one)
    return nw.from_native(rows).with_columns(*series).to_native()


def row_labels(rows: Any, n: int) -> Any:
    """The index of a frame or series of pandas with n rows; else None."""
    index = getattr(rows, "index", None) if hasattr(rows, "iloc") else None
    return index if index is not None and len(index) == n else None


def mixed_labels(X: Any) -> bool:
    """Whether a frame of pandas calls some columns by text and others not."""
    called = getattr(X, "columns", ()) if hasattr(X, "iloc") else ()
    return len({isinstance(label, str) for label in called}) == 2


def narwhals_frame(columns: Columns, schema: Schema, backend: Any) -> Any:
    """A frame of any library that narwhals can build; gaps are nulls."""
    import narwhals as nw

    values = {c.name: scalars(c, columns[c.name]) for c in schema.columns}
    types = {c.name: _narwhals_type(c, values[c.name]) for c in schema.columns}
    return nw.from_dict(values, types, backend=backend).to_native()


def scalars(column: Column, values: NDArray[Any]) -> list[Any]:
    """Values as Python scalars: levels themselves, int where stored so, None for gaps."""
    gaps = is_gap(values)
    if values.dtype == object:
        return list(values)
    if column.clock:
        return times.to_objects(values, column.dtype, column.form)
    out: list[Any] = values.tolist()
    if column.levels:
        level = {float(v): v for v in column.levels if not isinstance(v, str)}
        out = [level.get(v, v) for v in out]
        if not _stored_whole(column):
            out = [v if isinstance(v, bool) else float(v) for v in out]
    elif _stored_whole(column) and _integers("int64", values) == "int64":
        out = [v if v != v else int(v) for v in out]
    return [None if gap else v for v, gap in zip(out, gaps, strict=True)]


def _stored_whole(column: Column) -> bool:
    return "int" in column.dtype.lower() or column.dtype in ("category", "object")


def _is_whole(dtype: str) -> bool:
    """Whether a type holds whole numbers or truth values only."""
    return dtype.lower().startswith(("int", "uint", "bool"))


def _categories(column: Column, given: Any) -> Column:
    """The column with the categories of a pandas series, where these hold all of its levels."""
    known = tuple(getattr(getattr(given, "cat", None), "categories", ()))
    return replace(column, levels=known) if set(known) >= set(column.levels) else column


def _array(parts: list[NDArray[Any]], schema: Schema, dtype: str) -> NDArray[Any]:
    if np.dtype(dtype or float).kind in "mM":
        return np.column_stack([times.to_numpy(part, dtype) for part in parts])
    if any(part.dtype == object for part in parts) or dtype == "object":
        out = np.empty((len(parts[0]), len(parts)), dtype=object)
        for j, (column, part) in enumerate(zip(schema.columns, parts, strict=True)):
            out[:, j] = scalars(column, part)
        return out
    array = np.column_stack(parts)
    if np.dtype(dtype or float).kind == "f":
        return array.astype(dtype or np.float64, copy=False)
    if np.isnan(array).any():
        return array
    if dtype == "bool":
        return array.astype(bool) if np.isin(array, (0, 1)).all() else array
    return array.astype(_integers(dtype, array))


def _dict_array(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if column.clock and values.dtype != object:
        if not column.form and column.dtype.startswith(("datetime64", "timedelta64")):
            return times.to_numpy(values, column.dtype)
        return _objects(scalars(column, values))
    if values.dtype == object or is_gap(values).any():
        return values
    if column.levels == (False, True):
        return values.astype(bool)
    if "int" in column.dtype:
        return values.astype(_integers(column.dtype, values))
    return values.astype(column.dtype) if column.dtype.startswith("float") else values


def _objects(values: list[Any]) -> NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _pandas(columns: Columns, schema: Schema, index: Any, called: Any) -> Any:
    import pandas as pd

    values = [_pandas_column(c, columns[c.name]) for c in schema.columns]
    frame = pd.DataFrame(dict(enumerate(values)))
    if called is None:
        axis = column_labels.read_axis(schema.axis)
        given = [c.label for c in schema.columns]
        if len(axis) > 1:
            called = pd.MultiIndex.from_tuples(given, names=axis)
        elif given == [*range(len(given))] and not isinstance(given[0], bool):
            called = pd.RangeIndex(len(given), name=axis[0])
        else:
            mixed = len({isinstance(label, str) for label in given}) > 1
            dtype = object if mixed else None
            called = pd.Index(given, dtype, name=axis[0], tupleize_cols=False)
    frame.columns = called
    if index is not None:
        frame.index = index
    return frame


def _pandas_column(column: Column, values: NDArray[Any]) -> Any:
    import pandas as pd

    dtype, gaps = column.dtype, is_gap(values)
    if column.clock and values.dtype != object:
        return _pandas_times(column, values)
    if dtype == "category":
        levels = list(column.levels)
        ordered = column.kind == "ordinal"
        return pd.Categorical(scalars(column, values), categories=levels, ordered=ordered)
    if values.dtype == object or dtype == "object":
        series = pd.Series(scalars(column, values))
        known = dtype == "object" or dtype.startswith("string")
        return series.astype(dtype) if known else series
    if dtype.lower().startswith("bool"):
        plain = scalars(column, values)
        return pd.Series(plain, dtype="boolean" if dtype == "bool" and gaps.any() else dtype)
    nullable = dtype[:1].isupper() or "[" in dtype
    if "int" in dtype.lower():
        if nullable and _integers("int64", values) != "int64":
            return values
        if not nullable:
            return values if gaps.any() else values.astype(_integers(dtype, values))
    if nullable:
        return pd.Series(scalars(column, values), dtype=dtype)
    return values.astype(dtype) if dtype.startswith("float") else values


def _pandas_times(column: Column, values: NDArray[Any]) -> Any:
    import pandas as pd

    dtype = column.dtype
    if not column.form and dtype.startswith(("datetime64", "timedelta64")):
        series = pd.Series(times.to_numpy(values, dtype))
        zone = times.zone_of(dtype)
        return series if not zone else series.dt.tz_localize("UTC").dt.tz_convert(zone)
    listed = scalars(column, values)
    if column.form:  # text or objects
        series = pd.Series(listed, dtype=object)
        return series.astype(dtype) if dtype.startswith("str") else series
    import pyarrow as pa  # which such a frame needs itself

    return pd.Series(pd.array(listed, pd.ArrowDtype(pa.array(listed).type))).astype(dtype)


def _integers(dtype: str, values: NDArray[Any]) -> str:
    """The integer type, or a wider one, that holds numbers beside gaps; "float64" if none does."""
    known = values[~np.isnan(values)]
    for wide in (dtype, "int64") if np.all(known == np.round(known)) else ():
        info = np.iinfo(wide)
        # The largest integer of 64 bits is no float, and what it is rounded to is too large.
        highest = info.max if info.bits < 64 else info.max - 1024
        if not len(known) or (known.min() >= info.min and known.max() <= highest):
            return wide
    return "float64"


def _narwhals_type(column: Column, values: list[Any]) -> Any:
    import narwhals as nw

    if column.clock and not column.form:
        return _narwhals_time(column.dtype)
    if column.dtype.startswith("Enum"):
        return nw.Enum([str(level) for level in column.levels])
    seen = [v for v in values if v is not None]
    stored = getattr(nw, column.dtype.partition("(")[0], None)
    if seen and isinstance(seen[0], bool):
        return nw.Boolean
    if seen and isinstance(seen[0], str):
        return stored if stored in (nw.Categorical, nw.String) else nw.String
    if seen and all(isinstance(v, int) for v in seen):
        return stored if column.dtype.startswith(("Int", "UInt")) else nw.Int64
    return stored if column.dtype.startswith("Float") else nw.Float64


def _narwhals_time(dtype: str) -> Any:
    import narwhals as nw

    if dtype == "Date":
        return nw.Date
    unit = re.search(r"time_unit='(\w+)'", dtype)
    of_unit: Any = "us" if unit is None else unit[1]
    if dtype.startswith("Duration"):
        return nw.Duration(of_unit)
    return nw.Datetime(of_unit, times.zone_of(dtype) or None)
