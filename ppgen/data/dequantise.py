"""Noise that fills cells (of rounding, counts, levels and atoms), as a pure function of the row.

The noise of a row depends on the row's contents and a seed, never on its place or its neighbours:
scoring a subset gives the same numbers as scoring the whole, and two models are compared on the
same noisy rows. Several draws of a row are a Latin hypercube (McKay, Beckman and Conover, "A
comparison of three methods for selecting values of input variables", 1979,
https://doi.org/10.2307/1268522): each is uniform in the cell, and along each column they fall into
different strata.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .hashing import GOLDEN, mix, occurrence, row_hashes


def offsets(
    data: Dataset, d: int, *, draw: int, draws: int = 1, seed: int = 0, apart: bool = False
) -> NDArray[np.float64]:
    """(n, d) places in [0, 1) inside the cells of d columns: draw number `draw` of `draws`.

    Args:
        data: the rows.
        d: columns with cells.
        draw: which draw, from 0 to draws - 1.
        draws: how many belong together, a power of two.
        seed: draws of different seeds are independent.
        apart: whether equal rows get places of their own, as fitting needs: many copies of one
            place would be a spike. Then the noise depends on how many equal rows stand before.
    """
    hashes = row_hashes(data, seed)
    if apart:
        with np.errstate(over="ignore"):
            hashes = mix(hashes + occurrence(hashes) * GOLDEN)
    rows = hashes[:, None]
    columns = np.arange(1, d + 1, dtype=np.uint64)[None, :]
    with np.errstate(over="ignore"):
        place = mix(rows + columns * GOLDEN)
        jitter = mix(place + np.uint64(draw + 1) * GOLDEN)
    # k -> a k + b mod K with a odd permutes 0 ... K - 1, K being a power of two.
    a = ((place >> np.uint64(32)) | np.uint64(1)) & np.uint64(0xFFFF)
    stratum = (a * np.uint64(draw) + (place & np.uint64(0xFFFF))) & np.uint64(draws - 1)
    inside = (jitter >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (stratum.astype(np.float64) + inside) / draws
