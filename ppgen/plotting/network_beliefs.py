"""What a Bayesian network believes of its nodes, as their boxes show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..analysis.finding import plus_minus
from ..errors import InputError
from ..models.bayesnet.layout import NodeRows
from .graph_boxes import Belief

_SMALL = 1e-3  # deviations that are not written with decimals


def beliefs_of(model: Any, given: Mapping[Any, Any]) -> dict[str, Belief]:
    """Name of a node -> its distribution given the values of others, in the units of the data.

    Raises:
        InputError: if what is given is impossible.
    """
    network, layout = model.network_, model.layout_
    known = layout.spread(model._fixed(given)) if given else layout.evidence
    free = np.flatnonzero(~known.known[0]).tolist()
    found = model._engine.beliefs(known, free)
    if not np.isfinite(found.log_z[0]):
        raise InputError(f"given {dict(given)}, which has probability 0; give what can be.")
    out = {}
    for node, name in enumerate(network.names):
        if states := network.states[node]:
            fixed = known.known[0, node]
            probs = np.eye(len(states))[known.codes[0, node]] if fixed else found.probs[node][0]
            pairs = zip(map(str, states), probs.tolist(), strict=True)
            out[name] = Belief(tuple(pairs), known=bool(fixed))
    means, deviations = known.x[0].copy(), np.zeros(len(network.names))
    for node, mean in found.means.items():
        means[node], deviations[node] = mean[0], np.sqrt(found.variances[node][0])
    return out | _numbers(model, means, deviations, known)


def _numbers(model: Any, means: Any, deviations: Any, known: NodeRows) -> dict[str, Belief]:
    """Of continuous nodes: the mean and the standard deviation, or for columns that are not linear
    in what the network sees, the middle and where one deviation reaches on both sides."""
    layout, schema = model.layout_, model.schema_
    x = np.stack([means, means - deviations, means + deviations])
    codes = np.zeros((3, len(means)), np.int32)
    columns = model.codec_.decode(layout.gathered(NodeRows(codes, x)))
    out = {}
    for node in layout.continuous.tolist():
        name = model.network_.names[node]
        middle, low, high = (float(v) for v in columns[name])
        if known.known[0, node]:
            out[name] = Belief(text=f"= {middle:.4g}", known=True)
        elif schema[name].kind == "real":
            deviation = (high - low) / 2
            told = f"{middle:.4g} ± {deviation:.2g}"
            out[name] = Belief(text=told if deviation < _SMALL else plus_minus(middle, deviation))
        else:
            out[name] = Belief(text=f"{middle:.3g} ({low:.3g} to {high:.3g})")
    return out
