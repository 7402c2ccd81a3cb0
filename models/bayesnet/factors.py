"""The numbers of a factor graph: an undirected model,

    p(x) = prod_f table_f(x_scope(f)) / Z.

Reference: Kschischang, Frey and Loeliger, "Factor graphs and the sum-product algorithm", 2001,
https://doi.org/10.1109/18.910572.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from .conditionals import Table
from .labelled import Labelled
from .network import Network


@dataclass(frozen=True, eq=False)
class Factors(Labelled):
    """A factor graph.

    Attributes:
        names: of the variables.
        states: of each variable, the labels of its states.
        scopes: of each table, the numbers of its variables.
        tables: non-negative, an axis for each variable of the scope, in that order.
    """

    names: tuple[str, ...]
    states: tuple[tuple[Any, ...], ...]
    scopes: tuple[tuple[int, ...], ...]
    tables: tuple[Floats, ...]

    def __post_init__(self) -> None:
        for scope, table in zip(self.scopes, self.tables, strict=True):
            shown = ", ".join(self.names[variable] for variable in scope)
            expected = tuple(self.sizes[variable] for variable in scope)
            if table.shape != expected:
                raise InputError(
                    f"the table of ({shown}) has shape {table.shape}; its variables ask for "
                    f"{expected}."
                )
            if not np.isfinite(table).all() or (table < 0).any():
                raise InputError(
                    f"the table of ({shown}) has an entry that is negative or not a number."
                )


def factors_of(network: Network) -> Factors:
    """A network as a factor graph: the table of each node, over its parents and itself.

    Raises:
        InputError: if a node is continuous.
    """
    tables = []
    for name, conditional in zip(network.names, network.conditionals, strict=True):
        if not isinstance(conditional, Table):
            raise InputError(f"the node {name!r} is continuous; a factor graph has tables only.")
        tables.append(conditional.probs)
    scopes = tuple((*parents, node) for node, parents in enumerate(network.dag.parents))
    return Factors(network.names, network.states, scopes, tuple(tables))
