"""Soft evidence of nodes, as `Distribution`s, turned into virtual evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....arrays import Floats
from ....inference import soft_evidence
from ..labelled import Labelled
from .evidence import Given


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

    def shown(node: int, state: int | None = None) -> str:
        name = repr(nodes.names[node])
        return name if state is None else f"{nodes.states[node][state]!r} of {name}"

    return soft_evidence.with_soft(marginal, given.evidence, given.soft, shown)
