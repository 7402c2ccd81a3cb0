"""What is said of the parameters of a network that was fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...verdict import Reason, warning
from .conditionals import Table
from .network import Network
from .parameters import Assumed

_MANY = 1_000  # levels of a column
_NAMED = 3


def of_levels(network: Network) -> list[Reason]:
    """A warning of columns with so many levels that tables can hardly be learnt."""
    reasons = []
    for name, size in zip(network.names, network.sizes, strict=True):
        if size > _MANY:
            what = f"column {name!r} has {size:,} levels, each with a probability of its own."
            advice = "Join those that are rare, or drop the column if it numbers the rows."
            reasons.append(Reason("warn", what, advice))
    return reasons


def of_parameters(network: Network, total: float, assumed: Assumed) -> list[Reason]:
    """What is said of nodes with more parameters than rows, which rest on the prior.

    Args:
        network: fitted.
        total: rows, by weight.
        assumed: of the parameters.
    """
    thin = []
    for node, conditional in enumerate(network.conditionals):
        configurations = math.prod(network.sizes[p] for p in network.discrete_parents(node))
        if isinstance(conditional, Table):
            free = configurations * (network.sizes[node] - 1)
        else:
            free = configurations * (network.linear(node).coefficients.shape[-1] + 2)
        if free > total:
            thin.append((free, network.names[node]))
    if not thin:
        return []
    rest = "are uniform" if assumed.kind == "none" else "rest on the prior"
    return warning(
        f"{_listed([name for _, name in sorted(thin, reverse=True)])} given the parents has more "
        f"parameters than there are rows ({max(thin)[0]:,} for {total:g}): most {rest}.",
        "Give such columns fewer parents, or join levels.",
    )


def of_variances(network: Network, floor: float) -> list[Reason]:
    """A warning of continuous nodes that are functions of their parents."""
    thin = [
        network.names[node]
        for node in network.continuous
        if (network.linear(node).variance <= 10 * floor).any()
    ]
    if not thin:
        return []
    return warning(
        f"{_listed(thin)} does not vary given the parents: the density rests on reg_covar.",
        "Drop columns that others determine.",
    )


def of_numbers(network: Network) -> list[Reason]:
    """A failure if a parameter is not finite."""
    for numbers in network.numbers():
        parts = numbers if isinstance(numbers, tuple) else (numbers,)
        if not all(np.isfinite(part).all() for part in parts):
            what = "the fit ended with parameters that are not finite."
            return [Reason("failed", what, "Rescale the columns.")]
    return []


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return shown if more <= 0 else f"each of {shown} and {more} more"
