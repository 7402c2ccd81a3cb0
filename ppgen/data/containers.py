"""Arrays and frames into columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import column_labels, time_text, times
from .column import CONTINUOUS, DISCRETE, Scalar
from .pillow_values import is_picture
from .schema import Schema
from .stacking import as_images, stack_images
from .values import COMPLEX, LARGEST, floats, settle


@dataclass
class RawTable:
    """What a container holds.

    Attributes:
        like: the kind of container: "numpy:float32", "numpy:int64", "numpy:object", "dict",
            "pandas", "polars", "pyarrow".
        columns: name -> (n,) floats, or text as objects.
        array: (n, d) floats, where it came as one array of numbers.
        images: (n, c, h, w), where it holds images.
        levels: declared levels of categorical and truth-valued columns.
        ordered: columns whose levels go from low to high.
        dtypes: how each column was stored, in the order given.
        clocks: columns of times and durations, kept as seconds -> their form (see `times`).
        beyond: columns of whole numbers beyond 2^53.
        notes: what else is to be said of a column.
        zones: columns of times that are of several zones.
        written: what columns are called that are not called by their name (see `column_labels`).
        axis: the names of the levels of these labels.
        native: the container itself.
    """

    like: str
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    array: NDArray[Any] | None = None
    images: NDArray[Any] | None = None
    levels: dict[str, tuple[Scalar, ...]] = field(default_factory=dict)
    ordered: set[str] = field(default_factory=set)
    dtypes: dict[str, str] = field(default_factory=dict)
    clocks: dict[str, str] = field(default_factory=dict)
    beyond: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    zones: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)
    axis: str = ""
    native: Any = None

    def add(self, label: Any, values: NDArray[Any], dtype: str = "") -> str:
        """Take a column in; its name."""
        label = column_labels.plain(label)
        name = str(label)
        if name in self.columns:
            other = column_labels.read(self.written.get(name, ""), name)
            alike = f" ({other!r} and {label!r} are written alike)" if other != label else ""
            raise InputError(f"two columns are named {name!r}{alike}; give each its own name.")
        if written := column_labels.written(label, name):
            self.written[name] = written
        settled = settle(name, values)
        self.columns[name] = settled.values
        self.dtypes[name] = dtype or str(values.dtype)
        if settled.truth:
            self.levels[name] = (False, True)
        if settled.beyond:
            self.beyond.add(name)
        if settled.form is not None:
            self.clocks[name] = settled.form
        if settled.zones:
            self.zones.add(name)
        return name

    def read_times(self) -> None:
        """Text that is all dates or times of one form, as seconds."""
        for name, values in self.columns.items():
            if values.dtype != object or name in self.levels:
                continue
            known = [v for v in values.tolist() if v is not None]
            if form := time_text.form_of(known):
                seconds = {v: time_text.read(v, form) for v in set(known)} | {None: np.nan}
                self.columns[name] = np.array([seconds[v] for v in values.tolist()], np.float64)
                self.clocks[name] = form
                if form.endswith("%z"):
                    self.zones.add(name)
            elif time_text.ambiguous(known):
                self.notes[name] = (
                    "day and month cannot be told apart; give the form, such as "
                    "{'kind': 'time', 'form': '%d/%m/%Y'}"
                )

    def fit_to(self, schema: Schema) -> None:
        """Truth values as text, for columns that a schema has as text; times without a zone in
        that of the schema's column. InputError where times stand in a column of other values."""
        known = {column.name: column for column in schema.every}
        for name in self.clocks.keys() & known.keys():
            column, values = known[name], self.columns[name]
            stored = times.clock_of(self.dtypes[name], self.clocks[name])
            if stored in (column.kind, column.clock):
                pass
            elif column.kind in DISCRETE:  # dates that are levels
                texts = times.to_objects(values, self.dtypes[name], self.clocks[name])
                self.columns[name] = np.array([v if v is None else str(v) for v in texts], object)
                continue
            elif column.kind in CONTINUOUS:
                raise InputError(
                    f"column {name!r} holds {stored}s, and the fit has it as {column.kind}. "
                    "Convert it as it was for the fit."
                )
            zone = times.zone_of(self.dtypes[name], self.clocks[name])
            if stored == "time" and not zone:
                self.columns[name] = times.in_zone(values, times.zone_of(column.dtype, column.form))
        self._spell_truths(schema)

    def _spell_truths(self, schema: Schema) -> None:
        for name, levels in self.levels.items():
            if levels == (False, True) and name in schema.names and not schema[name].numeric:
                text = np.array(["False", "True", None], dtype=object)
                values = self.columns[name]
                self.columns[name] = text[np.where(np.isnan(values), 2, values).astype(int)]


