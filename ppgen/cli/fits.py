"""`ppgen fit`: fit one model and save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Data, Out, Seed, Settings, read_data, settings
from .output import check_output, say, write_table

if TYPE_CHECKING:
    from ..data import Dataset
    from ..density_estimator import DensityEstimator


def fit(
    data: Data,
    model: Annotated[
        str, typer.Argument(help="A name that `ppgen models` lists.", show_default=False)
    ],
    set_: Settings = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Save here.  [default: runs/DATA-MODEL]")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="A duration such as 60s that the fit ends within.")
    ] = None,
    seed: Seed = 0,
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Fit to every row; hold none out.")
    ] = False,
    checkpoints: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep a long fit's state here, to go on after a stop."),
    ] = None,
    output: Out = None,
) -> None:
    """Fit a model to 80 % of the rows, score it on the held-out tenth, and save it.

    The last tenth is for early stopping.
    """
    check_output(output)
    from ..artifact import check_free
    from ..models import registry

    chosen = registry.get(model)
    own = settings(set_, [model])[model]
    target = out or Path("runs") / f"{_name(data)}-{model}"
    check_free(target)
    rows = read_data(data, split_seed=seed)
    train, valid, test = _parts(rows, all_rows)
    say(f"{len(rows)} rows, {len(train)} to fit. The columns:\n{rows.schema}")
    estimator = chosen(**own, random_state=seed).fit(
        train, validation=valid, budget=budget, checkpoint_dir=checkpoints, progress=True
    )
    density = None if test is None else estimator.log_density(test)
    estimator.save(target)
    _tell(estimator)
    write_table(
        {
            "model": [model],
            "rows": [len(train)],
            "held_out": [0 if test is None else len(test)],
            "log_density": [None if density is None else density.mean()],
            "stderr": [None if density is None else density.mean_stderr()],
            "kind": [None if density is None else density.kind],
            "measure": [None if density is None else density.measure],
            "verdict": [estimator.verdict_.status],
            "seconds": [round(estimator.fit_seconds_, 3)],
            "run": [str(target)],
        },
        output,
        pretty=True,
    )


def _name(data: str) -> str:
    """A name for a folder: of a file without its ending, of a built-in without its colon."""
    return Path(data).stem.replace(":", "-") or "data"


def _parts(rows: Dataset, all_rows: bool) -> tuple[Dataset, Dataset | None, Dataset | None]:
    from ..errors import InputError

    if all_rows:
        return rows, None, None
    try:
        return rows.train, rows.valid, rows.test
    except InputError as error:
        raise InputError(f"{error} Or fit to them all with --all-rows.") from None


def _tell(estimator: DensityEstimator) -> None:
    for reason in estimator.verdict_.reasons:
        say(f"{reason.status}: {reason}")
