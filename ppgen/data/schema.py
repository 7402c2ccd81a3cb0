"""What the columns of a table are.

A `Schema` is inferred from the values, printed, and overridden where it guessed wrong. Everything
that depends on the nature of a column (how it is encoded, whether its values are a density or a
mass, what may be sampled) reads it here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import html
from ..errors import InputError, did_you_mean
from . import column_labels
from .column import CONTINUOUS, DISCRETE, LEFT_OUT, Column
from .override import overridden
from .pixels import Pixels
from .reading import Reading
from .stacking import Layout
from .time_parts import part_columns


@dataclass(frozen=True)
class Schema:
    """The columns of a table, or the shape (C, H, W) and the values of images, or sequences.

    Attributes:
        columns: of a table, those that are modelled.
        image_shape: (channels, height, width).
        sequence: whether rows are sequences.
        pixels: what the values of images are.
        axis: the names of the levels that labels of columns have (see `column_labels`).
        layout: how images came: "chw", "hwc", or "hw" without an axis for their one channel.
        reading: how other files with these columns are read; no part of what the columns are.
        left_out: columns that are no part of the model, such as keys; their `note` says why.
    """

    columns: tuple[Column, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    sequence: bool = False
    pixels: Pixels | None = None
    axis: str = ""
    layout: Layout = "chw"
    reading: Reading = field(default=Reading(), compare=False)
    left_out: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in (*self.columns, *self.left_out)]
        if len(set(names)) < len(names):
            name = next(name for name in names if names.count(name) > 1)
            raise InputError(f"two columns are named {name!r}; give each its own name.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are modelled."""
        return tuple(column.name for column in self.columns)

    @property
    def every(self) -> tuple[Column, ...]:
        """All columns in the order in which they came, those that are left out too; parts of
        times stand behind them."""
        every = list(self.columns)
        for column in sorted(self.left_out, key=lambda column: column.place):
            every.insert(column.place, column)
        return tuple(every)

    def with_every(self, every: Iterable[Column]) -> Schema:
        """The schema of these columns in the place of all: what is left out says their kind."""
        placed = [replace(c, place=i if c.kind in LEFT_OUT else 0) for i, c in enumerate(every)]
        kept = tuple(c for c in placed if c.kind not in LEFT_OUT)
        left_out = tuple(c for c in placed if c.kind in LEFT_OUT)
        return replace(self, columns=kept, left_out=left_out)

    @property
    def continuous(self) -> tuple[Column, ...]:
        """Columns of kind real, positive, interval, circular, count, time and duration."""
        return tuple(c for c in self.columns if c.kind in CONTINUOUS)

    @property
    def discrete(self) -> tuple[Column, ...]:
        """Columns of kind ordinal, categorical and binary."""
        return tuple(c for c in self.columns if c.kind in DISCRETE)

    def __getitem__(self, key: Any) -> Column:
        """The column of a name, or of a label, that is modelled; InputError, naming the nearest, if
        there is none, or saying why it is left out."""
        if (column := _called(key, self.columns)) is not None:
            return column
        if (column := _called(key, self.left_out)) is not None:
            raise InputError(
                f"column {column.label!r} is no part of the model: {column.note}. To model it, "
                f"give its kind: data.override({{{column.label!r}: 'categorical'}}), or as the "
                "schema of ppgen.read."
            )
        every = self.every
        shown = ", ".join(str(c.label) if not c.written else repr(c.label) for c in every)
        names = [column.name for column in every]
        raise InputError(
            f"there is no column {key!r}; there are {shown}." + did_you_mean(str(key), names)
        )

    def named(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        """What is given of modelled columns by label or name, by name; InputError for one unknown
        or given twice, and for what is no mapping."""
        return self._named(given, lambda key: self[key].name)

    def _named(self, given: Mapping[Any, Any], name_of: Callable[[Any], str]) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise InputError(
                f"{given!r} was given; expected values by column, such as "
                f"{{{self.names[0]!r}: ...}}."
            )
        by_name: dict[str, Any] = {}
        for key, value in given.items():
            name = name_of(key)
            if name in by_name:
                raise InputError(f"column {name!r} is given twice; give it once.")
            by_name[name] = value
        return by_name

    def override(self, kinds: Mapping[Any, str | Mapping[str, Any]]) -> Schema:
        """The schema with other kinds for some columns.

        Args:
            kinds: column name or label -> kind, or -> {"kind": ..., "lower": ..., "upper": ...,
                "period": ..., "levels": ..., "width": ..., "atoms": ..., "form": ...}. An interval
                needs its bounds, a circular column its period. Atoms are values that have a mass of
                their own. Kind "left out" takes a column out of the model, and another kind one
                that was left out into it. A form says how times are written as text, as `strftime`
                has it: {"kind": "time", "form": "%d/%m/%Y"}. Parts are circular columns beside
                times: {"kind": "time", "parts": ["hour", "weekday", "month"]}, see `time_parts`.

        The values are not looked at here; `Dataset.override` does, and fills in the levels of
        columns made discrete.

        Raises:
            InputError: for an unknown column, kind or setting.
        """
        named = self.named_any(kinds)
        every: list[Column] = []
        parts: list[Column] = []
        for column in self.every:
            if column.name in named:
                asked = named[column.name]
                settings = {"kind": asked} if isinstance(asked, str) else dict(asked)
                asked_parts = settings.pop("parts", ())
                column = overridden(column, settings)
                parts += part_columns(column, asked_parts)
            elif column.of and column.of in named:  # parts that are not asked for again
                continue
            every.append(column)
        schema = self.with_every([*every, *parts])
        if named and not schema.columns:
            raise InputError("all columns are left out; a model needs one. Leave one in.")
        return schema

    def named_any(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        """What is given of columns that are modelled or left out, by name, as `named` does."""

        def name_of(key: Any) -> str:
            column = _called(key, self.left_out)
            return self[key].name if column is None else column.name

        return self._named(given, name_of)

    def select(self, names: Collection[str]) -> Schema:
        """The schema of some columns, in their order here."""
        return replace(self, columns=tuple(c for c in self.columns if c.name in names), left_out=())

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        body: dict[str, Any] = {
            "columns": [column.to_json() for column in self.columns],
            "image_shape": None if self.image_shape is None else list(self.image_shape),
            "sequence": self.sequence,
            "pixels": None if self.pixels is None else self.pixels.to_json(),
        }
        if self.left_out:
            body["left_out"] = [column.to_json() for column in self.left_out]
        if self.axis:
            body["axis"] = self.axis
        if self.reading != Reading():
            body["reading"] = self.reading.to_json()
        return body if self.layout == "chw" else body | {"layout": self.layout}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Schema:
        """The schema that `to_json` wrote."""
        shape, pixels = body.get("image_shape"), body.get("pixels")
        return cls(
            tuple(Column.from_json(column) for column in body["columns"]),
            None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2])),
            bool(body.get("sequence", False)),
            None if pixels is None else Pixels(**pixels),
            body.get("axis", ""),
            body.get("layout", "chw"),
            Reading.from_json(body.get("reading", {})),
            tuple(Column.from_json(column) for column in body.get("left_out", ())),
        )

    def __str__(self) -> str:
        if self.image_shape is not None:
            size = "images (C, H, W) = {} x {} x {}".format(*self.image_shape)
            return size if self.pixels is None else f"{size}, {self.pixels}"
        if self.sequence:
            return "sequences"
        wide = max((len(c.name) for c in self.every), default=0)
        return "\n".join(f"{c.name:<{wide}}  {c.kind:<11}  {c}".rstrip() for c in self.every)

    def _repr_html_(self) -> str:
        if not self.every:
            return html.block(html.line(str(self)))
        return html.block(
            html.table(("column", "kind", ""), [(c.name, c.kind, c) for c in self.every])
        )


def _called(key: Any, columns: Iterable[Column]) -> Column | None:
    """The column of a name, else of a label; or None."""
    columns = tuple(columns)
    for column in columns:
        if isinstance(key, str) and column.name == key:
            return column
    for column in columns:
        if column.written and column_labels.same(column.label, key):
            return column
    return None
