"""Queries of a network put to engines: rows of evidence in groups, nodes by their numbers there.

What is made for a network is kept: plans of its posterior, tables, networks after interventions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ....arrays import Ints
from ....errors import InputError
from ..factors import factors_of
from ..network import Network
from ..posterior import Posterior, posterior_of
from .discrete import Discrete, How
from .results import Result, Summary
from .sampled import is_likelihood
from .units import Units, summary_of_mixture

_ALONE = 200  # rows of one pattern of gaps from which on they are worked on by themselves


def exact(
    posterior: Posterior,
    evidence: Mapping[int, Any],
    rows: int | None,
    targets: tuple[int, ...],
    units: Units,
    levels: Sequence[float],
) -> Result:
    """What exact inference gives of targets.

    Args:
        evidence: hard and virtual.
        rows: how many rows of evidence there are; None for one that is no table.
        units: of continuous targets.
        levels: of their quantiles.
    """

    def answer(some: Mapping[int, Any]) -> dict[int, Result]:
        return {0: _exact(posterior, some, targets, units, levels)}

    return _by_rows(posterior.network, evidence, rows, answer)[0]


def exact_marginals(
    posterior: Posterior, evidence: Mapping[int, Any], rows: int | None, targets: Sequence[int]
) -> dict[int, Result]:
    """What exact inference gives of discrete targets one by one, in one pass."""

    def answer(some: Mapping[int, Any]) -> dict[int, Result]:
        found = posterior.marginals(some, targets)
        return {v: Result(np.asarray(found.log_z), probs) for v, probs in found.probs.items()}

    return _by_rows(posterior.network, evidence, rows, answer)


def _by_rows(
    network: Network,
    evidence: Mapping[int, Any],
    rows: int | None,
    answer: Callable[[Mapping[int, Any]], dict[int, Result]],
) -> dict[int, Result]:
    """Answers, of rows that know the same nodes together."""
    if rows is None:
        return answer(evidence)
    parts: dict[int, list[Result]] = {}
    order = []
    for here, some in _patterns(network, evidence, rows, 1 if network.continuous else _ALONE):
        for key, found in answer(some).items():
            if found.log_z.ndim == 0:  # nothing is known in these rows
                found = found.at(np.newaxis).at(np.zeros(len(here), np.intp))
            parts.setdefault(key, []).append(found)
        order.append(here)
    back = np.argsort(np.concatenate(order))
    return {key: Result.joined(each).at(back) for key, each in parts.items()}


def _exact(
    posterior: Posterior,
    evidence: Mapping[int, Any],
    targets: tuple[int, ...],
    units: Units,
    levels: Sequence[float],
) -> Result:
    sizes = posterior.network.sizes
    if all(sizes[v] for v in targets):
        log_z, probs = posterior.joint(evidence, targets)
        return Result(np.asarray(log_z), probs)
    mixture = posterior.mixture(evidence, targets)
    probs = mixture.weights.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        weights = mixture.weights / probs[..., None]
    continuous: dict[int, Summary] = {}
    for i, node in enumerate(mixture.nodes):
        means, variances = mixture.means[..., i], mixture.covariances[..., i, i]
        summary = summary_of_mixture(units.get(node), weights, means, variances, levels)
        continuous[node] = summary
    return Result(np.asarray(mixture.log_z), probs, continuous)


def by_tables(
    network: Network, evidence: Mapping[int, Any], targets: Sequence[int], how: How
) -> Result:
    """What a method for tables gives of targets: of the nodes that matter."""
    needed = tuple(sorted(network.dag.ancestors([*evidence, *targets])))
    number = {node: i for i, node in enumerate(needed)}
    for node in needed:
        if not network.sizes[node]:
            raise InputError(
                f"{network.names[node]!r} is continuous, and method={how.method!r} is for discrete "
                'nodes. Use method="exact" or "sampling".'
            )
    engine = discrete_of(network, needed, how.memory)
    inside = {number[v]: value for v, value in evidence.items()}
    return engine.joint([number[v] for v in targets], inside, how)


def _patterns(
    network: Network, evidence: Mapping[int, Any], rows: int, least: int
) -> Iterator[tuple[Ints, dict[int, Any]]]:
    """Rows of evidence to be worked on together, without the nodes that none of them knows: those
    that know the same nodes, where there are at least so many, and all others."""
    known = {}
    for v, value in evidence.items():
        if np.ndim(value) == 1 and len(value) == rows and not is_likelihood(network, v, value):
            known[v] = value >= 0 if network.sizes[v] else ~np.isnan(value)
    masks = np.array(list(known.values()), bool).reshape(len(known), rows).T
    _, which, counts = np.unique(masks, axis=0, return_inverse=True, return_counts=True)
    which = which.reshape(-1)
    which = np.where((counts >= min(least, rows))[which], which, -1)
    for group in np.unique(which):
        here = np.flatnonzero(which == group)
        some = {}
        for v, value in evidence.items():
            if v not in known:
                some[v] = value[here] if np.ndim(value) == 2 else value
            elif known[v][here].any():
                some[v] = value[here]
        yield here, some


@lru_cache(maxsize=32)
def done_of(network: Network, values: tuple[tuple[int, Any], ...]) -> Network:
    """The network where some nodes are set from outside."""
    return network.do(dict(values)) if values else network


@lru_cache(maxsize=8)
def _limited(network: Network, memory: int) -> Posterior:
    return Posterior(network, memory)


def limited_posterior(network: Network, memory: int | None) -> Posterior:
    """The posterior of a network within some memory, with the plans that it has made so far."""
    return posterior_of(network) if memory is None else _limited(network, memory)


@lru_cache(maxsize=32)
def discrete_of(network: Network, nodes: tuple[int, ...], memory: int | None) -> Discrete:
    """The engines for the tables of some nodes, all their ancestors among them."""
    tables = factors_of(network.restricted(nodes))
    return Discrete(tables.sizes, tables.scopes, tables.tables, tables.names, memory)
