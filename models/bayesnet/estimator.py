"""The Bayesian network that users meet (numbers: `network`, `conditionals`; fit: `parameters`)."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import ClassVar, Self

from ...capabilities import Capabilities
from ...data import Codec
from ...errors import InputError
from ...fitting import Fit
from ...inference.dag import DAG
from ...rows import Rows
from ...verdict import Reason
from . import verdicts
from .fitted import FittedNetwork
from .layout import Layout
from .parameters import Assumed, estimated
from .settings import SETTINGS, NetworkSettings
from .structure_given import States, check_sizes, dag_of, nodes_of


class BayesianNetwork(NetworkSettings, FittedNetwork):
    """A Bayesian network over the columns of a table: tables of discrete columns, linear Gaussians
    of continuous ones, whose parents may be of either kind (conditional linear Gaussian).

    Probabilities are posterior means under the prior, so that no combination of levels that the
    rows lack has probability 0. `of` makes an estimator of a network that is given.

    Attributes:
        network_: the graph, the conditionals in the coordinates of the codec, the states.
        dag_, edges_: the graph, and its edges (parent, child).
    """

    name: ClassVar[str] = "bayesnet"
    settings = SETTINGS["bayesnet"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="native",
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        names, states = nodes_of(self.codec_, self.hidden)
        dag = self._structure(names)
        check_sizes(dag, states)
        return self._fit_parameters(dag, states, rows)

    def _structure(self, names: tuple[str, ...]) -> DAG:
        if self.edges is None:
            raise InputError("edges are not given; give them, such as edges=[('a', 'b')].")
        return dag_of(self.edges, names, self.schema_)

    def _fit_parameters(self, dag: DAG, states: States, rows: Rows) -> list[Reason]:
        """Set the network of a graph; return what is to be said of its parameters."""
        if rows.weights is not None and (rows.weights == 0).any():
            rows = rows.take(rows.weights > 0)
        layout = Layout.of(dag.names, self.codec_)
        assumed = Assumed(self.prior, self.equivalent_sample_size)
        spread = layout.spread(rows.data)
        network = estimated(dag, states, spread, rows.weights, assumed, self.reg_covar)
        self._set(network)
        total = float(len(rows) if rows.weights is None else rows.weights.sum())
        return [
            *verdicts.of_numbers(network),
            *verdicts.of_levels(network),
            *verdicts.of_parameters(network, total, assumed),
            *verdicts.of_variances(network, self.reg_covar),
        ]

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None:
        other = copy(self)
        other._fit_parameters(self.network_.dag, self.network_.states, rows)
        return other
