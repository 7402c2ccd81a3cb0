"""Samples beside real rows: two columns at a time, or one.

Real rows are grey and stand below, samples in the accent colour above: grey that shows is what the
model misses, colour beyond the grey is what it invents.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.association import associations, column_pairs
from ..analysis.features import Features
from ..data import Dataset
from .axis import ColumnAxis, column_axes, shortened
from .style import ACCENT, INK, MUTED, POINTS, REAL, bare, figure, panel, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pair = tuple[str, str]

MAX_POINTS = 1500


def dependent_pairs(real: Dataset, n: int = 3, seed: int = 0) -> list[Pair]:
    """The n most dependent pairs of columns, each column in at most two of them."""
    features = Features.fit(real)
    if len(features.columns) < 2:
        return []
    rows = _few(real, 4000, seed)
    table = features.table(rows)
    strength = np.abs(associations(table, [f.is_ordered for f in features.columns], seed))
    places = column_pairs(len(features.columns), seed)
    used: Counter[int] = Counter()
    chosen: list[Pair] = []
    for k in np.argsort(-np.nan_to_num(strength, nan=-1.0), kind="stable"):
        i, j = places[k]
        if used[i] < 2 and used[j] < 2 and len(chosen) < n:
            chosen.append((features.columns[i].name, features.columns[j].name))
            used.update((i, j))
    return chosen


def pair_panel(
    real: Dataset, generated: Dataset | None, pair: Pair, *, title: str = "", seed: int = 0
) -> Figure:
    """One panel: two columns of real rows, and of samples where given."""
    axes_of = column_axes(real)
    with panel(2.25, 2.2) as (made, axes):
        _scatter(axes, real, generated, [axes_of[c] for c in pair], title, seed)
    return made


def sample_pairs(
    real: Dataset,
    generated: Mapping[str, Dataset],
    *,
    pairs: Sequence[Pair] | None = None,
    seed: int = 0,
) -> Figure:
    """A grid: a row for each pair of columns, real rows first and then each model's samples.

    Args:
        real: rows to compare with.
        generated: model name -> its samples, with the columns of `real`.
        pairs: columns to draw; by default the three most dependent pairs.
    """
    chosen = dependent_pairs(real) if pairs is None else list(pairs)
    axes_of = column_axes(real)
    panels: list[tuple[str, Dataset | None]] = [("real rows", None), *generated.items()]
    with styled():
        made = figure(2.3 * len(panels), 2.25 * max(1, len(chosen)))
        grid = made.subplots(max(1, len(chosen)), len(panels), squeeze=False)
        for i, pair in enumerate(chosen):
            for j, (name, rows) in enumerate(panels):
                title = name if i == 0 else ""
                _scatter(grid[i, j], real, rows, [axes_of[c] for c in pair], title, seed)
                if j > 0:
                    grid[i, j].set_ylabel("")
                    grid[i, j].tick_params(labelleft=False)
    return made


def marginals(
    real: Dataset, generated: Dataset, columns: Sequence[str] | None = None, *, across: int = 4
) -> Figure:
    """Each column's distribution among real rows (grey) and samples (line)."""
    axes_of = column_axes(real)
    names = list(axes_of)[:12] if columns is None else list(columns)
    down, wide = max(1, math.ceil(len(names) / across)), min(across, len(names))
    with styled():
        made = figure(2.1 * wide, 1.7 * down)
        grid = made.subplots(down, wide, squeeze=False).ravel()
        for axes, name in zip(grid, names, strict=False):
            _histogram(axes, axes_of[name], real, generated)
        for axes in grid[len(names) :]:
            bare(axes)
    return made


def _scatter(
    axes: Axes,
    real: Dataset,
    generated: Dataset | None,
    columns: Sequence[ColumnAxis],
    title: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    below = _few(real, MAX_POINTS, seed)
    x, y = (c.place(below, rng) for c in columns)
    size = float(np.clip(3000 / max(1, len(below)), 4, 14))
    alone = generated is None
    strength = 0.75 if alone else 0.5
    axes.scatter(x, y, s=size, color=REAL, alpha=strength, linewidths=0, rasterized=True)
    if generated is not None:
        above = _few(generated, min(MAX_POINTS, len(below)), seed)
        x, y = (c.place(above, rng) for c in columns)
        axes.scatter(x, y, s=0.75 * size, color=POINTS, alpha=0.7, linewidths=0, rasterized=True)
    columns[0].dress(axes, "x")
    columns[1].dress(axes, "y")
    axes.set_title(shortened(title, 26), color=MUTED if alone else INK)


def _histogram(axes: Axes, column: ColumnAxis, real: Dataset, generated: Dataset) -> None:
    codes = [column.feature.codes(d.columns[column.feature.name]) for d in (real, generated)]
    codes = [c[np.isfinite(c)] for c in codes]
    if column.feature.is_number:
        inner = np.clip(len(codes[0]) / 25, 8, 30)
        spaced = np.geomspace if column.log else np.linspace
        edges = np.asarray(spaced(column.low, column.high, int(inner) + 1), np.float64)
    else:
        edges = np.arange(len(column.feature.levels) + 1, dtype=np.float64) - 0.5
    shares = [np.histogram(c, edges)[0] / max(1, len(c)) for c in codes]
    axes.stairs(shares[0], edges, fill=True, color=REAL, alpha=0.45, linewidth=0)
    axes.stairs(shares[1], edges, color=ACCENT, linewidth=1.4)
    column.dress(axes, "x")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _few(data: Dataset, n: int, seed: int) -> Dataset:
    return data.thinned(n, np.random.default_rng([seed, n]))
