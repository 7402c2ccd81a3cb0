"""Temperatures b of paths from a start (b = 0) to a posterior (b = 1)."""

from __future__ import annotations

import numpy as np

from ..arrays import Array
from ..settings import integer, number


def linear(n: int) -> Array:
    """b_t = t / n, (n + 1,)."""
    integer(1).check("n", n)
    return np.linspace(0.0, 1.0, n + 1)


def sigmoidal(n: int, delta: float = 4.0) -> Array:
    """b_t = sigmoid(delta (2 t / n - 1)), shifted and scaled to run from 0 to 1, (n + 1,): steps
    are short at both ends."""
    number(above=0, below=30).check("delta", delta)
    b = 1 / (1 + np.exp(-delta * (2 * linear(n) - 1)))
    scaled: Array = (b - b[0]) / (b[-1] - b[0])
    return scaled
