"""Options about DATA, and DATA read as they say."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import InputError
from .options import Decimal, Drop, Groups, Missing, pairs, value_of
from .output import say

if TYPE_CHECKING:
    from ..data import Dataset, Schema
    from ..data.reading import Said


@dataclass(frozen=True)
class DataOptions:
    """How DATA are read; a run keeps it for the files that are read for it."""

    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="What a column is: real, positive, count, ordinal, categorical, binary, time, key "
            "(left out), or with settings interval,lower=0,upper=1 or circular,period=360; "
            "repeatable. `ppgen inspect` shows what it is taken for.",
        ),
    ] = None
    drop: Drop = None
    missing: Missing = None
    decimal: Decimal = None
    target: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column to condition on; it is then not modelled."),
    ] = None
    groups: Groups = None
    size: Annotated[
        str | None,
        typer.Option(
            metavar="PIXELS",
            help="Bring pictures to this size while they are read: 64, or HEIGHTxWIDTH such as "
            "64x48.",
        ),
    ] = None
    crop: Annotated[
        bool,
        typer.Option(
            "--crop",
            help="Cut pictures around their middle to the proportions of --size, where they would "
            "be squeezed; without --size, to the least height and width of them.",
        ),
    ] = False
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable", help="Leave out pictures that cannot be read, and name them."
        ),
    ] = False

    @property
    def kinds(self) -> dict[str, dict[str, Any]]:
        """Kinds by column, with their settings."""
        return {name: _kind(name, text) for name, text in pairs(self.column, "--column").items()}

    def said(self) -> Said:
        """What `ppgen.read` takes."""
        words: dict[str, Any] = {
            "missing": self.missing,
            "decimal": self.decimal,
            "drop": self.drop,
            "target": self.target,
            "size": _size(self.size),
            "crop": self.crop,
            "skip_unreadable": self.skip_unreadable,
        }
        return cast("Said", {name: value for name, value in words.items() if value})


def _size(text: str | None) -> tuple[int, int] | None:
    """Pixels from 64 or 64x48."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise InputError(f"--size {text!r} was given; expected pixels, 64, or HEIGHTxWIDTH, 64x48.")
    return int(sides[0]), int(sides[-1])


def _kind(name: str, text: str) -> dict[str, Any]:
    """A kind with settings, from `circular,period=360`."""
    kind, *words = text.split(",")
    given = pairs(words, f"--column {name}={text}: the setting")
    return {"kind": kind.strip()} | {key: value_of(value) for key, value in given.items()}


def check_source(source: str) -> None:
    """Raise InputError, before anything heavy is loaded, where there is nothing to read."""
    from ..data.readers import check_source as check

    check(source)


def read_data(
    source: str,
    options: DataOptions | None = None,
    schema: Schema | None = None,
    split_seed: int = 0,
) -> Dataset:
    """Rows of a file or built-in, as the options say; with `schema`, as a fit has them, read as the
    rows that were fitted. What was left out of a file is said.

    Raises:
        InputError: if they cannot be read, or are not what the fit takes.
    """
    from ..data import as_dataset
    from ..data.preparing import with_target
    from ..data.read_images import LeftOut
    from ..data.readers import read

    options = DataOptions() if options is None else options
    said, kinds, groups = options.said(), options.kinds, options.groups
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOut)  # it is among the notes
        if schema is None:
            rows = read(source, schema=kinds, split_seed=split_seed, groups=groups, **said)
        elif schema.image_shape is not None:
            rows = read(source, schema=schema, split_seed=split_seed, groups=groups, **said)
        else:
            _check_kinds(kinds, schema)
            again = schema.reading.again(said)
            rows = read(source, split_seed=split_seed, groups=groups, **again)
            rows = with_target(rows, options.target or schema.reading.target)
    for note in rows.notes:
        say(f"{source}: {note}")
    matched = as_dataset(rows, schema)
    own = replace(matched.schema, reading=rows.schema.reading)  # how this file is written
    return replace(matched, schema=own)


def _check_kinds(kinds: dict[str, dict[str, Any]], schema: Schema) -> None:
    """Raise InputError where another kind is asked for than the fit has."""
    for name, given in kinds.items():
        if given["kind"] != schema[name].kind:
            raise InputError(
                f"--column {name}={given['kind']} was given, and the fit has it as "
                f"{schema[name].kind}. Leave it out, or fit anew with it."
            )
