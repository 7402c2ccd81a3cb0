"""The log density of rows under parameters of a network, what is not known summed out. Written once
for both backends (`Backend` has the functions of their arrays).

A family whose values are all known is looked up. Of discrete nodes with gaps, p(row) is a sum over
their states of a product of factors, each over few of them,

    log p(row) = log sum_s prod_i f_i(s_i),

and the nodes are summed out one after the other: the factors that have a node are multiplied and
summed over its states. The next node is the one whose product has the fewest cells. Each product
has an axis for the row; all is in logarithms.

Continuous nodes with gaps, and the nodes beside them in families, are jointly normal given the
states of their discrete parents: taken parents first,

    x_j = b_j0 + sum_i b_ji x_i + s_j e_j,    so that    x = mu + L e,    e ~ Normal(0, I),

with L lower triangular, row j being sum_i b_ji L_i + s_j at j; what is known of x has the normal
density that mu and L L' say, which is one more factor over those states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .families import Family

Scope = tuple[int, ...]  # discrete nodes that are summed out, ascending


class Backend(NamedTuple):
    """Functions of a backend's arrays.

    Attributes:
        xp: `jax.numpy` or `torch`.
        logsumexp: of an array, over an axis.
        log_normal: (n, q) log densities of what is known of x (n, d), NaN in gaps, given means
            (n, q, d) and Cholesky factors (n, q, d, d), and whether there are gaps.
    """

    xp: Any
    logsumexp: Callable[[Any, int], Any]
    log_normal: Callable[[Any, Any, Any, bool], Any]


class Parameters(NamedTuple):
    """Values of the pair's sites, by node: theta (r_1, ..., r_q, k) of discrete nodes, b
    (r_1, ..., r_q, m + 1), the intercept first, and s2 (r_1, ..., r_q) of continuous ones."""

    theta: Mapping[int, Any]
    b: Mapping[int, Any]
    s2: Mapping[int, Any]


class RowDensity:
    """The density of rows.

    Args:
        of: the families of the nodes, by number.
        order: the nodes, parents first.
        gaps: nodes that some row does not know; all others are known in each.
        on: the backend.
    """

    def __init__(
        self, of: Sequence[Family], order: Sequence[int], gaps: Sequence[int], on: Backend
    ) -> None:
        self.of, self.order, self.gaps, self.on = of, order, frozenset(gaps), on
        self.blocks = list(_blocks(of, order, self.gaps))

    def __call__(self, parameters: Parameters, x: Any, codes: Any) -> Any:
        """(n,) log densities of rows x (n, N), NaN, and codes (n, N), -1, where not known."""
        factors = [self._table(parameters, f, codes) for f in self.of if f.size]
        factors += [self._seen(f, codes) for f in self.of if f.size and f.node in self.gaps]
        for nodes in self.blocks:
            if len(nodes) == 1 and nodes[0] not in self.gaps:
                factors.append(self._regression(parameters, self.of[nodes[0]], x, codes))
            else:
                factors.append(self._joint(parameters, nodes, x, codes))
        return self._summed(factors, codes)

    def _at(self, parameter: Any, nodes: Sequence[int], codes: Any, scope: Scope) -> Any:
        """The entries of a parameter (an axis for each of some nodes, then others) where each row
        is: (n or 1, an axis for each node of `scope`, others)."""
        xp, index = self.on.xp, []
        for node in nodes:
            if node in scope:
                shape = [self.of[v].size if v == node else 1 for v in scope]
                index.append(xp.arange(self.of[node].size).reshape(1, *shape))
            else:
                index.append(codes[:, node].reshape(-1, *(1 for _ in scope)))
        if index:
            return parameter[tuple(index)]
        return parameter.reshape(*(1 for _ in range(1 + len(scope))), *parameter.shape)

    def _scope(self, nodes: Sequence[int]) -> Scope:
        return tuple(sorted({node for node in nodes if node in self.gaps}))

    def _table(self, parameters: Parameters, f: Family, codes: Any) -> tuple[Scope, Any]:
        """log theta[u, k]."""
        nodes = (*f.discrete, f.node)
        scope = self._scope(nodes)
        return scope, self._at(self.on.xp.log(parameters.theta[f.node]), nodes, codes, scope)

    def _seen(self, f: Family, codes: Any) -> tuple[Scope, Any]:
        """0 for the states that a row leaves possible, and -inf for the others."""
        xp, own = self.on.xp, codes[:, f.node, None]
        return (f.node,), xp.where((own < 0) | (own == xp.arange(f.size)), 0.0, -math.inf)

    def _regression(self, parameters: Parameters, f: Family, x: Any, codes: Any) -> Any:
        """log Normal(x; b0[u] + b[u] . z, s2[u])."""
        xp, scope = self.on.xp, self._scope(f.discrete)
        b = self._at(parameters.b[f.node], f.discrete, codes, scope)
        s2 = self._at(parameters.s2[f.node], f.discrete, codes, scope)
        one = tuple(1 for _ in scope)
        mean = b[..., 0]
        for j, parent in enumerate(f.continuous, 1):
            mean = mean + b[..., j] * x[:, parent].reshape(-1, *one)
        off = x[:, f.node].reshape(-1, *one) - mean
        return scope, -0.5 * (off**2 / s2 + xp.log(2 * math.pi * s2))

    def _joint(self, parameters: Parameters, nodes: Sequence[int], x: Any, codes: Any) -> Any:
        """log Normal(x; mu[u], L[u] L[u]') of what is known of some continuous nodes."""
        xp = self.on.xp
        scope = self._scope([parent for node in nodes for parent in self.of[node].discrete])
        one, where = tuple(1 for _ in scope), {node: j for j, node in enumerate(nodes)}
        mu: list[Any] = []
        L: list[list[Any]] = []
        for i, node in enumerate(nodes):
            f = self.of[node]
            b = self._at(parameters.b[node], f.discrete, codes, scope)
            s2 = self._at(parameters.s2[node], f.discrete, codes, scope)
            mean, row = b[..., 0], [xp.zeros_like(s2) for _ in nodes]
            for j, parent in enumerate(f.continuous, 1):
                if parent in where:
                    mean = mean + b[..., j] * mu[where[parent]]
                    row = [a + b[..., j] * c for a, c in zip(row, L[where[parent]], strict=True)]
                else:
                    mean = mean + b[..., j] * x[:, parent].reshape(-1, *one)
            row[i] = row[i] + xp.sqrt(s2)
            mu.append(mean)
            L.append(row)
        sizes = tuple(self.of[v].size for v in scope)
        n, q, d = len(x), math.prod(sizes), len(nodes)
        means = xp.stack([xp.broadcast_to(m, (n, *sizes)) for m in mu], -1).reshape(n, q, d)
        rows = [xp.stack([xp.broadcast_to(c, (n, *sizes)) for c in row], -1) for row in L]
        tril = xp.stack(rows, -2).reshape(n, q, d, d)
        log_p = self.on.log_normal(x[:, list(nodes)], means, tril, True)
        return scope, log_p.reshape(n, *sizes)

    def _summed(self, factors: Sequence[tuple[Scope, Any]], codes: Any) -> Any:
        """(n,) log of the product of factors, summed over all nodes of their scopes."""
        left, factors = {node for scope, _ in factors for node in scope}, list(factors)
        while left:
            scopes = [set(scope) for scope, _ in factors]
            together = {v: set().union(*(s for s in scopes if v in s)) for v in left}
            cells = {v: math.prod(self.of[w].size for w in together[v]) for v in left}
            node = min(left, key=cells.__getitem__)
            scope, total = tuple(sorted(together[node])), 0.0
            for own, log_f in factors:
                if node in own:
                    shape = (self.of[v].size if v in own else 1 for v in scope)
                    total = total + log_f.reshape(len(log_f), *shape)
            summed = self.on.logsumexp(total, 1 + scope.index(node))
            factors = [factor for factor in factors if node not in factor[0]]
            factors.append((tuple(v for v in scope if v != node), summed))
            left.remove(node)
        return sum((log_f for _, log_f in factors), 0.0 * codes[:, 0])


def _blocks(of: Sequence[Family], order: Sequence[int], gaps: frozenset[int]) -> list[list[int]]:
    """The continuous nodes in groups, each parents first: those that gaps in values tie together,
    as a node with gaps goes with its children."""
    continuous = [node for node in order if not of[node].size]
    group = {node: node for node in continuous}
    for node in continuous:
        for parent in of[node].continuous:
            if parent in gaps:
                old, new = group[node], group[parent]
                group = {v: new if g == old else g for v, g in group.items()}
    return [[v for v in continuous if group[v] == g] for g in dict.fromkeys(group.values())]