def read_table(X: Any, names: Sequence[str] | None = None) -> RawTable:
    """The columns or images of what `as_dataset` takes, which says what is refused; `names` are
    those of the columns of a plain array, "x0", "x1", ... where None."""
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required. "
            "Use '.toarray()' to convert it."
        )
    if isinstance(X, Mapping):
        table = _mapping(X)
    elif isinstance(X, np.ndarray | list | tuple) or is_picture(X):
        table = _array(X, names)
    else:
        frame = _frame(X)
        table = _array(X, names) if frame is None else frame
    _check_size(table)
    return table


def _mapping(X: Mapping[Any, Any]) -> RawTable:
    table = RawTable("dict", native={})
    lengths, index = set(), None
    for label, given in X.items():
        try:
            values = np.asarray(given)
        except ValueError:
            raise InputError(
                f"column {label!r} holds lists; expected one value a row, (n,)."
            ) from None
        if values.ndim != 1:
            raise InputError(
                f"column {label!r} has shape {values.shape}; expected one value a row, (n,)."
            )
        lengths.add(len(values))
        labels_of_rows = given.index if hasattr(given, "iloc") else index
        if index is not None and not index.equals(labels_of_rows):
            raise InputError(
                f"column {label!r} has other row labels than the columns before it; a mapping is "
                "read by position. Make it a frame, which brings them together: pd.DataFrame(X)."
            )
        index = labels_of_rows
        table.add(label, values)
        table.native[column_labels.plain(label)] = values
    if len(lengths) > 1:
        raise InputError(f"columns of {sorted(lengths)} values given; expected as many in each.")
    return table


def _array(X: Any, names: Sequence[str] | None) -> RawTable:
    if isinstance(X, np.ma.MaskedArray):
        numeric = X.dtype.kind in "fiub"
        X = np.ma.filled(X.astype(np.float64 if numeric else object), np.nan if numeric else None)
    X = stack_images(X)
    try:
        array = np.asarray(X)
        if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
            array = np.asarray(X, dtype=object)  # numbers beside text stay numbers
    except ValueError as error:
        raise InputError(
            f"rows of different lengths given; expected as many values in each. Of "
            f"sequences take ppgen.sequences(X). ({error})"
        ) from None
    if array.dtype.names:
        table = _mapping({name: array[name] for name in array.dtype.names})
        table.like, table.native = "pandas", None
        return table
    if array.dtype.kind == "c":
        raise InputError(COMPLEX)
    if array.ndim == 0 and array.dtype == object:
        what = "None" if X is None else f"a value of type {type(X).__name__}"
        raise InputError(
            f"{what} was given; expected rows: an array (n, d), a frame of pandas, Polars or "
            "Arrow, images, a mapping of names to columns, or what ppgen.read gives of a file."
        )
    if array.ndim in (3, 4):
        return RawTable(f"numpy:{array.dtype}", images=as_images(array), native=array)
    if array.ndim != 2:
        what = "scalar array" if array.ndim == 0 else f"{array.ndim}D array"
        raise InputError(
            f"Expected 2D array, got {what} instead. Reshape your data using "
            "array.reshape(-1, 1) if it has a single column, or array.reshape(1, -1) if it is a "
            "single row."
        )
    return _matrix(array, names)


