"""Names of nodes and labels of their states, looked up."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ...errors import InputError, did_you_mean

_SHOWN = 20  # names that an error lists


class Labelled:
    """What has named nodes, some with labelled states.

    Attributes:
        names: of the nodes.
        states: of each node, the labels of its states; empty for a continuous one.
    """

    names: tuple[str, ...]
    states: tuple[tuple[Any, ...], ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many states each node has; 0 for a continuous one."""
        return tuple(map(len, self.states))

    def number(self, name: Any) -> int:
        """The number of a node; InputError, naming the nearest, if there is none."""
        shown = str(name)
        if shown in self.names:
            return self.names.index(shown)
        few = ", ".join(self.names[:_SHOWN]) + (", ..." if len(self.names) > _SHOWN else "")
        near = did_you_mean(shown, self.names) or f" There are {few}."
        raise InputError(f"there is no node {shown!r}.{near}")

    def state(self, name: Any, label: Any) -> int:
        """The number of a node's state; InputError, naming the nearest, if there is none.

        A label that is no state is looked for as text, and as a number: 1 and 1.0 stand for "1",
        and "1" for 1.0.
        """
        states = self.states[self.number(name)]
        if label in states:
            return states.index(label)
        shown = [str(state) for state in states]
        if str(label) in shown:
            return shown.index(str(label))
        if (number := _number(label)) is not None:
            numbers = [_number(state) for state in states]
            if numbers.count(number) == 1:
                return numbers.index(number)
        raise InputError(
            f"{name!r} has no state {label!r}; it has {', '.join(shown[:_SHOWN])}."
            + did_you_mean(str(label), shown)
        )


def _number(label: Any) -> float | None:
    try:
        return float(label)
    except (TypeError, ValueError):
        return None
