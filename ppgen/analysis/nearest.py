"""Which real row is nearest to each generated one."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Ints
from ..data import Dataset
from .features import Features

_BLOCK = 512


def nearest_rows(real: Dataset, generated: Dataset) -> Ints:
    """(n,) numbers of the real rows that are nearest to n generated ones, in coordinates in which
    every column counts alike; of images by the principal components of their pixels."""
    features = Features.fit(real)
    return nearest(features.space(real), features.space(generated))


def nearest(pool: Floats, rows: Floats) -> Ints:
    """(n,) numbers of the points of a pool (m, d) that are nearest to points (n, d)."""
    from scipy.spatial.distance import cdist

    found = [
        cdist(rows[start : start + _BLOCK], pool).argmin(axis=1)
        for start in range(0, len(rows), _BLOCK)
    ]
    return np.concatenate(found)
