"""Figures of what a study's models with latents saw, from the arrays that `latents.look` kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..plotting import latent_images as plots
from ..plotting.images import shown_limits
from ..plotting.khat import khat_histogram
from ..plotting.latent_plots import MAX_LINES, walked, walked_names
from .cell_results import CellResult
from .drawn import Drawn, Gallery
from .latent_looks import REACH, STEPS, THRESHOLD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = Mapping[str, NDArray[Any]]
Keep = Callable[[str, "Figure", str], Drawn]

_LOOKED_AT = 2000  # images whose values say what is white
_WALKED = "one latent changed, by standard deviations of the codes"
_MANIFOLD = 2.9  # inches: as high as the map beside it


@dataclass(frozen=True)
class ModelLatents:
    """The figures of one model: of the latents from above, of numbers, and wide ones."""

    label: str
    maps: Sequence[Drawn]
    small: Sequence[Drawn]
    wide: Sequence[Drawn]


@dataclass(frozen=True)
class LatentFigures:
    """The figures of the latents of a data set's models."""

    reconstructions: Drawn | None
    models: Sequence[ModelLatents]


def draw_latents(
    data: Dataset,
    cells: Mapping[str, CellResult],
    looks: Mapping[str, Arrays],
    gallery: Gallery,
) -> LatentFigures | None:
    """All figures, models in the given order; None where no model has latents.

    Args:
        data: the study's data set.
        cells: label -> a finished cell.
        looks: label -> its arrays; empty for a family without latents.
        gallery: keeps the figures.
    """
    seen = {label: arrays for label, arrays in looks.items() if arrays}
    if not seen:
        return None
    models = []
    for label, arrays in seen.items():
        cell, keep = cells[label], partial(_keep, gallery, label)
        body = cell.latents or {}
        maps, wide = _maps(data, body, arrays, keep), _wide(data, body, arrays, keep)
        models.append(ModelLatents(label, list(maps), list(_small(cell, keep)), list(wide)))
    return LatentFigures(_reconstructions(data, seen, gallery), models)


def _keep(gallery: Gallery, label: str, what: str, made: Figure, title: str) -> Drawn:
    return gallery.keep(f"{what}-{label}", made, f"{title} {label}")


def _reconstructions(data: Dataset, seen: Mapping[str, Arrays], gallery: Gallery) -> Drawn | None:
    images = {label: a for label, a in seen.items() if "reconstructed" in a}
    if not images:
        return None
    originals = next(iter(images.values()))["originals"]
    # Cells of one seed show the same held-out rows; a model that lacks that seed is left out.
    strips = {
        label: arrays["reconstructed"]
        for label, arrays in images.items()
        if np.array_equal(arrays["originals"], originals)
    }
    made = plots.reconstruction_strip(originals, strips, limits=black_and_white(data))
    return gallery.keep("reconstructions", made, "Held-out images and their reconstructions")


def _small(cell: CellResult, keep: Keep) -> Iterator[Drawn]:
    """Numbers of latents, and of rows."""
    kl, khat = (cell.latents or {}).get("kl_per_latent"), cell.khat
    if kl:
        made = plots.kl_bars(kl, threshold=THRESHOLD)
        yield keep("kl", made, "Divergence of each latent of")
    if khat is not None:
        made = khat_histogram(khat.values, khat.good)
        yield keep("khat", made, "Pareto k-hat of the rows under")


def _maps(data: Dataset, body: Mapping[str, Any], arrays: Arrays, keep: Keep) -> Iterator[Drawn]:
    """Codes from above, and what is decoded there."""
    if "points" not in arrays:
        return
    exact = body["latents"] == 2
    names = ("latent 0", "latent 1") if exact else ("component 1", "component 2")
    target, called = _target(data, arrays["mapped"])
    made = plots.latent_map_plot(
        arrays["points"],
        target,
        names=names,
        explained=None if exact else arrays["explained"],
        label=called,
        title="codes of rows" if exact else "codes of rows, by principal components",
    )
    yield keep("map", made, "Map of the latents of")
    if "manifold" in arrays:
        made = plots.latent_manifold(
            arrays["manifold"],
            names=names,
            width=_MANIFOLD,
            limits=black_and_white(data),
            title="what is decoded there",
        )
        yield keep("manifold", made, "Images over the latents of")


def _wide(data: Dataset, body: Mapping[str, Any], arrays: Arrays, keep: Keep) -> Iterator[Drawn]:
    """What changes along each latent, and between rows."""
    limits = black_and_white(data)
    spread = arrays.get("activity")
    most = slice(None if "traversal" in arrays else MAX_LINES)
    names = walked_names(arrays["dims"].tolist(), spread)[most]
    less = f"{len(names)} of {body['latents']} latents: " if len(names) < body["latents"] else ""
    how: dict[str, Any] = {
        "values": np.linspace(-REACH, REACH, STEPS),
        "title": walked(spread, less + _WALKED),
    }
    if "traversal" in arrays:
        made = plots.traversal_grid(arrays["traversal"], names, limits=limits, **how)
        yield keep("traversal", made, "Traversals of the latents of")
    elif body.get("columns"):
        columns = {name: arrays[f"traversal{i}"][most] for i, name in enumerate(body["columns"])}
        reach = _reach(data, list(columns))
        made = plots.traversal_lines(columns=columns, labels=names, reach=reach, **how)
        yield keep("traversal", made, "Traversals of the latents of")
    if "walk" in arrays:
        made = plots.interpolation_strip(
            arrays["walk"],
            ends=arrays["ends"],
            labels=[f"path {i + 1}" for i in range(len(arrays["walk"]))],
            limits=limits,
            title="straight from the code of one held-out image to that of another",
        )
        yield keep("interpolation", made, "Interpolations by")


def black_and_white(data: Dataset) -> tuple[float, float] | None:
    """The values of black and white, None for a table."""
    pixels = data.schema.pixels
    if pixels is None or data.images is None:
        return None
    return shown_limits(data.images[:_LOOKED_AT], pixels.low, pixels.high)


def _target(data: Dataset, rows: NDArray[Any]) -> tuple[NDArray[Any] | None, str]:
    """A label of each row, the first of several, and what it is called."""
    if data.target is None:
        return None, ""
    target = np.asarray(data.target)[rows]
    if target.dtype.names:
        return np.asarray(target[target.dtype.names[0]]), target.dtype.names[0]
    return (target, "target") if target.ndim == 1 else (np.asarray(target[:, 0]), "factor 1")


def _reach(data: Dataset, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The bulk of each column of numbers."""
    reach = {}
    for name in names:
        values = data.columns[name]
        if values.dtype.kind == "f" and np.isfinite(values).any():
            low, high = np.nanquantile(values, [0.01, 0.99])
            reach[name] = (float(low), float(high))
    return reach
