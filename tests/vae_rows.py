"""Small tables that variational autoencoders are fitted to, and how."""

from __future__ import annotations

import numpy as np
import pandas as pd

SMALL = {"hidden": (16,), "random_state": 0, "max_epochs": 30, "batch_size": 20}


def moons(n, seed=0):
    """(n, 2) rows on a bent line."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    return np.column_stack([t, t**2 - 1]) + 0.3 * rng.normal(size=(n, 2))


def of_all_kinds():
    """A number, a level, a bit and a count that one thing is behind."""
    rng = np.random.default_rng(0)
    n = 240
    t = rng.normal(size=n)
    level = np.where(t > 0.5, "high", np.where(t < -0.5, "low", "middle"))
    return pd.DataFrame(
        {
            "real": t + 0.3 * rng.normal(size=n),
            "level": level,
            "bit": (t + rng.normal(size=n) > 0).astype(int),
            "count": rng.poisson(np.exp(1 + 0.5 * t)),
        }
    )
