"""The columns of a network that was given instead of fitted."""

from __future__ import annotations

from ...data import Codec, Schema
from ...data.column import Column, Kind, Scalar
from ...data.warp import Warp
from .network import Network


def schema_of(network: Network) -> Schema:
    """A column for each node: its states are the levels, a continuous node is real, in the units
    of its conditional."""
    columns = []
    for name, states in zip(network.names, network.states, strict=True):
        if not states:
            columns.append(Column(name))
        else:
            kind: Kind = "binary" if len(states) == 2 else "categorical"
            columns.append(Column(name, kind, levels=states, dtype=_stored(states)))
    return Schema(tuple(columns))


def _stored(states: tuple[Scalar, ...]) -> str:
    """How a column of these levels is stored."""
    for kind, dtype in ((bool, "bool"), (int, "int64"), (int | float, "float64")):
        if all(isinstance(state, kind) for state in states):
            return dtype
    return "object"


def codec_of(schema: Schema) -> Codec:
    """The codec that leaves the values of these columns as they are."""
    warps = tuple(Warp(column) for column in schema.continuous)
    return Codec(schema, warps, schema.discrete, {}, ())
