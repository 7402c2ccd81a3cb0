"""Continuous nodes in the units of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...arrays import Floats
from ...data.warp import Warp
from . import mixtures
from .results import Summary

Units = Mapping[int, Warp]  # by node; a node without one is in its own units


def in_units(warp: Warp | None, z: Floats) -> Floats:
    """Values of a node in the units of the data."""
    if warp is None:
        return z
    if warp.linear:
        return z * warp.scale + warp.shift
    return warp.inverse(z.ravel()).reshape(z.shape)


def summary_of_mixture(
    warp: Warp | None, weights: Floats, means: Floats, variances: Floats, levels: Sequence[float]
) -> Summary:
    """A node whose encoded value has mixtures of Gaussians (..., M): exact, but for the moments of
    a map that is not linear, which are taken by quadrature."""
    nonlinear = warp is not None and not warp.linear
    f = (lambda z: in_units(warp, z)) if nonlinear else None
    mean, sd = mixtures.moments(weights, means, variances, f)
    if warp is not None and not nonlinear:
        mean, sd = in_units(warp, mean), sd * warp.scale
    found = {a: mixtures.quantile(weights, means, variances, a) for a in levels}
    return Summary(mean, sd, {a: in_units(warp, z) for a, z in found.items()})


def summary_of_draws(
    warp: Warp | None, z: Floats, shares: Floats, levels: Sequence[float]
) -> Summary:
    """A node of which there are encoded draws (n, N) with weights that sum to 1 in each row."""
    values = in_units(warp, z)
    mean = (shares * values).sum(axis=1)
    off = values - mean[:, None]
    order = np.argsort(values, axis=1)
    ranked = np.take_along_axis(values, order, axis=1)
    below = np.take_along_axis(shares, order, axis=1).cumsum(axis=1)
    quantiles = {}
    for level in levels:
        place = (below < level).sum(axis=1).clip(max=values.shape[1] - 1)
        quantiles[level] = np.where(
            np.isnan(mean), np.nan, np.take_along_axis(ranked, place[:, None], axis=1)[:, 0]
        )
    sd = np.sqrt((shares * off**2).sum(axis=1))
    return Summary(mean, sd, quantiles, np.sqrt(((shares * off) ** 2).sum(axis=1)))
