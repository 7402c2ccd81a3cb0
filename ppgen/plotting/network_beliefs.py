"""What a Bayesian network believes of its nodes, as their boxes show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..digits import plus_minus
from ..errors import InputError
from ..models.bayesnet import weighted
from ..models.bayesnet.flow_factors import exact_for
from ..models.bayesnet.network import Network
from ..models.bayesnet.posterior import Beliefs, posterior_of
from ..models.bayesnet.queries.evidence import Given, check_possible
from ..models.bayesnet.queries.units import in_units
from .graph_boxes import Belief

_SMALL = 1e-3  # deviations that are not written with decimals


def beliefs_of(
    model: Any, given: Mapping[Any, Any] | None, do: Mapping[Any, Any] | None
) -> dict[str, Belief]:
    """Name of a node -> its distribution given evidence and interventions, as `query` takes them,
    in the units of the data.

    Raises:
        InputError: if what is given is impossible, a table of rows, or a distribution.
    """
    asked = model._asked
    evidence, network, _ = asked.read(None, given or None, do or None)
    if evidence.rows is not None or evidence.soft:
        raise InputError(
            "a picture shows what is believed given one row of states, values or likelihoods; "
            f"{'a table' if evidence.rows is not None else 'a Distribution'} was given."
        )
    known = {v: evidence.evidence[v] for v in (*evidence.hard, *asked.beforehand)}
    known |= evidence.done
    free = [node for node in range(len(network.names)) if node not in known]
    found = _marginals(network, evidence, free)
    check_possible(found.log_z, evidence)
    out = {}
    for node, name in enumerate(network.names):
        fixed, states = node in known, network.states[node]
        if states:
            probs = np.eye(len(states))[known[node]] if fixed else found.probs[node]
            pairs = zip(map(str, states), probs.tolist(), strict=True)
            out[name] = Belief(tuple(pairs), known=fixed)
            continue
        mean = float(known[node] if fixed else found.means[node])
        deviation = 0.0 if fixed else float(np.sqrt(found.variances[node]))
        out[name] = Belief(text=_number(asked.units.get(node), mean, deviation), known=fixed)
    return out


def _marginals(network: Network, evidence: Given, free: list[int]) -> Beliefs:
    """The marginals of nodes: exact ones, or estimates where flows are to be summed out."""
    seen = evidence.evidence
    if exact_for(network, [*seen, *free], seen):
        return posterior_of(network).marginals(seen, free)
    if any(np.ndim(value) for value in seen.values()):
        raise InputError("a picture of a network of flows takes no Likelihood; give states.")
    rows = {node: np.array([value]) for node, value in seen.items()}
    log_z, *answers = weighted.marginals(network, rows, free)
    return Beliefs(log_z[0], *({v: x[0] for v, x in each.items()} for each in answers))


def _number(warp: Any, mean: float, deviation: float) -> str:
    """A value; else a mean and a standard deviation, or of a column that is not linear in what the
    network sees the middle and where one deviation reaches on both sides."""
    points = in_units(warp, np.array([mean, mean - deviation, mean + deviation]))
    middle, low, high = points.tolist()
    if not deviation:
        return f"= {middle:.4g}"
    if warp is not None and not warp.linear:
        return f"{middle:.3g} ({low:.3g} to {high:.3g})"
    spread = (high - low) / 2
    if spread < _SMALL:
        return f"{middle:.4g} ± {spread:.2g}"
    return plus_minus(middle, spread)
