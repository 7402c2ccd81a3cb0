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
from .drawn import Drawn, Keep
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
    data: Dataset, cells: Mapping[str, CellResult], looks: Mapping[str, Arrays], keep: Keep
) -> LatentFigures | None:
    """All figures, models in the given order; None where no model has latents.

    Args:
        data: the study's data set.
        cells: label -> a finished cell.
        looks: label -> its arrays; empty for a family without latents.
        keep: keeps a figure.
    """
    seen = {label: arrays for label, arrays in looks.items() if arrays}
    if not seen:
        return None
    models = [
        ModelLatents(
            label,
            _small(label, cells[label], keep),
            _maps(data, label, cells[label].latents or {}, arrays, keep),
            _wide(data, label, cells[label].latents or {}, arrays, keep),
        )
        for label, arrays in seen.items()
    ]
    return LatentFigures(_reconstructions(data, seen, keep), models)


def _reconstructions(data: Dataset, seen: Mapping[str, Arrays], keep: Keep) -> Drawn | None:
    images = {label: a for label, a in seen.items() if "reconstructed" in a}
    if not images:
        return None
    originals = next(iter(images.values()))["originals"]
    # Cells of one seed show the same held-out rows; a model that lacks that seed is left out.
    strips = {
        label: a["reconstructed"]
        for label, a in images.items()
        if np.array_equal(a["originals"], originals)
    }
    made = plots.reconstruction_strip(originals, strips, limits=black_and_white(data))
    return keep("reconstructions", made, "Held-out images and their reconstructions")


def _small(label: str, cell: CellResult, keep: Keep) -> list[Drawn]:
    figures = []
    body = cell.latents or {}
    if body.get("kl_per_latent"):
        made = plots.kl_bars(body["kl_per_latent"], threshold=THRESHOLD)
        figures.append(keep(f"kl-{label}", made, f"Divergence of each latent of {label}"))
    known = {} if cell.density is None else cell.density.diagnostics
    if "khat" in known:
        made = khat_histogram(known["khat"], known["good_khat"])
        figures.append(keep(f"khat-{label}", made, f"Pareto k-hat of the rows under {label}"))
    return figures


def _maps(
    data: Dataset, label: str, body: Mapping[str, Any], arrays: Arrays, keep: Keep
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
    figures = [keep(f"map-{label}", made, f"Map of the latents of {label}")]
    if "manifold" in arrays:
        made = plots.latent_manifold(
            arrays["manifold"],
            names=names,
            width=_MANIFOLD,
            limits=black_and_white(data),
            title="what is decoded there",
        )
        figures.append(keep(f"manifold-{label}", made, f"Images over the latents of {label}"))
    return figures


def _wide(
    data: Dataset, label: str, body: Mapping[str, Any], arrays: Arrays, keep: Keep
) -> list[Drawn]:
    figures = []
    limits = black_and_white(data)
    names = [f"latent {j + 1}" for j in arrays["dims"]]
    values = np.linspace(-REACH, REACH, STEPS)
    if "traversal" in arrays:
        made = plots.traversal_grid(
            arrays["traversal"],
            names,
            values=values,
            limits=limits,
            title=_WALKED,
        )
        figures.append(keep(f"traversal-{label}", made, f"Traversals of the latents of {label}"))
    elif body.get("columns"):
        columns = {name: arrays[f"traversal{i}"] for i, name in enumerate(body["columns"])}
        made = plots.traversal_lines(
            values, columns, names, reach=_reach(data, list(columns)), title=_WALKED
        )
        figures.append(keep(f"traversal-{label}", made, f"Traversals of the latents of {label}"))
    if "walk" in arrays:
        made = plots.interpolation_strip(
            arrays["walk"],
            ends=arrays["ends"],
            labels=[f"path {i + 1}" for i in range(len(arrays["walk"]))],
            limits=limits,
            title="straight from the code of one held-out image to that of another",
        )
        figures.append(keep(f"interpolation-{label}", made, f"Interpolations by {label}"))
    return figures


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
    bulk = {}
    for name in names:
        values = data.columns[name]
        if values.dtype.kind == "f" and np.isfinite(values).any():
            low, high = np.nanquantile(values, [0.01, 0.99])
            bulk[name] = (float(low), float(high))
    return bulk
