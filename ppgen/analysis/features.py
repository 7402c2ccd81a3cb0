"""Rows of any kind as numbers that two-sample scores can work on.

Two views. `table`: one column each, levels as codes, gaps as NaN, for trees. `space`: a Euclidean
space in which every column counts alike: numbers in robust standard deviations and clipped, angles
as (cos, sin), levels as corners of a simplex with edge 1, a gap as a coordinate of its own. Both
are fixed by the real rows alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..data import Dataset
from ..data.column import CONTINUOUS

MAX_PIXELS = 64
"""Images are looked at through this many of their pixels' principal components."""
MAX_TRAIN = 10_000  # training rows that near ones are looked for among
_CLIP = 8.0
_MOST_LEVELS = 1000  # that coordinates are kept of


@dataclass(frozen=True)
class Feature:
    """One column, as learnt from real rows: centre and scale of numbers, or the levels."""

    name: str
    kind: str
    centre: float = 0.0
    scale: float = 1.0
    period: float | None = None
    levels: tuple[Any, ...] = ()
    gaps: bool = False

    @property
    def is_number(self) -> bool:
        return not self.levels

    @property
    def is_ordered(self) -> bool:
        return self.is_number or self.kind == "ordinal"

    def codes(self, values: NDArray[Any]) -> Floats:
        """Numbers as they are, levels as places, gaps as NaN, unknown levels one place more."""
        if self.is_number:
            return np.asarray(values, np.float64)
        place = {level: float(i) for i, level in enumerate(self.levels)}
        codes = [np.nan if _is_gap(v) else place.get(v, float(len(place))) for v in values.tolist()]
        return np.array(codes, np.float64)

    def coordinates(self, values: NDArray[Any]) -> Floats:
        """(n, k) coordinates of the column in `space`."""
        codes = self.codes(values)
        gap = np.isnan(codes)
        if not self.is_number:
            width = len(self.levels) + 1
            coordinates = np.zeros((len(codes), width))
            place = np.where(gap, 0, codes).astype(int)
            coordinates[np.arange(len(codes)), place] = 1 / np.sqrt(2.0)
        elif self.period is not None:
            angle = 2 * np.pi * codes / self.period
            coordinates = np.column_stack([np.cos(angle), np.sin(angle)])
        else:
            coordinates = np.clip((codes - self.centre) / self.scale, -_CLIP, _CLIP)[:, None]
        coordinates = np.where(gap[:, None], 0.0, coordinates)
        return np.column_stack([coordinates, gap]) if self.gaps else coordinates


@dataclass(frozen=True)
class Features:
    """How the rows of one data set become numbers."""

    columns: tuple[Feature, ...]
    components: tuple[Floats, Floats] | None = None  # of images: mean (p,), axes (k, p)

    @classmethod
    def fit(cls, real: Dataset) -> Features:
        """Learn centres, scales and levels from real rows."""
        if real.images is not None:
            return cls._of_images(real.images)
        features = []
        for column in real.schema.columns:
            if column.kind in ("constant", "empty"):
                continue
            feature = Feature(column.name, column.kind, gaps=column.missing)
            if column.kind in CONTINUOUS:
                seen = np.asarray(real.columns[column.name], np.float64)
                centre, scale = _location(seen[np.isfinite(seen)])
                feature = replace(feature, centre=centre, scale=scale, period=column.period)
            else:
                values = real.columns[column.name]
                feature = replace(feature, levels=_most_frequent(column.levels, values))
            features.append(feature)
        return cls(tuple(features))

    @classmethod
    def _of_images(cls, images: NDArray[Any]) -> Features:
        pixels = np.asarray(images[:2000], np.float64).reshape(min(len(images), 2000), -1)
        mean = pixels.mean(axis=0)
        _, sizes, basis = np.linalg.svd(pixels - mean, full_matrices=False)
        k = min(MAX_PIXELS, len(basis))
        scale = np.sqrt(np.mean(sizes[:k] ** 2) / len(pixels)) or 1.0
        columns = tuple(Feature(f"component {i + 1}", "real") for i in range(k))
        return cls(columns, (mean, basis[:k] / scale))

    def table(self, data: Dataset) -> Floats:
        """(n, d): one column each, levels as codes, gaps as NaN."""
        return self._columns(data, Feature.codes)

    def space(self, data: Dataset) -> Floats:
        """(n, k): coordinates in which Euclidean distance counts every column alike."""
        return self._columns(data, Feature.coordinates)

    def _columns(self, data: Dataset, of: Callable[[Feature, NDArray[Any]], Floats]) -> Floats:
        if self.components is None:
            return np.column_stack([of(f, data.columns[f.name]) for f in self.columns])
        mean, axes = self.components
        pixels = np.asarray(data.images, np.float64).reshape(len(data), -1)
        return np.asarray((pixels - mean) @ axes.T)


def _most_frequent(levels: Sequence[Any], values: NDArray[Any]) -> tuple[Any, ...]:
    """The levels in their order; of very many the most frequent, the others count as unknown."""
    if len(levels) <= _MOST_LEVELS:
        return tuple(levels)
    kept = {level for level, _ in Counter(values.tolist()).most_common(_MOST_LEVELS)}
    return tuple(level for level in levels if level in kept)


def _location(values: Floats) -> tuple[float, float]:
    """Median, and the width of the middle 68 % halved; plain moments where ties make that zero."""
    if not len(values):
        return 0.0, 1.0
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float(middle), float((high - low) / 2 or np.std(values) or 1.0)


def _is_gap(value: Any) -> bool:
    return value is None or value != value
