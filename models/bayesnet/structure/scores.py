"""Decomposable scores of networks: BIC, BDeu, BGe and the mixed score.

Discrete nodes have tables (`table_scores`), continuous ones linear Gaussians, one regression in
each configuration of their discrete parents (`gaussian_scores`):

    bic     log-likelihood at its maximum less k / 2 log n for k parameters
    bdeu    tables integrated out, Dirichlet priors                     discrete nodes only
    bge     regressions integrated out, normal-Wishart priors           continuous nodes only
    mixed   bdeu for discrete nodes, bge in each configuration for continuous ones

Rows with gaps count for a family where its node v and parents P are known, N[v, P] of N rows. As
families have different rows then, what parents add is taken a row,

    local(v, P) = N / N[v] s(v, {}) + N / N[v, P] (s(v, P) - s(v, {}) on the same rows),

the node-average likelihood with the gain over no parents. It is unbiased only where values are
missing completely at random, and noisier than a score of complete rows: more edges than with those,
not fewer.

References: Bodewes and Scutari, "Learning Bayesian networks from incomplete data with the
node-average likelihood", 2021, https://doi.org/10.1016/j.ijar.2021.07.015; Boettcher, "Learning
Bayesian networks with mixed variables", 2001, https://proceedings.mlr.press/r3/bottcher01a.html.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ....arrays import Floats
from ....errors import InputError, unknown
from ....inference.structure.local_score import LocalScore
from .cases import Cases
from .gaussian_scores import GaussianScore
from .table_scores import TableScore

ScoreName = Literal["bic", "bdeu", "bge", "mixed"]


class NetworkScore(LocalScore):
    """A score of graphs over the nodes of some rows.

    Args:
        cases: the rows.
        name: which score.
        equivalent_sample_size: of BDeu's prior, in rows.

    Raises:
        InputError: if the score is not one for such nodes.
    """

    def __init__(
        self, cases: Cases, name: ScoreName = "bic", equivalent_sample_size: float = 1.0
    ) -> None:
        super().__init__(len(cases.names))
        _check(cases, name)
        self.cases = cases
        self.tables = TableScore(cases, "bic" if name == "bic" else "bdeu", equivalent_sample_size)
        self.gaussians = GaussianScore(cases, "bic" if name == "bic" else "bge")

    def _local(self, node: int, parents: tuple[int, ...]) -> float:
        part = self.tables if self.cases.sizes[node] else self.gaussians
        if self.cases.sizes[node] and not all(self.cases.sizes[parent] for parent in parents):
            return -np.inf
        if self.cases.complete:
            return part.family(node, parents, set())[0]
        alone, n_alone = part.family(node, (), {node})
        value, n = part.family(node, parents, {node, *parents})
        base, _ = part.family(node, (), {node, *parents})
        if not n:
            return -np.inf
        total = part.total[node]
        return total / n_alone * alone + total / n * (value - base)

    def _deltas(self, node: int, parents: tuple[int, ...]) -> Floats:
        if not self.cases.complete:
            return super()._deltas(node, parents)
        part = self.tables if self.cases.sizes[node] else self.gaussians
        here = self.local(node, parents)
        out = np.full(self.n_nodes, np.nan)
        further, there = part.extended(node, parents)
        out[further] = there - here
        if self.cases.sizes[node]:
            out[np.equal(self.cases.sizes, 0)] = -np.inf
        out[list(parents)] = np.nan
        out[node] = -np.inf
        for other in np.flatnonzero(np.isnan(out)):
            out[other] = self.local(node, set(parents) ^ {int(other)}) - here
        return out


def _check(cases: Cases, name: str) -> None:
    """Raise InputError if a score is not one for such nodes."""
    if name not in get_args(ScoreName):
        raise unknown("score", name, get_args(ScoreName))
    sizes = np.array(cases.sizes)
    wrong = {"bdeu": sizes == 0, "bge": sizes > 0}.get(name, sizes < 0)
    if wrong.any():
        node = cases.names[int(wrong.argmax())]
        kinds = ("continuous", "discrete") if name == "bdeu" else ("discrete", "continuous")
        raise InputError(
            f"{node!r} is {kinds[0]}, and {name!r} is a score of {kinds[1]} nodes. 'mixed' and "
            "'bic' are scores of both."
        )
