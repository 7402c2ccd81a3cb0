"""Posterior of a network's parameters: the pair of `pyro.py` and `numpyro.py`, by SVI or NUTS, or,
where no row has gaps, in closed form.

The engines work in the coordinates of the codec. Rows that are equal count once, with their weights
added up. SVI starts its guide at the posterior that expected counts give (`em`), which without gaps
is the posterior itself; chains start at the network that EM ends at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ...fitting import Fit
from ...verdict import Reason
from ..bayes import fit_posterior
from ..problem import Problem
from .draws import sites_of
from .expected_counts import merged
from .layout import NodeRows
from .network import Network
from .prior import ConjugatePrior


class Posterior(NamedTuple):
    """Draws of the sites, name -> (chain, draw, ...), their `stats`, (chain, draw) each, and
    warnings."""

    draws: dict[str, Floats]
    stats: dict[str, Floats]
    reasons: list[Reason]


def fit_bayes(
    prior: ConjugatePrior,
    expected: ConjugatePrior,
    network: Network,
    rows: NodeRows,
    weights: Floats | None,
    engine: str,
    backend: str,
    options: Mapping[str, Any],
    fit: Fit,
) -> Posterior:
    """Draw from the posterior of the parameters.

    Args:
        prior: proper.
        expected: its posterior given the counts that are expected of the rows.
        network: where chains start.
        rows: gaps and hidden nodes are summed out.
        weights: (n,) powers of the rows in the likelihood, or None.
        engine: "conjugate", "svi" or "nuts".
        options: of the engine, all of them.

    Raises:
        InputError: for a prior that is none, and for gaps where the engine is "conjugate".
    """
    prior.check_proper()
    gaps = tuple(int(node) for node in np.flatnonzero(~rows.known.all(axis=0)))
    if engine == "conjugate":
        if gaps:
            raise InputError(
                f"the posterior has a closed form only if nothing is missing, and "
                f"{prior.dag.names[gaps[0]]!r} has gaps or is hidden. Take engine='svi' or 'nuts'."
            )
        draws = expected.draw(fit.rng(), int(options["num_draws"]))
        return Posterior({name: a[None] for name, a in draws.items()}, {}, [])
    distinct, weight = merged(rows, weights)
    start = expected.numbers() if engine == "svi" else sites_of(network)
    data = (distinct.x, distinct.codes.astype(np.int64), weight)
    problem = Problem("bayesnet", data, prior, start, gaps)
    return Posterior(*fit_posterior(problem, engine, backend, options, fit))
