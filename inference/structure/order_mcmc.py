"""Posterior of structures by Markov chains over orders of the nodes.

The probability of an order is the sum over the graphs whose edges lead forward in it,

    p(order | rows) ~ prod_v A_v(nodes before v),     A_v(S) = sum_{P within S} exp local(v, P),

and a graph given the order is drawn parents by parents. A graph is found in as many orders as it
has linear extensions, so that such draws favour graphs with many: each is weighted by one over
their number, which leaves a uniform prior over graphs. The number is found by dynamic programming
over subsets, for at most 13 nodes; above, weights are equal and the bias is said.

A step moves a node that is drawn at random to any place in the order, with the probabilities that
the orders have given the order of the others (Gibbs sampling).

References: Friedman and Koller, "Being Bayesian about network structure", 2003,
https://doi.org/10.1023/A:1020249912095; Ellis and Wong, "Learning causal Bayesian network
structures from experimental data", 2008, https://doi.org/10.1198/016214508000000193.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...arrays import Array, Floats, Ints
from ..diagnostics import worst_by_site
from .constraints import Constraints
from .families import Families, all_families
from .local_score import LocalScore

CELLS = 1 << 24  # of the graphs that are kept
MOST_COUNTED = 13  # nodes, of which linear extensions are counted
_BLOCK = 2_000  # graphs whose are counted at once


@dataclass(frozen=True, eq=False)
class GraphDraws:
    """Weighted draws of graphs.

    Attributes:
        edges: (draws, n, n) whether i -> j.
        weights: (draws,) that sum to 1.
        ess: the effective number of draws, as far as the weights go.
        rhat: of the score over the chains; near 1 if they agree.
        counted: whether graphs are weighted by their linear extensions. If not, graphs with many
            are favoured.
        candidates: the most possible parents of a node that were looked at.
    """

    edges: Array
    weights: Floats
    ess: float
    rhat: float
    counted: bool
    candidates: int

    @property
    def probabilities(self) -> Floats:
        """(n, n) the posterior probability of each edge i -> j."""
        found: Floats = np.einsum("d,dij->ij", self.weights, self.edges)
        return found


def order_mcmc(
    score: LocalScore,
    constraints: Constraints,
    rng: np.random.Generator,
    *,
    chains: int = 16,
    steps: int = 20_000,
    draws: int | None = None,
    candidates: int = 12,
    report: Callable[[int], object] = lambda steps: None,
) -> GraphDraws:
    """Draw graphs from their posterior.

    Args:
        score: log marginal likelihood of graphs, up to a constant.
        constraints: which graphs are admitted.
        rng: of what is drawn.
        chains: chains of orders, side by side.
        steps: of each chain; the first fifth is thrown away.
        draws: graphs that are kept; None is 2^24 / n^2, as many as memory and time allow to weigh.
        candidates: possible parents of a node that are looked at.
        report: told how many more steps are done.
    """
    families = all_families(score, constraints, candidates)
    n = score.n_nodes
    draws = CELLS // n**2 if draws is None else draws
    bits = np.zeros((n, n), np.intp)
    for family in families:
        bits[family.node, family.candidates] = 1 << np.arange(len(family.candidates))
    sizes = [len(family.log_within) for family in families]
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    log_within = np.concatenate([family.log_within for family in families])

    place = _starts(constraints, chains, rng)
    every = max(1, (steps - steps // 5) * chains // draws)
    kept, trace = [], []
    row = np.arange(chains)
    for step in range(steps):
        proposed = _moved(place, rng.integers(n, size=chains))
        before = proposed[:, :, None, :] < proposed[:, :, :, None]
        members = np.einsum("ckvu,vu->ckv", before, bits)
        scores = log_within[offsets + members].sum(axis=2)
        with np.errstate(divide="ignore"):
            noise = -np.log(-np.log(rng.random(scores.shape)))
        taken = (scores + noise).argmax(axis=1)  # as likely as the orders are
        place = proposed[row, taken]
        if step >= steps // 5 and step % every == 0:
            kept.append(members[row, taken])
            trace.append(scores[row, taken])
        report(1)
    sets = np.concatenate(kept)
    edges = _drawn(families, sets, rng)
    counted = n <= MOST_COUNTED
    weights = _inverse_extensions(edges) if counted else np.full(len(edges), 1 / len(edges))
    of_score = worst_by_site({"score": np.array(trace).T}).get("score")
    rhat = of_score["rhat"] if of_score else 1.0
    looked = max(len(family.candidates) for family in families)
    return GraphDraws(edges, weights, float(1 / (weights**2).sum()), rhat, counted, looked)


def _starts(constraints: Constraints, chains: int, rng: np.random.Generator) -> Ints:
    """(chains, n) the place of each node in random orders that the required edges lead forward
    in."""
    n = len(constraints.required)
    out = np.empty((chains, n), np.intp)
    for place in out:
        left = list(rng.permutation(n))
        for k in range(n):
            missing = constraints.required[np.ix_(left, left)].any(axis=0)
            place[left.pop(int(missing.argmin()))] = k
    return out


def _moved(place: Ints, node: Ints) -> Ints:
    """(chains, n, n) the places of all nodes when one node of each chain is moved to each place."""
    chains, n = place.shape
    row = np.arange(chains)
    own = place[row, node][:, None]
    rest = (place - (place > own))[:, None, :]  # without the node
    to = np.arange(n)[None, :, None]
    moved = rest + (rest >= to)
    moved[row, :, node] = np.arange(n)
    return moved


def _drawn(families: list[Families], sets: Ints, rng: np.random.Generator) -> Array:
    """(draws, n, n) edges of graphs, given the candidates before each node (draws, n)."""
    edges: Array = np.zeros((len(sets), len(families), len(families)), np.int8)
    for family in families:
        every = np.arange(len(family.log_local))
        for before in np.unique(sets[:, family.node]):
            at = np.flatnonzero(sets[:, family.node] == before)
            within = every[every & ~before == 0]
            logs = family.log_local[within]
            cumulative = np.cumsum(np.exp(logs - logs.max()))
            drawn = np.searchsorted(cumulative, rng.random(len(at)) * cumulative[-1], side="right")
            chosen = within[np.minimum(drawn, len(within) - 1)]
            for k, candidate in enumerate(family.candidates.tolist()):
                edges[at, candidate, family.node] = chosen >> k & 1
    return edges


def _inverse_extensions(edges: Array) -> Floats:
    """(draws,) weights that sum to 1, one over the number of orders of each graph."""
    graphs, inverse = np.unique(edges, axis=0, return_inverse=True)
    blocks = [graphs[k : k + _BLOCK] for k in range(0, len(graphs), _BLOCK)]
    counts = np.concatenate([linear_extensions(block) for block in blocks])
    weights = (1 / counts)[inverse.ravel()]
    found: Floats = weights / weights.sum()
    return found


def linear_extensions(edges: Array) -> Floats:
    """(graphs,) the number of orders of n nodes in which all edges (graphs, n, n) lead forward:
    of each set that can come first, the sum over the node that comes last in it."""
    graphs, n, _ = edges.shape
    parents = np.einsum("gij,i->gj", edges, 1 << np.arange(n))
    counts = np.zeros((1 << n, graphs))
    counts[0] = 1.0
    for first in range(1, 1 << n):
        for node in range(n):
            if first >> node & 1:
                before = first ^ 1 << node
                counts[first] += counts[before] * (parents[:, node] & ~before == 0)
    found: Floats = counts[-1]
    return found
