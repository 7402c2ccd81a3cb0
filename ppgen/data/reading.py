"""What is said of a source of rows before it is read, and kept with what was fitted to them: other
files are then read in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

from ..errors import InputError, unknown
from ..plain_json import PlainFields
from .notation import Notation


class Said(TypedDict, total=False):
    """What `read` takes of this; `Reading` has the meanings."""

    missing: Any
    decimal: str
    drop: Any
    target: str
    size: Any
    crop: bool
    skip_unreadable: bool


@dataclass(frozen=True)
class Reading(PlainFields):
    """How rows are read.

    Attributes:
        missing: what marks a missing value besides the usual markers: texts, and numbers such as
            "-999"; "age=-1" is a marker of the column age alone.
        decimal: what stands before the decimals of a text's numbers, "." or ","; "" reads it off
            the numbers.
        drop: columns that are left out.
        target: the column that is what to condition on, and not part of the rows; "" for none.
        groups: the column that says what rows belong to; "" for none.
        size: (height, width) that pictures are brought to; () leaves each its own.
        crop: whether pictures are cut around their middle to the proportions of `size`, and else
            squeezed; without a size, to the least height and width of them.
        skip_unreadable: whether pictures that cannot be read are left out.
        delimiter: what parted the fields of the text that was read; "" for a comma.
        notations: how the numbers of its columns were written, where this is not as programs do,
            such as "price=$#,##0.00" (see `notation`).
    """

    missing: tuple[str, ...] = ()
    decimal: str = ""
    drop: tuple[str, ...] = ()
    target: str = ""
    groups: str = ""
    size: tuple[int, ...] = ()
    crop: bool = False
    skip_unreadable: bool = False
    delimiter: str = ""
    notations: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Reading:
        """What was said, checked.

        Raises:
            InputError: for a word that is not known, or a value that it does not take.
        """
        found = ("groups", "delimiter", "notations")
        known = [f.name for f in fields(cls) if f.name not in found]
        for name in given:
            if name not in known:
                raise unknown("option of reading", name, (*known, "schema", "split_seed", "groups"))
        decimal = given.get("decimal") or ""
        if decimal not in ("", ".", ","):
            raise InputError(f"decimal is {decimal!r}; expected '.' or ','.")
        target = given.get("target")
        return cls(
            _markers(given.get("missing")),
            decimal,
            tuple(map(str, _listed(given.get("drop")))),
            "" if target is None else str(target),
            size=_sides(given.get("size")),
            crop=bool(given.get("crop")),
            skip_unreadable=bool(given.get("skip_unreadable")),
        )

    @property
    def pictures(self) -> bool:
        """Whether something is said of pictures."""
        return bool(self.size or self.crop or self.skip_unreadable)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The columns of the source that are not among those of the rows."""
        return (*self.drop, *filter(None, (self.target, self.groups)))

    def notation(self, name: str) -> Notation:
        """How the numbers of a column are written."""
        each = (text.rpartition("=") for text in self.notations)
        written = next((text for column, _, text in each if column == name), "")
        return Notation.read(written) if written else Notation(self._mark)

    @property
    def _mark(self) -> str:
        """The decimal mark of a column that shows none. Where commas part the fields it is a point,
        whatever was said of other files, unless other columns have commas."""
        notations = (Notation.read(text.rpartition("=")[2]) for text in self.notations)
        parted = self.delimiter or any(one.decimal == "," for one in notations)
        return (self.decimal if parted else "") or "."

    def renamed(self, called: Mapping[str, str]) -> Reading:
        """How columns are written that are called otherwise; of others only the decimals are
        known."""
        notations = tuple(f"{now}={self.notation(name)}" for name, now in called.items())
        return replace(self, notations=notations)

    @property
    def of_scores(self) -> Reading:
        """How what is computed of rows is written: with their decimals and separators."""
        return self.renamed({})

    def number(self, name: str, given: Any) -> Any:
        """A text, or each of a list, as the number of a column that it is; all else as it is."""
        if isinstance(given, list):
            return [self.number(name, value) for value in given]
        number = self.notation(name).number(given) if isinstance(given, str) else None
        return given if number is None else number

    def of_target(self, names: Sequence[str]) -> Reading:
        """What is kept of the columns that a fit conditions on; one may be called otherwise than
        the column was."""
        if not self.target or (self.target not in names and len(names) != 1):
            return Reading()
        name = self.target if self.target in names else names[0]
        return Reading(decimal=self.decimal, notations=(f"{name}={self.notation(self.target)}",))

    def again(self, said: Mapping[str, Any]) -> Said:
        """What `read` is told of rows for what was fitted to these: the same, and what is said of
        them besides. Columns that the fit left out stay in them, until they are matched."""
        more = Reading.of(said)
        return {
            "missing": (*self.missing, *more.missing),
            "decimal": more.decimal or self.decimal,
            "drop": more.drop,
            "size": more.size or self.size or None,
            "crop": more.crop if more.size else more.crop or self.crop,
            "skip_unreadable": more.skip_unreadable,
        }


def _listed(given: Any) -> list[Any]:
    """One value or several as a list."""
    if given is None:
        return []
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    return list(given) if several else [given]


def _sides(given: Any) -> tuple[int, ...]:
    """(height, width) from one number for both, or two."""
    if given is None or given == ():
        return ()
    pair = (given, given) if isinstance(given, int) and given is not True else given
    try:
        height, width = pair
        whole = int(height) == height and int(width) == width and min(height, width) >= 1
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise InputError(
            f"size is {given!r}; expected pixels, such as 64, or (height, width), such as (64, 48)."
        )
    return int(height), int(width)


def _markers(given: Any) -> tuple[str, ...]:
    """Markers as text, from one, several, or those of each column."""
    if isinstance(given, Mapping):
        return tuple(f"{name}={m}" for name, each in given.items() for m in _listed(each))
    return tuple(str(marker).strip() for marker in _listed(given))
