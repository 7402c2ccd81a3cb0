"""`ppgen audit`: whether what a saved run says of itself is so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Out, Run, Seed, spread
from .output import FIGURE_ENDINGS, check_output, print_quietly, say, write_figure, write_table
from .reading import DataOptions, read_data


@spread
def audit(
    run: Run,
    reading: DataOptions,
    data: Annotated[
        str | None,
        typer.Argument(
            help="Rows that the model was not fitted to: a file, a folder of images, or a "
            "built-in name.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[str, typer.Option(help="A duration that the checks end within.")] = "60s",
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the checks here: a .png or .svg."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 also where rows do not fit the model.")
    ] = False,
    seed: Seed = 0,
    output: Out = None,
) -> None:
    """Check what a model claims: that its density integrates to one, its samples are of that
    density, bounds keep their order, conditionals agree with the joint, errors hold, and more.

    Prints what each check found, what it rules out, or why nothing could be said. Exits with 1
    where a claim is refuted, which happens by chance to 1 % of faultless models.
    """
    check_output(output)
    check_output(figure, FIGURE_ENDINGS, "figure")
    from ..analysis.audit import audit as run_audit
    from ..models import registry

    estimator = registry.load(run)
    rows = None if data is None else read_data(data, reading, estimator.schema_)
    checked = run_audit(estimator, rows, budget=budget, random_state=seed)
    if output is None and sys.stdout.isatty():
        print_quietly(str(checked))
    else:
        write_table(checked.columns(), output)
        say(checked.summary())
    if figure is not None:
        write_figure(checked.plot(), figure, "Audit")
    if not checked.ok or (strict and checked.of("misfit")):
        raise typer.Exit(1)
