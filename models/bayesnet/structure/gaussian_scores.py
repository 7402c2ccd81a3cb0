"""Scores of continuous nodes, which have a linear regression on their m continuous parents in each
of the q configurations u of their discrete ones. Values are taken in standard deviations from the
mean. With N[u] rows, the scatter S[u] about their mean there, and S_vv|P = S_vv - S_vP S_PP^-1
S_Pv:

    BIC    - sum_u N[u] / 2 (log(2 pi S[u]_vv|P / N[u]) + 1) - q (m + 2) / 2 log N.

A configuration with fewer than m + 2 rows allows of no regression: its rows are scored by the
node's mean and variance over all rows, so that nothing is gained there. A variance is at least
1e-10 of the node's own.

    BGe    sum_u log p(x_v, x_P) - log p(x_P),   values in u, regressions integrated out,

whose prior for all d continuous nodes is normal-Wishart: mean 0 worth a_m = 1 row, a_w = d + a_m +
1 degrees of freedom, parameter T = t I, t = a_m (a_w - d - 1) / (a_m + 1) = 1/2. With the posterior
parameter R = T + S + N a_m / (N + a_m) mean mean', A = a_w - d and L = m + 1 in the place of m:

    log p(x_v | x_P) = - N / 2 log pi + 1/2 log(a_m / (N + a_m))
        + log G((N + A + L) / 2) - log G((A + L) / 2) + (A + 2 m + 1) / 2 log t
        - (N + A + L) / 2 log R_vv|P - 1/2 log det R_PP.

Both are the same for equivalent graphs of continuous nodes alone.

References: Geiger and Heckerman, "Parameter priors for directed acyclic graphical models and the
characterization of several probability distributions", 2002,
https://doi.org/10.1214/aos/1035844981; Kuipers, Moffa and Heckerman, "Addendum on the scoring of
Gaussian directed acyclic graphical models", 2014, https://arxiv.org/abs/1402.6863.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy.special import gammaln

from ....arrays import Floats, Ints, Mask
from ..numbering import renumbered, sorting
from .cases import Cases
from .scatters import JITTER, Moments, Schur, moments_of, schur

FLOOR = 1e-10  # of a variance, in units of the node's own
ALPHA_MU = 1.0
T_DIAGONAL = ALPHA_MU**2 / (ALPHA_MU + 1)
KEPT = 1 << 22  # entries of scatters that are kept


class GaussianScore:
    """BIC or BGe of the continuous nodes of some rows.

    Args:
        cases: the rows.
        criterion: which score.
    """

    def __init__(self, cases: Cases, criterion: Literal["bic", "bge"]) -> None:
        self.cases = cases
        self.criterion = criterion
        self.nodes = np.flatnonzero(np.equal(cases.sizes, 0))
        self.place = {int(node): k for k, node in enumerate(self.nodes)}
        self.d = len(self.nodes)
        x = cases.x[:, self.nodes]
        known = ~np.isnan(x)
        w = cases.weights[:, None] * known
        total = np.maximum(w.sum(axis=0), 1e-300)
        mean = (w * np.where(known, x, 0.0)).sum(axis=0) / total
        spread = np.sqrt((w * np.where(known, x - mean, 0.0) ** 2).sum(axis=0) / total)
        self.scale = np.where(spread > 0, spread, 1.0)
        self.x = (x - mean) / self.scale
        self.total = {node: float(self._counted(node).sum()) for node in self.place}
        self._kept: dict[tuple[bytes, tuple[int, ...]], Moments] = {}

    def family(self, node: int, parents: tuple[int, ...], known: set[int]) -> tuple[float, float]:
        """The score of a node given its parents, and of how many rows: those where the nodes
        `known` are."""
        discrete, continuous = self._split(parents)
        keep = np.logical_and.reduce([self.cases.known[:, k] for k in known]) if known else None
        moments = self._moments(node, discrete, [*continuous, self.place[node]], keep)
        m = len(continuous)
        schur = self._schur(moments, m)
        value = self._value(moments, m, m, schur.rest[:, :1], schur.log_det[:, None])
        n = float(moments.n.sum())
        return float(value[0]) - n * math.log(self.scale[self.place[node]]), n

    def extended(self, node: int, parents: tuple[int, ...]) -> tuple[Ints, Floats]:
        """Further continuous parents, and the score of a node with each besides; rows without
        gaps."""
        discrete, continuous = self._split(parents)
        own = self.place[node]
        others = [k for k in range(self.d) if k != own and k not in continuous]
        moments = self._moments(node, discrete, [*continuous, own, *others], None)
        m = len(continuous)
        schur = self._schur(moments, m)
        # R_vv|P+c = R_vv|P - R_vc|P^2 / R_cc|P, with a column for each c
        more = schur.rest[:, 1:]
        usable = more > JITTER * (schur.whole[:, 1:] + moments.n[:, None])  # else a function of P
        more = np.where(usable, more, 1.0)
        gain = np.where(usable, schur.cross[:, 1:] ** 2 / more, 0.0)
        log_det = schur.log_det[:, None] + np.log(more)
        there = self._value(moments, m, m + 1, schur.rest[:, :1] - gain, log_det)
        return self.nodes[others], there - float(moments.n.sum()) * math.log(self.scale[own])

    def _split(self, parents: tuple[int, ...]) -> tuple[tuple[int, ...], list[int]]:
        """Discrete parents, and the places of the continuous ones."""
        discrete = tuple(parent for parent in parents if self.cases.sizes[parent])
        return discrete, [self.place[parent] for parent in parents if parent in self.place]

    def _counted(self, node: int) -> Floats:
        """The weights of the rows that count for a node."""
        outside = self.cases.outside
        w = self.cases.weights
        return w if outside is None else np.where(outside[:, node], 0.0, w)

    def _moments(
        self, node: int, discrete: tuple[int, ...], some: list[int], keep: Mask | None
    ) -> Moments:
        """Moments of the continuous nodes at these places, by configuration, over the rows that
        count for a node."""
        if keep is not None:
            return self._computed(node, discrete, self.x[:, some], keep)
        possible = math.prod(self.cases.sizes[parent] for parent in discrete)
        if min(possible, len(self.x)) * self.d**2 > KEPT:
            return self._computed(node, discrete, self.x[:, some], None)
        outside = self.cases.outside
        key = b"" if outside is None else outside[:, node].tobytes(), discrete
        if (kept := self._kept.get(key)) is None:
            kept = self._kept[key] = self._computed(node, discrete, self.x, None)
        scatter = kept.scatter[:, some][:, :, some]
        return kept._replace(mean=kept.mean[:, some], scatter=scatter)

    def _computed(
        self, node: int, discrete: tuple[int, ...], x: Floats, keep: Mask | None
    ) -> Moments:
        w = self._counted(node)
        rows = np.flatnonzero(w > 0 if keep is None else (w > 0) & keep)
        u = np.zeros(len(rows), np.intp)
        q = seen = 1
        for parent in discrete:
            size = self.cases.sizes[parent]
            u, there = renumbered(u * size + self.cases.codes[rows, parent], seen * size)
            q, seen = q * size, len(there)
        order = rows[sorting(u, seen)]
        count = np.bincount(u, minlength=seen) if len(rows) else np.empty(0, np.intp)
        return moments_of(x[order], w[order], count, q)

    def _schur(self, moments: Moments, m: int) -> Schur:
        """What is left of the scatter, or of R of BGe, when the first m nodes are regressed on."""
        matrix, n = moments.scatter, moments.n
        if self.criterion == "bge":
            shrunk = n * ALPHA_MU / (n + ALPHA_MU)
            outer = moments.mean[:, :, None] * moments.mean[:, None, :]
            matrix = matrix + shrunk[:, None, None] * outer + T_DIAGONAL * np.eye(matrix.shape[-1])
        block = matrix[:, :m, :m].copy()
        if self.criterion == "bic":
            block[moments.rows < m + 2] = np.eye(m)  # scored without it
        return schur(matrix, block, JITTER * n)

    def _value(self, moments: Moments, own: int, m: int, rest: Floats, log_det: Floats) -> Floats:
        """(k,) the score of the node at place `own` given m continuous parents, for k choices of
        them, from R_vv|P and log det R_PP (u, k) in each configuration."""
        n = moments.n[:, None]
        if self.criterion == "bge":
            a, l = ALPHA_MU + 1, m + 1
            terms = (
                -n / 2 * math.log(math.pi)
                + 0.5 * np.log(ALPHA_MU / (n + ALPHA_MU))
                + gammaln((n + a + l) / 2)
                - gammaln((a + l) / 2)
                + (a + 2 * m + 1) / 2 * math.log(T_DIAGONAL)
                - (n + a + l) / 2 * np.log(rest)
                - 0.5 * log_det
            )
            return np.asarray(terms.sum(axis=0))
        variance = np.maximum(rest / n, FLOOR)
        fitted = -n / 2 * (np.log(2 * math.pi * variance) + 1)
        squares = moments.scatter[:, own, own] + moments.n * moments.mean[:, own] ** 2
        alone = -n / 2 * math.log(2 * math.pi) - squares[:, None] / 2
        penalty = moments.q * (m + 2) / 2 * math.log(max(float(moments.n.sum()), 1.0))
        scores = np.where(moments.rows[:, None] >= m + 2, fitted, alone)
        return np.asarray(scores.sum(axis=0) - penalty)
