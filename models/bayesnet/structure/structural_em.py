"""Structures from rows with gaps: draw what is missing, search, and again.

Under the graph and the parameters so far, a Gibbs sweep draws each missing value given the rest of
its row, which is what its Markov blanket says:

    p(x_v | rest) ~ p(x_v | parents of v) prod_(c child of v) p(x_c | parents of c).

The next graph is the best for the rows filled by the draws of the last rounds, each of which counts
as a share of a row: the mean over draws stands for the expected score of structural EM. The first
graph has few parents a node, from the rows that are known family by family. Values are taken to be
missing at random, given what is known of the row.

References: Friedman, "The Bayesian structural EM algorithm", 1998, https://arxiv.org/abs/1301.7373;
Celeux and Diebolt, "The SEM algorithm", 1985, https://www.jstor.org/stable/43589215.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ....arrays import Floats, Ints, Mask
from ....inference.dag import DAG
from ....inference.structure.expiry import Expiry
from ....inference.structure.local_score import Found
from ..conditionals import LinearGaussian
from ..layout import NodeRows
from ..network import Network
from ..node_density import drawn, log_prob_of
from ..parameters import Assumed, estimated
from .cases import Cases

ROUNDS = 8  # at most
KEPT = 3  # draws of each gap that a search sees
SWEEPS = 10  # between draws that are kept
FLOOR = 1e-6  # of variances, in units of a column's own


def fill_and_search(
    cases: Cases,
    first: Callable[[Cases], Found],
    search: Callable[[Cases], Found],
    rng: np.random.Generator,
    expired: Expiry,
) -> tuple[Found, int]:
    """The last structure and how many rounds there were: until those of which a search sees the
    draws, and its own, are equivalent.

    Args:
        cases: the rows, with gaps.
        first: finds the first structure, from rows with gaps.
        search: finds the others, from rows without.
        rng: of the draws.
        expired: whether it is to end. Of a search that was cut short, which begins from nothing,
            the structure is not taken.
    """
    shift, scale = _units(cases.x)
    rows = NodeRows(cases.codes.astype(np.int32), (cases.x - shift) / scale)
    gaps = ~cases.known
    partial = np.flatnonzero(gaps.any(axis=1))
    whole = np.flatnonzero(~gaps.any(axis=1))
    found = first(cases)
    draws: list[NodeRows] = []
    patterns: list[bytes] = []
    with expired.heeding():
        filled = drawn(_network(cases, found, rows), rows, rng)
        while len(patterns) < ROUNDS and not expired():
            network = _network(cases, found, filled)
            for _ in range(SWEEPS):
                sweep(network, filled, gaps, rng)
            draws = [*draws[1 - KEPT :], filled.take(partial)]
            x = np.concatenate([filled.x[whole], *(draw.x for draw in draws)]) * scale + shift
            codes = np.concatenate([filled.codes[whole], *(draw.codes for draw in draws)])
            shares = np.tile(cases.weights[partial] / len(draws), len(draws))
            weights = np.concatenate([cases.weights[whole], shares])
            better = search(replace(cases, codes=codes, x=x, weights=weights))
            if expired():
                break
            found = better
            patterns.append(DAG(cases.names, found.parents).cpdag().tobytes())
            if len(patterns) > KEPT and len(set(patterns[-KEPT - 1 :])) == 1:
                break
    return found, len(patterns)


def sweep(network: Network, rows: NodeRows, gaps: Mask, rng: np.random.Generator) -> None:
    """Draw each gap given the rest of its row, one node after the other, in place.

    Args:
        network: with probabilities and variances above 0.
        rows: n rows, filled.
        gaps: (n, N) which values to draw.
        rng: of the draws.
    """
    for node in network.dag.order:
        here = np.flatnonzero(gaps[:, node])
        if not len(here):
            continue
        some = rows.take(here)
        if network.sizes[node]:
            rows.codes[here, node] = _drawn_state(network, node, some, rng)
        else:
            rows.x[here, node] = _drawn_value(network, node, some, rng)


def _drawn_state(network: Network, node: int, rows: NodeRows, rng: np.random.Generator) -> Ints:
    logs = np.zeros((len(rows), network.sizes[node]))
    for state in range(network.sizes[node]):
        rows.codes[:, node] = state
        for factor in (node, *network.dag.children[node]):
            logs[:, state] += log_prob_of(network, factor, rows)
    states: Ints = (logs + rng.gumbel(size=logs.shape)).argmax(axis=1)
    return states


def _drawn_value(network: Network, node: int, rows: NodeRows, rng: np.random.Generator) -> Floats:
    """Of a Gaussian whose children y have means linear in it: y ~ Normal(at 0 + slope x, s2)."""
    mean, variance = _moments(network, node, rows)
    precision, linear = 1 / variance, mean / variance
    for child in network.dag.children[node]:
        rows.x[:, node] = 1.0
        at_1, variance = _moments(network, child, rows)
        rows.x[:, node] = 0.0
        at_0, _ = _moments(network, child, rows)
        slope = at_1 - at_0
        precision = precision + slope**2 / variance
        linear = linear + slope * (rows.x[:, child] - at_0) / variance
    return linear / precision + rng.standard_normal(len(rows)) / np.sqrt(precision)


def _moments(network: Network, node: int, rows: NodeRows) -> tuple[Floats, Floats]:
    """The mean and the variance of a continuous node given its parents."""
    conditional = network.conditionals[node]
    assert isinstance(conditional, LinearGaussian)
    u = rows.codes[:, network.discrete_parents(node)]
    mean = conditional.mean(u, rows.x[:, network.continuous_parents(node)])
    return mean, conditional.variance[tuple(u.T)]


def _network(cases: Cases, found: Found, rows: NodeRows) -> Network:
    """The network of a graph, its parameters from rows."""
    states = tuple(tuple(range(size)) for size in cases.sizes)
    dag = DAG(cases.names, found.parents)
    return estimated(dag, states, rows, cases.weights, Assumed("bdeu", 1.0), FLOOR)


def _units(x: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of what is known of each column; 0 and 1 of none."""
    known = ~np.isnan(x)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, x, 0.0).sum(axis=0) / n
    spread = np.sqrt((np.where(known, x - mean, 0.0) ** 2).sum(axis=0) / n)
    return mean, np.where(spread > 0, spread, 1.0)
