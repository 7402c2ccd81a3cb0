"""Images of a bright bar at the left or at the right, and a small diffusion model of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import ppgen


@cache
def bars() -> tuple[Any, Any]:
    """Images (60, 12, 12) with a bright bar at the left or at the right, and which."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    x = rng.integers(0, 40, (60, 12, 12))
    for image, right in zip(x, y, strict=True):
        image[:, slice(7, 11) if right else slice(1, 5)] += 200
    return x.astype(np.uint8), np.array(["left", "right"])[y]


@cache
def fitted() -> Any:
    x, y = bars()
    how = {"max_epochs": 100, "batch_size": 27, "learning_rate": 1e-2, "ema": 0.97, "dropout": 0.0}
    return ppgen.Diffusion(conditional=True, channels=(8,), random_state=0, **how).fit(x, y)


def side(images: Any) -> Any:
    """(n,) whether the right half is the brighter."""
    x = np.asarray(images, float)
    return x[:, :, 6:].sum((1, 2)) > x[:, :, :6].sum((1, 2))
