"""Networks as JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...artifact import Arrays
from ...inference.dag import DAG
from ...plain_json import plain
from ..flow.architecture import Architecture
from .conditionals import LinearGaussian, Table
from .flow_node import FlowConditional
from .network import Conditional, Network

_GAUSSIAN = ("intercept", "coefficients", "variance")


def written(network: Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A network as JSON and arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    flows: dict[str, Any] = {}
    for node, conditional in enumerate(network.conditionals):
        if isinstance(conditional, Table):
            arrays[f"{node}.probs"] = conditional.probs
            continue
        linear = conditional
        if isinstance(conditional, FlowConditional):
            linear = conditional.linear
            flows[str(node)] = conditional.architecture.to_json()
            arrays |= {f"{node}.shift": conditional.shift, f"{node}.scale": conditional.scale}
            arrays |= {f"{node}.flow.{name}": array for name, array in conditional.arrays.items()}
        arrays |= {f"{node}.{part}": getattr(linear, part) for part in _GAUSSIAN}
    body = {
        "names": list(network.names),
        "parents": plain(network.dag.parents),
        "states": plain(network.states),
        "flows": flows,
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
            continue
        linear = LinearGaussian(*(arrays[f"{node}.{part}"] for part in _GAUSSIAN))
        if str(node) not in body["flows"]:
            conditionals.append(linear)
            continue
        architecture = Architecture.from_json(body["flows"][str(node)])
        start = f"{node}.flow."
        own = {k.removeprefix(start): array for k, array in arrays.items() if k.startswith(start)}
        shift, scale = arrays[f"{node}.shift"], arrays[f"{node}.scale"]
        conditionals.append(FlowConditional(linear, architecture, own, shift, scale))
    return Network(dag, tuple(conditionals), states)
