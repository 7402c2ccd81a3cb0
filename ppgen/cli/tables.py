"""Commands that take a saved run and rows: `score`, `sample`, `impute`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .options import Asked, Data, Out, Plain, Run, Samples, asked, given_values, spread
from .output import (
    ENDINGS,
    check_output,
    check_rows,
    index_columns,
    native_columns,
    say,
    write_rows,
    write_table,
)
from .pictures import check_pictures, write_pictures
from .reading import DataOptions, check_source, read_data
from .runs import check_able, load_run, tell_verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Dataset
    from ..density import LogDensity
    from ..estimator import Estimator


@spread
def score(
    run: Run,
    data: Data,
    reading: DataOptions,
    summary: Annotated[
        bool, typer.Option("--summary", help="One line: the mean and what it claims.")
    ] = False,
    set_: Asked = None,
    plain: Plain = False,
    output: Out = None,
) -> None:
    """Print each row's log density, in nats and in the units of the data.

    Of a model without density, how far each row is from its reconstruction.
    """
    check_output(output)
    check_source(data)
    estimator = load_run(run)
    how = asked(set_, estimator, "log_density")
    rows = read_data(data, reading, estimator.schema_)
    tell_verdict(estimator)
    columns: dict[str, Any]
    line: dict[str, Any] = {"rows": len(rows)}
    if estimator.capabilities.density is None:
        columns = {"reconstruction_error": reconstruction_errors(run, estimator, rows)}
        line["reconstruction_error"] = float(columns["reconstruction_error"].mean())
    else:
        density = estimator.log_density(rows, named_target(estimator, rows), **how)
        say(f"log density a row: {density.describe()}")
        if words := density.explained():
            say(words)
        tell_khat(density)
        columns = {
            "log_density": density.values,
            "stderr": density.stderr,
            "khat": density.diagnostics.get("khat"),
            "bits_per_dim": bits_per_dim(density, rows),
            "kind": [density.kind] * len(density),
        }
        line |= summarised(density, rows, "mean", method=density.method)
    like = None if plain else rows.schema.reading.of_scores
    if summary:
        summed = {name: [value] for name, value in line.items()}
        write_table(summed, output, pretty=True, computed=summed, like=like)
        return
    known = {name: values for name, values in columns.items() if values is not None}
    write_table(numbered(rows) | known, output, computed=known, like=like)


def sample(
    run: Run,
    n: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 100,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Hold a column fixed, or the label (y=3) of a conditional fit; repeatable.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed than that of the fit.")
    ] = None,
    expected: Annotated[
        bool,
        typer.Option(
            "--expected",
            help="Of a model with latents: rows expected of draws of them, without the noise of "
            "their values.",
        ),
    ] = False,
    clip: Annotated[
        bool, typer.Option("--clip", help="Bring values of images to the range that was seen.")
    ] = False,
    set_: Asked = None,
    plain: Plain = False,
    output: Samples = None,
) -> None:
    """Print rows like those fitted; images are written to a file, or each to one in a folder."""
    folder = output is not None and not output.suffix
    if not folder:
        check_output(output, (*ENDINGS, ".png"))
    estimator = load_run(run, "samples", "draws no samples")
    if folder and estimator.schema_.image_shape is not None:
        check_pictures(output)
    else:
        check_output(output, (*ENDINGS, ".png"))
        check_rows(output, estimator.schema_)
    how = asked(set_, estimator, "sample")
    context = None if estimator.context_ is None else estimator.context_.schema
    fixed, y = given_values(given, estimator.schema_, context)
    tell_verdict(estimator)
    how |= {"expected": expected, "clip": clip}
    rows = estimator.sample(n, fixed, y=y, random_state=seed, **how)
    if folder and output is not None:
        write_pictures(rows, estimator.schema_, None, output)
    else:
        write_rows(rows, estimator.schema_, output, plain=plain)


@spread
def impute(
    run: Run,
    data: Data,
    reading: DataOptions,
    set_: Asked = None,
    plain: Plain = False,
    output: Out = None,
) -> None:
    """Print the table with its gaps filled."""
    check_output(output)
    check_source(data)
    estimator = load_run(run, "fills_gaps", "cannot fill gaps")
    if estimator.schema_.image_shape is not None:
        raise InputError(f"{run} is a fit of images, which have no gaps; give a fit of a table.")
    how = asked(set_, estimator, "impute")
    rows = read_data(data, reading, estimator.schema_)
    tell_verdict(estimator)
    filled = native_columns(estimator.impute(rows, **how), estimator.schema_.names)
    like = None if plain else rows.schema.reading
    write_table(group_labels(reading.groups, rows) | filled, output, like=like)


def numbered(rows: Dataset) -> dict[str, Any]:
    """What tells rows apart: their numbers, with their labels or the files that they came from."""
    return {"row": range(len(rows)), **index_columns(rows.index)}


def group_labels(groups: str | None, rows: Dataset) -> dict[str, Any]:
    """The column that names groups, which is no part of the model."""
    return {} if groups is None else {groups: rows.groups}


def named_target(model: Estimator, rows: Dataset) -> Any:
    """The column of the rows that a fit conditions on, under its name; None where the fit names
    none, or the rows have none."""
    name = model.schema_.reading.target
    if model.context_ is None or not name or rows.target is None:
        return None
    return named_labels(rows, name)


def named_labels(rows: Dataset, name: str) -> Any:
    """What comes with rows as a series of a name."""
    import pandas as pd

    return pd.Series(rows.target, name=name)


def summarised(density: LogDensity, rows: Dataset, mean: str, **more: Any) -> dict[str, Any]:
    """The log density of rows in one line; `mean` names the mean of those that are possible, of
    which `zero_rows` counts the others, and `more` comes before the bits."""
    kept = density.possible
    value, stderr = density.mean_of_possible(rows.units)
    never = len(kept) - int(kept.sum())
    if never:
        others = "" if never == len(kept) else " The mean is that of the others."
        have = "has" if never == 1 else "have"
        say(
            f"{never} of {len(kept)} rows {have} probability 0 under the fit, a log density of "
            f"-inf.{others}"
        )
    line = {
        mean: value if kept.any() else -math.inf,
        "stderr": stderr,
        "zero_rows": never,
        "kind": density.kind,
        "measure": density.measure,
        **more,
    }
    bits = bits_per_dim(density, rows)
    return line if bits is None else line | {"bits_per_dim": float(bits[kept].mean())}


def bits_per_dim(density: LogDensity, rows: Dataset) -> NDArray[Any] | None:
    """(n,) of images whose density is known in bits a value."""
    return None if rows.images is None else density.diagnostics.get("bits_per_dim")


def tell_khat(density: LogDensity) -> None:
    """Say how many rows' importance samples cannot be trusted, or what else is to be said."""
    import numpy as np

    khat, good = (density.diagnostics.get(name) for name in ("khat", "good_khat"))
    if khat is None and density.diagnostics.get("advice"):
        say(density.diagnostics["advice"])
    if khat is None or good is None or not np.isfinite(good):
        return
    bad = int((khat > good).sum())
    if bad:
        say(
            f"k-hat is above {good:.2f} for {bad} of {len(density)} rows: their importance samples "
            "are too few, and the bound is likely to be loose there."
        )


def reconstruction_errors(run: Path, estimator: Any, rows: Dataset) -> NDArray[Any]:
    """(n,) how badly each row is restored; InputError of a fit that restores none."""
    if not estimator.capabilities.errors:
        check_able(run, estimator, "density", "has no density")
    errors: NDArray[Any] = estimator.reconstruction_error(rows)
    return errors
