"""Soft evidence: variables whose posterior is stated, by Jeffrey's rule and proportional fitting.

Soft evidence says that a variable has the distribution q_v after everything is taken into account.
For one variable this is Jeffrey's rule, the virtual evidence

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
from .evidence import Evidence, is_hard

_SUM = 1e-6  # by which a stated distribution may miss one


def with_soft(
    marginal: Callable[[dict[int, Any], int], Floats],
    evidence: Evidence,
    soft: Mapping[int, Array],
    shown: Callable[..., str] = "variable {0}".format,
    *,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> dict[int, Any]:
    """Evidence to which virtual evidence is added that gives each variable its distribution.

    Args:
        marginal: of a variable given evidence, exact, (k,) or (n, k).
        evidence: hard or virtual.
        soft: variable -> its distribution, (k,) or (n, k).
        shown: what errors call a variable, or with a second argument one of its states.
        tol: how far a probability may be from the stated one.
        max_iter: rounds over all variables.

    Raises:
        InputError: if a distribution is none, or is on a variable with hard evidence; if the
            evidence alone has probability zero; if a state is stated to be possible that is not; or
            if distributions cannot hold together.
    """
    stated = {v: _distribution(q, shown(v)) for v, q in soft.items()}
    for v in stated:
        if v in evidence and is_hard(evidence[v]):
            raise InputError(f"{shown(v)} has hard and soft evidence; give one.")
    given = dict(evidence)
    if not stated:
        return given
    for _ in range(max_iter):
        furthest = 0.0
        for v, q in stated.items():
            p = np.asarray(marginal(given, v))
            if np.isnan(p).all():
                raise InputError("the evidence without the soft evidence has probability zero.")
            if (never := (q > 0) & (p == 0)).any():
                state = int(never.reshape(-1, q.shape[-1]).any(axis=0).argmax())
                raise InputError(
                    f"soft evidence gives {shown(v, state)} a probability above zero, which is "
                    "impossible given the other evidence."
                )
            furthest = max(furthest, float(np.nanmax(np.abs(p - q))))
            lam = np.asarray(given.get(v, 1.0)) * np.where(q > 0, q / np.where(p > 0, p, 1.0), 0.0)
            given[v] = lam / lam.max(axis=-1, keepdims=True)
        if len(stated) == 1 or furthest <= tol:
            return given
    names = ", ".join(map(shown, stated))
    raise InputError(
        f"soft evidence on {names} cannot hold together, or settles too slowly: after {max_iter} "
        f"rounds a probability is {furthest:.2g} from that stated. Leave one out."
    )


def _distribution(q: Array, name: str) -> Floats:
    """A stated distribution, its sum made one exactly."""
    given = np.asarray(q, dtype=np.float64)
    total = given.sum(axis=-1, keepdims=True)
    off = np.abs(total - 1)
    if not ((given >= 0).all() and (off <= _SUM).all()):
        raise InputError(
            f"soft evidence on {name} sums to {total.flat[off.argmax()]:.9g}, or has a number "
            "below 0; expected a distribution."
        )
    out: Floats = given / total
    return out
