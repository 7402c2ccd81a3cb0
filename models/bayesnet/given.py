"""The columns of a network that was given instead of fitted."""

from __future__ import annotations

from ...data import Codec, Schema
from ...data.column import Column, Kind
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
            dtype = "object" if any(isinstance(state, str) for state in states) else "float64"
            columns.append(Column(name, kind, levels=states, dtype=dtype))
    return Schema(tuple(columns))


def codec_of(schema: Schema) -> Codec:
    """The codec that leaves the values of these columns as they are."""
    warps = tuple(Warp(column) for column in schema.continuous)
    return Codec(schema, warps, schema.discrete, {}, ())
