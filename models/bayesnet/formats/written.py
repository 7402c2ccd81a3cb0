"""What writers of several formats share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ....arrays import Floats
from ....errors import InputError
from ..conditionals import Table
from ..network import Network


def numbers(values: Iterable[float], between: str = ", ") -> str:
    """Numbers as text that reads back as the same numbers."""
    return between.join(repr(float(value)) for value in values)


def tables(network: Network, form: str) -> Iterator[Floats]:
    """The table of each node.

    Raises:
        InputError: if a node is continuous, which the format does not have.
    """
    for name, conditional in zip(network.names, network.conditionals, strict=True):
        if not isinstance(conditional, Table):
            raise InputError(
                f"the node {name!r} is continuous, and {form} has discrete nodes only. Write JSON "
                "or NET."
            )
        yield conditional.probs
