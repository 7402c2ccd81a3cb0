"""What a latent space looks like: traversals, reconstructions, paths and maps.

Images are (C, H, W), one channel grey, three colours. Black and white are the `limits` given, such
as (0, 255); by default the least and the greatest value of a figure's images, or of the originals
where there are some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .latent_plots import kl_bars as kl_bars
from .latent_plots import latent_names
from .latent_plots import traversal_lines as traversal_lines
from .latent_scatter import latent_map_plot as latent_map_plot
from .mosaic import Limits, as_grid, limits_of, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def traversal_grid(
    images: ArrayLike,
    labels: Sequence[str] | None = None,
    *,
    values: ArrayLike | None = None,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """A row for each latent, along which it alone changes.

    Args:
        images: (dims, steps, C, H, W), such as `traverse(...).images`.
        labels: of the rows; "latent 1", "latent 2", ... by default.
        values: (steps,) or (dims, steps) what the latent is set to; written below where it is the
            same in every row.

    Raises:
        InputError: for images of another shape, or another number of labels or values.
    """
    grid = as_grid(images, 2, "(dims, steps, C, H, W)")
    names = latent_names(labels, len(grid), "rows")
    ticks = _ticks(values, *grid.shape[:2])
    return sheet(grid, limits, rows=names, columns=ticks, title=title)


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
    images: ArrayLike,
    *,
    ends: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """A row for each path from one row to another.

    Args:
        images: (steps, C, H, W) or (paths, steps, C, H, W), such as `interpolate(...).images`.
        ends: (2, C, H, W) or (paths, 2, C, H, W) the rows themselves, drawn apart at both sides.
        labels: of the paths.

    Raises:
        InputError: for images of another shape or number.
    """
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
    images: ArrayLike,
    *,
    names: tuple[str, str] = ("latent 1", "latent 2"),
    width: float = 5.0,
    limits: Limits | None = None,
    title: str = "",
) -> Figure:
    """Rows decoded on a grid over two latents, without gaps.

    Args:
        images: (rows, cols, C, H, W), such as `manifold(...).images`: the first latent grows to the
            right, the second upwards.
        names: of the axes.
        width: of all images, in inches.

    Raises:
        InputError: for images of another shape.
    """
    grid = as_grid(images, 2, "(rows, cols, C, H, W)")
    return sheet(
        grid,
        limits,
        title=title,
        axis_names=(f"{names[0]} →", f"{names[1]} →"),
        touching=float(np.clip(width / grid.shape[1], 0.12, 0.55)),
    )


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
