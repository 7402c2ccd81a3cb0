"""Estimated answers about a network by likelihood weighting, with standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ....inference.weighting import Estimate, Weighted, reasons_of, weigh
from ..network import Network
from ..weighted import nodes_of
from .discrete import How
from .results import Result, Summary
from .units import Units, summary_of_draws


def estimated(
    network: Network,
    evidence: Mapping[int, Any],
    targets: Sequence[int],
    how: How,
    units: Units,
    levels: Sequence[float],
) -> Result:
    """The joint posterior of the discrete targets, and the continuous ones given their states."""
    needed = network.dag.ancestors([*evidence, *targets])
    order = [node for node in network.dag.order if node in needed]
    blocks = weigh(nodes_of(network), order, evidence, how.draws, seed=how.seed)
    parts, summaries = [], []
    for block in blocks:
        parts.append(_of_block(network, block, targets, units, levels))
        summaries.append(block.summary)
    rows = any(
        np.ndim(x) == 2 or (np.ndim(x) == 1 and not is_likelihood(network, v, x))
        for v, x in evidence.items()
    )
    whole = replace(Result.joined(parts), reasons=tuple(reasons_of(summaries, how.draws)))
    return whole if rows else whole.at(0)


def is_likelihood(network: Network, node: int, value: Any) -> bool:
    """Whether evidence of a node is virtual, by the numbers that stand for it."""
    return bool(network.sizes[node]) and np.asarray(value).dtype.kind == "f"


def _of_block(
    network: Network,
    block: Weighted,
    targets: Sequence[int],
    units: Units,
    levels: Sequence[float],
) -> Result:
    discrete = [v for v in targets if network.sizes[v]]
    n = len(block.log_weights)
    probs = block.probs(discrete) if discrete else Estimate(np.ones(n), np.zeros(n))
    shape = probs.value.shape[1:]
    continuous = {}
    for node in targets:
        if network.sizes[node]:
            continue
        each = []
        for states in np.ndindex(shape):
            inside = np.ones_like(block.shares, bool)
            for v, state in zip(discrete, states, strict=True):
                inside &= block.values[v] == state
            shares = np.where(inside, block.shares, 0.0)
            with np.errstate(invalid="ignore"):
                shares = shares / shares.sum(axis=1, keepdims=True)
            each.append(summary_of_draws(units.get(node), block.values[node], shares, levels))
        continuous[node] = Summary.stacked(each, shape)
    log_z = np.where(block.summary.ess > 0, block.summary.log_mean, np.nan)
    stderr = probs.stderr if discrete else None
    return Result(log_z, probs.value, continuous, stderr)
