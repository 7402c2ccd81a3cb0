"""Networks written down as plain values, a node after the other:

    {"rain": {"states": ["yes", "no"], "table": [0.2, 0.8]},
     "grass": {"states": ["wet", "dry"], "parents": ["rain"], "table": [[0.9, 0.1], [0.1, 0.9]]},
     "depth": {"parents": ["rain", "level"],
               "intercept": [1.5, 0.0], "coefficients": [[0.3], [0.1]], "variance": 2.0},
     "level": {"intercept": 0.0, "variance": 1.0}}

A table has an axis for each parent, in their order, and last the node's own states. The numbers of
a continuous node have an axis for each discrete parent, the coefficients a last one for the
continuous parents; what is the same in all configurations is given once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError, did_you_mean
from ...inference.dag import DAG
from .conditionals import LinearGaussian, Table
from .network import Network

_DISCRETE = ("states", "parents", "table")
_CONTINUOUS = ("parents", "intercept", "coefficients", "variance")


def network_of(nodes: Mapping[str, Mapping[str, Any]]) -> Network:
    """The network of these nodes, in any order.

    Raises:
        InputError: for what is missing or unknown, numbers of another shape, tables that do not sum
            to one, unknown parents, or a cycle.
    """
    for name, node in nodes.items():
        _check_words(name, node)
    edges = [(parent, name) for name, node in nodes.items() for parent in node.get("parents", ())]
    dag = DAG.of(nodes, edges)
    sizes = {name: len(node.get("states", ())) for name, node in nodes.items()}
    conditionals: list[Table | LinearGaussian] = []
    for name, node in nodes.items():
        parents = list(node.get("parents", ()))
        shape = tuple(sizes[parent] for parent in parents if sizes[parent])
        if "table" in node:
            table = _numbers(name, "table", node["table"])
            conditionals.append(Table.given(name, table))
            continue
        slopes = (*shape, sum(not sizes[parent] for parent in parents))
        intercept = _spread(name, "intercept", node["intercept"], shape)
        variance = _spread(name, "variance", node["variance"], shape)
        if (variance < 0).any():
            raise InputError(f"the variance of {name!r} is below 0; give 0 or more.")
        if slopes[-1] and "coefficients" not in node:
            raise InputError(f"{name!r} has continuous parents and no coefficients; give them.")
        coefficients = _spread(name, "coefficients", node.get("coefficients", 0.0), slopes)
        conditionals.append(LinearGaussian(intercept, coefficients, variance))
    return Network(
        dag, tuple(conditionals), tuple(tuple(n.get("states", ())) for n in nodes.values())
    )


def _check_words(name: str, node: Mapping[str, Any]) -> None:
    """Raise InputError if a node lacks something or has something unknown."""
    known = _DISCRETE if "states" in node or "table" in node else _CONTINUOUS
    needed = ("states", "table") if known is _DISCRETE else ("intercept", "variance")
    for word in node:
        if word not in known:
            raise InputError(
                f"node {name!r} has {word!r}; expected {', '.join(known)}."
                + did_you_mean(str(word), known)
            )
    if missing := [word for word in needed if word not in node]:
        raise InputError(f"node {name!r} has no {missing[0]!r}; a node needs {', '.join(needed)}.")
    states = tuple(node.get("states", ()))
    if len(set(states)) < len(states) or (known is _DISCRETE and len(states) < 2):
        raise InputError(f"node {name!r} has the states {states}; give two or more, all different.")


def _numbers(name: str, what: str, values: Any) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"the {what} of {name!r} is no array of numbers; give nested lists of equal lengths."
        ) from None


def _spread(name: str, what: str, values: Any, shape: tuple[int, ...]) -> Floats:
    numbers = _numbers(name, what, values)
    try:
        return np.array(np.broadcast_to(numbers, shape))
    except ValueError:
        raise InputError(
            f"the {what} of {name!r} has shape {numbers.shape}; its parents ask for {shape}."
        ) from None
