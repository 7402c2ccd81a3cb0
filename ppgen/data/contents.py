"""What the rows of a data set hold, and the container they came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..thinning import thinned
from .mapped import take_rows
from .schema import Schema
from .stacking import Layout, layout_of

RowIndex = NDArray[Any] | slice  # a slice, numbers, or a mask


@dataclass(frozen=True, eq=False)
class Contents:
    """The fields of a `Dataset`, for the functions that it is made of.

    Values are kept as floats with NaN where missing (truth values as 0 and 1), or as text in object
    arrays with None where missing.

    Attributes:
        schema: what the columns are.
        columns: name -> (n,) values; empty for images and sequences.
        like: the container they came in, such as "numpy:float32" or "pandas".
        array: (n, d), the table as the one float array it came as, else None.
        images: (n, channels, height, width), else None.
        sequences: one float array (t,) or (t, channels) a row, else ().
        rates: samples per second of each sequence.
        target: labels that came with the rows and are no column, one a row, or None.
        parts: rows of the train, valid and test parts that the source itself has, or None.
        split_seed: the seed that splits the rows otherwise.
        groups: (n,) labels of what each row belongs to, numbers or texts, or None; see
            `Dataset.grouped`.
        files: (n,) the name of the file that each row came from, or None.
        notes: what there is to say of how the rows were read, such as lines that were left out.
        beside: name -> (n,) values of columns that the schema leaves out, where they are known.
        stored: name -> how the container stored the column, in the order of the container.
        native: the container itself, where there was one, and
        native_rows: the rows of it that these are; None for all.
    """

    schema: Schema
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    like: str = "pandas"
    array: NDArray[Any] | None = None
    images: NDArray[Any] | None = None
    sequences: tuple[NDArray[Any], ...] = ()
    rates: tuple[int, ...] = ()
    target: Any = None
    parts: tuple[RowIndex, RowIndex, RowIndex] | None = None
    split_seed: int = 0
    groups: NDArray[Any] | None = None
    files: NDArray[np.str_] | None = None
    notes: tuple[str, ...] = ()
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    stored: Mapping[str, str] = field(default_factory=dict, repr=False)
    native: Any = field(default=None, repr=False)
    native_rows: NDArray[np.intp] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        if self.images is not None:
            return len(self.images)
        if self.schema.sequence:
            return len(self.sequences)
        return len(next(iter(self.columns.values()), ()))

    def __repr__(self) -> str:
        what = f"{len(self.schema.columns)} columns" if self.schema.columns else str(self.schema)
        said = "".join(f"\n{note}" for note in self.notes)
        return f"{type(self).__name__}({len(self)} rows, {what}){said}"

    def values(self, name: str) -> NDArray[Any]:
        """(n,) values of a column, also of one that the schema leaves out."""
        return self.columns[name] if name in self.columns else self.beside[name]

    def take(self, rows: RowIndex) -> Self:
        """Some rows, by slice, numbers or mask; the schema stays as it is, and many images of a
        mapped file are copied to a temporary one (see `mapped`). InputError if no row is left."""
        numbers = np.arange(len(self))[rows]
        if not len(numbers):
            raise InputError("no rows are left; a data set has at least one. Take more rows.")
        if self.array is None:
            array = None
            columns = {name: values[rows] for name, values in self.columns.items()}
        else:
            array = self.array[rows]
            columns = dict(zip(self.columns, array.T, strict=True))
        images = self.images
        if images is not None:
            images = images[rows] if isinstance(rows, slice) else take_rows(images, numbers)
        native_rows = None
        if self.native is not None:
            native_rows = numbers if self.native_rows is None else self.native_rows[numbers]
        return replace(
            self,
            columns=columns,
            array=array,
            beside={name: values[rows] for name, values in self.beside.items()},
            images=images,
            sequences=tuple(self.sequences[i] for i in numbers) if self.sequences else (),
            rates=tuple(self.rates[i] for i in numbers) if self.rates else (),
            target=None if self.target is None else self.target[rows],
            parts=None,
            groups=None if self.groups is None else self.groups[rows],
            files=None if self.files is None else self.files[rows],
            native_rows=native_rows,
        )

    def thinned(self, most: int, rng: np.random.Generator) -> Self:
        """These rows, or `most` of them at random."""
        return self if len(self) <= most else self.take(thinned(len(self), most, rng))

    @property
    def index(self) -> Any:
        """The labels of the rows, where they came in a pandas frame, or the names of the files
        that they came from; else None."""
        if self.files is not None:
            import pandas as pd

            return pd.Index(self.files, name="file")
        index = getattr(self.native, "index", None) if self.like == "pandas" else None
        return index if index is None or self.native_rows is None else index[self.native_rows]

    @property
    def layout(self) -> Layout:
        """How the images came: "chw", "hwc" or "hw"."""
        if isinstance(self.native, np.ndarray) and self.native.ndim > 2:
            return layout_of(self.native.shape)
        return self.schema.layout


Held = TypeVar("Held", bound=Contents)  # a data set in, a data set out
