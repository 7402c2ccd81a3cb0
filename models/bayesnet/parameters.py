"""What is assumed of a network's parameters where the user says no more, and what rows make of it.

Tables have Dirichlet priors: "bdeu" spreads s rows, the equivalent sample size, evenly over each
table, alpha = s / (q k); "laplace" has a row in each cell; "none" has none.

The regression of a continuous node on m continuous parents has in each of q configurations u of its
discrete parents a normal-inverse-gamma prior worth c rows, which are those of a configuration as
all are on average: with W the covariance of (z, x) within configurations,

    slopes about W_zz^-1 W_zx with precision c W_zz,     intercept all but free,
    a = c / 2,    b = c / 2 (W_xx - W_xz W_zz^-1 W_zx),

c being s for each of the m + 2 numbers estimated ("laplace": one; "none": none). Configurations
with fewer than m + 2 rows, which would be fitted without error, have c = m + 2 at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...arrays import Floats, Mask
from ...inference.dag import DAG
from .families import Family, Statistics, families, sums
from .layout import NodeRows
from .network import Network
from .prior import ConjugatePrior, Dirichlet, NormalInverseGamma, solve

_FREE = 1e-6  # rows that say where an intercept is, which decide where there are no others


@dataclass(frozen=True)
class Assumed:
    """Which prior.

    Attributes:
        kind: see the head of this file.
        s: the equivalent sample size, in rows.
    """

    kind: Literal["bdeu", "laplace", "none"] = "bdeu"
    s: float = 1.0

    def prior(self, dag: DAG, sizes: tuple[int, ...], sums: Statistics) -> ConjugatePrior:
        """The prior of the parameters, for rows of which `families.statistics` gives these sums."""
        each = zip(families(dag, sizes), sums, strict=True)
        return ConjugatePrior(dag, sizes, tuple(self.of(f, S) for f, S in each))

    def of(self, f: Family, S: Floats) -> Dirichlet | NormalInverseGamma:
        """The prior of one family with these sums."""
        return self._table(f) if f.size else self._regression(f, S)

    def _table(self, f: Family) -> Dirichlet:
        shape = (*f.shape, f.size)
        each = {"bdeu": self.s / float(np.prod(shape)), "laplace": 1.0, "none": 0.0}
        return Dirichlet(np.broadcast_to(each[self.kind], shape))

    def _regression(self, f: Family, S: Floats) -> NormalInverseGamma:
        n, p = S[..., 0, 0], len(f.continuous) + 1
        c = np.full(f.shape, {"bdeu": self.s, "laplace": 1.0, "none": 0.0}[self.kind] * (p + 1))
        c = np.where(n < p + 1, np.maximum(c, p + 1), c)
        mean, W = _within(S)
        slopes = solve(W[:-1, :-1], W[:-1, -1])
        residual = max(W[-1, -1] - slopes @ W[:-1, -1], 0.0)
        m = np.concatenate([[mean[-1] - slopes @ mean[:-1]], slopes])
        Lambda = np.zeros((*f.shape, p, p))
        Lambda[..., 1:, 1:] = c[..., None, None] * W[:-1, :-1]
        Lambda[..., 0, 0] = _FREE * (c > 0)
        return NormalInverseGamma(np.tile(m, (*f.shape, 1)), Lambda, c / 2, c / 2 * residual)


def _within(S: Floats) -> tuple[Floats, Floats]:
    """The mean of (z, x) over all rows, and its covariance within configurations, that of all rows
    where these are too few."""
    S = S.reshape(-1, *S.shape[-2:])
    n, d = S[:, 0, 0], S.shape[-1] - 1
    total = n.sum()
    if not total:
        return np.zeros(d), np.eye(d)
    seen = S[n > 0]
    sums, counts = seen[:, 0, 1:], n[n > 0]
    scatter = (seen[:, 1:, 1:] - sums[:, :, None] * sums[:, None, :] / counts[:, None, None]).sum(0)
    free = total - len(seen)  # a mean is estimated in each
    mean = sums.sum(axis=0) / total
    if free < d + 1:
        return mean, seen[:, 1:, 1:].sum(axis=0) / total - np.outer(mean, mean)
    return mean, scatter / free


def estimated(
    dag: DAG,
    states: Sequence[tuple[object, ...]],
    rows: NodeRows,
    weights: Floats | None,
    assumed: Assumed,
    floor: float = 0.0,
    outside: Mask | None = None,
) -> Network:
    """The network of a graph with its parameters from rows: posterior means, from the rows that
    have all of a family.

    Args:
        dag: N nodes.
        states: of each node; empty for a continuous one.
        rows: n rows.
        weights: (n,), or None where all count alike.
        assumed: of the parameters.
        floor: the least variance.
        outside: (n, N) which values were set from outside: such a row says nothing of that node.
    """
    sizes = tuple(map(len, states))
    of, conditionals = families(dag, sizes), []
    for f, sum_ in zip(of, sums(of, rows.codes, rows.x, weights, outside), strict=True):
        posterior = assumed.of(f, sum_).updated(sum_)
        conditionals.append(
            posterior.centre() if isinstance(posterior, Dirichlet) else posterior.centre(floor)
        )
    return Network(dag, tuple(conditionals), tuple(map(tuple, states)))


@dataclass(frozen=True, eq=False)
class Learnt:
    """A network with the prior and the posterior of its parameters, whose `centre` it has."""

    network: Network
    prior: ConjugatePrior
    posterior: ConjugatePrior


def learnt(
    dag: DAG,
    states: Sequence[tuple[object, ...]],
    rows: NodeRows,
    weights: Floats | None,
    assumed: Assumed,
    floor: float = 0.0,
    outside: Mask | None = None,
) -> Learnt:
    """What is `estimated`, with all that is known of it."""
    sizes = tuple(map(len, states))
    found = tuple(sums(families(dag, sizes), rows.codes, rows.x, weights, outside))
    prior = assumed.prior(dag, sizes, found)
    posterior = prior.updated(found)
    network = Network(dag, posterior.centre(floor), tuple(map(tuple, states)))
    return Learnt(network, prior, posterior)
