"""The Bayesian network that users meet (numbers: `network`, `conditionals`; fit: `structure`,
`parameters`, `em`; pair: `pyro`, `numpyro`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Mask
from ...capabilities import Capabilities
from ...checks import check_weights
from ...data import Codec
from ...errors import InputError
from ...fitting import Fit
from ...inference.dag import DAG
from ...inference.structure.expiry import Expiry
from ...progress import rows_bar
from ...rows import Rows
from ...verdict import Reason
from . import verdicts
from .draws import mean_network, rescaled, stored
from .em import Result, fit_em
from .fit_flows import flow_nodes, with_flows
from .fitted import FittedNetwork
from .layout import Layout, NodeRows
from .parameters import Assumed, Learnt, estimated, learnt
from .settings import ENGINE_SETTINGS, SETTINGS, NetworkSettings
from .structure.cases import Cases
from .structure.search import Search, learn, method_of, restarts_of
from .structure.strengths import EdgeStrengths, Method, edge_strengths
from .structure.structure_reasons import cut_short
from .structure_given import (
    States,
    check_sizes,
    dag_of,
    edges_of,
    most_parents,
    nodes_of,
    outside_of,
    tiers_of,
)

_REFIT_STEPS = 10  # of EM on fewer rows


class BayesianNetwork(NetworkSettings, FittedNetwork):
    """A Bayesian network over the columns of a table: tables of discrete columns, linear Gaussians
    of continuous ones, whose parents may be of either kind (conditional linear Gaussian).

    Probabilities are posterior means under the prior, so that no combination of levels that the
    rows lack has probability 0; rows with gaps and hidden nodes are fitted by EM. Densities are
    exact. Those of a posterior ("conjugate", "svi", "nuts") are means over 200 of its draws, with a
    standard error, and samples, with columns held fixed too, are of these; gaps (filled or drawn),
    conditionals and marginals are then those of the network at the means of the parameters.

    A budget ends the search for a structure, which goes on with the best so far. `of` makes an
    estimator of a network that is given.

    Attributes:
        network_: the graph, the conditionals in the coordinates of the codec, the states.
        dag_, edges_: the graph, and its edges (parent, child).
        converged_, n_iter_: of EM; True and 0 where nothing is missing.
    """

    name: ClassVar[str] = "bayesnet"
    settings = SETTINGS["bayesnet"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="native",
        missing=True,
        conditions=True,
        draws=True,
        distribution="differentiable",
        surprises=True,
        graph=True,
        engines=("em", "conjugate", "svi", "nuts"),
        backends=("numpyro", "pyro"),
        uses=("budget", "checkpoint_dir"),
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        names, states = nodes_of(self.codec_, self.hidden)
        outside: Mask | None = None
        if self.interventions is not None:
            outside = outside_of(self.interventions, len(rows), names, self.schema_)
        if rows.weights is not None and (rows.weights == 0).any():
            outside = None if outside is None else outside[rows.weights > 0]
            rows = rows.take(rows.weights > 0)
        reasons: list[Reason] = []
        if self.edges is not None:
            dag = dag_of(self.edges, names, self.schema_)
        else:
            dag, reasons = self._learnt(names, states, rows, outside, fit)
        check_sizes(dag, states)
        return [*reasons, *self._fit_parameters(dag, states, rows, outside, fit)]

    def _resolved(self) -> Mapping[str, Any]:
        if self.edges is not None:
            return {}
        nodes = len(self.dag_.names)
        return {"structure": method_of(nodes), "restarts": restarts_of(nodes)}

    def _learnt(
        self, names: tuple[str, ...], states: States, rows: Rows, outside: Mask | None, fit: Fit
    ) -> tuple[DAG, list[Reason]]:
        """The structure learnt from rows, and what is to be said of it."""
        cases = self._cases(names, states, rows, outside)
        search = self._search(cases, fit.seed)
        searched = learn(cases, search, expired=Expiry(fit.deadline, fit.heeding))
        reasons = [Reason("ok", f"{what}.") for what in searched.reasons]
        if fit.deadline() == 0:
            exact = self.structure == "exact"
            reasons.append(cut_short(exact=exact, interrupted=fit.interrupted))
        return searched.dag, reasons

    def _cases(
        self, names: tuple[str, ...], states: States, rows: Rows, outside: Mask | None
    ) -> Cases:
        """Rows as scores of structures count them."""
        nodes = Layout.of(names, self.codec_).spread(rows.data)
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        return Cases(names, tuple(map(len, states)), nodes.codes, nodes.x, weights, outside)

    def _search(self, cases: Cases, seed: int) -> Search:
        """How structures are looked for, by the settings."""
        names = cases.names
        return Search(
            method=self.structure,
            score=self.criterion,
            equivalent_sample_size=self.equivalent_sample_size,
            max_parents=most_parents(self.max_parents, float(cases.weights.sum())),
            required=edges_of(self.required, names, self.schema_),
            forbidden=edges_of(self.forbidden, names, self.schema_),
            tiers=tiers_of(self.tiers, names, self.schema_),
            restarts=self.restarts,
            level=self.level,
            seed=seed,
        )

    def edge_strengths(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        method: Method = "bootstrap",
        number: int | None = None,
        random_state: Any = None,
        progress: bool = False,
    ) -> EdgeStrengths:
        """How sure each edge is, whichever graph was fitted; the settings of the search hold.

        Args:
            X: rows as in `fit`; with interventions, those of the fit.
            sample_weight: (n,) weights.
            method: "bootstrap" learns structures from resampled rows; "exact" gives posterior
                probabilities over all graphs of at most 13 columns, "order-mcmc" of more by
                drawing.
            number: of resampled sets of rows (default 100), or steps of each of 16 chains (20,000).
            random_state: seed; None takes the estimator's own.
            progress: show a bar on a terminal.

        Raises:
            InputError: if the rows are not those of the fit, nodes are hidden, or the method is not
                for so many columns.
        """
        check_is_fitted(self)
        if self.hidden:
            raise InputError("nodes are hidden, and structures are learnt over columns alone.")
        data = self._dataset(X, reset=False)
        rows = Rows(self._encode(data, draw=0), check_weights(sample_weight, len(data)))
        names, states = nodes_of(self.codec_, None)
        outside: Mask | None = None
        if self.interventions is not None:
            outside = outside_of(self.interventions, len(rows), names, self.schema_)
        cases = self._cases(names, states, rows, outside)
        steps = number or (100 if method == "bootstrap" else 20_000)
        with rows_bar("edge strengths", steps, show=progress) as report:
            search = self._search(cases, self._seed(random_state))
            return edge_strengths(cases, search, method, steps, report=report)

    def _fit_parameters(
        self, dag: DAG, states: States, rows: Rows, outside: Mask | None, fit: Fit
    ) -> list[Reason]:
        """Set the network of a graph; return what is to be said of its parameters."""
        nodes = Layout.of(dag.names, self.codec_).spread(rows.data)
        assumed = Assumed(self.prior, self.equivalent_sample_size)
        reasons: list[Reason] = []
        self.sample_stats_, self.converged_, self.n_iter_ = {}, True, 0
        self._assumed = None
        if self.engine == "em" and nodes.known.all():
            network = estimated(dag, states, nodes, rows.weights, assumed, self.reg_covar, outside)
            self._set(network)
        else:
            found, reasons = self._with_posterior(dag, states, nodes, rows, assumed, outside, fit)
            network = found.network
            self._set(network)
            if self.engine != "em":
                reasons = reasons + self._draw_parameters(found, nodes, rows, fit)
        total = float(len(rows) if rows.weights is None else rows.weights.sum())
        if flows := flow_nodes(network, self.conditionals):
            whole, said = with_flows(
                network, flows, nodes, rows.weights, self.layout_, fit, outside
            )
            self._set(whole)
            reasons = reasons + said
        return [
            *reasons,
            *verdicts.of_numbers(network),
            *verdicts.of_levels(network),
            *verdicts.of_parameters(network, total, assumed),
            *verdicts.of_variances(network, self.reg_covar),
        ]

    def _with_posterior(
        self,
        dag: DAG,
        states: States,
        nodes: NodeRows,
        rows: Rows,
        assumed: Assumed,
        outside: Mask | None,
        fit: Fit,
    ) -> tuple[Learnt | Result, list[Reason]]:
        """A network with the posterior of its parameters, as expected where values are missing."""
        complete = nodes.known.all()
        if complete and self.engine == "conjugate":
            floor = self.reg_covar
            return learnt(dag, states, nodes, rows.weights, assumed, floor, outside), []
        result = fit_em(
            dag, states, nodes, rows.weights, assumed, fit,
            floor=self.reg_covar, max_iter=self.max_iter, tol=self.tol, n_init=self.n_init,
            offset=float(np.average(rows.data.log_det, weights=rows.weights)), outside=outside,
        )  # fmt: skip
        if fit.interrupted and self.engine != "em":
            raise KeyboardInterrupt  # a posterior has yet to begin
        if not complete:
            self.converged_, self.n_iter_ = result.converged, result.n_iter
        return result, result.reasons

    def _draw_parameters(
        self, found: Learnt | Result, nodes: NodeRows, rows: Rows, fit: Fit
    ) -> list[Reason]:
        """Draw from the posterior of the parameters, and take the network at its means."""
        from .bayes import fit_bayes

        options = ENGINE_SETTINGS[self.engine].values(self.engine_settings or {})
        drawn = fit_bayes(
            found.prior, found.posterior, found.network, nodes, rows.weights,
            self.engine, self.backend, options, fit,
        )  # fmt: skip
        self._set(mean_network(found.network, drawn.draws))
        in_units = rescaled(self.network_, drawn.draws, *self.units_)
        self.posterior_ = {stored(site): values for site, values in in_units.items()}
        self.sample_stats_, self._assumed = drawn.stats, found.prior
        return drawn.reasons

    def _goodness(self, rows: Rows, fit: Fit, reasons: Iterable[Reason]) -> list[Reason]:
        # Samples are of rows in which nothing was set.
        return [] if self.interventions is not None else super()._goodness(rows, fit, reasons)

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None:
        if self.engine != "em" or self.hidden or self.interventions is not None:
            return None
        if self.conditionals != "linear":
            return None
        other = copy(self)
        other.max_iter = min(self.max_iter, _REFIT_STEPS)
        network = self.network_
        fit = Fit(fit.seed, fit.schema, fit.clock, within=True)
        other._fit_parameters(network.dag, network.states, rows, None, fit)
        return other
