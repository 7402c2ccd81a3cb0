"""A Bayesian network: a directed acyclic graph and a conditional for each node,

    p(x_1, ..., x_n) = prod_i p(x_i | x_parents(i)).

Reference: Koller and Friedman, "Probabilistic graphical models", 2009,
https://mitpress.mit.edu/9780262013192/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ...inference.dag import DAG
from .conditionals import LinearGaussian, Table
from .flow_node import FlowConditional
from .labelled import Labelled

Conditional = Table | LinearGaussian | FlowConditional


@dataclass(frozen=True, eq=False)
class Network(Labelled):
    """A Bayesian network in the coordinates of a codec.

    Attributes:
        dag: names of the nodes and their parents.
        conditionals: of each node, its axes in the order of its parents.
        states: of each node, the labels of its states; empty for a continuous one.
    """

    dag: DAG
    conditionals: tuple[Conditional, ...]
    states: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        for node, (name, conditional) in enumerate(zip(self.names, self.conditionals, strict=True)):
            self._check(node, name, conditional)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of the nodes."""
        return self.dag.names

    @cached_property
    def discrete(self) -> tuple[int, ...]:
        """The discrete nodes."""
        return tuple(node for node, size in enumerate(self.sizes) if size)

    @cached_property
    def flows(self) -> tuple[int, ...]:
        """The continuous nodes that are flows."""
        each = enumerate(self.conditionals)
        return tuple(node for node, given in each if isinstance(given, FlowConditional))

    def cut(self, nodes: Sequence[int]) -> Self:
        """The network in which some nodes have no parents and are uniform or standard normal: where
        they and their parents are known, all else is as in this network."""
        parents, conditionals = list(self.dag.parents), list(self.conditionals)
        for node in nodes:
            parents[node] = ()
            if size := self.sizes[node]:
                conditionals[node] = Table(np.full(size, 1 / size))
            else:
                conditionals[node] = LinearGaussian(np.zeros(()), np.zeros(0), np.ones(()))
        dag = DAG(self.names, tuple(parents))
        return replace(self, dag=dag, conditionals=tuple(conditionals))

    def linear(self, node: int) -> LinearGaussian:
        """The Gaussian of a continuous node; InputError if it is a flow, which has none."""
        conditional = self.conditionals[node]
        if isinstance(conditional, LinearGaussian):
            return conditional
        raise InputError(
            f"{self.names[node]!r} is a flow given its parents, which exact inference does not "
            'sum out and no table holds: ask with method="sampling", or fit with '
            'conditionals="linear".'
        )

    def numbers(self) -> list[Any]:
        """What `inference.conditional_gaussian` takes of each node: the table, or the intercept,
        coefficients and variance."""
        return [
            c.probs
            if isinstance(c, Table)
            else ((g := self.linear(node)).intercept, g.coefficients, g.variance)
            for node, c in enumerate(self.conditionals)
        ]

    @cached_property
    def continuous(self) -> tuple[int, ...]:
        """The continuous nodes."""
        return tuple(node for node, size in enumerate(self.sizes) if not size)

    def discrete_parents(self, node: int) -> tuple[int, ...]:
        """The discrete parents of a node, in order."""
        return tuple(parent for parent in self.dag.parents[node] if self.sizes[parent])

    def continuous_parents(self, node: int) -> tuple[int, ...]:
        """The continuous parents of a node, in order."""
        return tuple(parent for parent in self.dag.parents[node] if not self.sizes[parent])

    def do(self, values: Mapping[int, Any]) -> Self:
        """The network where some nodes are set from outside: without edges into them. A discrete
        node is set to a state number, a continuous one to a number."""
        conditionals = list(self.conditionals)
        parents = list(self.dag.parents)
        for node, value in values.items():
            parents[node] = ()
            if self.sizes[node]:
                conditionals[node] = Table(np.eye(self.sizes[node])[value])
            else:
                conditionals[node] = LinearGaussian(
                    np.asarray(float(value)), np.empty(0), np.asarray(0.0)
                )
        dag = DAG(self.names, tuple(parents))
        return replace(self, dag=dag, conditionals=tuple(conditionals))

    def restricted(self, nodes: Sequence[int]) -> Self:
        """The network of some nodes, in the order given, which have all their parents."""
        number = {node: i for i, node in enumerate(nodes)}
        parents = tuple(tuple(number[p] for p in self.dag.parents[node]) for node in nodes)
        return type(self)(
            DAG(tuple(self.names[node] for node in nodes), parents),
            tuple(self.conditionals[node] for node in nodes),
            tuple(self.states[node] for node in nodes),
        )

    def rescaled(self, shift: Floats, scale: Floats) -> Self:
        """The network of y = shift + scale x, for shifts (N,) and positive scales (N,) of the
        nodes; those of discrete ones do not matter."""
        conditionals = list(self.conditionals)
        for node, conditional in enumerate(conditionals):
            if not isinstance(conditional, Table):
                parents = list(self.continuous_parents(node))
                conditionals[node] = conditional.rescaled(
                    shift[node], scale[node], shift[parents], scale[parents]
                )
        return replace(self, conditionals=tuple(conditionals))

    def _check(self, node: int, name: str, conditional: Conditional) -> None:
        """Raise InputError if a conditional does not fit its parents."""
        shape = tuple(self.sizes[parent] for parent in self.discrete_parents(node))
        m = len(self.continuous_parents(node))
        if isinstance(conditional, Table):
            expected, found = (*shape, self.sizes[node]), conditional.probs.shape
            if m:
                parent = self.names[self.continuous_parents(node)[0]]
                raise InputError(
                    f"the discrete node {name!r} has the continuous parent {parent!r}; a table has "
                    "discrete parents only. Turn the edge."
                )
        else:
            linear = conditional if isinstance(conditional, LinearGaussian) else conditional.linear
            expected, found = (*shape, m), linear.coefficients.shape
        if found != expected:
            raise InputError(
                f"the conditional of {name!r} has shape {found}; its parents and states ask for "
                f"{expected}."
            )
