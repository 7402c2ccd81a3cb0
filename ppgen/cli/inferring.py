"""`ppgen infer`: the posterior of a user's own model."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, did_you_mean
from .options import Decimal, Drop, Missing, Out, Seed, pairs, spread, value_of
from .output import INTERRUPTED, check_output, say, write_table

if TYPE_CHECKING:
    from ..data.named_arrays import NamedArrays
    from ..models.pair import PairFit

METHODS = "nuts, hmc, chees, svi, dadvi, laplace, pathfinder, smc, nested, importance or ais"


@dataclass(frozen=True)
class InferOptions:
    """The options of `ppgen infer`."""

    method: Annotated[str, typer.Option(help=f"{METHODS}; `--settings` lists what it takes.")] = (
        "nuts"
    )
    guide: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of SVI: a function of the file, or an autoguide such as normal or flow.  "
            "[default: chosen]",
        ),
    ] = None
    backend: Annotated[str, typer.Option(help="numpyro or pyro: what the model is in.")] = "numpyro"
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting of the engine, or an argument of the model; repeatable.",
        ),
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(help="A duration such as 60s; what is drawn by then is kept."),
    ] = None
    drop: Drop = None
    missing: Missing = None
    decimal: Decimal = None
    settings: Annotated[
        bool, typer.Option("--settings", help="List the settings of the method; fit nothing.")
    ] = False
    seed: Seed = 0
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Save here.  [default: runs/DATA-MODEL]")
    ] = None
    output: Out = None


@spread
def infer(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE.py:MODEL",
            help="A function in a file of yours: the file is run. Or a pair that ships.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(
            help="A file of arrays: csv, tsv, parquet, npz, json (an object of arrays), json in "
            "a zip.",
            show_default=False,
        ),
    ] = None,
    options: InferOptions = InferOptions(),
) -> None:
    """Draw from the posterior of your own model, written in NumPyro or Pyro.

    This runs FILE.py as Python does: give files that you trust. The model's arguments are found
    by name among the columns or keys of DATA; one that is named X and is none of them takes all
    columns that no other argument takes, as a matrix.
    """
    check_output(options.output)
    if options.settings:
        from ..models.pair.engines import engine

        write_table(engine(options.method).settings.table(), options.output, pretty=True)
        return
    if model is None or data is None:
        raise InputError(
            "FILE.py:MODEL and DATA are missing; only `ppgen infer --settings` goes without."
        )
    from ..artifact import MANIFEST, check_free
    from ..data.named_arrays import read_named
    from ..models.pair import Pair

    name = model.rpartition(":")[2]
    target = options.out or Path("runs") / f"{Path(data).name.partition('.')[0]}-{name}"
    check_free(target)
    program, guide = _functions(model, options.guide, options.backend)
    if (target / MANIFEST).exists():
        say(f"{target} holds a run, which this one will replace.")
    given = {key: value_of(text) for key, text in pairs(options.set_, "--set").items()}
    pair = Pair(program, guide, options.backend)  # type: ignore[arg-type]
    arrays = read_named(data, drop=options.drop, missing=options.missing, decimal=options.decimal)
    for note in arrays.notes:
        say(f"{data}: {note}")
    arguments = _arguments(pair.model, arrays, given)
    fit = pair.fit(
        method=options.method,
        random_state=options.seed,
        budget=options.budget,
        progress=True,
        **given,
        **arguments,
    )
    fit.save(target)
    _tell(fit, target)
    table = fit.summary(round_to="none")
    columns = {"site": list(table.index), **{str(c): table[c].to_numpy() for c in table.columns}}
    write_table(columns, options.output, pretty=True)
    if fit.posterior.why == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _tell(fit: PairFit, target: Path) -> None:
    chains, draws = fit.shape
    say(f"{fit.method}: {chains} x {draws} draws in {fit.seconds:.1f} s; saved in {target}.")
    for reason in fit.verdict_.reasons:
        say(f"{reason.status}: {reason}")
    say(f"verdict: {fit.verdict_.status}")
    if (evidence := fit.log_evidence_) is not None:
        say(
            f"log evidence: {evidence.value:.3f} ± {evidence.stderr:.3f} nats "
            f"({evidence.kind.replace('_', ' ')})"
        )


# A user's functions


def _functions(model: str, guide: str | None, backend: str) -> tuple[Callable[..., Any] | str, Any]:
    """The model and guide that are named; a guide that is no function of the file is an
    autoguide's name.

    Raises:
        InputError: if there is neither.
    """
    from ..inference.posterior.guides import NAMES

    file, colon, name = model.rpartition(":")
    if not colon:
        if model.endswith(".py"):
            raise InputError(f"{model} names no function; give {model}:MODEL.")
        return model, guide
    functions = _run_file(Path(file))
    if name not in functions:
        raise InputError(
            f"{file} has no function {name!r}; it has {', '.join(functions) or 'none'}."
            + did_you_mean(name, functions)
        )
    if guide is not None and guide not in functions and guide not in NAMES.get(backend, ()):
        known = [*functions, *NAMES.get(backend, ())]
        raise InputError(
            f"guide {guide!r} is neither a function of {file} nor an autoguide; there is "
            f"{', '.join(known)}.{did_you_mean(guide, known)}"
        )
    return functions[name], functions.get(guide or "", guide)


def _run_file(path: Path) -> dict[str, Callable[..., Any]]:
    """The functions that a file of Python makes when it is run.

    Raises:
        InputError: if there is no such file, or it raises.
    """
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; give FILE.py:MODEL.")
    name = f"ppgen_infer_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no file of Python; give FILE.py:MODEL.")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)  # it may import what stands beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        own = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if Path(f.filename).name == path.name
        ]
        where = f" at line {own[-1].lineno}" if own else ""
        raise InputError(f"{path} raised {type(error).__name__}{where}: {error}.") from error
    finally:
        sys.path.remove(folder)
    return {n: value for n, value in vars(module).items() if callable(value) and n[0] != "_"}


# Its arguments


def _arguments(
    model: Callable[..., Any], data: NamedArrays, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The model's arguments, by name, out of the arrays of a file.

    Raises:
        InputError: if one that is needed is not there.
    """
    import numpy as np

    from ..models.pair.keywords import arguments

    names, anything = arguments(model)
    parameters = inspect.signature(model).parameters
    for name, value in given.items():
        default = parameters[name].default if name in parameters else None
        if isinstance(value, str) and isinstance(default, int | float):
            raise InputError(
                f"--set {name}={value} was given; expected a number, as its default {default} is."
            )
    wanted = [name for name in names if name not in given]
    found = {name: data.values[name] for name in wanted if name in data.values}
    if anything and not data.table:
        found |= {name: v for name, v in data.values.items() if name not in given}
    for name in wanted:
        if name in found:
            continue
        rest = {c: v for c, v in data.values.items() if c not in found and c not in given}
        if name == "X" and data.table and rest:
            text = [column for column, values in rest.items() if values.dtype.kind not in "fiub"]
            if text:
                raise InputError(
                    f"X takes all columns that no other argument takes, and {', '.join(text)} "
                    "holds no numbers. Encode it as whole numbers, or leave it out with --drop."
                )
            found[name] = np.column_stack([np.asarray(v, np.float64) for v in rest.values()])
            say(f"X has the columns {', '.join(rest)}.")
        elif parameters[name].default is inspect.Parameter.empty:
            raise InputError(
                f"the model's argument {name!r} is not in the data; they have "
                f"{', '.join(data.values)}.{did_you_mean(name, data.values)} Name a column so, or "
                f"give --set {name}=VALUE."
            )
    _tell_left(data, found, [name for name in wanted if name not in found])
    return found


def _tell_left(data: NamedArrays, found: Mapping[str, Any], absent: list[str]) -> None:
    """Which arguments keep their default, where the file has something that no argument takes."""
    taken = found if "X" not in found or not data.table else data.values
    left = [name for name in data.values if name not in taken]
    if left and absent:
        near = "".join(did_you_mean(name, left) for name in absent)
        say(
            f"left at their defaults, as the data do not have them: {', '.join(absent)}; no "
            f"argument takes {', '.join(left)}.{near}"
        )
