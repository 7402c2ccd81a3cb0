"""Options that several commands have, and how `NAME=VALUE` is read."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from ..errors import InputError, did_you_mean, unknown

if TYPE_CHECKING:
    from ..data import Schema
    from ..estimator import Estimator
    from ..settings import Kind

_MOST_LEVELS = 8  # of a column, in a message
_TRUTH = {"1": "True", "0": "False"}


def _file(help_: str) -> Any:
    return typer.Option("--output", "-o", metavar="FILE", help=help_)


Data = Annotated[
    str,
    typer.Argument(help="A file, a folder of images, or a built-in name.", show_default=False),
]
Run = Annotated[Path, typer.Argument(help="A folder that fit or save wrote.", show_default=False)]
Out = Annotated[Path | None, _file("Write the table here: csv, tsv, parquet, npy, npz.")]
Samples = Annotated[
    Path | None,
    _file(
        "Write the rows here: a table as csv, tsv, parquet, npy, npz; images as npy, npz, one "
        "picture of all, png, or a picture of each in a folder that is not there yet."
    ),
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="Write numbers as programs do, 1234.5, with commas between fields; else they are "
        "written as in the file that was read, such as 1.234,50 € between semicolons.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of the model; repeatable."),
]
Asked = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option that the model of the fit has for this, such as refine=true of samples of "
        "a gan; `ppgen models MODEL` lists them. Repeatable.",
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option("--drop", metavar="NAME", help="A column to leave out; repeatable."),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="VALUE",
        help="What marks a missing value besides NA, N/A, null, ?, -- and the like, such as "
        "-999; NAME=VALUE for one column. Repeatable.",
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        "--decimal", help="The decimal mark, . or , where a text's numbers do not show it."
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Rows with the same value here belong together: they are fitted to or held out "
        "together and count once in standard errors. The column itself is not modelled.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
T = TypeVar("T")


def spread(command: Callable[..., T]) -> Callable[..., T]:
    """A command as typer reads it: an option for each field of its parameters that are
    dataclasses."""
    signature = inspect.signature(command, eval_str=True)
    plain: list[inspect.Parameter] = []
    fields: list[inspect.Parameter] = []
    options: dict[str, type[Any]] = {}
    for parameter in signature.parameters.values():
        if not is_dataclass(parameter.annotation):
            plain.append(parameter)
            continue
        options[parameter.name] = cast("type[Any]", parameter.annotation)
        fields += inspect.signature(options[parameter.name], eval_str=True).parameters.values()

    @wraps(command)
    def run(**words: Any) -> T:
        for name, made in options.items():
            words[name] = made(**{f: words.pop(f) for f in inspect.signature(made).parameters})
        return command(**words)

    run.__signature__ = signature.replace(parameters=[*plain, *fields])  # type: ignore[attr-defined]
    return run


def pairs(given: Sequence[str] | None, option: str, names: Sequence[str] = ()) -> dict[str, str]:
    """`NAME=VALUE` words as a dict; InputError for what is not such a word or stands twice. A name
    has no "=", but for those in `names`."""
    values: dict[str, str] = {}
    for word in given or ():
        known = max((name for name in names if word.startswith(f"{name}=")), key=len, default="")
        name, equals, value = (known, "=", word[len(known) + 1 :]) if known else word.partition("=")
        if not (equals and name.strip()):
            raise InputError(f"{option} {word!r} was given; expected NAME=VALUE.")
        if name.strip() in values:
            raise InputError(f"{option} gives {name.strip()!r} twice; give it once.")
        values[name.strip()] = value
    return values


def settings(given: Sequence[str] | None, models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Settings by model from `gmm.n_components=8`, or `n_components=8` for every model that has it.

    Raises:
        InputError: for a model that was not chosen, a setting that no chosen model has, or a value
            that it does not take.
    """
    from ..models import registry

    declared = {m: registry.settings(m) for m in models}
    known = {m: settings.names for m, settings in declared.items()}
    of_model: dict[str, dict[str, Any]] = {m: {} for m in models}
    for key, text in pairs(given, "--set").items():
        model, dot, name = key.rpartition(".")
        if name == "random_state":
            raise InputError(f"--set {key} was given; give --seed, or --seeds of a study.")
        dicts = [s.name for m in models for s in declared[m] if s.entries]
        if model.rpartition(".")[2] in dicts:
            whole = json.dumps({name: value_of(text)})
            raise InputError(
                f"--set {key} was given, and {model} is a dict; expected all of it, such as "
                f"--set '{model}={whole}'."
            )
        if dot and model not in known:
            raise InputError(
                f"--set {key} names the model {model!r}, which was not asked for; there is "
                f"{', '.join(known)}.{did_you_mean(model, known)}"
            )
        asked = [model] if dot else models
        having = [m for m in asked if name in known[m]]
        if not having:
            options = list(dict.fromkeys(p for m in asked for p in known[m]))
            raise InputError(
                f"there is no setting {name!r} of {' or '.join(asked)}; there is "
                f"{', '.join(options)}.{did_you_mean(name, options)}"
            )
        for m in having:
            of_model[m][name] = _read(text, declared[m].kind(name))
    for m in models:
        declared[m].check(of_model[m])
    return of_model


