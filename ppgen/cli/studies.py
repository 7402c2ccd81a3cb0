"""Commands over many fits: `demo`, `study`, `report`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .options import Out, Settings, settings, spread
from .output import check_output, print_quietly, say, write_table
from .reading import DataOptions, read_data

if TYPE_CHECKING:
    from ..study import Event, StudyResult

_DEMO = ("toy:8gaussians", "wine")


@dataclass(frozen=True)
class StudyOptions:
    """The options of `ppgen study`."""

    models: Annotated[str, typer.Option(help="Names of models or families, comma between.")] = (
        "gaussian,independent,kde,gmm,bayesnet,flow"
    )
    seeds: Annotated[int, typer.Option(min=1, help="How many splits and starts.")] = 3
    budget: Annotated[str, typer.Option(help="A duration that each fit ends within.")] = "60s"
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The study's folder.")] = None
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Where fits run: 'dask' or the address of a Dask scheduler, tcp://host:port; "
            "local processes otherwise.",
        ),
    ] = None
    set_: Settings = None
    output: Out = None


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The study's folder.")] = Path(
        "runs/demo"
    ),
) -> int:
    """Run a small study on data that come with ppgen and its dependencies; about a minute."""
    say(f"A study of {', '.join(_DEMO)} in {out}:")
    result = _run({name: name for name in _DEMO}, out, StudyOptions(seeds=1, budget="20s"))
    truth = "\n".join(_truth(result, name) for name in _DEMO if name.startswith("toy:"))
    print_quietly(f"{result}\n{truth}\n\nreport: {result.report_path}")
    return _status(result)


@spread
def study(
    data: Annotated[list[str], typer.Argument(help="Files or built-in names.", show_default=False)],
    options: StudyOptions,
    reading: DataOptions,
) -> int:
    """Fit models to data with several seeds and compare them on held-out rows.

    The same command again does what is missing.
    """
    check_output(options.output)
    named = {_name(source): source for source in data}
    if len(named) < len(data):
        raise InputError(f"two of {', '.join(data)} have the same name; give each file its own.")
    folder = options.out or Path("runs") / f"study-{'-'.join(named).replace(':', '-')}"
    result = _run(named, folder, options, reading)
    _show(result, options.output)
    return _status(result)


@spread
def report(
    study: Annotated[
        Path, typer.Argument(help="A folder that study or fit wrote.", show_default=False)
    ],
    reading: DataOptions,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Of a fit: rows to set its samples beside, such as those fitted."
        ),
    ] = None,
    output: Out = None,
) -> int:
    """Write the report of a study anew, as far as it is done, and print its table.

    Of one fit, a page: its verdict, its training, what it makes, also at points of its training.
    """
    check_output(output)
    from ..artifact import MANIFEST
    from ..study import StudyResult
    from ..study import report as write_report
    from ..study.store import STUDY

    if (study / MANIFEST).exists():
        return _page(study, data, reading)
    if not (study / STUDY).exists():
        raise InputError(
            f"{study} holds neither a study nor a fit: it has no {STUDY} and no {MANIFEST}. Give "
            "the folder that one of them wrote."
        )
    if data is not None:
        raise InputError(
            f"--data {data} goes with the report of one fit; a study has its own rows. Leave it "
            "out, or give the folder of a fit."
        )
    write_report(study)
    result = StudyResult.load(study)
    _show(result, output)
    return _status(result)


def _page(run: Path, data: str | None, reading: DataOptions) -> int:
    from ..models import registry
    from ..study.run_page import run_page

    schema = registry.load(run).schema_
    rows = None if data is None else read_data(data, reading, schema)
    say(f"report: {run_page(run, rows)}")
    return 0


def _run(
    data: Mapping[str, str], out: Path, options: StudyOptions, reading: DataOptions | None = None
) -> StudyResult:
    from ..models import registry
    from ..study import run_study

    asked = [name.strip() for name in options.models.split(",") if name.strip()]
    names = list(dict.fromkeys(n for name in asked for n in registry.expand(name)))
    own = {model: s for model, s in settings(options.set_, names).items() if s}
    # Where there is no bar, each finished cell is a line.
    progress = True if sys.stderr.isatty() else _tell
    try:
        return run_study(
            {name: read_data(source, reading) for name, source in data.items()},
            names,
            seeds=options.seeds,
            budget=options.budget,
            out=out,
            settings=own,
            executor=options.executor,
            progress=progress,
        )
    except KeyboardInterrupt:
        say(f"what was finished is kept in {out}; the same command goes on from there.")
        raise


def _truth(result: StudyResult, name: str) -> str:
    """What the density that a toy is drawn from scores on the rows that were held out."""
    from ..data.builtin import load_builtin
    from ..data.toys import TOYS
    from ..density import mean_stderr
    from ..digits import plus_minus

    scored = [c.rows for c in result.cells if c.cell.data == name and c.rows is not None]
    if not scored:
        return ""
    rows = load_builtin(name).matrix()[scored[0]]
    values = TOYS[name.removeprefix("toy:")].log_density(rows)
    truth = plus_minus(float(values.mean()), mean_stderr(values))
    return f"{name}: the truth scores {truth} on these rows."


def _tell(event: Event) -> None:
    why = f" ({event.reason})" if event.reason else ""
    say(f"[{event.n_done}/{event.n_cells}] {event.cell}: {event.state}{why}")


def _show(result: StudyResult, output: Path | None) -> None:
    if output is None and sys.stdout.isatty():
        print_quietly(str(result))
    else:
        table = [
            {**row, "seeds": row["seeds"][1], "seeds_done": row["seeds"][0]} for row in result.table
        ]
        columns = {name: [row[name] for row in table] for name in table[0]}
        write_table(columns, output, computed=columns)
        say(result.finding)
    say(f"report: {result.report_path}")


def _status(result: StudyResult) -> int:
    failed = [cell for cell in result.cells if cell.state == "failed"]
    for cell in failed:
        say(f"ppgen: {cell.cell} failed: {cell.reason}")
    return 1 if failed else 0


def _name(source: str) -> str:
    return source if ":" in source or not Path(source).suffix else Path(source).stem
