"""One column of a table: what its values are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ..errors import InputError, did_you_mean
from ..plain_json import PlainFields, plain
from . import column_labels, times

Continuous = Literal["real", "positive", "interval", "circular", "count", "time", "duration"]
Discrete = Literal["ordinal", "categorical", "binary"]
LeftOut = Literal["key", "text", "left out"]
Kind = Continuous | Discrete | Literal["constant", "empty"] | LeftOut
Scalar = str | float | int | bool

CONTINUOUS: tuple[Kind, ...] = get_args(Continuous)
DISCRETE: tuple[Kind, ...] = get_args(Discrete)
LEFT_OUT: tuple[Kind, ...] = get_args(LeftOut)
KINDS: tuple[Kind, ...] = (*CONTINUOUS, *DISCRETE, "constant", "empty", *LEFT_OUT)
LINEAR: tuple[Kind, ...] = ("real", "time", "duration")
MASS: tuple[Kind, ...] = ("count", *DISCRETE)


@dataclass(frozen=True)
class Column(PlainFields):
    """One column.

    Attributes:
        name: its name; "x0", "x1", ... for a plain array.
        kind: what its values are. Times are kept as seconds since 1970-01-01 UTC, durations as
            seconds (see `times`). Columns of kind key (their values only tell rows apart), text
            (too many levels for the rows) and "left out" (by the user) are no part of the model.
        missing: whether values are missing.
        lower, upper: the bounds of an interval column.
        period: the period of a circular column, such as 360.
        levels: the values of a discrete column in order, or the one value of a constant column.
        width: the rounding step of a continuous column whose values are tied on a grid.
        atoms: values of a continuous column that have a mass each: bounds that occur in the data,
            and what the user says.
        note: what is peculiar about it, such as a value that many rows share, or why it is left
            out.
        dtype: how the container stored it, so that samples are stored the same way.
        form: how times are written that are text or objects (see `times`).
        of, part: of a part of times, the column of these and which part it is (see `time_parts`).
        place: of a column that is left out, where it stands among all columns, from 0.
        written: what the container calls it, where that is not the name (see `column_labels`).
    """

    name: str
    kind: Kind = "real"
    missing: bool = False
    lower: float | None = None
    upper: float | None = None
    period: float | None = None
    levels: tuple[Scalar, ...] = ()
    width: float | None = None
    atoms: tuple[float, ...] = ()
    note: str = ""
    dtype: str = "float64"
    written: str = ""
    form: str = ""
    place: int = 0
    of: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"column {self.name!r} has kind {self.kind!r}; expected one of {', '.join(KINDS)}."
                + did_you_mean(str(self.kind), KINDS)
            )

    @property
    def label(self) -> Any:
        """What the container calls it: its name, or a number, a date, a tuple, None."""
        return column_labels.read(self.written, self.name)

    @property
    def numeric(self) -> bool:
        """Whether its values are kept as floats (truth values are, as 0 and 1)."""
        return not any(isinstance(level, str) for level in self.levels)

    @property
    def clock(self) -> times.Clock:
        """Whether its values are stored as times or durations, whatever its kind."""
        return times.clock_of(self.dtype, self.form)

    @property
    def zone(self) -> str:
        """The zone of its times, as `times.zone_info` knows it; "" for none."""
        return times.zone_of(self.dtype, self.form)

    @property
    def ends(self) -> tuple[float, ...]:
        """The finite ends of the range that its kind has."""
        if self.kind == "positive":
            return (0.0,)
        if self.kind != "interval" or self.lower is None or self.upper is None:
            return ()
        return self.lower, self.upper

    def shown(self, value: Scalar) -> str:
        """A value for the reader: times as such, numbers with six digits."""
        if isinstance(value, str | bool):
            return str(value)
        clock = self.clock
        if self.kind == "time" or self.kind == "duration":
            clock = clock or self.kind
        return times.in_words(value, clock, self.zone) if clock else f"{value:g}"

    def in_steps(self, width: float) -> str:
        """A rounding step for the reader."""
        return times.step_in_words(width) if self.kind in ("time", "duration") else f"{width:g}"

    def to_json(self) -> dict[str, Any]:
        """What differs from the defaults."""
        values = {f: getattr(self, f.name) for f in fields(self)}
        return {
            f.name: plain(value)
            for f, value in values.items()
            if f.name in ("name", "kind") or value != f.default
        }

    def __str__(self) -> str:
        shown = [self.shown(v) if self.clock else str(v) for v in self.levels[:5]]
        if len(self.levels) > 5:
            shown.append(f"... {len(self.levels)} levels")
        parts = (
            f"the {self.part} of {self.of}" if self.of else "",
            f"[{self.lower:g}, {self.upper:g}]" if self.kind == "interval" else "",
            f"period {self.period:g}" if self.kind == "circular" else "",
            f"in {self.zone}" if self.zone and not self.of else "",
            ", ".join(shown),
            "" if self.width is None else f"rounded to {self.in_steps(self.width)}",
            f"a mass at {' and '.join(map(self.shown, self.atoms))}" if self.atoms else "",
            "gaps" if self.missing else "",
            f"left out: {self.note}" if self.kind in LEFT_OUT else self.note,
        )
        return "; ".join(part for part in parts if part)