def _matrix(array: NDArray[Any], names: Sequence[str] | None) -> RawTable:
    d = array.shape[1]
    if names is None or len(names) != d:
        names = [f"x{j}" for j in range(d)]
    if array.dtype.kind in "fiub":
        whole = floats(array)
        columns = {name: whole[:, j] for j, name in enumerate(names)}
        dtypes = dict.fromkeys(names, str(array.dtype))
        return RawTable(f"numpy:{array.dtype}", columns, whole, dtypes=dtypes, native=array)
    timed = array.dtype.kind in "mM"
    table = RawTable(f"numpy:{array.dtype if timed else 'object'}", native=array)
    for j, name in enumerate(names):
        table.add(name, array[:, j])
    if (
        not table.levels
        and not table.clocks
        and all(v.dtype != object for v in table.columns.values())
        and d
    ):
        return _matrix(np.column_stack(list(table.columns.values())), names)
    return table


def _frame(X: Any) -> RawTable | None:
    import narwhals as nw

    try:
        frame = nw.from_native(X, pass_through=True, allow_series=True)
    except nw.exceptions.DuplicateError as error:
        raise InputError(f"two columns have one name; give each its own. ({error})") from None
    if isinstance(frame, nw.Series):
        raise InputError(
            "one column given, expected a table. Reshape your data: make it a frame of one column "
            "(`.to_frame()`)."
        )
    if isinstance(frame, nw.LazyFrame):
        raise InputError("a lazy frame given; expected its rows. Collect it first (`.collect()`).")
    if not isinstance(frame, nw.DataFrame):
        return None
    library = str(frame.implementation)
    table = RawTable("pandas" if library in ("modin", "cudf") else library, native=X)
    if table.like == "pandas":
        table.axis = column_labels.write_axis(frame.to_native().columns.names)
    for label, series in zip(frame.columns, frame.iter_columns(), strict=True):
        _add_series(table, label, series)
    return table


def _add_series(table: RawTable, label: Any, series: Any) -> None:
    import narwhals as nw

    pandas, native = table.like == "pandas", series.to_native()
    categorical = series.dtype in (nw.Categorical, nw.Enum)
    beyond = series.dtype.is_integer() and _is_beyond(series)
    if series.dtype.is_numeric() and not isinstance(series.dtype, nw.Decimal):
        if series.null_count():
            series = series.cast(nw.Float64)
        values = series.to_numpy()
    elif series.dtype.is_temporal():
        values = times.of_series(series)
    else:
        values = np.empty(len(series), dtype=object)
        values[:] = series.to_list()
    dtype = "category" if pandas and categorical else str((native if pandas else series).dtype)
    name = table.add(label, values, dtype)
    if times.clock_of(dtype):
        table.clocks[name] = ""
    if beyond:
        table.beyond.add(name)
    if categorical and (pandas or series.dtype == nw.Enum):
        declared = native.cat.categories.tolist() if pandas else series.dtype.categories
        text = table.columns[name].dtype == object
        table.levels[name] = tuple(str(v) if text else v for v in declared)
        if pandas and native.cat.ordered:
            table.ordered.add(name)


def _is_beyond(series: Any) -> bool:
    low, high = series.min(), series.max()
    return low is not None and max(abs(int(low)), abs(int(high))) > LARGEST


def _check_size(table: RawTable) -> None:
    n, d = len(next(iter(table.columns.values()), ())), len(table.columns)
    if d == 0 and hasattr(table.native, "__len__"):
        n = len(table.native)
    given: tuple[int, ...] = (n, d)
    if table.images is not None:
        given, d = table.native.shape, math.prod(table.native.shape[1:])
    shape = f"(shape={given})"
    if d == 0:
        raise InputError(
            f"0 feature(s) {shape} while a minimum of 1 is required. Give at least one column."
        )
    if n == 0:
        raise InputError(
            f"Found array with 0 sample(s) {shape} while a minimum of 1 is required. "
            "Give at least one row."
        )
