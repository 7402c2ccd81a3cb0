"""Figures of what a fit makes: samples beside real rows, by checkpoint, paths between draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..analysis.decoded import decode_codes
from ..analysis.latents import path
from ..analysis.nearest import nearest_rows
from ..data import Dataset
from ..models import registry
from ..plotting.images import image_rows, shown_limits
from ..plotting.latent_images import interpolation_strip
from ..plotting.samples import dependent_pairs, pair_panel
from .cell_results import CellResult
from .drawn import Gallery, Part
from .store import Store

SAMPLES = 24
"""Images that are shown of a fit."""
_PATHS, _STEPS = 3, 9


def draw_made(
    store: Store,
    models: Mapping[str, Sequence[CellResult]],
    real: Dataset,
    drawn: Mapping[str, Dataset],
    gallery: Gallery,
) -> list[tuple[str, list[Part]]]:
    """How samples came about, of the first fit of each model that keeps sheets of its training, and
    of those that make rows out of noise the images beside the nearest real ones.

    Args:
        models: label -> the finished cells of a model.
        real: rows fitted.
        drawn: label -> samples.
    """
    made = []
    for label, cells in models.items():
        if not cells or cells[0].cell.model not in registry.names():
            continue  # a report is made of stored cells, whoever made them
        can, parts = registry.get(cells[0].cell.model).capabilities, list[Part]()
        if (can.sheets or can.denoises) and real.images is not None and label in drawn:
            some = drawn[label].take(slice(SAMPLES))
            parts.append(beside(some, real, gallery, f"{label}-"))
        if can.sheets:
            fit = registry.load(store.cell(cells[0].cell) / "run")
            parts += history(fit, gallery, f"{label}-", real)
        if parts:
            made.append((label, parts))
    return made


def history(
    model: Any, gallery: Gallery, prefix: str = "", real: Dataset | None = None
) -> Iterator[Part]:
    """Rows by checkpoint, of tables beside real ones, and images along paths between draws."""
    can, images = model.capabilities, model.schema_.image_shape is not None
    if can.sheets and len(model.sheets_):
        yield _sheets(model, gallery, prefix, real)
    draws = can.prior or (can.decodes and not can.latents)  # what has `sample_latents`
    if draws and images:
        yield from _paths(model, gallery, prefix)


def beside(drawn: Dataset, data: Dataset | None, gallery: Gallery, prefix: str = "") -> Part:
    """Samples of images, with real ones and the nearest real one of each."""
    rows: dict[str, Any] = {"samples": drawn.images}
    note = "Drawn from the model."
    if data is not None:
        some = data.thinned(SAMPLES, np.random.default_rng(0))
        nearest = data.take(nearest_rows(data, drawn)).images
        rows = {"real": some.images, "samples": drawn.images, "nearest real": nearest}
        note = (
            "Below the samples the real image that is nearest to each, by principal components of "
            "the pixels: a model that copies shows the same picture twice."
        )
    made = image_rows(rows, limits=_limits(drawn))
    return Part("Samples", [gallery.keep(f"{prefix}samples", made, "Samples")], note)


def pairs(drawn: Dataset, data: Dataset | None, gallery: Gallery) -> Part:
    """Pairs of columns that hang together, of samples and beside them of real rows."""
    real = drawn if data is None else data
    figures = []
    for i, pair in enumerate(dependent_pairs(real)):
        made = pair_panel(real, None if data is None else drawn, pair)  # its axes name the columns
        figures.append(gallery.keep(f"pair-{i + 1}", made, f"{pair[0]} against {pair[1]}"))
    grey = "Grey: real rows; blue: samples." if data is not None else "Samples."
    return Part("Samples", figures, f"{grey} The pairs of columns that hang together most.")


def _sheets(model: Any, gallery: Gallery, prefix: str, real: Dataset | None) -> Part:
    """Rows as they were made at some points of the training."""
    strips = model.strips()
    if strips:
        made = image_rows(strips, down=1, limits=(0.0, 1.0))
        return Part("By checkpoint", [gallery.keep(f"{prefix}sheets", made, "Sheets")], model.shown)
    sheets: list[tuple[int, Mapping[str, Dataset]]] = list(model.sheets())
    last = sheets[-1][1]
    figures = []
    for name, rows in last.items():
        grey = rows if real is None else real
        for pair in dependent_pairs(grey)[:1]:
            for step, of in sheets:
                made = pair_panel(grey, of[name], pair, title=f"step {step}")
                figures.append(gallery.keep(f"{prefix}{name}-{step}", made, f"{name}, step {step}"))
    beneath = "the last of them" if real is None else "real rows"
    return Part("By checkpoint", figures, f"{model.shown} Grey: {beneath}.")


def _paths(model: Any, gallery: Gallery, prefix: str) -> Iterator[Part]:
    """Images decoded along paths between draws of the prior, of a conditional fit given labels."""
    labels: list[Any] = [None] * _PATHS
    if model.context_ is not None:
        columns = model.context_.schema.columns
        if len(columns) != 1 or not columns[0].levels:
            return
        labels = list(columns[0].levels)[:_PATHS]
    ends = model.sample_latents(2 * len(labels)).reshape(len(labels), 2, -1)
    walks = [path(a, b, steps=_STEPS, how="spherical") for a, b in ends]
    images = [decode_codes(model, c, y).images for c, y in zip(walks, labels, strict=True)]
    names = None if model.context_ is None else [str(label) for label in labels]
    made = interpolation_strip(
        np.stack(images), labels=names, title="along the sphere from one draw to another"
    )
    yield Part("Interpolations", [gallery.keep(f"{prefix}paths", made, "Interpolations")])


def _limits(rows: Dataset) -> tuple[float, float] | None:
    pixels = rows.schema.pixels
    if pixels is None or rows.images is None:
        return None
    return shown_limits(rows.images, pixels.low, pixels.high)
