"""Tests of the independence of two nodes given others: likelihood ratios.

Of a model with an edge between a and b and one without,

    G = 2 (log likelihood with - log likelihood without)   ~   chi^2(parameters more)

where the nodes are independent given the others s. Discrete a and b, in configurations u of s:

    G = 2 sum_u,i,j N[u, i, j] log(N[u, i, j] N[u] / (N[u, i] N[u, j])),

(I[u] - 1) (J[u] - 1) parameters more in each u, of the states that occur there. Where one is
continuous, it is regressed on the continuous nodes of s, in each configuration of the discrete
ones, with the other besides. Two discrete nodes given a continuous one have no test: a discrete
node has no continuous ancestor here, so that none is needed.

Reference: Edwards, "Introduction to graphical modelling", 2000,
https://doi.org/10.1007/978-1-4612-0493-0.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from ....arrays import Floats, Ints
from ..numbering import renumbered
from .cases import Cases

_LEAST = 1e-12  # of a residual variance, as a share of the node's own


class IndependenceTest:
    """p-values of independence; rows count where all nodes of a test are known and neither of the
    two was set from outside.

    Args:
        cases: the rows.
    """

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        known = ~np.isnan(cases.x)
        count = np.maximum(known.sum(axis=0), 1)
        off = cases.x - np.where(known, cases.x, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, off, 0.0) ** 2).sum(axis=0) / count)
        self.x = off / np.where(spread > 0, spread, 1.0)

    def __call__(self, a: int, b: int, given: tuple[int, ...]) -> float:
        """The p-value of independence of a and b given others; NaN where there is no test."""
        sizes = self.cases.sizes
        nodes = (a, b, *given)
        rows = self.cases.known[:, nodes].all(axis=1) & (self.cases.weights > 0)
        if self.cases.outside is not None:
            rows &= ~self.cases.outside[:, [a, b]].any(axis=1)
        at = np.flatnonzero(rows)
        if sizes[a] and sizes[b]:
            if not all(sizes[node] for node in given):
                return float("nan")
            statistic, parameters = self._tables(a, b, given, at)
        else:
            if sizes[a]:
                a, b = b, a
            statistic, parameters = self._regressions(a, b, given, at)
        return float(chi2.sf(max(statistic, 0.0), parameters)) if parameters > 0 else 1.0

    def _configurations(self, nodes: tuple[int, ...], at: Ints) -> tuple[Ints, int]:
        """(n,) the configuration of discrete nodes in each row, and how many occur."""
        u, seen = np.zeros(len(at), np.intp), 1
        for node in nodes:
            size = self.cases.sizes[node]
            u, there = renumbered(u * size + self.cases.codes[at, node], seen * size)
            seen = len(there)
        return u, seen

    def _tables(self, a: int, b: int, given: tuple[int, ...], at: Ints) -> tuple[float, float]:
        u, seen = self._configurations(given, at)
        shape = seen, self.cases.sizes[a], self.cases.sizes[b]
        cell = (u * shape[1] + self.cases.codes[at, a]) * shape[2] + self.cases.codes[at, b]
        counts = np.bincount(cell, self.cases.weights[at], minlength=int(np.prod(shape)))
        N = counts.astype(np.float64).reshape(shape)
        rows, columns = N.sum(axis=2), N.sum(axis=1)
        G = 2 * (_sum_log(N) + _sum_log(N.sum(axis=(1, 2))) - _sum_log(rows) - _sum_log(columns))
        states = np.maximum((rows > 0).sum(axis=1) - 1, 0) * ((columns > 0).sum(axis=1) - 1)
        return G, float(np.maximum(states, 0).sum())

    def _regressions(self, a: int, b: int, given: tuple[int, ...], at: Ints) -> tuple[float, float]:
        """Of a continuous node a: regressions on `given`, without b and with it."""
        discrete = tuple(node for node in given if self.cases.sizes[node])
        others = [node for node in given if not self.cases.sizes[node]]
        if self.cases.sizes[b]:
            fine = self._log_likelihood(a, others, self._configurations((*discrete, b), at), at)
        else:
            fine = self._log_likelihood(a, [*others, b], self._configurations(discrete, at), at)
        coarse = self._log_likelihood(a, others, self._configurations(discrete, at), at)
        return 2 * (fine[0] - coarse[0]), fine[1] - coarse[1]

    def _log_likelihood(
        self, node: int, others: list[int], configurations: tuple[Ints, int], at: Ints
    ) -> tuple[float, float]:
        """The log likelihood of a node's regressions, but for constants, and how many parameters
        they have. A configuration with too few rows for one is scored by the node's variance."""
        u, seen = configurations
        m = len(others)
        w, y = self.cases.weights[at], self.x[at, node]
        total, parameters = 0.0, 0.0
        order = np.argsort(u, kind="stable")
        for rows in np.split(order, np.cumsum(np.bincount(u, minlength=seen))[:-1]):
            n = w[rows].sum()
            if len(rows) < m + 3:
                total -= 0.5 * float((w[rows] * y[rows] ** 2).sum())
                continue
            root = np.sqrt(w[rows])[:, None]
            X = np.column_stack([np.ones(len(rows)), self.x[at[rows][:, None], others]]) * root
            target = y[rows] * root[:, 0]
            residual = target - X @ np.linalg.lstsq(X, target, rcond=None)[0]
            variance = max(float(residual @ residual / n), _LEAST)
            total -= 0.5 * n * (np.log(variance) + 1)
            parameters += m + 2
        return total, parameters


def _sum_log(N: Floats) -> float:
    """sum N log N."""
    return float((N * np.log(np.where(N > 0, N, 1.0))).sum())
