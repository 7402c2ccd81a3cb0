"""Scores of discrete nodes. Of N[u, k] rows in state k of a node with r states, where its parents
are in configuration u of q, and N rows in all:

    BIC    sum_uk N[u, k] log(N[u, k] / N[u]) - q (r - 1) / 2 log N
    BDeu   sum_u  log G(a / q) - log G(N[u] + a / q)
                + sum_k log G(N[u, k] + a / (q r)) - log G(a / (q r))

with G the gamma function and a the equivalent sample size. Both are the same for all graphs of an
equivalence class. BDeu is the logarithm of the probability of the rows, tables integrated out.

One node with all candidates for a further parent is counted at once: a sparse matrix that says in
which cell (u, k) each distinct row is, times the indicators of all states of all nodes.

References: Schwarz, "Estimating the dimension of a model", 1978,
https://doi.org/10.1214/aos/1176344136; Heckerman, Geiger and Chickering, "Learning Bayesian
networks: the combination of knowledge and statistical data", 1995,
https://doi.org/10.1007/BF00994016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import gammaln

from ....arrays import Array, Floats, Ints, Mask
from ..numbering import DENSE, renumbered, sorting
from .cases import Cases

FEW = 256  # cells among which empty ones do no harm
WIDE = 128  # states, above which a product with indicators costs more than counting
INDICATORS = 1 << 26  # entries of the matrix of indicators at most
BLOCK = 1 << 21  # counts at a time


class Cells(NamedTuple):
    """The cells (u, k) that there are.

    Attributes:
        label: (n,) the cell of each row.
        starts: (configurations,) the first cell of each; the cells of one stand together.
        number: how many there are.
        q: how many configurations there could be.
    """

    label: Ints
    starts: Ints
    number: int
    q: int


class TableScore:
    """BIC or BDeu of the discrete nodes of some rows.

    Args:
        cases: the rows.
        criterion: which score.
        equivalent_sample_size: a, of BDeu.
    """

    def __init__(
        self, cases: Cases, criterion: Literal["bic", "bdeu"], equivalent_sample_size: float
    ) -> None:
        self.sizes = cases.sizes
        self.nodes = [node for node, size in enumerate(cases.sizes) if size]
        self.criterion = criterion
        self.a = equivalent_sample_size
        codes = cases.codes[:, self.nodes]
        parts = [codes] if cases.outside is None else [codes, cases.outside[:, self.nodes]]
        rows = np.ascontiguousarray(np.hstack(parts), np.int32)
        first, inverse = _distinct(rows)
        weights = np.bincount(inverse, cases.weights, minlength=len(first))
        whole = bool((weights == np.rint(weights)).all()) and weights.sum() < 1 << 24
        self.weights = weights.astype(np.float32 if whole else np.float64)  # exact if whole
        self.codes = {
            node: np.ascontiguousarray(codes[first, k], np.intp)
            for k, node in enumerate(self.nodes)
        }
        self.outside: dict[int, Mask] = {}
        if cases.outside is not None:
            self.outside = {node: cases.outside[first, node] for node in self.nodes}
        self.total = {node: float(self._counted(node).sum()) for node in self.nodes}

    def family(self, node: int, parents: tuple[int, ...], known: set[int]) -> tuple[float, float]:
        """The score of a node given discrete parents, and of how many rows: those where the
        nodes `known` are."""
        weights = self._counted(node)
        keep = np.logical_and.reduce([self.codes[other] >= 0 for other in known])
        keep = None if keep.all() else keep
        cells = self._cells(node, parents, keep)
        weights = (weights if keep is None else weights[keep]).astype(np.float64)
        counts = _weighed(cells.label, weights, cells.number)
        by_configuration = np.add.reduceat(counts, cells.starts) if cells.number else counts
        q, r = cells.q, self.sizes[node]
        value = float(self._sum(counts, self.a / (q * r)) - self._sum(by_configuration, self.a / q))
        n = float(weights.sum())
        return value - self._penalty(node, q, n), n

    def extended(self, node: int, parents: tuple[int, ...]) -> tuple[Ints, Floats]:
        """Further parents, and the score of a node with each besides; rows without gaps."""
        hot = self._indicators
        cells = self._cells(node, parents)
        r, width = self.sizes[node], hot.offsets[-1]
        q = float(cells.q) * np.diff(hot.offsets)
        a = np.repeat(self.a / q, np.diff(hot.offsets))
        weights = self._counted(node)
        value = np.zeros(len(hot.nodes))
        for counts, starts in self._counts(cells, weights, hot.matrix):
            by_configuration = np.add.reduceat(counts, starts, axis=0)
            gain = self._sums(counts, a / r) - self._sums(by_configuration, a)
            value += np.add.reduceat(gain, hot.offsets[:-1]) if width else 0.0
        return hot.nodes, value - q * self._penalty(node, 1, self.total[node])

    def _counted(self, node: int) -> Array:
        """The weights of the rows that count for a node."""
        if node in self.outside:
            return self.weights * ~self.outside[node]
        return self.weights

    def _penalty(self, node: int, q: int, n: float) -> float:
        if self.criterion == "bdeu":
            return 0.0
        return q * (self.sizes[node] - 1) / 2 * math.log(max(n, 1.0))

    def _cells(self, node: int, parents: tuple[int, ...], keep: Mask | None = None) -> Cells:
        """The cells of the rows, of those in `keep` if not all."""
        r = self.sizes[node]
        columns = [self.codes[other] for other in (*parents, node)]
        if keep is not None:
            columns = [column[keep] for column in columns]
        u = np.zeros(len(columns[-1]), np.intp)
        seen = q = 1
        for parent, column in zip(parents, columns, strict=False):
            u = u * self.sizes[parent] + column
            q *= self.sizes[parent]
            seen *= self.sizes[parent]
            if seen * r > DENSE:
                u, there = renumbered(u, seen)
                seen = len(there)
        cell = u * r + columns[-1]
        if seen * r <= FEW:
            return Cells(cell, np.arange(0, seen * r, r), seen * r, q)
        label, values = renumbered(cell, seen * r)
        starts = np.flatnonzero(np.diff(values // r, prepend=-1))
        return Cells(label, starts, len(values), q)

    def _counts(
        self, cells: Cells, weights: Array, indicators: Array
    ) -> Iterator[tuple[Floats, Ints]]:
        """(cells, states of all nodes) how many rows, in blocks of whole configurations with the
        first cell of each within the block."""
        if not cells.number:
            return
        by_cell = sorting(cells.label, cells.number)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(cells.label, minlength=cells.number))])
        rows = sparse.csr_array(
            (weights[by_cell], by_cell, bounds), shape=(cells.number, len(weights))
        )
        most = max(1, BLOCK // max(1, indicators.shape[1]))
        begin = 0
        while begin < len(cells.starts):
            first = cells.starts[begin]
            end = max(begin + 1, int(np.searchsorted(cells.starts, first + most)))
            last = cells.starts[end] if end < len(cells.starts) else cells.number
            part = rows if last - first == cells.number else rows[first:last]
            yield np.asarray(part @ indicators, np.float64), cells.starts[begin:end] - first
            begin = end

    def _sum(self, counts: Floats, a: float) -> float:
        return float(self._sums(counts[:, None], np.array([a]))[0])

    def _sums(self, counts: Floats, a: Floats) -> Floats:
        """Of each column, sum N log N, or for BDeu sum log G(N + a) - log G(a)."""
        if self.criterion == "bic":
            sums: Floats = (counts * np.log(np.where(counts > 0, counts, 1.0))).sum(axis=0)
            return sums
        column = np.nonzero(counts)[1]
        terms = gammaln(counts[counts != 0] + a[column]) - gammaln(a)[column]
        return _weighed(column, terms, counts.shape[1])

    @cached_property
    def _indicators(self) -> Indicators:
        """Of the nodes with the fewest states, as many as there is room for."""
        few = [node for node in self.nodes if self.sizes[node] <= WIDE]  # others: one by one
        nodes = sorted(few, key=lambda node: (self.sizes[node], node))
        room = np.cumsum([self.sizes[node] for node in nodes]) * len(self.weights) <= INDICATORS
        nodes = sorted(nodes[: int(room.sum())])
        offsets = np.concatenate([[0], np.cumsum([self.sizes[node] for node in nodes], dtype=int)])
        matrix = np.zeros((len(self.weights), offsets[-1]), self.weights.dtype)
        for node, offset in zip(nodes, offsets, strict=False):
            matrix[np.arange(len(matrix)), offset + self.codes[node]] = 1
        return Indicators(np.array(nodes, np.intp), offsets, matrix)


class Indicators(NamedTuple):
    """(n, states of these nodes) which state each row is in.

    Attributes:
        nodes: which nodes.
        offsets: the first column of each, and the end.
        matrix: the indicators.
    """

    nodes: Ints
    offsets: Ints
    matrix: Array


def _weighed(label: Ints, weights: Floats, number: int) -> Floats:
    """(number,) the sum of the weights with each label."""
    return np.bincount(label, weights, minlength=number).astype(np.float64)


def _distinct(rows: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """The first of each distinct row, and of each row which of those it equals."""
    if not rows.shape[1]:
        return np.arange(len(rows)), np.arange(len(rows))
    small = rows.astype(np.int8) if rows.size and rows.max() < 128 else rows
    whole = np.ascontiguousarray(small).view(f"V{small.shape[1] * small.itemsize}").ravel()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return first, inverse
