"""Draws of states with given weights."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Ints


def drawn(weights: Floats, u: Floats) -> Ints:
    """States by inversion of the distribution function; one of weight 0 is never drawn.

    Args:
        weights: (..., k) at least 0, their sum along the last axis above 0; they need not sum to 1.
        u: (...) uniform in [0, 1).
    """
    upto = np.cumsum(weights, axis=-1)
    total = upto[..., -1]
    place = np.minimum(u * total, np.nextafter(total, 0.0))
    states: Ints = (upto <= place[..., None]).sum(axis=-1)
    return states
