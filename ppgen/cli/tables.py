"""Commands that take a saved run and a table: `score`, `sample`, `impute`, `outliers`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Data, Out, Run, given_values, read_data
from .output import check_output, native_columns, say, write_table

if TYPE_CHECKING:
    from ..density_estimator import DensityEstimator


def score(
    run: Run,
    data: Data,
    summary: Annotated[
        bool, typer.Option("--summary", help="One line: the mean and what it claims.")
    ] = False,
    output: Out = None,
) -> None:
    """Print each row's log density, in nats and in the units of the data."""
    check_output(output)
    estimator = _load(run)
    density = estimator.log_density(read_data(data, estimator.schema_))
    say(f"log density a row: {density.describe()}")
    if summary:
        table = {
            "rows": [len(density)],
            "mean": [density.mean()],
            "stderr": [density.mean_stderr()],
            "kind": [density.kind],
            "measure": [density.measure],
            "method": [density.method],
        }
        write_table(table, output, pretty=True)
        return
    columns = {"row": range(len(density)), "log_density": density.values}
    if density.stderr is not None:
        columns["stderr"] = density.stderr
    write_table({**columns, "kind": [density.kind] * len(density)}, output)


def sample(
    run: Run,
    n: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 100,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Hold a column fixed; repeatable."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed than that of the fit.")
    ] = None,
    output: Out = None,
) -> None:
    """Print rows like those fitted."""
    check_output(output)
    estimator = _load(run)
    rows = estimator.sample(n, given_values(given, estimator.schema_), random_state=seed)
    write_table(native_columns(rows, estimator.schema_.names), output)


def impute(run: Run, data: Data, output: Out = None) -> None:
    """Print the table with its gaps filled."""
    check_output(output)
    from ..errors import InputError
    from ..models import registry

    estimator = _load(run)
    if not estimator.capabilities.conditions:
        able = [m for m in registry.names() if registry.get(m).capabilities.conditions]
        raise InputError(
            f"{run} is a fit of {estimator.name}, which cannot fill gaps; fit one of "
            f"{', '.join(able)}."
        )
    rows = read_data(data, estimator.schema_)
    filled = estimator.impute(rows)
    write_table(native_columns(filled, estimator.schema_.names), output)


def outliers(
    run: Run,
    data: Data,
    top: Annotated[int | None, typer.Option(min=1, help="Only so many, the least likely.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Rows to compare with, such as those fitted."),
    ] = None,
    output: Out = None,
) -> None:
    """Print rows by ascending log density.

    `fraction_below` is the fraction of reference rows that are less likely than the row: those of
    --reference, or else rows that the model draws.
    """
    check_output(output)
    import numpy as np

    from .outlying import fraction_below

    estimator = _load(run)
    rows = read_data(data, estimator.schema_)
    against = None if reference is None else read_data(reference, estimator.schema_)
    density = estimator.log_density(rows)
    order = np.argsort(density.values, kind="stable")[:top]
    found = {
        "row": order,
        "log_density": density.values[order],
        "fraction_below": fraction_below(
            estimator, rows.take(order), density.values[order], against
        ),
    }
    values = native_columns(rows.take(order).to_native(), rows.schema.names)
    write_table(found | {f"{k} (data)" if k in found else k: v for k, v in values.items()}, output)


def _load(run: Path) -> DensityEstimator:
    from ..models import registry

    estimator = registry.load(run)
    if not estimator.verdict_.ok:
        say(f"the fit's verdict: {estimator.verdict_}")
    return estimator
