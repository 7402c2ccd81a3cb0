"""Rows that the nets are trained on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """Some of a table's rows: all stored rows (n, D), what goes with them, and the numbers of
    those meant."""

    x: NDArray[Any]
    context: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
    numbers: NDArray[np.int64]
