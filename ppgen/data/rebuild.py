"""Columns back into the kind of container that the rows came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .schema import Column, Schema
from .values import is_gap


def rebuild(columns: Mapping[str, NDArray[Any]], schema: Schema, like: str) -> Any:
    """Columns as a container.

    Args:
        columns: name -> (n,) floats with NaN, or objects with None; as `Codec.decode` gives them.
        schema: what they are, and how they were stored.
        like: the kind of container, `Dataset.like`.

    Returns:
        (n, d) array of the given type; dict of arrays; or frame of pandas, Polars or Arrow, with
        its columns stored as they were where the values allow it.
    """
    kind, _, dtype = like.partition(":")
    if kind == "numpy":
        return _array([columns[name] for name in schema.names], schema, dtype)
    if kind == "dict":
        return {c.name: _dict_array(c, columns[c.name]) for c in schema.columns}
    if kind == "pandas":
        return _pandas(columns, schema)
    return narwhals_frame(columns, schema, kind)


def narwhals_frame(columns: Mapping[str, NDArray[Any]], schema: Schema, backend: Any) -> Any:
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
    out: list[Any] = values.tolist()
    if column.levels:
        level = {float(v): v for v in column.levels if not isinstance(v, str)}
        out = [level.get(v, v) for v in out]
        if not _stored_whole(column):
            out = [v if isinstance(v, bool) else float(v) for v in out]
    elif _stored_whole(column) and _whole(values, gaps) and _fits(values[~gaps]):
        out = [v if v != v else int(v) for v in out]
    return [None if gap else v for v, gap in zip(out, gaps, strict=True)]


def _stored_whole(column: Column) -> bool:
    return "int" in column.dtype.lower() or column.dtype in ("category", "object")


def _whole(values: NDArray[Any], gaps: NDArray[np.bool_]) -> bool:
    return bool(np.all(gaps | (values == np.round(values))))


def _fits(values: NDArray[Any]) -> bool:
    return _fitting("int64", values) == "int64"


def _array(parts: list[NDArray[Any]], schema: Schema, dtype: str) -> NDArray[Any]:
    if any(part.dtype == object for part in parts) or dtype == "object":
        lists = [scalars(c, part) for c, part in zip(schema.columns, parts, strict=True)]
        out = np.empty((len(parts[0]), len(parts)), dtype=object)
        for j, values in enumerate(lists):
            out[:, j] = values
        return out
    return np.column_stack(parts).astype(dtype or np.float64, copy=False)


def _dict_array(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    gaps = is_gap(values)
    if values.dtype == object or gaps.any():
        return values
    if column.levels == (False, True):
        return values.astype(bool)
    if "int" in column.dtype and _whole(values, gaps):
        return values.astype(_fitting("int64", values))
    return values


def _pandas(columns: Mapping[str, NDArray[Any]], schema: Schema) -> Any:
    import pandas as pd

    return pd.DataFrame({c.name: _pandas_column(c, columns[c.name]) for c in schema.columns})


def _pandas_column(column: Column, values: NDArray[Any]) -> Any:
    import pandas as pd

    dtype, gaps = column.dtype, is_gap(values)
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
        if not _whole(values, gaps) or (gaps.any() and not nullable):
            return values
        if not nullable:
            return values.astype(_fitting(dtype, values))
        if not _fits(values[~gaps]):
            return values
    if nullable:
        return pd.Series(scalars(column, values), dtype=dtype)
    return values.astype(dtype) if dtype.startswith("float") else values


def _fitting(dtype: str, values: NDArray[Any]) -> str:
    """The integer type, or a wider one where samples left its range."""
    for wide in (dtype, "int64"):
        info = np.iinfo(wide)
        # The largest integer itself is no float; the next one is too large.
        if not len(values) or (values.min() >= info.min and values.max() < info.max):
            return wide
    return "float64"


def _narwhals_type(column: Column, values: list[Any]) -> Any:
    import narwhals as nw

    if column.dtype.startswith("Enum"):
        return nw.Enum([str(level) for level in column.levels])
    seen = [v for v in values if v is not None]
    found = getattr(nw, column.dtype.partition("(")[0], None)
    if seen and isinstance(seen[0], bool):
        return nw.Boolean
    if seen and isinstance(seen[0], str):
        return found if found in (nw.Categorical, nw.String) else nw.String
    if seen and all(isinstance(v, int) for v in seen):
        return found if column.dtype.startswith(("Int", "UInt")) else nw.Int64
    return found if column.dtype.startswith("Float") else nw.Float64
