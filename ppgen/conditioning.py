"""What a conditional fit conditions on: `y` as the numbers that a network reads.

Real columns are standardised; discrete ones become indicators. The fitted values of `y` are kept
with their shares, so that rows can be drawn without naming a `y`, and

    p(x) = sum_y p(y) p(x | y)

is exact where `y` is discrete. Where it is continuous, the fitted values are a sample of it, and
the sum over them is an estimate: with shares w_i, r_i = p(x | y_i) / p(x) and n rows, its relative
variance is sum_i w_i (r_i - 1)^2 / n, the delta method's for its logarithm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .checks import few_of_class
from .data import Codec, Dataset, Schema, as_dataset
from .data.infer import MOST_ORDINAL
from .data.reading import Reading
from .errors import InputError, did_you_mean
from .verdict import Reason

_MOST_ROWS = 1000  # distinct fitted values kept; more are thinned
_SHOWN = 20  # classes that an error names
_FAR = 1e6  # standard deviations from the fitted y, beyond which nets only overflow
_MOST_SUMMED = 64  # distinct values up to which p(x) is summed


class Conditioning(ABC):
    """What a conditional fit conditions on.

    Attributes:
        schema: the columns of `y`.
        values: (m, k) numbers of fitted `y`.
        shares: (m,) of the rows fitted.
        rows: how many rows these are; by weights, their effective number.
    """

    schema: Schema
    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    rows: float

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether the sum over the fitted values is all of p(x): whether y is discrete."""

    @abstractmethod
    def encode(self, y: Any, n: int | None = None) -> NDArray[np.float64]:
        """(n, k) numbers for `y`."""

    def read_as(self, reading: Reading) -> Self:
        """The same, which reads values as those of the column that it holds were read."""
        return self

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What a saved run keeps."""

    def reasons(self) -> list[Reason]:
        """What the fitted `y` say of the fit."""
        return []

    def table(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The fitted values and their log shares, where there are few enough to sum over."""
        if len(self.values) > _MOST_SUMMED:
            raise InputError(
                f"y was not given, and the fit is conditional on more than {_MOST_SUMMED} distinct "
                "values, too many to sum over; give y."
            )
        return self.values, np.log(self.shares)

    def stderr(self, logs: NDArray[np.float64], total: NDArray[np.float64]) -> Any:
        """(n,) standard errors of log p(x) as an estimate, `total`, from log p(x | y_i), (m, n) for
        the values of `table`; 0 where the sum is exact."""
        if self.exact:
            return np.zeros(len(total))
        r = np.exp(logs - np.where(np.isfinite(total), total, np.nan))
        return np.sqrt(self.shares @ np.square(r - 1) / self.rows)

    @property
    def words(self) -> str:
        """How a density without y comes about."""
        if self.exact:
            return "summed over y"
        return f"mean over {len(self.values)} fitted values of y"

    def draw(self, n: int, y: Any, rng: np.random.Generator) -> NDArray[np.float64]:
        """(n, k) numbers: those given, one row repeated, or drawn from the fitted ones."""
        if y is None:
            return self.values[rng.choice(len(self.values), size=n, p=self.shares)]
        rows = self.encode(y)
        if len(rows) == 1:
            return np.repeat(rows, n, axis=0)
        if len(rows) != n:
            raise InputError(f"y has {len(rows)} rows; expected 1 or n={n}.")
        return rows


