"""What a pass of rows through a conditional linear Gaussian network answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints
from .component_posterior import ComponentPosterior
from .conditional_gaussian_pass import Pass
from .gaussian_components import Structure

_DRAWN = 1 << 22  # numbers in the largest temporary of draws


@dataclass(frozen=True, eq=False)
class Marginals:
    """Posterior marginals; without an axis of rows where the evidence has none.

    Attributes:
        log_z: natural logarithm of the density of the evidence, () or (n,).
        probs: of discrete nodes, (k,) or (n, k); NaN where the evidence has the probability 0.
        means: of continuous nodes, () or (n,); of one that is observed, its value.
        variances: of continuous nodes, likewise.
    """

    log_z: Floats
    probs: dict[int, Floats]
    means: dict[int, Floats]
    variances: dict[int, Floats]


@dataclass(frozen=True, eq=False)
class Moments:
    """Expected sums over rows of a continuous node's family, f = (x, z_1, ..., z_m): the node, then
    its continuous parents, for each configuration of its discrete parents (r_1, ..., r_q).

    Attributes:
        weight: (r_1, ..., r_q) sum of w P(u | e).
        first: (r_1, ..., r_q, 1 + m) sum of w P(u | e) E[f | u, e].
        second: (r_1, ..., r_q, 1 + m, 1 + m) sum of w P(u | e) E[f f^T | u, e].
    """

    weight: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the M step of EM needs.

    Attributes:
        log_z: (n,) of each row.
        counts: of discrete nodes, shaped as their tables.
        moments: of continuous nodes.
    """

    log_z: Floats
    counts: dict[int, Floats]
    moments: dict[int, Moments]


@dataclass(frozen=True, eq=False)
class Mixture:
    """The joint posterior of some nodes: that of the discrete variables `scope`, and a Gaussian for
    each of their configurations. Without the axis of rows where the evidence has none.

    Attributes:
        log_z: (n,) of the evidence.
        scope: the discrete nodes asked for and those that the mixture is over.
        nodes: the m continuous nodes asked for.
        weights: (n, *sizes) probabilities of the states of `scope`.
        means: (n, *sizes, m); of what is observed, its value.
        covariances: (n, *sizes, m, m).
    """

    log_z: Floats
    scope: tuple[int, ...]
    nodes: tuple[int, ...]
    weights: Floats
    means: Floats
    covariances: Floats


def marginals(passed: Pass, targets: Sequence[int]) -> Marginals:
    """The marginals of nodes, in the rows of a pass."""
    structure, rows, n = passed.structure, passed.rows, len(passed.rows)
    weights = passed.weights()
    impossible = np.isneginf(passed.log_z)
    probs = {v: np.full((n, structure.sizes[v]), np.nan) for v in targets if structure.sizes[v]}
    means = {v: rows.values[:, v].copy() for v in targets if not structure.sizes[v]}
    variances = {v: np.zeros(n) for v in means}
    for group, tables in zip(passed.layout.groups, weights.tables, strict=True):
        for node, p in zip(group.nodes, tables, strict=False):
            if node not in probs:
                continue
            if node in group.given:
                p = np.eye(structure.sizes[node])[rows.codes[group.rows, node]]
            probs[node][group.rows] = p.sum(axis=tuple(range(1, p.ndim - 1)))
    for solved, weight in zip(passed.components, weights.components, strict=True):
        component = solved.component
        if not component.open:
            continue
        m, variance = solved.given.mean, solved.per_pair(solved.variance)
        if m.shape[1] == 1:
            mean, variance = m[:, 0], np.broadcast_to(variance[:, 0], m[:, 0].shape)
        else:
            mean = np.einsum("nu,nuh->nh", weight, m)
            spread = variance + (m - mean[:, None]) ** 2
            variance = np.einsum("nu,nuh->nh", weight, spread)
        for i, node in enumerate(component.open):
            if node in means:
                means[node][component.rows] = mean[:, i]
                variances[node][component.rows] = variance[:, i]
    if not impossible.any():
        return Marginals(passed.log_z, probs, means, variances)
    for answer in (*probs.values(), *means.values(), *variances.values()):
        answer[impossible] = np.nan
    return Marginals(passed.log_z, probs, means, variances)


def empty_statistics(structure: Structure, n: int) -> Statistics:
    """Statistics of no rows, with room for the log densities of n."""
    counts = {
        node: np.zeros(structure.shape((*structure.dag.parents[node], node)))
        for node in structure.discrete
    }
    moments = {}
    for node in structure.continuous:
        shape = structure.shape(structure.discrete_parents[node])
        f = 1 + len(structure.continuous_parents[node])
        moments[node] = Moments(np.zeros(shape), np.zeros((*shape, f)), np.zeros((*shape, f, f)))
    return Statistics(np.empty(n), counts, moments)


