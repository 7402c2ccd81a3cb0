"""Arrays and frames into columns, and columns back into what came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .schema import DISCRETE, Column, Schema
from .values import as_objects

_FRAMES = ("pandas", "polars", "pyarrow")


@dataclass(frozen=True)
class Table:
    """What a container holds, before its columns are understood."""

    columns: dict[str, NDArray[Any]]
    like: str
    array: NDArray[Any] | None = None
    images: NDArray[Any] | None = None
    n_rows: int = 0
    declared: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def with_declared_levels(self, schema: Schema) -> Schema:
        """The order of levels that a frame's own categorical type declares, if it covers what was
        seen."""
        columns = []
        for column in schema.columns:
            levels = self.declared.get(column.name, ())
            if column.kind in DISCRETE and set(column.levels) <= set(levels):
                column = replace(
                    column, levels=levels, kind="binary" if len(levels) == 2 else "categorical"
                )
            columns.append(column)
        return replace(schema, columns=tuple(columns))


def columns_of(X: Any, names: Sequence[str] | None) -> Table:
    """The columns of an array, frame or mapping; `names` are for what has none of its own."""
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise TypeError("A sparse matrix was passed, but dense data is required. Use X.toarray().")
    if isinstance(X, Mapping):
        return Table({str(k): np.asarray(v) for k, v in X.items()}, "pandas")
    frame = None if isinstance(X, np.ndarray | list | tuple) else _frame(X)
    if frame is not None:
        return frame
    array = np.asarray(X)
    if np.iscomplexobj(array):
        raise InputError(
            "Complex data not supported; give real numbers, such as the real and imaginary parts as columns."
        )
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4:
        return Table({}, "numpy", images=array)
    if array.ndim != 2:
        raise InputError(
            f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either using "
            "array.reshape(-1, 1) "
            "if it has a single column, or array.reshape(1, -1) if it is a single row."
        )
    return _matrix(array, names)


def _matrix(array: NDArray[Any], names: Sequence[str] | None) -> Table:
    n, d = array.shape
    if names is None or len(names) != d:
        names = [f"x{j}" for j in range(d)]
    if array.dtype in (np.float32, np.float64):
        like, whole = f"numpy:{array.dtype.name}", array
    elif array.dtype.kind in "fiub":
        like, whole = "numpy:float64", array.astype(np.float64)
    else:
        return Table({name: array[:, j] for j, name in enumerate(names)}, "numpy:object", n_rows=n)
    return Table({name: whole[:, j] for j, name in enumerate(names)}, like, whole, n_rows=n)


def _frame(X: Any) -> Table | None:
    import narwhals as nw

    frame = nw.from_native(X, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(frame, nw.Series):
        frame = frame.alias(str(frame.name or "y")).to_frame()
    if not isinstance(frame, nw.DataFrame):
        return None
    columns: dict[str, NDArray[Any]] = {}
    declared: dict[str, tuple[Any, ...]] = {}
    for name in frame.columns:
        series = frame[name]
        numeric = series.dtype.is_numeric()
        if numeric and series.null_count():
            series = series.cast(nw.Float64)
        if numeric:
            values = series.to_numpy()
            values = (
                values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
            )
        else:
            values = as_objects(np.array(series.to_list(), dtype=object))
        if series.dtype in (nw.Categorical, nw.Enum):
            declared[str(name)] = tuple(series.cat.get_categories().to_list())
        columns[str(name)] = values
    return Table(columns, str(frame.implementation), n_rows=len(frame), declared=declared)


def rebuild(columns: Mapping[str, NDArray[Any]], schema: Schema, like: str) -> Any:
    """Columns in the kind of container that `like` names; whole-numbered columns of frames as
    integers."""
    kind, _, dtype = like.partition(":")
    if kind == "numpy":
        parts = [columns[c.name] for c in schema.columns]
        if any(p.dtype.kind != "f" for p in parts):
            return np.column_stack([p.astype(object) for p in parts])
        return np.column_stack(parts).astype(dtype if dtype != "object" else np.float64)
    typed = {c.name: _typed(c, columns[c.name]) for c in schema.columns}
    import narwhals as nw

    backend = kind if kind in _FRAMES else "pandas"
    return nw.from_dict(typed, backend=backend).to_native()


def _typed(column: Column, values: NDArray[Any]) -> Any:
    """A column's values as a frame should hold them."""
    if values.dtype.kind == "f":
        whole = (
            column.kind in ("count", "ordinal", "binary", "constant") or column.width is not None
        )
        if whole and len(values) and np.all(values == np.round(values)):
            return values.astype(np.int64)
        return values
    if all(isinstance(v, bool) for v in values):
        return values.astype(bool)
    return values.tolist()
