"""Commands that ask a fit of rows: `encode`, `reconstruct`, `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .options import Data, Out, Plain, Run, spread
from .output import check_output, native_columns, say, write_file, write_table
from .pictures import check_pictures, write_pictures
from .reading import DataOptions, check_source, read_data
from .runs import load_run, tell_verdict
from .tables import named_labels, numbered

if TYPE_CHECKING:
    from ..data import Dataset

_MOST_CLASSES = 50  # whose probabilities are columns


@spread
def encode(
    run: Run, data: Data, reading: DataOptions, plain: Plain = False, output: Out = None
) -> None:
    """Print each row's code: the mean of its latents, z0, z1, ...

    A .npy file holds the codes alone, (n, k). Of a fit that is conditional on labels, the rows come
    with theirs.
    """
    check_output(output)
    check_source(data)
    model = load_run(run, "latents", "has no codes")
    rows = read_data(data, reading, model.schema_)
    tell_verdict(model)
    _tell_without_latents(model, "there are no codes")
    codes = model.encode(rows, _labels(model, rows))
    if output is not None and output.suffix.lower() == ".npy":
        write_file(output, _array(codes))
        return
    columns = {f"z{j}": codes[:, j] for j in range(codes.shape[1])}
    like = None if plain else rows.schema.reading.of_scores
    write_table(numbered(rows) | _given(rows) | columns, output, computed=columns, like=like)


@spread
def reconstruct(
    run: Run,
    data: Data,
    reading: DataOptions,
    plain: Plain = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUTPUT",
            help="A table as csv, tsv, parquet, npy, npz. Images as npy, npz, a picture of each in "
            "a folder that is not there yet, or one picture of all, png.",
        ),
    ] = None,
) -> None:
    """Encode rows and decode them again: a table, or images, which go to a file or a folder."""
    check_source(data)
    model = load_run(run, "latents", "reconstructs nothing")
    if model.schema_.image_shape is None:
        check_output(output)
    else:
        check_pictures(output)
    rows = read_data(data, reading, model.schema_)
    tell_verdict(model)
    _tell_without_latents(model, "every row is reconstructed as the mean of its columns")
    made = model.reconstruct(rows, _labels(model, rows))
    if rows.images is None:
        like = None if plain else rows.schema.reading
        write_table(native_columns(made, rows.schema.names), output, like=like)
    elif output is not None:
        write_pictures(made, rows.schema, rows.files, output)


@spread
def predict(
    run: Run, data: Data, reading: DataOptions, plain: Plain = False, output: Out = None
) -> None:
    """Print each row's class, with its probability and those of the others; of a mixture, its
    component, and none where it has probability 0 under all; of an autoencoder, 1 for rows like
    those fitted and -1 for outliers."""
    check_output(output)
    import numpy as np

    check_source(data)
    model = load_run(run, "predicts", "predicts nothing")
    rows = read_data(data, reading, model.schema_)
    tell_verdict(model)
    what = model.capabilities.predicts
    columns: dict[str, Any] = {what: model.predict(rows)}
    if what != "inlier":
        p = model.predict_proba(rows)
        names = model.classes_.tolist() if what == "class" else range(p.shape[1])
        columns["probability"] = p.max(axis=1)
        none = np.isnan(columns["probability"])
        columns[what] = np.where(none, None, columns[what].astype(object))
        if len(names) <= _MOST_CLASSES:
            columns |= {f"p({name})": p[:, j] for j, name in enumerate(names)}
    like = None if plain else rows.schema.reading.of_scores
    write_table(numbered(rows) | _given(rows) | columns, output, computed=columns, like=like)


def _tell_without_latents(model: Any, so: str) -> None:
    """Say where a fit chose to have no latents, and what follows."""
    if not model.latent_dim_:
        say(f"the fit of {model.name} has no factors: columns are taken as independent, so {so}.")


def _labels(model: Any, rows: Dataset) -> Any:
    """What a conditional fit is told of rows; None for others."""
    if model.context_ is None:
        return None
    if rows.target is None:
        raise InputError(
            f"the fit of {model.name} is conditional on labels, and the data come with none. Give "
            "folders of images, one a label, or an .npz file that holds X and y."
        )
    name = model.schema_.reading.target
    return named_labels(rows, name) if name else rows.target


def _given(rows: Dataset) -> dict[str, Any]:
    """The labels that rows came with."""
    import numpy as np

    labels = None if rows.target is None else np.asarray(rows.target)
    plain = labels is not None and labels.ndim == 1 and not labels.dtype.names
    return {"label": labels} if plain else {}


def _array(codes: Any) -> bytes:
    import io

    import numpy as np

    stream = io.BytesIO()
    np.save(stream, codes, allow_pickle=False)
    return stream.getvalue()
