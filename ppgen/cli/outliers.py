"""`ppgen outliers`: rows by how unusual they are, to a saved model or without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .options import Out, Plain, spread
from .output import check_output, index_columns, native_columns, say, write_table
from .reading import DataOptions, check_source, read_data
from .runs import load_run, tell_verdict
from .tables import group_labels, named_target, reconstruction_errors, tell_khat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Dataset

Ordered = tuple["NDArray[Any]", dict[str, Any]]
"""Numbers of rows, the most unusual first, and columns about them."""


@spread
def outliers(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DATA",
            help="A folder that fit or save wrote; or DATA alone, whose rows are compared with "
            "others.",
            show_default=False,
        ),
    ],
    reading: DataOptions,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="The rows, after a RUN: a file, a folder of images, or a built-in name.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Only so many, the least likely.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Rows to compare with, such as those fitted."),
    ] = None,
    plain: Plain = False,
    output: Out = None,
) -> None:
    """Print rows by ascending log density; without a model, the most unusual first.

    `fraction_below` is the fraction of reference rows that are less likely than the row, ties
    counting half: those of --reference, or else rows that the model draws; of a fit that conditions
    on a column of DATA, those of --reference or DATA themselves. A Bayesian network names
    the column that surprises most: `tail` is the probability of a value as unlikely as the row's or
    less, given those that the column depends on. A diffusion model adds `reconstruction_error`, how
    badly it restores the row from noise. Of a model without density, rows by descending
    reconstruction error; `fraction_above` is the fraction of the rows of --reference whose error is
    larger, ties counting half.

    Of DATA alone, without RUN, `score` combines several scores of how unusual a row is beside
    those of --reference, or else beside the other rows, and `fraction_above` is the fraction of
    them whose score is higher; `surprising` is the column in which the row differs most from
    the rows nearest to it, and `tail` the probability of differing as much.
    """
    check_output(output)
    from ..artifact import MANIFEST

    if data is None:
        if (Path(run) / MANIFEST).is_file():
            raise InputError(f"{run} is a saved run; give the rows too: ppgen outliers {run} DATA.")
        rows = read_data(run, reading)
        against = None if reference is None else read_data(reference, reading, rows.schema)
        order, table = _beside_others(rows, against, top)
    else:
        check_source(data)
        estimator = load_run(Path(run))
        rows = read_data(data, reading, estimator.schema_)
        against = None if reference is None else read_data(reference, reading, estimator.schema_)
        tell_verdict(estimator)
        order, table = _by_model(Path(run), estimator, rows, against, top)
    computed, like = tuple(table), None
    if rows.images is None:
        native = native_columns(rows.take(order).to_native(), rows.schema.names)
        if not index_columns(rows.index):
            native = {k: v for k, v in native.items() if k != "index" or k in rows.schema.names}
        native = group_labels(reading.groups, rows.take(order)) | native
        called = {k: f"{k} (data)" if k in table else k for k in native}
        table |= {called[k]: v for k, v in native.items()}
        like = None if plain else rows.schema.reading.renamed(called)
    else:
        table = {"row": order, **index_columns(rows.take(order).index), **table}
    write_table(table, output, computed=computed, like=like)


def _beside_others(rows: Dataset, against: Dataset | None, top: int | None) -> Ordered:
    """Rows by how unusual they are beside others."""
    import numpy as np

    from ..analysis.outliers import outliers as unusual

    found = unusual(rows, against)
    say(f"score: {found.method}")
    order = np.argsort(-found.score, kind="stable")[:top]
    return order, {
        "row": order,
        "score": found.score[order],
        "fraction_above": found.fraction_above[order],
        "surprising": found.column[order],
        "tail": found.tail[order],
    }


def _by_model(
    run: Path, estimator: Any, rows: Dataset, against: Dataset | None, top: int | None
) -> Ordered:
    """Rows by how unlikely a fit has them."""
    import numpy as np

    from ..analysis.outliers import midranks
    from .outlying import fraction_below, surprising

    if estimator.capabilities.density is None:
        errors = reconstruction_errors(run, estimator, rows)
        order = np.argsort(-errors, kind="stable")[:top]
        table = {"row": order, "reconstruction_error": errors[order]}
        if against is not None:
            others = np.sort(reconstruction_errors(run, estimator, against))
            table["fraction_above"] = 1 - midranks(others, errors[order]) / len(others)
        return order, table
    y = named_target(estimator, rows)
    density = estimator.log_density(rows, y)
    tell_khat(density)
    order = np.argsort(density.values, kind="stable")[:top]
    values = density.values[order]
    if y is None:
        below = fraction_below(estimator, rows.take(order), values, against)
    else:
        among = rows if against is None else against
        scores = estimator.score_samples(among, named_target(estimator, among))
        below = midranks(np.sort(scores), values) / len(scores)
    table = {"row": order, "log_density": values, "fraction_below": below}
    if estimator.capabilities.errors:
        table["reconstruction_error"] = reconstruction_errors(run, estimator, rows.take(order))
    if estimator.capabilities.surprises:
        table |= surprising(estimator.surprises(rows.take(order)))
    return order, table
