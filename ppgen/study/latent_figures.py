"""Figures of what a study's models with latents saw, from the arrays that `latents.look` kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..plotting import latent_images as plots
from ..plotting.images import shown_limits
from ..plotting.khat import khat_histogram
from .cell_results import CellResult
from .drawn import Drawn, Gallery
from .latent_looks import REACH, STEPS, THRESHOLD

Arrays = Mapping[str, NDArray[Any]]

_LOOKED_AT = 2000  # images whose values say what is white
_WALKED = "one latent changed, by standard deviations of the codes"
_MANIFOLD = 2.9  # inches: as high as the map beside it


@dataclass(frozen=True)
class ModelLatents:
    """The figures of one model: of numbers, of the latents from above, and wide ones."""

    label: str
    small: Sequence[Drawn]
    maps: Sequence[Drawn]
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
    models = [
        ModelLatents(
            label,
            _small(label, cells[label], gallery),
            _maps(data, label, cells[label].latents or {}, arrays, gallery),
            _wide(data, label, cells[label].latents or {}, arrays, gallery),
        )
        for label, arrays in seen.items()
    ]
    return LatentFigures(_reconstructions(data, seen, gallery), models)


def _reconstructions(data: Dataset, seen: Mapping[str, Arrays], gallery: Gallery) -> Drawn | None:
    images = [arrays for arrays in seen.values() if "reconstructed" in arrays]
    if not images:
        return None
    originals = images[0]["originals"]
    # Cells of one seed show the same held-out rows; a model that lacks that seed is left out.
    strips = {
        label: arrays["reconstructed"]
        for label, arrays in seen.items()
        if "originals" in arrays and np.array_equal(arrays["originals"], originals)
    }
    made = plots.reconstruction_strip(originals, strips, limits=black_and_white(data))
    return gallery.keep("reconstructions", made, "Held-out images and their reconstructions")


def _small(label: str, cell: CellResult, gallery: Gallery) -> list[Drawn]:
    """Numbers of latents and of rows."""
    small = []
    kl, khat = (cell.latents or {}).get("kl_per_latent"), cell.khat
    if kl:
        made = plots.kl_bars(kl, threshold=THRESHOLD)
        small.append(gallery.keep(f"kl-{label}", made, f"Divergence of each latent of {label}"))
    if khat is not None:
        made = khat_histogram(khat.values, khat.good)
        small.append(gallery.keep(f"khat-{label}", made, f"Pareto k-hat of the rows under {label}"))
    return small


def _maps(
    data: Dataset, label: str, body: Mapping[str, Any], arrays: Arrays, gallery: Gallery
) -> list[Drawn]:
    """Codes from above, and what is decoded there."""
    if "points" not in arrays:
        return []
    exact = body["latents"] == 2
    names = ("latent 1", "latent 2") if exact else ("component 1", "component 2")
    target, called = _target(data, arrays["mapped"])
    made = plots.latent_map_plot(
        arrays["points"],
        target,
        names=names,
        explained=None if exact else arrays["explained"],
        label=called,
        title="codes of rows" if exact else "codes of rows, by principal components",
    )
    maps = [gallery.keep(f"map-{label}", made, f"Map of the latents of {label}")]
    if "manifold" in arrays:
        made = plots.latent_manifold(
            arrays["manifold"],
            names=names,
            width=_MANIFOLD,
            limits=black_and_white(data),
            title="what is decoded there",
        )
        maps.append(gallery.keep(f"manifold-{label}", made, f"Images over the latents of {label}"))
    return maps


def _wide(
    data: Dataset, label: str, body: Mapping[str, Any], arrays: Arrays, gallery: Gallery
) -> list[Drawn]:
    """What changes along each latent, and between rows."""
    made, wide = None, []
    names = [f"latent {j + 1}" for j in arrays["dims"]]
    how: dict[str, Any] = {"values": np.linspace(-REACH, REACH, STEPS), "title": _WALKED}
    if "traversal" in arrays:
        limits = black_and_white(data)
        made = plots.traversal_grid(arrays["traversal"], names, limits=limits, **how)
    elif body.get("columns"):
        columns = {name: arrays[f"traversal{i}"] for i, name in enumerate(body["columns"])}
        reach = _reach(data, list(columns))
        made = plots.traversal_lines(columns=columns, labels=names, reach=reach, **how)
    if made is not None:
        title = f"Traversals of the latents of {label}"
        wide.append(gallery.keep(f"traversal-{label}", made, title))
    if "walk" in arrays:
        made = plots.interpolation_strip(
            arrays["walk"],
            ends=arrays["ends"],
            labels=[f"path {i + 1}" for i in range(len(arrays["walk"]))],
            limits=black_and_white(data),
            title="straight from the code of one held-out image to that of another",
        )
        wide.append(gallery.keep(f"interpolation-{label}", made, f"Interpolations by {label}"))
    return wide


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
