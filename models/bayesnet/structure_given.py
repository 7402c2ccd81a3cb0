"""The graph that a user gives, over the columns that are modelled and hidden nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import Mask
from ...data import Codec, Schema
from ...data.memory_limit import memory_budget
from ...errors import InputError, did_you_mean
from ...inference.dag import DAG
from ...settings import integer

States = tuple[tuple[Any, ...], ...]

_BYTES = 6 * 8  # of a number, as often as fits hold it
_PARENTS = 3


def nodes_of(codec: Codec, hidden: Mapping[str, int] | None) -> tuple[tuple[str, ...], States]:
    """The names of the nodes and the labels of their states: the columns that vary, then the hidden
    nodes.

    Raises:
        InputError: if a hidden node has a column's name, or no number of states.
    """
    levels = {column.name: tuple(column.levels) for column in codec.discrete}
    modelled = (*codec.continuous_names, *codec.discrete_names)
    states = {name: levels.get(name, ()) for name in codec.schema.names if name in modelled}
    for name, count in (hidden or {}).items():
        if name in codec.schema.names:
            raise InputError(
                f"the hidden node {name!r} has the name of a column; give it a name of its own."
            )
        integer(2).check(f"the number of states of the hidden node {name!r}", count)
        states[name] = tuple(range(int(count)))
    return tuple(states), tuple(states.values())


def dag_of(edges: Sequence[Any], names: tuple[str, ...], schema: Schema) -> DAG:
    """The graph of edges between nodes.

    Raises:
        InputError: for an unknown node, an edge given twice, or a cycle.
    """
    return DAG.of(names, edges_of(edges, names, schema))


def edges_of(edges: Sequence[Any], names: tuple[str, ...], schema: Schema) -> list[tuple[str, str]]:
    """Edges by the names of nodes, given by name or label. Edges of columns that are constant or
    empty say nothing and are left out; InputError for an unknown node."""
    found = [(_name(a, names, schema), _name(b, names, schema)) for a, b in edges]
    return [edge for edge in found if set(edge) <= set(names)]


def most_parents(given: int | None, rows: float) -> int:
    """The most parents of a node: as given, or a tenth of the rows, 3 at least; with as
    many parents as rows a regression has no error left, and every score is endless."""
    return max(_PARENTS, int(rows) // 10) if given is None else given


def tiers_of(
    tiers: Sequence[Sequence[Any]], names: tuple[str, ...], schema: Schema
) -> list[list[str]]:
    """Groups of nodes by name, without columns that are constant or empty; InputError for an
    unknown node."""
    found = [[_name(node, names, schema) for node in tier] for tier in tiers]
    return [[name for name in tier if name in names] for tier in found]


def outside_of(
    interventions: Sequence[Any], n: int, names: tuple[str, ...], schema: Schema
) -> Mask:
    """(n, N) which values were set from outside, of the columns named for each of n rows.

    Raises:
        InputError: for an unknown column, or another number of rows.
    """
    if len(interventions) != n:
        raise InputError(
            f"interventions are given for {len(interventions)} rows, and {n} are fitted; give the "
            "column that was set in each row, or None."
        )
    out = np.zeros((n, len(names)), bool)
    number = {name: node for node, name in enumerate(names)}
    labels = [column.label for column in schema.columns]
    for row, given in enumerate(interventions):
        several = isinstance(given, list | tuple | set) and given not in labels
        for one in given if several else [given]:
            if one is None or one != one:
                continue
            name = _name(one, names, schema)
            if name in number:
                out[row, number[name]] = True
    return out


def _name(node: Any, names: tuple[str, ...], schema: Schema) -> str:
    """The name of a node given by name or label."""
    if isinstance(node, str) and (node in names or node in schema.names):
        return node
    if node in [column.label for column in schema.columns]:
        return schema[node].name
    raise InputError(
        f"{node!r} is named, which is no column and no hidden node."
        + did_you_mean(str(node), (*names, *schema.names))
    )


def check_sizes(dag: DAG, states: States) -> None:
    """Raise InputError if a discrete node has a continuous parent, or tables and regressions are
    larger than the memory: said before anything is allocated."""
    cells = [_cells(dag, states, node) for node in range(len(dag))]
    budget, asked = memory_budget(), _BYTES * sum(cells)
    if asked <= budget:
        return
    largest = cells.index(max(cells))
    shown = ", ".join(
        f"{dag.names[parent]!r} ({len(states[parent])} levels)"
        for parent in dag.parents[largest]
        if states[parent]
    )
    own = f", {len(states[largest])} levels," if states[largest] else ""
    given = f" given {shown}" if shown else ""
    raise InputError(
        f"{dag.names[largest]!r}{own}{given} takes {cells[largest]:,} numbers, of which a fit "
        f"holds several copies: {asked / 1e9:,.1f} GB in all; {budget / 1e9:,.1f} GB may be used. "
        "Give it fewer parents, or columns of fewer levels: join those that are rare."
    )


def _cells(dag: DAG, states: States, node: int) -> int:
    """How many numbers the conditional of a node has; InputError if there is none of its kind."""
    own, name, parents = states[node], dag.names[node], dag.parents[node]
    continuous = [dag.names[parent] for parent in parents if not states[parent]]
    if own and continuous:
        raise InputError(
            f"the discrete column {name!r} has the continuous parent {continuous[0]!r}; a table "
            f"has discrete parents only. Turn the edge, {name!r} -> {continuous[0]!r}, or cut "
            f"{continuous[0]!r} into levels first."
        )
    sizes = [len(states[parent]) or 1 for parent in parents]
    return math.prod(sizes) * (len(own) or (len(continuous) + 2) ** 2)
