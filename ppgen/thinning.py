"""Few of many rows, at random, where all would cost too much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thinned(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Ascending numbers of n rows: all, or `most` of them drawn without replacement."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))
