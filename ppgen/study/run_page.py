"""The page of one fit: its verdict, how its training went, and what it makes.

Made from a saved run alone; with rows given, its samples stand beside them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..artifact import read_run
from ..coded import made_rows
from ..data import Dataset
from ..files import write_bytes
from ..models import registry
from ..plotting.curves import training_curves
from ..plotting.measures import measure_figures
from .drawn import Drawn, Gallery, Part
from .film_figures import films
from .made_figures import SAMPLES, beside, history, pairs
from .page import render
from .unusual_pictures import unusual_pictures

PAGE = "report.html"
_POINTS, _MANY_POINTS, _MAX_COLUMNS = 1500, 3, 60


def run_page(
    run: str | os.PathLike[str], data: Dataset | None = None, out: Path | None = None
) -> Path:
    """Write the page of a saved run.

    Args:
        run: the folder that `save` wrote.
        data: rows of the fit's schema to set samples beside, such as those fitted; None leaves real
            rows out.
        out: the HTML file; None is `report.html` in the folder.

    Returns:
        The path of the HTML file. Its figures are kept as PNG files beside it, in `figures`.

    Raises:
        InputError: if there is no run.
    """
    body, file = read_run(run).manifest, out or Path(run) / PAGE
    model: Any = registry.load(run)
    gallery = Gallery(file.parent / "figures", model.name)
    page = {
        "model": model,
        "settings": model.settings_by_origin(),
        "training": list(_training(model, gallery)),
        "untrained": _untrained(model),
        "parts": list(_parts(model, data, gallery)),
        "max_columns": _MAX_COLUMNS,
        "versions": body["versions"],
    }
    write_bytes(file, render("run.html.j2", page))
    return file


def _training(model: Any, gallery: Gallery) -> Iterator[Drawn]:
    """The objective over time, and what else was measured."""
    if len(model.trace_) < _MANY_POINTS:
        return
    can = model.capabilities
    made = training_curves(
        [model.trace_], title="Objective", unit=can.unit, losses=not can.objective
    )
    yield gallery.keep("training", made, "The objective in training")
    for title, made in measure_figures(model.trace_).items():
        yield gallery.keep(title, made, title)


def _untrained(model: Any) -> str:
    """What is said where there are too few points for a curve of the training."""
    if not model.trace_:
        return f"Nothing of a training was recorded: {model.capabilities.method}."
    last = model.trace_[-1]
    value = last.get("validation")
    reached = "" if value is None else f", with {value:.4g} ({model.capabilities.unit})"
    return (
        f"Fewer than {_MANY_POINTS} points of the training were recorded, too few for a curve. It "
        f"ended at step {last['step']}{reached}."
    )


def _parts(model: Any, data: Dataset | None, gallery: Gallery) -> Iterator[Part]:
    images = model.schema_.image_shape is not None
    if model.capabilities.samples:
        drawn = made_rows(model, model.sample(SAMPLES if images else _POINTS))
        if images:
            yield beside(drawn, data, gallery)
        elif model.schema_.columns:
            yield pairs(drawn, data, gallery)
        if model.capabilities.denoises:
            yield from films(model, gallery, drawn, data)
    unusual = unusual_pictures(model, data, gallery) if images and data is not None else None
    if unusual is not None:
        yield unusual
    yield from history(model, gallery, real=data)
