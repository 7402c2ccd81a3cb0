"""The Bayesian network that users meet (numbers: `network`, `conditionals`; fit: `parameters`)."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import ClassVar, Self

import numpy as np

from ...capabilities import Capabilities
from ...data import Codec
from ...fitting import Fit
from ...inference.dag import DAG
from ...rows import Rows
from ...verdict import Reason
from . import verdicts
from .cases import Cases
from .fitted import FittedNetwork
from .layout import Layout
from .parameters import Assumed, estimated
from .settings import SETTINGS, NetworkSettings
from .structure import Search, learn
from .structure_given import States, check_sizes, dag_of, edges_of, nodes_of, tiers_of


class BayesianNetwork(NetworkSettings, FittedNetwork):
    """A Bayesian network over the columns of a table: tables of discrete columns, linear Gaussians
    of continuous ones, whose parents may be of either kind (conditional linear Gaussian). A budget
    ends the search for a structure, which goes on with the best so far.

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
        missing=True,
        conditions=True,
        surprises=True,
        uses=("budget",),
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        if rows.weights is not None and (rows.weights == 0).any():
            rows = rows.take(rows.weights > 0)
        names, states = nodes_of(self.codec_, self.hidden)
        reasons: list[Reason] = []
        if self.edges is not None:
            dag = dag_of(self.edges, names, self.schema_)
        else:
            dag, reasons = self._learnt(names, states, rows, fit)
        check_sizes(dag, states)
        return [*reasons, *self._fit_parameters(dag, states, rows)]

    def _learnt(
        self, names: tuple[str, ...], states: States, rows: Rows, fit: Fit
    ) -> tuple[DAG, list[Reason]]:
        """The structure learnt from rows, and what is to be said of it."""
        nodes = Layout.of(names, self.codec_).spread(rows.data)
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        cases = Cases(names, tuple(map(len, states)), nodes.codes, nodes.x, weights)
        search = Search(
            method=self.structure,
            score=self.criterion,
            equivalent_sample_size=self.equivalent_sample_size,
            max_parents=self.max_parents,
            required=edges_of(self.required, names, self.schema_),
            forbidden=edges_of(self.forbidden, names, self.schema_),
            tiers=tiers_of(self.tiers, names, self.schema_),
            restarts=self.restarts,
            seed=fit.seed,
        )
        learnt = learn(cases, search, expired=lambda: fit.deadline() == 0)
        return learnt.dag, [Reason("ok", f"{what}.") for what in learnt.reasons]

    def _fit_parameters(self, dag: DAG, states: States, rows: Rows) -> list[Reason]:
        """Set the network of a graph; return what is to be said of its parameters."""
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