@dataclass(frozen=True)
class Context(Conditioning):
    """The codec of `y`, with the fitted values (m, k) and their shares (m,), and of how many rows
    these are (by weights, their effective number)."""

    schema: Schema
    codec: Codec
    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    rows: float

    @classmethod
    def fit(cls, y: Any, n: int, weights: NDArray[np.float64] | None = None) -> Context:
        """The context of `y`, one a row, with the rows' weights."""
        data = _dataset(y, n, None)
        codec = Codec.fit(data, scaling="standard", discrete="native", weights=weights)
        if len(codec.empties) == len(data.schema.names):
            raise InputError(
                f"y has no value: all {n} are missing. Give one a row, or fit without y."
            )
        shares = np.ones(n) if weights is None else weights
        rows = _numbers(codec, data)[shares > 0]
        values, group = np.unique(rows, axis=0, return_inverse=True)
        counts = np.bincount(group.reshape(-1), weights=shares[shares > 0])
        if len(values) > _MOST_ROWS:
            kept = np.random.default_rng(0).choice(len(values), _MOST_ROWS, replace=False)
            values, counts = values[kept], counts[kept]
        effective = float(shares.sum() ** 2 / np.square(shares).sum())
        return cls(data.schema, codec, values, counts / counts.sum(), effective)

    def read_as(self, reading: Reading) -> Self:
        """The same, which reads values as those of the column that it holds were read."""
        own = reading.of_target(self.schema.names)
        return replace(self, schema=replace(self.schema, reading=own))

    @property
    def exact(self) -> bool:
        """Whether the sum over the fitted values is all of p(x): whether y is discrete."""
        return not self.codec.continuous_names

    def reasons(self) -> list[Reason]:
        """Classes of which there are few rows."""
        found: list[Reason] = []
        first = len(self.codec.continuous_names)
        for column in self.codec.discrete:
            last = first + len(column.levels)
            counts = self.rows * (self.shares @ self.values[:, first:last])
            first = last
            found += few_of_class(dict(zip(column.levels, counts, strict=True)), column.name)
        return found

    def encode(self, y: Any, n: int | None = None) -> NDArray[np.float64]:
        """(n, k) numbers for `y`."""
        return _numbers(self.codec, _dataset(y, n, self.schema))

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema.to_json(),
            "codec": self.codec.to_json(),
            "values": self.values.tolist(),
            "shares": self.shares.tolist(),
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Context:
        return cls(
            Schema.from_json(body["schema"]),
            Codec.from_json(body["codec"]),
            np.asarray(body["values"], dtype=np.float64),
            np.asarray(body["shares"], dtype=np.float64),
            float(body.get("rows", len(body["values"]))),
        )


def _dataset(y: Any, n: int | None, schema: Schema | None) -> Dataset:
    data = as_dataset(_as_columns(y, schema), schema)
    if schema is None:  # few whole numbers are classes, however rare some of them are
        few = [
            c.name for c in data.schema.columns if c.kind == "count" and _few(data.columns[c.name])
        ]
        data = data.override(dict.fromkeys(few, "ordinal")) if few else data
    if n is not None and len(data) != n:
        raise InputError(f"y has {len(data)} rows, X has {n}; give one y a row.")
    return data


def _few(values: NDArray[Any]) -> bool:
    return len(np.unique(values[~np.isnan(values)])) <= MOST_ORDINAL


def _as_columns(y: Any, schema: Schema | None) -> Any:
    """`y` as named columns; of one column the shape says nothing: (n,), (n, 1), a series and a
    frame of one column are the same, text and whole numbers with few values classes in each.

    A column that has no name bears that of the fit; one that the fit did not name may have any.
    """
    fitted = "y" if schema is None or len(schema.names) != 1 else schema.names[0]
    if isinstance(y, Mapping):
        return {fitted: next(iter(y.values()))} if len(y) == 1 and fitted == "y" else y
    import narwhals as nw

    native: Any = nw.from_native(y, pass_through=True, allow_series=True)
    if isinstance(native, nw.Series):
        name = fitted if schema is not None else str(native.name or fitted)
        return native.alias(name).to_frame().to_native()
    if isinstance(native, nw.DataFrame):
        one = schema is not None and len(native.columns) == 1 and fitted == "y"
        return native.rename({native.columns[0]: fitted}).to_native() if one else y
    values = np.atleast_1d(np.asarray(y))
    if values.ndim == 1 or values.shape[1:] == (1,):
        return {fitted: values.reshape(len(values))}
    return values


def _numbers(codec: Codec, data: Dataset) -> NDArray[np.float64]:
    encoded = codec.encode(data)
    if (encoded.codes == -2).any():
        name, (value, *_) = next(iter(codec.unseen(data).items()))
        known = codec.schema[name].levels
        shown = ", ".join(map(repr, known[:_SHOWN])) + ", ..." * (len(known) > _SHOWN)
        raise InputError(
            f"y has {value!r}, a class that the fit never saw; it saw {shown}."
            + did_you_mean(str(value), [str(level) for level in known])
        )
    if np.isnan(encoded.x).any() or (encoded.codes < 0).any():
        raise InputError("y has missing values; give a known value for each row.")
    if (far := np.argwhere(np.abs(encoded.x) > _FAR)).size:
        row, j = far[0].tolist()
        name = codec.continuous_names[j]
        raise InputError(
            f"y has {data.columns[name][row]:g} in row {row} (column {name!r}), more than {_FAR:g} "
            "standard deviations from what was fitted: nothing is known of rows given that. Mend "
            "it, or leave the row out."
        )
    blocks = [encoded.x.astype(np.float64)]
    for column, levels in enumerate(codec.n_levels):
        hot = np.zeros((len(data), levels))
        hot[np.arange(len(data)), encoded.codes[:, column]] = 1.0
        blocks.append(hot)
    return np.concatenate(blocks, axis=1)
