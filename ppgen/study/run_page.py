"""The page of one fit: its verdict, how its training went, and what it makes.

Made from a saved run alone; with rows given, its samples stand beside them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.decoded import decode_codes
from ..analysis.latents import path
from ..analysis.nearest import nearest_rows
from ..artifact import read_run
from ..coded import made_rows
from ..data import Dataset
from ..files import write_bytes
from ..models import registry
from ..plotting.curves import training_curves
from ..plotting.images import image_rows, shown_limits
from ..plotting.latent_images import interpolation_strip
from ..plotting.measures import measure_figures
from ..plotting.samples import dependent_pairs, pair_panel
from .drawn import Drawn, Gallery
from .page import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
_SAMPLES, _POINTS, _MANY_POINTS, _MAX_COLUMNS = 24, 1500, 3, 60
_PATHS, _STEPS = 3, 9


@dataclass(frozen=True)
class Part:
    """Figures under a heading, with a line on what they show."""

    title: str
    figures: Sequence[Drawn]
    note: str = ""


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
        "settings": {k: v for k, v in sorted(body["params"].items()) if v is not None},
        "training": list(_training(model, gallery)),
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
    unit = "minus the loss" if model.capabilities.density is None else "nats a row"
    made = training_curves([model.trace_], title="Objective", unit=unit)
    yield gallery.keep("training", made, "The objective in training")
    for title, made in measure_figures(model.trace_).items():
        yield gallery.keep(title, made, title)


def _parts(model: Any, data: Dataset | None, gallery: Gallery) -> Iterator[Part]:
    can, images = model.capabilities, model.schema_.image_shape is not None
    if can.samples:
        drawn = made_rows(model, model.sample(_SAMPLES if images else _POINTS))
        if images:
            yield _beside(drawn, data, gallery)
        elif model.schema_.columns:
            yield _pairs(drawn, data, gallery)
    if can.sheets and len(model.sheets_):
        yield _sheets(model, gallery)
    if can.prior and images and model.context_ is None:
        yield _paths(model, gallery)


def _beside(drawn: Dataset, data: Dataset | None, gallery: Gallery) -> Part:
    """Samples of images, with real ones and the nearest real one of each."""
    rows: dict[str, Any] = {"samples": drawn.images}
    note = "Drawn from the model."
    if data is not None:
        some = data.thinned(_SAMPLES, np.random.default_rng(0))
        nearest = data.take(nearest_rows(data, drawn)).images
        rows = {"real": some.images, "samples": drawn.images, "nearest real": nearest}
        note = (
            "Below the samples the real image that is nearest to each, by principal components of "
            "the pixels: a model that copies shows the same picture twice."
        )
    made = image_rows(rows, limits=_limits(drawn))
    return Part("Samples", [gallery.keep("samples", made, "Samples")], note)


def _pairs(drawn: Dataset, data: Dataset | None, gallery: Gallery) -> Part:
    """Pairs of columns that hang together, of samples and beside them of real rows."""
    real = drawn if data is None else data
    figures = []
    for i, pair in enumerate(dependent_pairs(real)):
        made = pair_panel(real, None if data is None else drawn, pair, title=" × ".join(pair))
        figures.append(gallery.keep(f"pair-{i + 1}", made, f"{pair[0]} against {pair[1]}"))
    grey = "Grey: real rows; blue: samples." if data is not None else "Samples."
    return Part("Samples", figures, f"{grey} The pairs of columns that hang together most.")


def _sheets(model: Any, gallery: Gallery) -> Part:
    """Rows as they were made at some points of the training."""
    named = [(step, rows) for step, rows in model.sheets()]
    figures = []
    first = named[-1][1]
    if all(rows.images is not None for rows in first.values()):
        sorts = {
            f"{name}, step {step}" if len(rows) > 1 else f"step {step}": of.images
            for step, rows in named
            for name, of in rows.items()
        }
        limits = _limits(next(iter(first.values())))
        figures = [gallery.keep("sheets", image_rows(sorts, down=1, limits=limits), "Sheets")]
    else:
        for step, rows in named:
            for name, of in rows.items():
                for pair in dependent_pairs(of)[:1]:
                    made = pair_panel(of, None, pair, title=f"step {step}")
                    figures.append(gallery.keep(f"{name}-{step}", made, f"{name}, step {step}"))
    return Part("By checkpoint", figures, model.sheets_note)


def _paths(model: Any, gallery: Gallery) -> Part:
    """Images decoded along paths between draws of the prior."""
    ends = model.sample_latents(2 * _PATHS).reshape(_PATHS, 2, -1)
    codes = np.stack([path(a, b, steps=_STEPS, how="spherical") for a, b in ends])
    images = decode_codes(model, codes, None).images
    made: Figure = interpolation_strip(images, title="along the sphere from one draw to another")
    return Part("Interpolations", [gallery.keep("paths", made, "Interpolations")])


def _limits(rows: Dataset) -> tuple[float, float] | None:
    pixels = rows.schema.pixels
    if pixels is None or rows.images is None:
        return None
    return shown_limits(rows.images, pixels.low, pixels.high)
