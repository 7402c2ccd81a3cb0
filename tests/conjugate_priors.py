"""Priors of a network's parameters for tests."""

from __future__ import annotations

import numpy as np

from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.families import Family, families
from ppgen.models.bayesnet.prior import ConjugatePrior, Dirichlet, NormalInverseGamma


def conjugate_prior(
    dag: DAG,
    sizes: tuple[int, ...],
    *,
    ess: float = 1.0,
    precision: float = 0.1,
    shape: float = 1.0,
    scale: float = 0.1,
) -> ConjugatePrior:
    """alpha = ess / (q k), Lambda = precision I, m = 0, a = shape, b = scale."""

    def node(f: Family) -> Dirichlet | NormalInverseGamma:
        if f.size:
            table = (*f.shape, f.size)
            return Dirichlet(np.full(table, ess / np.prod(table)))
        width = len(f.continuous) + 1
        Lambda = np.broadcast_to(precision * np.eye(width), (*f.shape, width, width))
        a, b = np.full(f.shape, float(shape)), np.full(f.shape, float(scale))
        return NormalInverseGamma(np.zeros((*f.shape, width)), Lambda, a, b)

    return ConjugatePrior(dag, sizes, tuple(map(node, families(dag, sizes))))
