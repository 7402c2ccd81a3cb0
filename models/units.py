"""Locations and scales of data, in which the priors of the models that ship are stated.

A model is told them, rather than compute them of the rows it sees: minibatches and new inputs are
then measured as the rows of the fit were.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def units(X: ArrayLike, y: ArrayLike | None = None) -> dict[str, Any]:
    """Mean and standard deviation of each column, 1 where it is constant.

    Args:
        X: (n, d) inputs.
        y: (n,) numbers, for models of which y has units.

    Returns:
        `x_units` (2, d), locations above scales, and with y `y_units` (2,): keywords of a model.
    """
    found: dict[str, Any] = {"x_units": _of(np.asarray(X, float))}
    return found if y is None else found | {"y_units": _of(np.asarray(y, float))}


def _of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = values.std(axis=0)
    return np.stack([values.mean(axis=0), np.where(scale > 0, scale, 1.0)])
