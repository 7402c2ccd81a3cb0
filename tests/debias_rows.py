"""Rows for `DebiasingVAE` in tests, and the settings of a small one."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

SMALL = {
    "latent_dim": 2,
    "hidden": (16,),
    "batch_size": 64,
    "learning_rate": 2e-2,
    "max_epochs": 20,
    "random_state": 0,
}


def table(n=300, seed=0):
    """Two classes apart in the first column; rare rows lie far off in the others."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    x = rng.normal(size=(n, 4))
    x[:, 0] += 4 * y
    rare = rng.random(n) < 0.06
    x[rare, 1:] += 8
    return x, np.where(y, "yes", "no"), rare


def few_digits():
    """400 digits, and labels of three classes."""
    x, y = load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8).astype(np.uint8)[:400], y[:400] % 3
