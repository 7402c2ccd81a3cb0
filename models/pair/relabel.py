"""Components of a user's model that have no order of their own, numbered alike in all draws.

Axes of sites, such as the k weights, means and scales of a mixture, or the states along both axes
of a transition matrix, are exchangeable if permuting them together leaves the log joint density of
the values as it is. This is tried at some of the draws, for a swap and a rotation. Where chains
disagree about such sites, draws are numbered by what their components are: with features x_lf of
the component that is called l (logarithms of what is positive), of mean m_lf and standard deviation
s_lf over the draws, calling component k of a draw by l costs

    c_lk = sum_f [ (x_kf - m_lf)^2 / (2 s_lf^2) + log s_lf ]

(`inference.relabel`). In the end labels rise with the mean of the first feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import numpy as np

from ...arrays import Array, Floats
from ...inference.diagnostics import MAX_RHAT, worst_by_site
from ...inference.posterior.result import Posterior
from ...inference.posterior.target import Target
from ...inference.relabel import Order, matched, reorder
from ...verdict import Reason

_MOST = 20  # components
_MOST_AXES = 8  # of one length that are tried together
_TOLERANCE = 1e-6  # of the log joint, beside its size
_TRIED = 3  # draws

Axes = dict[str, tuple[int, ...]]  # site -> axes of its value


def relabelled(target: Target, posterior: Posterior) -> Posterior:
    """The posterior with exchangeable components numbered alike, where chains disagree about them.
    What was done is among its reasons."""
    for axes in exchangeable(target, _disputed(posterior.draws)):
        order = _orders(posterior.draws, axes, posterior.stats["lp"])
        k = order.shape[1]
        what = (
            f"the posterior is the same however the {k} components of {', '.join(axes)} are "
            "numbered; draws are numbered alike."
        )
        posterior = replace(
            posterior,
            draws=reorder(posterior.draws, order, axes),
            reasons=[*posterior.reasons, Reason("ok", what)],
        )
    return posterior


def _disputed(draws: Mapping[str, Array]) -> dict[str, Array]:
    """All draws, if chains disagree about a site with axes, or there is only one; else none."""
    with_axes = {site: a for site, a in draws.items() if a.ndim > 2}
    table = worst_by_site(with_axes).values()
    return dict(draws) if any(not row["rhat"] <= MAX_RHAT for row in table) else {}


def exchangeable(target: Target, draws: Mapping[str, Array]) -> list[Axes]:
    """The smallest sets of axes of one length whose joint permutation leaves the density as it is.

    Args:
        draws: latent site -> (chain, draw, ...).
    """
    lengths = {size for a in draws.values() for size in a.shape[2:] if 2 <= size <= _MOST}
    return [axes for k in sorted(lengths) for axes in _of_length(target, draws, k)]


def _of_length(target: Target, draws: Mapping[str, Array], k: int) -> list[Axes]:
    places = [
        (site, axis)
        for site, a in draws.items()
        for axis, size in enumerate(a.shape[2:])
        if size == k
    ][:_MOST_AXES]
    flat = {site: a.reshape(-1, *a.shape[2:]) for site, a in draws.items()}
    total = len(next(iter(flat.values())))
    some = np.linspace(0, total - 1, _TRIED).round().astype(int)
    tried = {site: a[some] for site, a in flat.items()}
    here = target.log_density(tried)
    every = [set(c) for n in range(1, len(places) + 1) for c in combinations(places, n)]
    swap, rotation = np.r_[1, 0, 2:k], np.roll(np.arange(k), 1)
    for order in (swap, rotation):
        permuted = [_permuted(tried, each, order) for each in every]
        stacked = {site: np.concatenate([one[site] for one in permuted]) for site in tried}
        there = target.log_density(stacked).reshape(len(every), _TRIED)
        same = np.abs(there - here) <= _TOLERANCE * (1 + np.abs(here))
        every = [each for each, ok in zip(every, same.all(axis=1), strict=True) if ok]
        if not every:
            return []
    found: list[set[tuple[str, int]]] = []
    for each in every:  # the smallest first
        if not each & set(chain(*found)):
            found.append(each)
    return [_axes(each) for each in found]


def _permuted(
    values: Mapping[str, Array], places: set[tuple[str, int]], order: Array
) -> dict[str, Array]:
    out = dict(values)
    for site, axis in places:
        out[site] = np.take(out[site], order, axis=axis + 1)
    return out


def _axes(places: set[tuple[str, int]]) -> Axes:
    sites = dict.fromkeys(site for site, _ in sorted(places))
    return {site: tuple(sorted(axis for s, axis in places if s == site)) for site in sites}


def _orders(draws: Mapping[str, Array], axes: Axes, lp: Array) -> Order:
    """(chain * draw, k) components of each draw in one order."""
    x = np.concatenate([_features(draws[site], axes[site]) for site in axes], axis=2)
    pivot = x[int(np.argmax(lp))]
    spread = np.maximum(x.std(axis=(0, 1)), 1e-12)

    def cost(order: Order | None) -> Floats:
        mean, sd = pivot, np.broadcast_to(spread, pivot.shape)
        if order is not None:
            labelled = np.take_along_axis(x, order[..., None], axis=1)
            mean = labelled.mean(axis=0)
            sd = np.maximum(labelled.std(axis=0), 1e-3 * spread)
        z = (x[:, None] - mean[:, None]) / sd[:, None]
        return np.asarray((0.5 * z**2 + np.log(sd)[:, None]).sum(axis=-1))

    order = matched(cost)
    first = np.take_along_axis(x[..., 0], order, axis=1).mean(axis=0)
    return order[:, np.argsort(first, kind="stable")]


def _features(a: Array, axes: tuple[int, ...]) -> Floats:
    """(draws, k, features) of draws (chain, draw, ...): what stands at each place of the axes; of
    several axes, what stands where they agree."""
    flat = a.reshape(-1, *a.shape[2:])
    moved = np.moveaxis(flat, [axis + 1 for axis in axes], range(1, len(axes) + 1))
    k = np.arange(moved.shape[1])
    at: tuple[Any, ...] = (slice(None), *[k] * len(axes))
    found = moved[at].reshape(len(flat), len(k), -1)
    return np.log(found) if (found > 0).all() else np.asarray(found)
