"""Rows that nets are trained on in tests: nearly collinear columns, and subsets of rows."""

from __future__ import annotations

import numpy as np

from ppgen.models.nets.held_out import Subset

D = 4


def collinear(n, seed=0, noise=1e-2):
    """(n, 4) rows of which the last two columns nearly follow from the first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    x[:, 2] = x[:, 0] - x[:, 1] + noise * x[:, 2]
    x[:, 3] = 2 * x[:, 0] + noise * x[:, 3]
    return (x - x.mean(0)) / x.std(0)


def subset(x, numbers=None):
    every = np.arange(len(x), dtype=np.uint64)
    at = np.arange(len(x)) if numbers is None else np.flatnonzero(numbers)
    return Subset(x, at, np.zeros(len(x)), None, None, None, lambda: every)