def add_statistics(total: Statistics, passed: Pass, row_weights: Floats, shift: Floats) -> None:
    """Add those of a pass's rows; rows where the evidence has the probability 0 add nothing.

    Args:
        row_weights: (n,).
        shift: (V,) subtracted from the continuous nodes.
    """
    weights = passed.weights()
    row_weights = np.where(np.isneginf(passed.log_z), 0.0, row_weights)
    for group, tables in zip(passed.layout.groups, weights.tables, strict=True):
        w = row_weights[group.rows]
        for node, p in zip(group.nodes, tables, strict=False):
            scope = (*passed.structure.dag.parents[node], node)
            fixed = [a for a, v in enumerate(scope) if v in group.given]
            counts = total.counts[node]
            if not fixed:
                counts += np.tensordot(w, p, 1) if len(p) > 1 else w.sum() * p[0]
                continue
            at = tuple(passed.rows.codes[group.rows, scope[a]] for a in fixed)
            # A view with the axes given first, so that adding to it adds to the counts.
            free = [a for a in range(len(scope)) if a not in fixed]
            added = w.reshape(-1, *(1,) * len(free)) * p
            np.add.at(counts.transpose(*fixed, *free), at, added)
    for solved, weight in zip(passed.components, weights.components, strict=True):
        w = weight * row_weights[solved.component.rows, None]
        _add_moments(total, passed, solved, w, shift)


def _add_moments(
    total: Statistics, passed: Pass, solved: ComponentPosterior, w: Floats, shift: Floats
) -> None:
    """Add those of the families of a component, w (n, u) the weights of its pairs."""
    structure, nodes = passed.structure, solved.component.nodes
    members = [*nodes, *(v for v in solved.component.constants if v not in nodes)]
    x = members_means(passed, solved, members) - shift[members]
    weight = solved.summed(w)
    first = solved.summed(w[..., None] * x)
    second = solved.summed_products(w, x)
    second += weight[:, None, None] * members_covariances(solved, members)
    for node in nodes:
        of = [members.index(i) for i in (node, *structure.continuous_parents[node])]
        own = solved.states(structure.discrete_parents[node])
        moments = total.moments[node]
        for array, part in (
            (moments.weight, weight),
            (moments.first, first[:, of]),
            (moments.second, second[:, np.array(of)[:, None], of]),
        ):
            if own:
                np.add.at(array, own, part)
            else:
                array += part.sum(axis=0)


def members_means(passed: Pass, solved: ComponentPosterior, members: Sequence[int]) -> Floats:
    """(n or 1, u, m) E[x | u, e] of nodes that are observed or open in a component."""
    component = solved.component
    shape = solved.given.mean.shape[:2]
    out = np.empty((*shape, len(members)))
    for a, member in enumerate(members):
        if member in component.open:
            out[..., a] = solved.given.mean[..., component.open.index(member)]
        else:
            out[..., a] = passed.rows.values[component.rows, member, None]
    return out


def members_covariances(solved: ComponentPosterior, members: Sequence[int]) -> Floats:
    """(Q, m, m) Cov[x | u, e], 0 where a node is observed."""
    open_ = solved.component.open
    out = np.zeros((len(solved.numbers), len(members), len(members)))
    places = [a for a, member in enumerate(members) if member in open_]
    of = [open_.index(members[a]) for a in places]
    if of:
        root = solved.solved.root[:, of]
        out[:, np.array(places)[:, None], places] = np.matmul(root, root.transpose(0, 2, 1))
    return out


def mixture(passed: Pass, nodes: Sequence[int]) -> Mixture:
    """The joint posterior of nodes in the rows of a pass that linked them."""
    structure, n = passed.structure, len(passed.rows)
    (group,) = passed.layout.groups
    (tables,) = passed.weights().tables
    scope = group.extra
    shape = structure.shape(scope)
    weights = np.broadcast_to(tables[-1], (n, *shape)) if scope else np.ones(n)
    weights = np.where(np.isneginf(passed.log_z).reshape(n, *(1,) * len(scope)), np.nan, weights)
    continuous = [v for v in nodes if not structure.sizes[v]]
    m = len(continuous)
    means = np.empty((n, *shape, m))
    covariances = np.zeros((n, *shape, m, m))
    means[:] = passed.rows.values[:, continuous].reshape(n, *(1,) * len(scope), m)
    for solved in passed.components:
        component = solved.component
        if set(continuous).isdisjoint(component.open):
            continue
        free = tuple(structure.sizes[v] if v in component.free else 1 for v in scope)
        mean = members_means(passed, solved, continuous)
        means[component.rows] = mean.reshape(len(mean), *free, m)
        covariance = solved.per_pair(members_covariances(solved, continuous))
        covariances[component.rows] = covariance.reshape(len(covariance), *free, m, m)
    return Mixture(passed.log_z, scope, tuple(continuous), weights, means, covariances)


def draw(passed: Pass, draws: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """(draws, n, V) states, -1 of continuous nodes, and values, NaN of discrete ones, of all nodes
    given the evidence of each row."""
    rows = passed.rows
    codes = np.tile(rows.codes, (draws, 1, 1))
    values = np.tile(rows.values, (draws, 1, 1))
    for group, total in zip(passed.layout.groups, passed.sums, strict=True):
        for node, states in total.draw(len(group.rows), draws, rng).items():
            codes[:, group.rows, node] = states
    for solved in passed.components:
        component = solved.component
        if not component.open:
            continue
        at = component.rows
        drawn = np.zeros((draws, len(at)), np.intp)
        for v in component.free:
            drawn = drawn * passed.structure.sizes[v] + codes[:, at, v]
        config = drawn if solved.config is None else solved.config[np.arange(len(at)), drawn]
        x = solved.given.mean[np.arange(len(at)), drawn]
        root = solved.solved.root
        step = max(1, _DRAWN // max(1, len(at) * root[0].size))
        for start in range(0, draws, step):
            part = slice(start, start + step)
            noise = rng.standard_normal((*config[part].shape, root.shape[2], 1))
            x[part] += np.matmul(root[config[part]], noise)[..., 0]
        values[:, at[:, None], component.open] = x
    return codes, values
