"""Soft evidence: nodes whose posterior is stated, by Jeffrey's rule and proportional fitting.

Soft evidence says that a node has the distribution q_v after everything is taken into account. For
one node this is Jeffrey's rule, the virtual evidence

    lambda_v(x_v) = q_v(x_v) / P(x_v | e).

For several, each is set in turn while the others are as they were, again and again (iterative
proportional fitting), until each has its q_v: the distribution nearest to P(x | e), by the
Kullback-Leibler divergence, among those with these marginals. Hard and virtual evidence e come
first. Unlike virtual evidence, soft evidence has no likelihood: log Z with it means nothing.

References: Jeffrey, "The logic of decision", 1965; Peng, Zhang and Pan, "Bayesian network reasoning
with uncertain evidences", 2010, https://doi.org/10.1142/S0218488510006696; Csiszár, "I-divergence
geometry of probability distributions and minimization problems", 1975,
https://doi.org/10.1214/aop/1176996454.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arrays import Array, Floats
from ..errors import InputError
from .exact import Evidence, Marginals
from .likelihoods import is_hard

_SUM = 1e-6  # by which a stated distribution may miss one


def with_soft(
    marginals: Callable[[Evidence], Marginals],
    evidence: Evidence,
    soft: Mapping[int, Array],
    *,
    tol: float = 1e-9,
    max_iter: int = 500,
) -> dict[int, Any]:
    """Evidence to which virtual evidence is added that gives each node its stated distribution.

    Args:
        marginals: of the model, exact, given evidence.
        evidence: hard or virtual.
        soft: variable -> its distribution, (k,) or (n, k).
        tol: how far a probability may be from the stated one.
        max_iter: rounds over all nodes.

    Raises:
        InputError: if a distribution is none, or is on a node with hard evidence; if the evidence
            alone has probability zero; if a state is stated to be possible that is not; or if
            distributions cannot hold together.
    """
    stated = {v: _distribution(v, q, evidence) for v, q in soft.items()}
    given = dict(evidence)
    for _ in range(max_iter if stated else 0):
        worst = 0.0
        for v, q in stated.items():
            p = marginals(given).probs[v]
            ratio = _ratio(v, q, p)
            worst = max(worst, float(np.abs(p - q).max()))
            lam = np.asarray(given.get(v, 1.0)) * ratio
            given[v] = lam / lam.max(axis=-1, keepdims=True)
        if worst <= tol or len(stated) == 1:
            return given
    if stated:
        raise InputError(
            f"after {max_iter} rounds the distribution of a node is {worst:.2g} from that stated: "
            f"those of variables {list(stated)} cannot hold together, or nearly not. Leave one out."
        )
    return given


def _distribution(v: int, q: Array, evidence: Evidence) -> Floats:
    """A stated distribution, its sum made one exactly."""
    given = np.asarray(q, dtype=np.float64)
    total = given.sum(axis=-1, keepdims=True)
    if not (given >= 0).all() or (np.abs(total - 1) > _SUM).any():
        raise InputError(
            f"soft evidence on variable {v} must be a distribution; {given.tolist()} sums to "
            f"{total.ravel()[np.abs(total.ravel() - 1).argmax()]:.9g}."
        )
    if v in evidence and is_hard(evidence[v]):
        raise InputError(f"variable {v} has hard and soft evidence; give one.")
    out: Floats = given / total
    return out


def _ratio(v: int, q: Floats, p: Floats) -> Floats:
    """q / p, 0 where both are."""
    if np.isnan(p).any():
        raise InputError("the evidence without the soft evidence has probability zero.")
    if ((q > 0) & (p == 0)).any():
        raise InputError(
            f"soft evidence takes a state of variable {v} for possible, which it cannot be "
            "given the other evidence."
        )
    out: Floats = np.where(q > 0, q / np.where(p > 0, p, 1.0), 0.0)
    return out
