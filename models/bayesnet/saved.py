"""Networks as JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...artifact import Arrays
from ...inference.dag import DAG
from ...plain_json import plain
from .conditionals import LinearGaussian, Table
from .network import Conditional, Network

_GAUSSIAN = ("intercept", "coefficients", "variance")


def written(network: Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A network as JSON and arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    for node, conditional in enumerate(network.conditionals):
        if isinstance(conditional, Table):
            arrays[f"{node}.probs"] = conditional.probs
        else:
            arrays |= {f"{node}.{part}": getattr(conditional, part) for part in _GAUSSIAN}
    body = {
        "names": list(network.names),
        "parents": plain(network.dag.parents),
        "states": plain(network.states),
    }
    return body, {name: np.asarray(array) for name, array in arrays.items()}


def read(body: Mapping[str, Any], arrays: Arrays) -> Network:
    """The network that `written` wrote."""
    dag = DAG(tuple(body["names"]), tuple(map(tuple, body["parents"])))
    states = tuple(map(tuple, body["states"]))
    conditionals: list[Conditional] = []
    for node, labels in enumerate(states):
        if labels:
            conditionals.append(Table(arrays[f"{node}.probs"]))
        else:
            conditionals.append(LinearGaussian(*(arrays[f"{node}.{part}"] for part in _GAUSSIAN)))
    return Network(dag, tuple(conditionals), states)
