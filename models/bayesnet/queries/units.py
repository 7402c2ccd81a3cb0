"""Continuous nodes in the units of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ....arrays import Array, Floats
from ....data.warp import Warp
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
    found = {a: mixtures.quantile(weights, means, variances, a) for a in levels}
    quantiles = {a: in_units(warp, z) for a, z in found.items()}
    if warp is None or warp.linear:
        mean, sd = mixtures.moments(weights, means, variances)
        return Summary(in_units(warp, mean), sd * (warp.scale if warp else 1.0), quantiles)
    period = warp.column.period

    def value(z: Floats) -> Array:
        return in_units(warp, z) if period is None else _on_circle(in_units(warp, z), period)

    mean, sd = mixtures.moments(weights, means, variances, value, steps=warp.noisy)
    if period is not None:
        mean, sd = _of_circle(warp, mean)
    return Summary(mean, sd, quantiles)


def summary_of_draws(
    warp: Warp | None, z: Floats, shares: Floats, levels: Sequence[float]
) -> Summary:
    """A node of which there are encoded draws (n, N) with weights that sum to 1 in each row."""
    values = in_units(warp, z)
    if warp is not None and (period := warp.column.period) is not None:
        u = (shares * _on_circle(values, period)).sum(axis=1)
        mean, sd = _of_circle(warp, u)
        turned = 2 * np.pi / period * (values - mean[:, None])
        off = np.sin(turned) / np.abs(u)[:, None] * period / (2 * np.pi)
    else:
        mean = (shares * values).sum(axis=1)
        off = values - mean[:, None]
        sd = np.sqrt((shares * off**2).sum(axis=1))
    order = np.argsort(z, axis=1)
    ranked = np.take_along_axis(values, order, axis=1)
    below = np.take_along_axis(shares, order, axis=1).cumsum(axis=1)
    quantiles = {}
    for level in levels:
        place = (below < level).sum(axis=1).clip(max=values.shape[1] - 1)
        quantiles[level] = np.where(
            np.isnan(mean), np.nan, np.take_along_axis(ranked, place[:, None], axis=1)[:, 0]
        )
    return Summary(mean, sd, quantiles, np.sqrt(((shares * off) ** 2).sum(axis=1)))


def _on_circle(values: Floats, period: float) -> Array:
    """exp(i angle)."""
    return np.asarray(np.exp(2j * np.pi / period * values))


def _of_circle(warp: Warp, u: Array) -> tuple[Floats, Floats]:
    """The mean direction, and the circular standard deviation sqrt(-2 log |u|), in the units of the
    data, where E[exp(i angle)] = u."""
    period = warp.column.period
    assert period is not None
    turns = np.angle(u) / (2 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.sqrt(np.maximum(-2 * np.log(np.abs(u)), 0.0)) / (2 * np.pi)
    return warp.around(turns * period, period), sd * period
