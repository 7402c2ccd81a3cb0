"""Real columns, encoded all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .bijections import Floats
from .dataset import Dataset
from .warp import INSIDE, Warp

_CELLS = 1 << 20  # values at a time


def encode_linear(
    warps: Sequence[Warp], data: Dataset, offsets: Floats | None, x: Floats, log_det: Floats
) -> None:
    """Real columns, all at once in blocks of rows: z = (x + width (u - 1/2) - m) / s."""
    index = [j for j, w in enumerate(warps) if w.linear]
    if not index:
        return
    real = [warps[j] for j in index]
    names = [w.column.name for w in real]
    place = [list(data.columns).index(name) for name in names]
    width = np.array([w.column.width or 0.0 for w in real])
    shift, scale = np.array([w.shift for w in real]), np.array([w.scale for w in real])
    step = max(1, _CELLS // len(index))
    for start in range(0, len(data), step):
        rows = slice(start, start + step)
        if data.array is not None:
            v = data.array[rows][:, place].astype(np.float64)
        else:
            v = np.column_stack([data.columns[name][rows] for name in names]).astype(np.float64)
        if offsets is not None and width.any():
            u = offsets[:, index] if len(offsets) == 1 else offsets[rows][:, index]
            v += width * (np.clip(u, INSIDE, 1 - INSIDE) - 0.5)
        gaps = np.isnan(v)
        v -= shift
        with np.errstate(over="ignore"):  # as far out as infinity
            v /= scale
        x[rows, slice(None) if len(index) == x.shape[1] else index] = v
        if gaps.any():
            log_det[rows] -= (~gaps) @ np.log(scale)
        else:
            log_det[rows] -= np.log(scale).sum()
