"""What a latent space looks like: traversals, reconstructions, paths and maps.

Each takes what `ppgen.traverse`, `interpolate` or `manifold` gave of images, or arrays. Images are
(C, H, W), one channel grey, three colours. Black and white are the `limits` given, such as
(0, 255); by default the least and the greatest value of a figure's images, or of the originals
where there are some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..analysis.decoded import Decoded
from ..analysis.latents import Traversal
from ..arrays import Floats
from ..errors import InputError
from .latent_plots import kl_bars as kl_bars
from .latent_plots import latent_names, walked, walked_names
from .latent_plots import traversal_lines as traversal_lines
from .latent_scatter import latent_map_plot as latent_map_plot
from .mosaic import Limits, as_grid, limits_of, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 16


def traversal_grid(
    images: Traversal | ArrayLike,
    labels: Sequence[str] | None = None,
    *,
    values: ArrayLike | None = None,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """A row for each latent, along which it alone changes.

    Args:
        images: what `traverse` gave, or (dims, steps, C, H, W).
        labels: of the rows; "latent 0", "latent 1", ... by default.
        values: (steps,) or (dims, steps) what the latent is set to; written below where it is the
            same in every row.

    The first 16 latents are drawn; the title says if there are more.

    Raises:
        InputError: for rows of a table, images of another shape, or another number of labels or
            values.
    """
    if isinstance(images, Traversal):
        found, title = images, title or walked(images.activity)
        labels = walked_names(found.dims, found.activity) if labels is None else labels
        values = found.values if values is None else values
        images = pictures_of(found, "traversal_lines")
    grid = as_grid(images, 2, "(dims, steps, C, H, W)")
    names = latent_names(labels, len(grid), "rows")
    ticks = _ticks(values, *grid.shape[:2])
    if (dims := len(grid)) > MAX_ROWS:
        title = f"{title} ({MAX_ROWS} of {dims} latents)".strip()
    return sheet(grid[:MAX_ROWS], limits, rows=names[:MAX_ROWS], columns=ticks, title=title)


def reconstruction_strip(
    originals: ArrayLike,
    reconstructions: ArrayLike | Mapping[str, ArrayLike],
    *,
    noisy: ArrayLike | None = None,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """Originals above, reconstructions beneath, a row for each model.

    Args:
        originals: (n, C, H, W).
        reconstructions: (n, C, H, W), or name -> (n, C, H, W) for several models.
        noisy: (n, C, H, W) what the models were given, drawn between, where they take noise away.

    Raises:
        InputError: for images of another shape or number.
    """
    first = as_grid(originals, 1, "(n, C, H, W)")
    named = reconstructions if isinstance(reconstructions, Mapping) else {"": reconstructions}
    rows = {"original": first}
    if noisy is not None:
        rows["given"] = as_grid(noisy, 1, "(n, C, H, W)")
    rows |= {name or "reconstruction": as_grid(r, 1, "(n, C, H, W)") for name, r in named.items()}
    for name, row in rows.items():
        if row.shape != first.shape:
            raise InputError(
                f"{name!r} has images of shape {row.shape}, the originals {first.shape}; give the "
                "reconstruction of each original."
            )
    images = np.stack(list(rows.values()))
    return sheet(images, limits or limits_of(first), rows=list(rows), title=title)


def interpolation_strip(
    images: Decoded | ArrayLike,
    *,
    ends: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """A row for each path from one row to another.

    Args:
        images: what `interpolate` gave, or (steps, C, H, W) or (paths, steps, C, H, W).
        ends: (2, C, H, W) or (paths, 2, C, H, W) the rows themselves, drawn apart at both sides.
        labels: of the paths.

    Raises:
        InputError: for rows of a table, or images of another shape or number.
    """
    images = pictures_of(images, "traversal_lines") if isinstance(images, Decoded) else images
    given = np.asarray(images, np.float64)
    grid = as_grid(given[None] if given.ndim == 4 else given, 2, "(paths, steps, C, H, W)")
    steps = grid.shape[1]
    ticks = _sparse([f"{t:.2g}" for t in np.linspace(0, 1, steps)])
    apart: tuple[int, ...] = ()
    names = None if labels is None else latent_names(labels, len(grid), "paths")
    if ends is not None:
        two = np.asarray(ends, np.float64)
        two = two[None] if two.ndim == 4 else two
        if two.shape != (len(grid), 2, *grid.shape[2:]):
            raise InputError(
                f"ends of shape {two.shape} given; expected the two rows of each path."
            )
        grid = np.concatenate([two[:, :1], grid, two[:, 1:]], axis=1)
        ticks, apart, limits = ["row a", *ticks, "row b"], (0, steps), limits or limits_of(two)
    return sheet(grid, limits, rows=names, columns=ticks, title=title, apart=apart)


def latent_manifold(
    images: Decoded | ArrayLike,
    *,
    names: tuple[str, str] = ("latent 0", "latent 1"),
    width: float = 5.0,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """Rows decoded on a grid over two latents, without gaps.

    Args:
        images: what `manifold` gave, or (rows, cols, C, H, W): the first latent grows to the right,
            the second upwards.
        names: of the axes.
        width: of all images, in inches.

    Raises:
        InputError: for rows of a table, or images of another shape.
    """
    if isinstance(images, Decoded):
        images = pictures_of(images, "traversal_lines, of what traverse gives")
    grid = as_grid(images, 2, "(rows, cols, C, H, W)")
    return sheet(
        grid,
        limits,
        title=title,
        axis_names=(f"{names[0]} →", f"{names[1]} →"),
        touching=float(np.clip(width / grid.shape[1], 0.12, 0.55)),
    )


def pictures_of(found: Decoded, other: str) -> Floats:
    """The images (*shape, C, H, W) of what was decoded.

    Raises:
        InputError: if it is a table, which `other` draws.
    """
    if found.schema.image_shape is None:
        raise InputError(f"the decoded rows are a table, not images; draw them by {other}.")
    return found.images


def _ticks(values: ArrayLike | None, rows: int, steps: int) -> list[str] | None:
    if values is None:
        return None
    steps_of = np.atleast_2d(np.asarray(values, np.float64))
    if steps_of.shape not in ((1, steps), (rows, steps)):
        raise InputError(
            f"values of shape {steps_of.shape} given; expected ({steps},) or ({rows}, {steps})."
        )
    if not np.allclose(steps_of, steps_of[:1]):
        return None
    return _sparse([f"{v:.3g}".replace("-", "−") for v in steps_of[0]])


def _sparse(ticks: list[str]) -> list[str]:
    """Every second, third, ... only, where there are many; the last one always."""
    every, last = math.ceil(len(ticks) / 13), len(ticks) - 1
    return [
        tick if i == last or (i % every == 0 and i + every <= last) else ""
        for i, tick in enumerate(ticks)
    ]
