"""Soft evidence as virtual evidence: likelihoods under which nodes are distributed as they are said
to be (Jeffrey's rule).

With distributions q_1, ..., q_m of nodes v_1, ..., v_m, and e the other evidence, likelihoods are
scaled in turn,

    lambda_i <- lambda_i q_i / P(v_i | e, lambda),

until P(v_i | e, lambda) = q_i for all i (iterative proportional fitting): one step for one node.
The posterior is the one nearest to P( | e), in relative entropy, that has these marginals.

Reference: Peng, Zhang and Pan, "Bayesian network reasoning with uncertain evidences", 2010,
https://doi.org/10.1142/S0218488510006696.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from .evidence import Given
from .labelled import Labelled

_TOLERANCE = 1e-10  # of a marginal
_STEPS = 1000


def with_soft(
    nodes: Labelled, given: Given, marginal: Callable[[dict[int, Any], int], Floats]
) -> dict[int, Any]:
    """Hard and virtual evidence that says what soft evidence says.

    Args:
        nodes: those of the model.
        given: the evidence.
        marginal: of a node given hard and virtual evidence, (k,) or (n, k).

    Raises:
        InputError: if a distribution allows states that the other evidence does not, or several
            cannot hold together.
    """
    if not given.soft:
        return given.evidence
    lam: dict[int, Floats] = {node: np.ones(len(q)) for node, q in given.soft.items()}
    for _ in range(_STEPS):
        furthest = 0.0
        for node, q in given.soft.items():
            p = np.asarray(marginal({**given.evidence, **lam}, node))
            furthest = max(furthest, float(np.nanmax(np.abs(p - q), initial=0.0)))
            if ((p == 0) & (q > 0)).any():
                state = nodes.states[node][int(np.argmax((p == 0) & (q > 0)) % len(q))]
                raise InputError(
                    f"the Distribution of {nodes.names[node]!r} gives {state!r} a probability, "
                    "which has none given the other evidence."
                )
            with np.errstate(divide="ignore", invalid="ignore"):
                lam[node] = lam[node] * np.where(q > 0, q / p, 0.0)
            lam[node] = lam[node] / lam[node].max(axis=-1, keepdims=True)
        if len(lam) == 1 or furthest <= _TOLERANCE:
            return {**given.evidence, **lam}
    shown = ", ".join(nodes.names[node] for node in given.soft)
    raise InputError(f"the Distributions of {shown} cannot hold together, or settle too slowly.")
