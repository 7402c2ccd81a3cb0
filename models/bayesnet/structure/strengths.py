"""How sure the edges of a structure are: how often resampled rows have them, or how probable they
are given the rows.

The bootstrap learns a structure from each of many draws of n rows with replacement; an edge between
i and j is as strong as the share of structures that have it, and i -> j counts half where the
independences leave its direction open. Posterior probabilities are over all graphs that are
admitted, uniform before the rows are seen.

Which strengths are significant is read off their distribution F: were all 0 or 1, a share t of them
0, F would be t in between; t is chosen nearest to F in the mean, and its quantile is the threshold.

References: Friedman, Goldszmidt and Wyner, "Data analysis with Bayesian networks: a bootstrap
approach", 1999, https://arxiv.org/abs/1301.6695; Scutari and Nagarajan, "Identifying significant
edges in graphical models of molecular networks", 2013, https://arxiv.org/abs/1104.0896.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from ....arrays import Floats
from ....errors import unknown
from ....inference.dag import DAG, find_cycle
from ....inference.structure.exact_posterior import exact_edge_probabilities
from ....inference.structure.order_mcmc import order_mcmc
from ..queries.answers import lined
from .cases import Cases
from .scores import NetworkScore
from .search import Search, constraints_of, learn

Method = Literal["bootstrap", "exact", "order-mcmc"]

_RHAT = 1.05


@dataclass(frozen=True, eq=False, repr=False)
class EdgeStrengths:
    """How sure each edge is.

    Attributes:
        names: of the nodes.
        probabilities: (n, n) of i -> j.
        method: how they were found.
        notes: what is to be said of them.
    """

    names: tuple[str, ...]
    probabilities: Floats
    method: Method
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        title = f"edge strengths, {self.method}"
        return "\n".join([title, *lined(self.table(), True), *self.notes])

    __repr__ = __str__

    @property
    def strengths(self) -> Floats:
        """(n, n) of an edge between i and j, either way."""
        either: Floats = self.probabilities + self.probabilities.T
        return either

    def table(self, least: float = 0.0) -> dict[str, list[Any]]:
        """The edges as columns "from", "to", "strength" and "direction", the probability that it
        leads this way if there is one; the strongest first.

        Args:
            least: strength of the edges that are listed; those of strength 0 never are.
        """
        strengths = self.strengths
        listed = np.argwhere(np.tril((strengths > 0) & (strengths >= least), -1)).tolist()
        found = sorted(
            (-float(strengths[i, j]), i, j)
            if self.probabilities[i, j] >= self.probabilities[j, i]
            else (-float(strengths[i, j]), j, i)
            for i, j in listed
        )
        return {
            "from": [self.names[i] for _, i, _ in found],
            "to": [self.names[j] for _, _, j in found],
            "strength": [-negative for negative, _, _ in found],
            "direction": [float(self.probabilities[i, j]) / -s for s, i, j in found],
        }

    @property
    def threshold(self) -> float:
        """The strength above which edges are significant."""
        lower = np.tril_indices(len(self.names), -1)
        values = np.sort(self.strengths[lower])
        if not len(values):
            return 1.0
        knots = np.concatenate([[0.0], values, [1.0]])
        share = np.arange(len(values) + 1) / len(values)  # F between the knots
        width = np.diff(knots)
        distance = [(np.abs(share - t) * width).sum() for t in share]
        t = share[int(np.argmin(distance))]
        return float(values[max(round(t * len(values)) - 1, 0)])

    def averaged(self, threshold: float | None = None) -> DAG:
        """The graph of the edges above a threshold, each in its likelier direction; the strongest
        first, without those that would close a cycle."""
        least = self.threshold if threshold is None else threshold
        table = self.table()
        parents: list[tuple[int, ...]] = [()] * len(self.names)
        for a, b, strength in zip(table["from"], table["to"], table["strength"], strict=True):
            if strength > least:
                i, j = self.names.index(a), self.names.index(b)
                further = [*parents]
                further[j] = (*parents[j], i)
                if not find_cycle(further):
                    parents = further
        return DAG(self.names, tuple(parents))

    def of_edges(self, dag: DAG) -> dict[tuple[str, str], float]:
        """(parent, child) -> the strength of each edge of a graph, as plots take them."""
        at = {name: k for k, name in enumerate(self.names)}
        return {(a, b): float(self.strengths[at[a], at[b]]) for a, b in dag.edges}


def edge_strengths(
    cases: Cases,
    search: Search,
    method: Method,
    number: int,
    *,
    report: Callable[[int], object] = lambda more: None,
) -> EdgeStrengths:
    """How sure the edges are.

    Args:
        cases: the rows.
        search: how structures are looked for; its score counts for posterior probabilities too.
        method: "bootstrap"; "exact" or "order-mcmc" for posterior probabilities.
        number: of resampled sets of rows, or of steps of each chain of orders.
        report: told how many more of these are done.

    Raises:
        InputError: for an unknown method, or "exact" above 13 nodes.
    """
    if method not in get_args(Method):
        raise unknown("method", method, get_args(Method))
    rng = np.random.default_rng(search.seed)
    if method == "bootstrap":
        return _bootstrap(cases, search, number, rng, report)
    order = cases.content_order()
    constraints = constraints_of(cases, search).permuted(order)
    score = NetworkScore(cases.permuted(order), search.score, search.equivalent_sample_size)
    notes = []
    if search.score == "bic":
        notes.append("BIC stands for the log marginal likelihood, which it approximates.")
    if method == "exact":
        found = exact_edge_probabilities(score, constraints)
    else:
        drawn = order_mcmc(score, constraints, rng, steps=number, report=report)
        found = drawn.probabilities
        notes += _of_chains(drawn.ess, drawn.rhat, counted=drawn.counted)
        if drawn.candidates < len(order) - 1:
            notes.append(f"the {drawn.candidates} likeliest parents of each node are considered.")
    probabilities = np.zeros_like(found)
    probabilities[np.ix_(order, order)] = found
    return EdgeStrengths(cases.names, probabilities, method, tuple(notes))


def _of_chains(ess: float, rhat: float, *, counted: bool) -> list[str]:
    notes = [f"drawn: an effective number of {ess:,.0f} graphs."]
    if not counted:
        notes.append(
            "graphs that are found in many orders are favoured: their orders are too many to count."
        )
    if not rhat <= _RHAT:
        notes.append(f"chains disagree, R-hat {rhat:.3f}: take more steps.")
    return notes


def _bootstrap(
    cases: Cases,
    search: Search,
    number: int,
    rng: np.random.Generator,
    report: Callable[[int], object],
) -> EdgeStrengths:
    n = len(cases)
    share = cases.weights / cases.weights.sum()
    total = np.zeros((len(cases.names), len(cases.names)))
    for _ in range(number):
        times = rng.multinomial(n, share)
        kept = np.flatnonzero(times)
        outside = None if cases.outside is None else cases.outside[kept]
        rows = replace(
            cases, codes=cases.codes[kept], x=cases.x[kept],
            weights=times[kept].astype(np.float64), outside=outside,
        )  # fmt: skip
        dag = learn(rows, search).dag
        edges = dag.adjacency() if outside is not None else dag.cpdag()
        total += edges / np.where(edges & edges.T, 2.0, 1.0)
        report(1)
    return EdgeStrengths(cases.names, total / number, "bootstrap")
