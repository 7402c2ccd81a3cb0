"""A network put together from what a file says, in whichever order it says it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....arrays import Floats
from ....data.memory_limit import check_memory
from ....errors import InputError, did_you_mean
from ....inference.dag import DAG, find_cycle
from ..conditionals import LinearGaussian, Table
from ..network import Conditional, Network
from .source import Named, Place, Source


@dataclass
class Draft:
    """The nodes and conditionals read so far.

    Attributes:
        source: the file, for errors.
        states: of each node; empty for a continuous one.
        parents: of each node that has a conditional.
        conditionals: by node.
        places: where each node is declared.
        defined: where each conditional stands.
    """

    source: Source
    states: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    conditionals: dict[str, Conditional] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    defined: dict[str, Place] = field(default_factory=dict)

    def node(self, name: str, states: Sequence[Any] | None, place: Place) -> None:
        """Declare a node; its states are None if it is continuous."""
        if name in self.states:
            raise self.source.error(place, f"the node {name!r} is declared twice.")
        labels = () if states is None else tuple(states)
        if states is not None and not labels:
            raise self.source.error(
                place, f"the node {name!r} has no states; expected one or more."
            )
        seen: set[str] = set()
        for label in labels:
            if str(label) in seen:
                raise self.source.error(place, f"the node {name!r} has the state {label!r} twice.")
            seen.add(str(label))
        self.states[name] = labels
        self.places[name] = place

    def family(self, names: Sequence[Named]) -> list[str]:
        """Note the parents of a node, which is named first; all of them, checked."""
        (child, place), *_ = names
        for name, at in names:
            if name not in self.states:
                raise self.source.error(
                    at,
                    f"there is no node {name!r} declared." + did_you_mean(name, self.states),
                )
        if child in self.defined:
            raise self.source.error(place, f"the node {child!r} has its probabilities twice.")
        parents = [name for name, _ in names[1:]]
        for i, (name, at) in enumerate(names[1:]):
            if name in parents[:i] or name == child:
                raise self.source.error(
                    at, f"{name!r} stands twice among {child!r} and its parents."
                )
            if self.states[child] and not self.states[name]:
                raise self.source.error(
                    at,
                    f"the discrete node {child!r} has the continuous parent {name!r}; a table has "
                    "discrete parents only. Turn the edge.",
                )
        self.parents[child] = tuple(parents)
        self.defined[child] = place
        return [child, *parents]

    def state(self, name: str, label: str, place: Place) -> int:
        """The number of a node's state."""
        states = [str(state) for state in self.states[name]]
        if label in states:
            return states.index(label)
        raise self.source.error(
            place,
            f"{name!r} has no state {label!r}; it has {', '.join(states)}."
            + did_you_mean(label, states),
        )

    def shape(self, names: Sequence[str]) -> tuple[int, ...]:
        """How many states the discrete parents of a node have; the node is named first."""
        shape = tuple(len(self.states[name]) for name in names[1:] if self.states[name])
        width = max(len(self.states[names[0]]), 1)
        check_memory(f"the table of {names[0]!r}", 8 * width * math.prod(shape))
        return shape

    def shaped(self, names: Sequence[str], values: Sequence[float], place: Place) -> None:
        """Give a node, named first, a table of numbers in C order, its own state last."""
        shape = (*self.shape(names), len(self.states[names[0]]))
        if len(values) != math.prod(shape):
            raise self.source.error(
                place,
                f"the table of {names[0]!r} has {len(values)} numbers; its parents and states ask "
                f"for {' x '.join(map(str, shape))} = {math.prod(shape)}.",
            )
        self.table(names[0], np.reshape(values, shape), place)

    def gaussian(self, name: str, rows: Floats, place: Place) -> None:
        """Give a continuous node its Gaussian: rows (r_1, ..., r_q, 2 + m) of intercepts, variances
        and coefficients."""
        if not np.isfinite(rows).all() or (rows[..., 1] < 0).any():
            raise self.source.error(
                place, f"the Gaussian of {name!r} has a negative variance, or what is no number."
            )
        self.conditionals[name] = LinearGaussian(rows[..., 0], rows[..., 2:], rows[..., 1])

    def table(
        self, name: str, probs: Floats, place: Place, row: Callable[[int], Place] | None = None
    ) -> None:
        """Give a discrete node its table; `row` says where each of its rows stands, in C order."""
        try:
            self.conditionals[name] = Table.given(name, probs)
        except InputError as error:
            if row is not None:
                place = row(int(np.abs(probs.sum(axis=-1) - 1).argmax()))
            raise self.source.error(place, str(error)) from None

    def network(self) -> Network:
        """The network; InputError if a node has no probabilities or there is a cycle."""
        names = tuple(self.states)
        if not names:
            raise InputError(f"{self.source.name} declares no nodes; expected a network.")
        for name in names:
            if name not in self.conditionals:
                raise self.source.error(
                    self.places[name], f"the node {name!r} has no probabilities in this file."
                )
        number = {name: node for node, name in enumerate(names)}
        parents = tuple(tuple(number[p] for p in self.parents[name]) for name in names)
        cycle = find_cycle(parents)
        place = self.defined[names[cycle[0]]] if cycle else 1
        try:
            dag = DAG(names, parents)
            return Network(
                dag, tuple(self.conditionals[name] for name in names), tuple(self.states.values())
            )
        except InputError as error:
            raise self.source.error(place, str(error)) from None