def _read(text: str, kind: Kind) -> Any:
    """The value of a setting: names of columns, comma between, need no quotes."""
    from ..settings import columns

    value = value_of(text)
    if kind is columns and isinstance(value, str) and "," in value:
        return [name.strip() for name in value.split(",")]
    return value


def asked(given: Sequence[str] | None, model: Estimator, method: str) -> dict[str, Any]:
    """Options of a method of a fitted model, as it declares them, from `refine=true`.

    Raises:
        InputError: for an option that the method lacks, or a value that it does not take.
    """
    options = {name: value_of(text) for name, text in pairs(given, "--set").items()}
    declared = model.capabilities.options[method]
    declared.check_names(f"{method} of a fit of {model.name}", options, "option")
    declared.check(options)
    return options


def value_of(text: str) -> Any:
    """What JSON reads it as: a number, list, true, false or null; anything else is text.

    Python's True, False and None, and tuples such as `(2, 1)` or `2, 1`, are taken as well.
    """
    with suppress(ValueError):
        return json.loads(text, parse_constant=_no_constant)
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, bool | int | float | list) else text


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def given_values(
    given: Sequence[str] | None, schema: Schema, context: Schema | None = None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """What is held fixed, from `species=Adelie`, typed as in the fit: values of columns, and the
    `y` of a conditional fit, whose columns `context` has."""
    of_y = () if context is None else context.names
    if given and not schema.columns and not of_y:
        raise InputError("--given holds columns fixed, and the fit is of images. Leave it out.")
    known = {*of_y, *(column.name for column in schema.every)}
    columns: dict[str, Any] = {}
    y: dict[str, Any] = {}
    for name, text in pairs(given, "--given", (*of_y, *schema.names)).items():
        if len(of_y) == 1 and name not in known:
            raise InputError(
                f"--given {name}={text} was given, and there is no {name!r}; what the fit is "
                f"conditional on is called {of_y[0]}: --given {of_y[0]}={text}."
                + did_you_mean(name, known)
            )
        if context is not None and name in of_y:
            y[name] = [_typed(name, text, context)]
        elif schema.columns:
            columns[name] = _held(name, text, schema)
        else:
            raise unknown("column of y", name, of_y)
    if missing := [name for name in of_y if y and name not in y]:
        raise InputError(
            f"--given names {', '.join(y)} and not {', '.join(missing)}; the fit is conditional on "
            "them all. Give each, or none."
        )
    return columns or None, y or None


def _held(name: str, text: str, schema: Schema) -> Any:
    """A value of a column of the fit; InputError, in the words of the option, for what the column
    cannot have."""
    from ..data.held import why_not

    column = schema[name]
    was = f"--given {name}={text}: column {name!r}"
    if column.levels and all(isinstance(v, str | bool) for v in column.levels):
        levels = [str(v) for v in column.levels]
        truth = any(isinstance(v, bool) for v in column.levels)
        level = _TRUTH.get(text, text.capitalize()) if truth else text  # JSON writes true
        if level not in levels:
            shown = ", ".join(map(repr, levels[:_MOST_LEVELS])) + ", ..." * (
                len(levels) > _MOST_LEVELS
            )
            raise InputError(
                f"{was} has {shown}, and {text!r} is a value that the fit never saw."
                + did_you_mean(text, levels)
            )
        return column.levels[levels.index(level)]
    value = _typed(name, text, schema)
    if reason := why_not(schema, name, value):
        raise InputError(f"--given {name}={text}: {reason}")
    return value


def _typed(name: str, text: str, schema: Schema) -> Any:
    """A value as text in the type of its column."""
    from ..data.held import why_not

    column = schema[name]
    levels = {str(v): v for v in column.levels}
    if text in levels or not column.numeric or column.kind == "time":
        return levels.get(text, text)
    value = schema.reading.notation(name).number(text)
    if value is None:
        raise InputError(f"--given {name}={text}: {why_not(schema, name, text)}")
    return value
