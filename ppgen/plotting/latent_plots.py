"""Latents as bars and lines: the KL of each latent, and what a table's columns do along one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis.decoded import Decoded
from ..analysis.latents import Traversal
from ..arrays import Floats
from ..errors import InputError
from ..models.vae.bounds import Bound
from .axis import shortened
from .latent_scatter import PALETTE, side_legend
from .style import ACCENT, MUTED, REAL, RULE, figure, heading, panel, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MAX_COLUMNS = 12
MAX_LINES = 6
MAX_NAMED = 40


def kl_bars(kl: Bound | ArrayLike, *, threshold: float = 0.01, title: str = "") -> Figure:
    """The mean KL divergence of each latent's posterior from the prior, the largest first.

    Args:
        kl: (k,) nats a row, or what `VAE.bound` gave.
        threshold: latents below it are inactive, and grey.
        title: of the figure; by default how many are active.

    Raises:
        InputError: if kl is not one finite number a latent.
    """
    values = np.asarray(kl.kl_per_latent if isinstance(kl, Bound) else kl, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise InputError(f"kl of shape {values.shape} given; expected one finite number a latent.")
    order = np.argsort(-values, kind="stable")
    tall = values[order]
    active = tall >= threshold
    place = np.arange(len(tall))
    with panel(float(np.clip(0.16 * len(tall) + 0.9, 2.6, 7.0)), 2.2) as (made, axes):
        # No bar of an inactive latent would show: a foot says that there is one.
        foot = np.maximum(tall, 0.012 * max(tall.max(), threshold))
        colours = np.where(active, ACCENT, REAL)
        axes.bar(place, np.where(active, tall, foot), width=0.8, color=colours)
        if threshold > 0.03 * tall.max():
            axes.axhline(threshold, color=RULE, linewidth=0.8, linestyle=(0, (4, 3)))
        if len(order) > MAX_NAMED:
            axes.set_xticks([])
            axes.set_xlabel("latents, the largest first")
        else:
            axes.set_xticks(place, [str(j) for j in order])
            axes.tick_params(axis="x", length=0, labelsize=7)
            axes.set_xlabel("latent")
        share = f"{int(active.sum())} of {len(tall)} latents are active: say something of a row"
        if not active.any():
            share = "no latent is active: none says anything of a row"
        axes.set(xlim=(-0.7, len(tall) - 0.3), ylabel="KL, nats a row")
        heading(made, shortened(title or share, 90))
    return made


def traversal_lines(
    values: Decoded | ArrayLike,
    columns: Mapping[str, ArrayLike] | None = None,
    labels: Sequence[str] | None = None,
    *,
    reach: Mapping[str, tuple[float, float]] | None = None,
    across: int = 4,
    title: str = "",
) -> Figure:
    """Each column's predicted value while one latent changes: a panel a column, a line a latent.

    Args:
        values: what `traverse` gave of a table, or what `interpolate` did, whose path is one line;
            or (steps,) or (dims, steps) what the latent is set to.
        columns: name -> (dims, steps) numbers or levels; those of what `traverse` gave by default.
        labels: of the latents; "latent 0", "latent 1", ... by default.
        reach: name -> the least and greatest value of the data, so that a panel is no narrower
            than they and a line that hardly moves looks so.
        across: panels side by side.
        title: of the figure.

    The first 12 columns and the first 6 latents are drawn; the title says if there are more.

    Raises:
        InputError: for values or columns of another shape, or rows that are images.
    """
    below = "value of the latent"
    if isinstance(values, Decoded):
        found, own = values, columns_of(values)
        columns = own if columns is None else columns
        if isinstance(found, Traversal):
            values, title = found.values, title or walked(found.activity)
            labels = walked_names(found.dims, found.activity) if labels is None else labels
        else:
            values, below = np.linspace(0, 1, len(found.codes)), "share of the way"
            labels = ["the path"] if labels is None else labels
    tables = {name: np.asarray(v) for name, v in (columns or {}).items()}
    if not tables:
        raise InputError("no columns given; expected name -> (dims, steps) values.")
    dims, steps = shape = next(iter(tables.values())).shape[:2] or (0, 0)
    x = np.asarray(values, np.float64)
    x = np.broadcast_to(x, shape) if x.shape in ((steps,), shape) else x
    if x.shape != shape or any(v.shape != shape for v in tables.values()):
        raise InputError(
            f"values of shape {x.shape} and columns of {sorted({v.shape for v in tables.values()})}"
            " given; expected (dims, steps), the same of all."
        )
    named = latent_names(labels, dims, "latents")
    drawn = list(tables.items())[:MAX_COLUMNS]
    lines = range(min(dims, MAX_LINES))
    wide = min(across, len(drawn))
    down = math.ceil(len(drawn) / wide)
    with styled():
        made = figure(1.75 * wide + 1.0, 1.5 * down + 0.4)
        grid = list(made.subplots(down, wide, squeeze=False, sharex=True).ravel())
        for axes, (name, table) in zip(grid, drawn, strict=False):
            heights, levels = _heights(table)
            for i in reversed(lines):
                axes.plot(x[i], heights[i], color=PALETTE[i])
            if levels is not None:
                for line in axes.lines:
                    line.set_drawstyle("steps-mid")
                axes.set_yticks(range(len(levels)), [shortened(v, 10) for v in levels])
                axes.set_ylim(-0.4, len(levels) - 0.6)
            else:
                axes.locator_params(axis="y", nbins=4)
                if reach is not None and name in reach:
                    axes.update_datalim([(x.min(), v) for v in reach[name]])
                    axes.autoscale_view(scalex=False)
            axes.set_title(shortened(name, 22))
        for axes in grid[len(drawn) :]:
            axes.remove()
        grid[0].locator_params(axis="x", nbins=5)
        for axes in grid[: len(drawn)][-wide:]:
            axes.tick_params(labelbottom=True)
        side_legend(made, [(shortened(named[i], 16), PALETTE[i]) for i in lines], line=True)
        made.supxlabel(below, fontsize=9, color=MUTED)
        parts = [
            f"{most} of {n} {what}"
            for n, most, what in (
                (dims, MAX_LINES, "latents"),
                (len(tables), MAX_COLUMNS, "columns"),
            )
            if n > most
        ]
        words = f"{title} ({', '.join(parts)})" if parts else title
        heading(made, shortened(words, 120), beside=1.0)
    return made


def columns_of(found: Decoded) -> dict[str, NDArray[Any]]:
    """Column -> (dims, steps) of what `traverse` or `interpolate` gave of a table.

    Raises:
        InputError: if the rows are images, or laid out otherwise.
    """
    if found.schema.image_shape is not None:
        other = "traversal_grid" if isinstance(found, Traversal) else "interpolation_strip"
        raise InputError(f"the decoded rows are images; draw them by {other}.")
    if not isinstance(found, Traversal) and len(found.shape) != 1:
        raise InputError(
            f"rows decoded over a plane, {found.shape}, are no line; draw what traverse gives."
        )
    columns = found.columns
    return {name: v if v.ndim > 1 else v[None] for name, v in columns.items()}


def walked(activity: ArrayLike | None, how: str = "one latent changed at a time") -> str:
    """How latents were walked along, and what stands in brackets behind their names."""
    known = activity is not None and bool(np.isfinite(activity).any())
    return f"{how}; in brackets, its activity" if known else how


def walked_names(dims: Sequence[int], activity: ArrayLike | None = None) -> list[str]:
    """Names of the latents walked along, with their activity in brackets where it is known."""
    known = np.full(len(dims), np.nan) if activity is None else np.asarray(activity, np.float64)
    return [
        f"latent {j}" + (f" ({a:.2g})" if np.isfinite(a) else "")
        for j, a in zip(dims, known, strict=True)
    ]


def _heights(table: NDArray[Any]) -> tuple[Floats, list[str] | None]:
    """Numbers as they are; levels as places, with their names."""
    if table.dtype.kind in "iufb":
        return table.astype(np.float64), None
    levels, place = np.unique(table.astype(str), return_inverse=True)
    return place.reshape(table.shape).astype(np.float64), [str(v) for v in levels]


def latent_names(labels: Sequence[str] | None, n: int, what: str) -> list[str]:
    """The labels, or "latent 0", "latent 1", ...; raise InputError unless there are n."""
    names = [f"latent {i}" for i in range(n)] if labels is None else list(labels)
    if len(names) != n:
        raise InputError(f"{len(names)} labels given for {n} {what}; give one each.")
    return names
