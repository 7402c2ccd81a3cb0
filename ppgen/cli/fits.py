"""`ppgen models` and `ppgen fit`: what there is and can be set; fit one model and save it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..progress import Clock, duration
from .options import Data, Out, Seed, Settings, settings, spread
from .output import INTERRUPTED, check_output, say, write_table
from .reading import DataOptions, read_data
from .tables import named_labels, named_target, summarised, tell_khat
from .translating import Parts, check_domains, parted_pairs

if TYPE_CHECKING:
    from ..data import Dataset
    from ..estimator import Estimator

_SHOWN = 5  # labels
_ABLE = {
    "missing": "missing values",
    "weights": "weights",
    "given y": "given y",
    "given columns": "given columns",
    "fills gaps": "fills gaps",
    "images": "images",
    "latents": "latents",
    "samples": "samples",
}


def models(
    model: Annotated[
        str | None, typer.Argument(help="List what can be set of this one.", show_default=False)
    ] = None,
    output: Out = None,
) -> None:
    """List the models and what each can do, or what can be set of one.

    What is set of a method, such as `sample: refine`, `--set` of `ppgen sample` takes.
    """
    check_output(output)
    from ..models import registry

    if model is not None:
        table = registry.settings(model).table()
        for method, options in registry.settings(model).options.items():
            more = options.table()
            more["setting"] = [f"{method}: {name}" for name in more["setting"]]
            table = {head: cells + more[head] for head, cells in table.items()}
        write_table(table, output, pretty=True)
        return
    rows = registry.described()
    if output is None and sys.stdout.isatty():
        shown = {
            "model": [row["model"] for row in rows],
            "density": [row["density"].replace("_", " ") for row in rows],
            "can": [_can(row) for row in rows],
            "what": [row["what"] for row in rows],
        }
        write_table(shown, pretty=True)
        say("all columns: ppgen models -o FILE. What can be set of a model: ppgen models MODEL.")
        return
    write_table({key: [row[key] for row in rows] for key in rows[0]}, output)


def _can(row: Mapping[str, str]) -> str:
    """What a model can do, in words."""
    return ", ".join(words for name, words in _ABLE.items() if row[name] not in ("no", "none"))


@dataclass(frozen=True)
class FitOptions:
    """The options of `ppgen fit`."""

    set_: Settings = None
    settings: Annotated[
        bool, typer.Option("--settings", help="List what can be set of the model; fit nothing.")
    ] = False
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Save here.  [default: runs/DATA-MODEL]")
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(
            help="A duration such as 60s that the fit ends within, the reading of data and the "
            "loading of libraries included."
        ),
    ] = None
    conditional: Annotated[
        bool,
        typer.Option(
            "--conditional", help="Model rows given the label that comes with each, as y."
        ),
    ] = False
    to: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER",
            help="The second domain of a model that translates: what DATA is translated to. Of "
            "pairs, as many in the same order.",
        ),
    ] = None
    seed: Seed = 0
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Fit to every row; hold none out.")
    ] = False
    checkpoints: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep a long fit's state here, to go on after a stop."),
    ] = None
    output: Out = None


@spread
def fit(
    data: Data,
    model: Annotated[
        str, typer.Argument(help="A name that `ppgen models` lists.", show_default=False)
    ],
    options: FitOptions,
    reading: DataOptions,
) -> None:
    """Fit a model to 80 % of the rows, score it on the held-out tenth, and save it.

    The last tenth is for early stopping. Of very many held-out images, a thousand are scored.
    """
    clock = Clock(duration(options.budget))  # before anything heavy is loaded
    check_output(options.output)
    if options.settings:
        models(model, options.output)
        return
    own = settings(options.set_, [model])[model]
    from ..artifact import check_free
    from ..models import registry

    chosen, seed = registry.get(model), options.seed
    conditional = options.conditional or bool(own.get("conditional")) or bool(reading.target)
    if conditional and not chosen.capabilities.supervised:
        own |= _conditional(chosen)
    check_domains(chosen, options.to)
    name = Path(data).stem.replace(":", "-") or "data"  # of toy:rings as of rings.csv
    target = options.out or Path("runs") / f"{name}-{model}"
    check_free(target)
    rows = read_data(data, reading, split_seed=seed)
    parts, others = _parts(rows, options.all_rows), None
    if options.to is not None:
        other = read_data(options.to, split_seed=seed)
        say(f"{len(other)} rows of the second domain: {other.schema}")
        if chosen.capabilities.paired and not options.all_rows:
            parts, others = parted_pairs(rows, other, seed)
        else:
            others = _parts(other, options.all_rows)
    train, valid, test = parts
    columns = f". The columns:\n{rows.schema}" if rows.schema.columns else f": {rows.schema}."
    say(f"{len(rows)} rows, {len(train)} to fit{columns}")
    estimator: Any = chosen(**own, random_state=seed)
    y: Any = None
    validation: Any = valid if "validation" in estimator._uses() else None
    if chosen.capabilities.supervised or conditional:
        y, validation = _labelled(model, train, validation)
        say(f"{'Conditional on' if conditional else 'With'} {_in_words(y)}.")
    if others is not None:
        y, validation = others[0], None if valid is None else (valid, others[1])
    try:
        estimator.fit(
            train,
            y,
            validation=validation,
            budget=None if clock.budget is None else clock,
            checkpoint_dir=options.checkpoints,
            progress=True,
        )
    except KeyboardInterrupt as interrupt:
        say(str(interrupt))
        raise
    interrupted = estimator.interrupted_
    scored = None if test is None or interrupted else _scored(test, seed)
    estimator.save(target)
    for reason in estimator.verdict_.reasons:
        if str(reason) not in rows.notes:  # these were said when the rows were read
            say(f"{reason.status}: {reason}" if reason.checked else str(reason))
    scores = {} if scored is None else _score(estimator, scored)
    names = ("log_density", "stderr", "zero_rows", "kind", "measure", *scores)
    write_table(
        {
            "model": [model],
            "rows": [len(train)],
            "held_out": [0 if scored is None else len(scored)],
            **{name: [scores.get(name)] for name in names},
            "verdict": [estimator.verdict_.status],
            "fit_seconds": [round(estimator.fit_seconds_, 3)],
            "seconds": [round(clock.seconds(), 3)],  # since the command began
            "run": [str(target)],
        },
        options.output,
        pretty=True,
        computed=names,
    )
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _score(estimator: Any, rows: Dataset) -> dict[str, Any]:
    """What held-out rows come to: their log density, else their reconstruction error."""
    if estimator.capabilities.density is None:
        if not estimator.capabilities.errors:
            return {}
        return {"reconstruction_error": float(estimator.reconstruction_error(rows).mean())}
    density = estimator.log_density(rows, named_target(estimator, rows))
    if words := density.explained():
        say(words)
    tell_khat(density)
    return summarised(density, rows, "log_density")


def _scored(test: Dataset, seed: int) -> Dataset:
    """All held-out rows, or so many of very many images."""
    import numpy as np

    from ..study.held_out_scores import scored_rows

    chosen = scored_rows(test, np.arange(len(test)), seed)
    if len(chosen) < len(test):
        say(f"{len(chosen)} of {len(test)} held-out images are scored.")
    return test.take(chosen)


def _conditional(chosen: type[Estimator]) -> dict[str, bool]:
    """The setting that makes fits conditional, where there is one."""
    from ..models import registry

    if not chosen.capabilities.conditional:
        able = (m for m in registry.names() if registry.get(m).capabilities.conditional)
        raise InputError(
            f"{chosen.name} models no rows given labels; {', '.join(able)} do. Take one of them, "
            "or leave --conditional and --target out."
        )
    return {"conditional": True} if "conditional" in chosen.settings.names else {}


def _labelled(model: str, train: Dataset, valid: Dataset | None) -> tuple[Any, Any]:
    import numpy as np

    if train.target is None:
        raise InputError(
            f"{model} needs labels, and the data come with none. Name their column with --target, "
            "or give folders of images, one a label, an .npz file that holds X and y, or a "
            "built-in name."
        )
    fields = np.asarray(train.target).dtype.names
    if fields:
        say(f"The labels are {fields[0]!r}, the first of {', '.join(fields)}.")

    named = train.schema.reading.target

    def labels(rows: Dataset) -> Any:
        if named:
            return named_labels(rows, named)
        return np.asarray(rows.target)[fields[0]] if fields else rows.target

    return labels(train), None if valid is None else (valid, labels(valid))


def _in_words(y: Any) -> str:
    """The labels of rows."""
    import numpy as np

    name, labels = getattr(y, "name", None) or "y", np.asarray(y)
    if labels.ndim != 1:
        return f"{name}, the labels that come with the rows"
    if labels.dtype.kind == "f":
        return f"{name}, a number of each row, {np.nanmin(labels):g} to {np.nanmax(labels):g}"
    distinct = sorted({str(label) for label in labels.tolist()})
    shown = ", ".join(distinct[:_SHOWN]) + ", ..." * (len(distinct) > _SHOWN)
    return f"{name}, the label of each row, {len(distinct)} distinct: {shown}"


def _parts(rows: Dataset, all_rows: bool) -> Parts:
    if all_rows:
        return rows, None, None
    try:
        return rows.train, rows.valid, rows.test
    except InputError as error:
        raise InputError(f"{error} Or fit to them all with --all-rows.") from None
