"""Likelihood weighting: a network's rows are drawn parents before children, evidence is kept.

With evidence e on nodes E, a draw takes x_i ~ p(x_i | x_parents(i)) for each node that is not
observed, in an order of ancestors, and has the weight

    w = prod_{i in E} p(e_i | x_parents(i)) prod_i lambda_i(x_i),

lambda_i the likelihoods of virtual evidence. The mean of w estimates p(e) without bias, and

    E[f(x) | e] is about sum_k w_k f(x_k) / sum_k w_k,
    stderr^2 = sum_k w_k^2 (f(x_k) - mean)^2 / (sum_k w_k)^2          (delta method).

To the variance of a probability the square of one effective draw's share, (1 / ess)^2, is added:
a state that was not drawn is rare, not impossible. Any conditional can be a node's, which can be
drawn and whose density is known: discrete, linear Gaussian, or another.

Reference: Fung and Chang, "Weighing and integrating evidence for stochastic simulation in Bayesian
networks", 1990, https://arxiv.org/abs/1304.1504; Shachter and Peot, "Simulation approaches to
general probabilistic inference on belief networks", 1990, https://arxiv.org/abs/1304.1526.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array, Floats
from ..errors import InputError
from ..settings import integer
from ..verdict import Reason
from .categorical import drawn
from .importance import Weights, good_khat, summarise
from .mixed_evidence import as_rows

MIN_ESS = 400  # effective draws below which a row's answers are said to be few
_NUMBERS = 1 << 23  # of values of nodes and weights that a block of rows holds

Draw = Callable[[Sequence[Array], int, np.random.Generator], Array]
LogProb = Callable[[Array, Sequence[Array]], Floats]


@dataclass(frozen=True)
class Node:
    """What likelihood weighting must know of a node.

    Attributes:
        parents: their numbers.
        draw: gives m values, given the values of the parents, (m,) each, m, and a generator.
        log_prob: log probabilities or densities (m,) of values, given those of the parents.
        size: number of states; 0 for a continuous node.
    """

    parents: tuple[int, ...]
    draw: Draw
    log_prob: LogProb
    size: int = 0


@dataclass(frozen=True)
class Estimate:
    """Estimates and their Monte Carlo standard errors, of one shape."""

    value: Floats
    stderr: Floats


@dataclass(frozen=True)
class Weighted:
    """Weighted draws of n rows of evidence.

    Attributes:
        values: node -> (n, N): state numbers, or numbers.
        log_weights: (n, N), in nats; all -inf where no draw agrees with the evidence.
        sizes: of the nodes, 0 for a continuous one.
    """

    values: dict[int, Array]
    log_weights: Floats
    sizes: tuple[int, ...]

    @cached_property
    def summary(self) -> Weights:
        """Log of the mean weight (log p(e), in nats), its standard error, effective sample size and
        Pareto k-hat, (n,) each."""
        return summarise(self.log_weights)

    @cached_property
    def shares(self) -> Floats:
        """(n, N) weights that sum to 1 in each row; NaN where all are zero."""
        with np.errstate(invalid="ignore"):
            w = np.exp(self.log_weights - self.log_weights.max(axis=1, keepdims=True))
        shares: Floats = w / w.sum(axis=1, keepdims=True)
        return shares

    def mean(self, f: Array) -> Estimate:
        """(n,) the mean of a function of the nodes, given its values f (n, N)."""
        mean: Floats = (self.shares * f).sum(axis=1)
        off = self.shares * (f - mean[:, None])
        return Estimate(mean, np.sqrt((off**2).sum(axis=1)))

    def probs(self, nodes: Sequence[int]) -> Estimate:
        """(n, k_1, ..., k_m) the joint marginal of discrete nodes."""
        shape = tuple(self.sizes[node] for node in nodes)
        n, k = len(self.log_weights), int(np.prod(shape))
        codes = np.ravel_multi_index(tuple(self.values[node] for node in nodes), shape)
        codes = codes + k * np.arange(n)[:, None]
        w, square = np.zeros((2, n, k))
        np.add.at(w.reshape(-1), codes.ravel(), self.shares.ravel())
        np.add.at(square.reshape(-1), codes.ravel(), self.shares.ravel() ** 2)
        total = square.sum(axis=1, keepdims=True)  # 1 / ess
        variance = square * (1 - 2 * w) + w**2 * total  # sum_k w_k^2 (1[x_k = state] - w)^2
        stderr = np.sqrt(np.maximum(variance, 0.0) + total**2)
        return Estimate(w.reshape(n, *shape), stderr.reshape(n, *shape))


def reasons_of(summaries: Sequence[Weights], n_draws: int) -> list[Reason]:
    """That answers are estimates, and for how many of the rows of all blocks they are poor."""
    ess = np.concatenate([summary.ess for summary in summaries])
    khat = np.concatenate([summary.khat for summary in summaries])
    what = "likelihood weighting: answers are estimates with standard errors."
    reasons = [Reason("ok", what)]
    if none := int((ess == 0).sum()):
        what = f"no draw agrees with the evidence of {none:,} of {len(ess):,} rows."
        advice = "It is rare or impossible: use exact inference or Gibbs sampling."
        reasons.append(Reason("warn", what, advice))
    few = (ess > 0) & ((ess < MIN_ESS) | (khat > good_khat(n_draws)))
    if few.any():
        what = (
            f"{int(few.sum()):,} of {len(ess):,} rows have few effective draws (the fewest: "
            f"{ess[few].min():.0f}) or a few weights that dominate."
        )
        reasons.append(Reason("warn", what, "Draw more, or use exact inference."))
    return reasons


def weigh(
    nodes: Sequence[Node],
    order: Sequence[int],
    evidence: Mapping[int, Any],
    n_draws: int,
    *,
    seed: int,
) -> Iterator[Weighted]:
    """Weighted draws given each row of evidence, a block of rows at a time.

    The draws of a row depend on the seed and on the rows before it, not on those after it.

    Args:
        nodes: of the network.
        order: those that are to be drawn, parents before children. A node that is neither asked
            for nor an ancestor of evidence or of one that is may be left out.
        evidence: of a discrete node as `Exact` takes it; of a continuous one a number or
            numbers (n,), NaN where a row does not observe it.
        n_draws: N, draws a row.
        seed: the only source of randomness.

    Raises:
        InputError: if evidence does not fit, or is on a node that is not drawn.
    """
    integer(2).check("n_draws", n_draws)
    if left_out := set(evidence) - set(order):
        raise InputError(f"evidence is on nodes {sorted(left_out)}, which `order` leaves out.")
    sizes = tuple(node.size for node in nodes)
    known = as_rows(sizes, [str(v) for v in range(len(sizes))], evidence)
    rngs = dict(zip(order, np.random.default_rng(seed).spawn(len(order)), strict=True))
    step = max(1, _NUMBERS // (n_draws * (len(order) + 1)))
    for start in range(0, len(known), step):
        block = known.take(np.arange(start, min(start + step, len(known))))
        log_w = np.zeros((len(block), n_draws))
        values: dict[int, Array] = {}
        for node in order:
            what = nodes[node]
            parents = [values[parent].ravel() for parent in what.parents]
            x = what.draw(parents, log_w.size, rngs[node]).reshape(log_w.shape)
            seen = (block.codes if what.size else block.values)[:, node]
            if node in evidence and node not in block.log_likelihoods:
                x = _observed(what, x, seen, parents, log_w)
            if node in block.log_likelihoods:
                log_lam = block.log_likelihoods[node]
                log_w += log_lam[np.arange(len(block))[:, None] if len(log_lam) > 1 else 0, x]
            values[node] = x
        yield Weighted(values, log_w, sizes)


def _observed(node: Node, x: Array, seen: Array, parents: Sequence[Array], log_w: Floats) -> Array:
    """Drawn values (n, N) with those that are observed in their place, whose log probabilities are
    added to `log_w`."""
    is_seen = (seen >= 0) if node.size else ~np.isnan(seen)
    x = np.where(is_seen[:, None], seen[:, None], x)
    log_prob = node.log_prob(x.ravel(), parents).reshape(x.shape)
    if np.isposinf(log_prob[is_seen]).any():
        raise InputError(
            "a continuous node that is observed is a function of its parents, without variance: "
            "draws agree with it with probability zero. Use exact inference."
        )
    log_w += np.where(is_seen[:, None], log_prob, 0.0)
    return x


def table_node(parents: Sequence[int], table: Array) -> Node:
    """A discrete node with the table (r_1, ..., r_q, k), an axis for each parent, in this order."""
    probs = np.asarray(table, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(probs)

    def draw(values: Sequence[Array], m: int, rng: np.random.Generator) -> Array:
        return drawn(probs[tuple(values)] if values else probs, rng.random(m))

    def log_prob(x: Array, values: Sequence[Array]) -> Floats:
        out: Floats = logs[(*values, x)]
        return out

    return Node(tuple(parents), draw, log_prob, probs.shape[-1])


def gaussian_node(
    discrete: Sequence[int],
    continuous: Sequence[int],
    intercept: Array,
    coefficients: Array,
    variance: Array,
) -> Node:
    """A continuous node with discrete parents u and continuous parents z, in these orders:
    Normal(b0[u] + b[u] . z, s2[u]), with b0 and s2 (r_1, ..., r_q) and b (r_1, ..., r_q, m)."""
    b0, b, s2 = (np.asarray(x, dtype=np.float64) for x in (intercept, coefficients, variance))

    def parts(values: Sequence[Array]) -> tuple[Floats, Floats]:
        u, z = tuple(values[: len(discrete)]), values[len(discrete) :]
        mean = b0[u]
        for j, x in enumerate(z):
            mean = mean + b[(*u, j)] * x
        return mean, s2[u]

    def draw(values: Sequence[Array], m: int, rng: np.random.Generator) -> Array:
        mean, var = parts(values)
        return mean + np.sqrt(var) * rng.standard_normal(m)

    def log_prob(x: Array, values: Sequence[Array]) -> Floats:
        mean, var = parts(values)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            out: Floats = -0.5 * (np.log(2 * np.pi * var) + (x - mean) ** 2 / var)
        return np.where(var > 0, out, np.where(x == mean, np.inf, -np.inf))

    return Node((*discrete, *continuous), draw, log_prob)
