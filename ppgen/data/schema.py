"""What the columns of a table are.

A `Schema` is inferred from the values, printed, and overridden where it guessed wrong. Everything
that depends on the nature of a column (how it is encoded, whether its values are a density or a
mass, what may be sampled) reads it here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError, did_you_mean
from . import column_labels
from .column import CONTINUOUS, DISCRETE, Column
from .override import overridden
from .pixels import Pixels
from .reading import Reading
from .stacking import Layout


@dataclass(frozen=True)
class Schema:
    """The columns of a table, or the shape (C, H, W) and the values of images, or sequences.

    Attributes:
        columns: of a table.
        image_shape: (channels, height, width).
        sequence: whether rows are sequences.
        pixels: what the values of images are.
        axis: the names of the levels that labels of columns have (see `column_labels`).
        layout: how images came: "chw", "hwc", or "hw" without an axis for their one channel.
        reading: how other files with these columns are read; no part of what the columns are.
    """

    columns: tuple[Column, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    sequence: bool = False
    pixels: Pixels | None = None
    axis: str = ""
    layout: Layout = "chw"
    reading: Reading = field(default=Reading(), compare=False)

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            name = next(name for name in self.names if self.names.count(name) > 1)
            raise InputError(f"two columns are named {name!r}; give each its own name.")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def continuous(self) -> tuple[Column, ...]:
        """Columns of kind real, positive, interval, circular and count."""
        return tuple(c for c in self.columns if c.kind in CONTINUOUS)

    @property
    def discrete(self) -> tuple[Column, ...]:
        """Columns of kind ordinal, categorical and binary."""
        return tuple(c for c in self.columns if c.kind in DISCRETE)

    def __getitem__(self, key: Any) -> Column:
        """The column of a name, or of a label; InputError, naming the nearest, if there is none."""
        for column in self.columns:
            if isinstance(key, str) and column.name == key:
                return column
        for column in self.columns:
            if column.written and column_labels.same(column.label, key):
                return column
        shown = ", ".join(str(c.label) if not c.written else repr(c.label) for c in self.columns)
        raise InputError(
            f"there is no column {key!r}; there are {shown}." + did_you_mean(str(key), self.names)
        )

    def named(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        """What is given by label or name, by name; InputError for one unknown or given twice,
        and for what is no mapping."""
        if not isinstance(given, Mapping):
            raise InputError(
                f"{given!r} was given; expected values by column, such as "
                f"{{{self.names[0]!r}: ...}}."
            )
        by_name: dict[str, Any] = {}
        for key, value in given.items():
            name = self[key].name
            if name in by_name:
                raise InputError(f"column {name!r} is given twice; give it once.")
            by_name[name] = value
        return by_name

    def override(self, kinds: Mapping[Any, str | Mapping[str, Any]]) -> Schema:
        """The schema with other kinds for some columns.

        Args:
            kinds: column name or label -> kind, or -> {"kind": ..., "lower": ..., "upper": ...,
                "period": ..., "levels": ..., "width": ..., "atoms": ...}. An interval needs its
                bounds, a circular column its period. Atoms are values that have a mass of their
                own.

        The values are not looked at here; `Dataset.override` does, and fills in the levels of
        columns made discrete.

        Raises:
            InputError: for an unknown column, kind or setting.
        """
        changed = {name: overridden(self[name], as_) for name, as_ in self.named(kinds).items()}
        return replace(self, columns=tuple(changed.get(c.name, c) for c in self.columns))

    def select(self, names: Collection[str]) -> Schema:
        """The schema of some columns, in their order here."""
        return replace(self, columns=tuple(c for c in self.columns if c.name in names))

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        body: dict[str, Any] = {
            "columns": [column.to_json() for column in self.columns],
            "image_shape": None if self.image_shape is None else list(self.image_shape),
            "sequence": self.sequence,
            "pixels": None if self.pixels is None else self.pixels.to_json(),
        }
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
        )

    def __str__(self) -> str:
        if self.image_shape is not None:
            size = "images (C, H, W) = {} x {} x {}".format(*self.image_shape)
            return size if self.pixels is None else f"{size}, {self.pixels}"
        if self.sequence:
            return "sequences"
        wide = max((len(c.name) for c in self.columns), default=0)
        return "\n".join(f"{c.name:<{wide}}  {c.kind:<11}  {c}".rstrip() for c in self.columns)
