"""Noise that fills rounding cells, as a pure function of the row.

The noise of a row depends on the row's contents and a seed, never on its place or its neighbours:
scoring a subset gives the same numbers as scoring the whole, and two models are compared on the
same noisy rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .splits import mix, row_hashes


def offsets(data: Dataset, d: int, draw: int, seed: int = 0) -> NDArray[np.float64]:
    """(n, d) places in [0, 1) inside the cells of d columns, for draw number `draw`."""
    rows = row_hashes(data, seed)[:, None]
    columns = (np.arange(d, dtype=np.uint64) + np.uint64(draw) * np.uint64(d) + np.uint64(1))[
        None, :
    ]
    with np.errstate(over="ignore"):
        bits = mix(rows + columns * np.uint64(0x9E3779B97F4A7C15))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
