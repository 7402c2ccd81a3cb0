"""Models from files of networks and factor graphs."""

from __future__ import annotations

import os

from . import formats
from .estimator import BayesianNetwork
from .factor_graph import FactorGraph
from .network import Network


def read_network(path: str | os.PathLike[str]) -> BayesianNetwork | FactorGraph:
    """The model of a file: BIF, XMLBIF, UAI, NET or JSON, also packed with gzip.

    A network becomes a `BayesianNetwork`, as if it had been fitted: discrete nodes are columns
    whose levels are the states, continuous ones real columns. A UAI file of the kind MARKOV, or a
    factor graph as JSON, becomes a `FactorGraph`.

    Raises:
        InputError: if there is no such file, or something is wrong in it: with line and column.
    """
    model = formats.read(path)
    return BayesianNetwork.of(model) if isinstance(model, Network) else FactorGraph.of(model)
