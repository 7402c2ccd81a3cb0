"""The graph that a user gives, over the columns that are modelled and hidden nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...data import Codec, Schema
from ...data.memory_limit import memory_budget
from ...errors import InputError, did_you_mean
from ...inference.dag import DAG
from ...settings import integer

States = tuple[tuple[Any, ...], ...]

_NUMBERS = 8  # bytes


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
    """The graph of edges between nodes, columns by name or label. Edges of columns that are
    constant or empty say nothing and are left out.

    Raises:
        InputError: for an unknown node, an edge given twice, or a cycle.
    """
    still = [column.name for column in schema.columns if column.name not in names]
    found = [tuple(_name(end, names, schema) for end in edge) for edge in edges]
    return DAG.of(names, [edge for edge in found if not set(edge) & set(still)])


def _name(end: Any, names: tuple[str, ...], schema: Schema) -> str:
    """The name of a node given by name or label."""
    if isinstance(end, str) and (end in names or end in schema.names):
        return end
    if end in [column.label for column in schema.columns]:
        return schema[end].name
    raise InputError(
        f"an edge names {end!r}, which is no column and no hidden node."
        + did_you_mean(str(end), (*names, *schema.names))
    )


def check_sizes(dag: DAG, states: States) -> None:
    """Raise InputError if a discrete node has a continuous parent, or a table is larger than the
    memory: said before anything is allocated."""
    budget = memory_budget()
    for name, own, parents in zip(dag.names, states, dag.parents, strict=True):
        continuous = [dag.names[parent] for parent in parents if not states[parent]]
        if own and continuous:
            raise InputError(
                f"the discrete column {name!r} has the continuous parent {continuous[0]!r}; a "
                f"table has discrete parents only. Turn the edge, {name!r} -> {continuous[0]!r}, "
                f"or cut {continuous[0]!r} into levels first."
            )
        cells = len(own) or (len(continuous) + 2) ** 2
        for parent in parents:
            cells *= len(states[parent]) or 1
        if cells * _NUMBERS > budget:
            shown = ", ".join(
                f"{dag.names[parent]!r} ({len(states[parent])} levels)"
                for parent in parents
                if states[parent]
            )
            levels = f", {len(own)} levels," if own else ""
            raise InputError(
                f"{name!r}{levels} given {shown} takes {cells:,} numbers, "
                f"{cells * _NUMBERS / 1e9:,.1f} GB; {budget / 1e9:,.1f} GB may be used. Give it "
                "fewer parents, or columns of fewer levels: join those that are rare."
            )
