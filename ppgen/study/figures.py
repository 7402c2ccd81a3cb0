"""The figures of a study, drawn from its stored cells: PNG files, and markup for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis.compare import Comparison
from ..artifact import read_run
from ..data import Dataset
from ..models import registry
from ..plotting import samples
from ..plotting.axis import column_axes
from ..plotting.curves import training_curves
from ..plotting.images import image_rows
from ..plotting.ranking import plot_ranking
from .cell_results import CellResult
from .cells import parts
from .drawn import Drawn, Gallery, Part
from .latent_figures import Arrays, LatentFigures, black_and_white, draw_latents
from .made_figures import draw_made
from .network_figures import NetworkFound, draw_networks
from .run_cell import read_looks, read_samples
from .store import Store
from .stored_rows import load_dataset

_MANY_POINTS = 3
_MAX_MARGINALS = 12
_MANY_IMAGES = 24


@dataclass
class Figures:
    """The figures of one data set's part of a report; `marginals` are of the model `best`."""

    ranking: Drawn | None
    pairs: Sequence[tuple[str, Sequence[Drawn]]] = ()
    marginals: Sequence[Drawn] = ()
    best: str = ""
    images: Drawn | None = None
    latents: LatentFigures | None = None
    networks: Sequence[NetworkFound] = ()
    made: Sequence[tuple[str, Sequence[Part]]] = ()
    curves: Sequence[Drawn] = ()


def draw_figures(
    store: Store, name: str, comparison: Comparison, models: Mapping[str, Sequence[CellResult]]
) -> Figures:
    """All figures of a data set.

    Args:
        store: the study's.
        name: of the data set.
        comparison: of its models.
        models: label -> the finished cells of a model, in the order of the ranking.
    """
    gallery = Gallery(store.folder / "figures", name)
    figures = Figures(_ranking(gallery, comparison))
    first = {label: cells[0] for label, cells in models.items() if cells}
    if not first:
        return figures
    cell = next(iter(first.values())).cell
    data = load_dataset(store.data(cell.fingerprint))
    real = data.take(parts(data, cell.seed)[0])
    looks, drawn = {}, {}
    for label, c in first.items():
        looks[label] = read_looks(store.cell(c.cell))
        rows = read_samples(store.cell(c.cell), data)
        if rows is not None:
            drawn[label] = rows
    if data.images is not None:
        figures.images = _images(gallery, real, drawn, looks)
    elif drawn and data.schema.columns:
        figures.pairs = _pairs(gallery, real, drawn)
        figures.best = next(iter(drawn))
        figures.marginals = _marginals(gallery, real, figures.best, drawn[figures.best])
    figures.latents = draw_latents(data, first, looks, gallery)
    figures.networks = draw_networks(store, models, gallery)
    figures.made = draw_made(store, models, real, drawn, gallery)
    figures.curves = _curves(gallery, store, models)
    return figures


def _ranking(gallery: Gallery, comparison: Comparison) -> Drawn | None:
    if sum(m.rank is not None for m in comparison) < 2:
        return None
    return gallery.keep("ranking", plot_ranking(comparison), "Paired differences to the best")


def _images(
    gallery: Gallery, real: Dataset, drawn: Mapping[str, Dataset], looks: Mapping[str, Arrays]
) -> Drawn | None:
    """Real images, samples of each model and, of models with a prior, what it expects."""
    rng = np.random.default_rng(0)
    rows: dict[str, Any] = {"real": real.thinned(_MANY_IMAGES, rng).images}
    for label, arrays in looks.items():
        if "prior" in arrays:
            rows[f"{label}: expected"] = arrays["prior"]
        if label in drawn:
            rows[f"{label}: samples"] = drawn[label].images
    if len(rows) == 1:
        return None
    made = image_rows(rows, limits=black_and_white(real))
    return gallery.keep("samples", made, "Real images and samples")


def _pairs(
    gallery: Gallery, real: Dataset, drawn: Mapping[str, Dataset]
) -> list[tuple[str, list[Drawn]]]:
    """Pairs of columns that hang together, a panel for real rows and for each model's samples."""
    panels: dict[str, Dataset | None] = {"real rows": None, **drawn}
    pairs = samples.dependent_pairs(real)
    if pairs:
        gallery.save("samples", samples.sample_pairs(real, drawn, pairs=pairs))
    return [
        (
            f"{x} × {y}",
            [
                gallery.draw(
                    f"pair{k}-{label}",
                    samples.pair_panel(real, rows, (x, y), title=label),
                    f"{x} against {y}: {label}",
                )
                for label, rows in panels.items()
            ],
        )
        for k, (x, y) in enumerate(pairs)
    ]


def _marginals(gallery: Gallery, real: Dataset, label: str, rows: Dataset) -> list[Drawn]:
    names = list(column_axes(real))[:_MAX_MARGINALS]
    gallery.save(f"marginals-{label}", samples.marginals(real, rows, names))
    return [
        gallery.draw(
            f"marginal{k}",
            samples.marginals(real, rows, [name]),
            f"{name}: real rows and {label}",
        )
        for k, name in enumerate(names)
    ]


def _curves(
    gallery: Gallery, store: Store, models: Mapping[str, Sequence[CellResult]]
) -> list[Drawn]:
    curves = []
    for label, cells in models.items():
        traces = [read_run(store.cell(c.cell) / "run").trace for c in cells]
        traces = [t for t in traces if len(t) >= _MANY_POINTS]
        if traces:
            known = cells[0].cell.model in registry.names()
            can = registry.get(cells[0].cell.model).capabilities if known else None
            unit = "nats a row" if can is None else can.unit
            made = training_curves(
                traces, title=label, unit=unit, losses=can is None or not can.objective
            )
            curves.append(gallery.keep(f"training-{label}", made, f"Training of {label}"))
    return curves
