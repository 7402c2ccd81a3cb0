"""What a Bayesian network answers once it is there: densities, samples, conditionals, gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Floats, Ints
from ...artifact import Arrays, fingerprint
from ...conditioned import Conditioned
from ...data import Codec, Encoded
from ...family_density import Density
from ...inference.dag import DAG
from ...rows import Rows
from ...verdict import Reason, Verdict
from ..by_engine import ByEngine
from ..predictive import diagnostics
from ..priors import Prior
from . import draws, saved
from .conditionals import Table
from .given import codec_of, schema_of
from .layout import Layout, NodeRows
from .network import Network
from .node_density import node_log_prob, node_log_tail
from .posterior import Posterior, check_possible, posterior_of
from .prior import ConjugatePrior
from .queries.answering import Answering
from .written_down import network_of

_PRIOR = "prior."


class FittedNetwork(Answering, ByEngine, Conditioned):
    """A network with its columns; `BayesianNetwork` fits it.

    Attributes:
        network_: the graph, the conditionals in the coordinates of the codec, the states.
        units_: (2, N) shift and scale of each node: what the codec subtracts, then divides by.
    """

    codec_: Codec
    network_: Network
    layout_: Layout
    units_: Floats

    _assumed: ConjugatePrior | None = None  # in the coordinates of the codec; of a posterior

    @classmethod
    def of(cls, network: Network | Mapping[str, Mapping[str, Any]], **settings: Any) -> Self:
        """An estimator of a network that is given, as if it had been fitted.

        Args:
            network: node -> {"states": [...], "parents": [...], "table": [...]}, a table with an
                axis for each parent and last the node's own states; of a continuous node
                {"parents": [...], "intercept": ..., "coefficients": [...], "variance": ...}; see
                `written_down`. Or a `Network`.
                Discrete nodes become columns whose levels are the states; continuous ones real
                columns in the units of their conditionals.
            settings: of the estimator.
        """
        if not isinstance(network, Network):
            network = network_of(network)
        out = cls(**({"edges": network.dag.edges} | settings))
        out.schema_ = schema_of(network)
        out.codec_ = codec_of(out.schema_)
        out.container_, out.context_, out.posterior_ = "pandas", None, None
        out.n_features_in_ = len(network.names)
        out.feature_names_in_ = np.array(network.names, dtype=object)
        out._set(network)
        body, arrays = saved.written(network)
        numbers = {name: array.tolist() for name, array in arrays.items()}
        out.data_fingerprint_ = fingerprint(body, numbers)
        out.fit_seconds_, out.trace_ = 0.0, []
        out.converged_, out.n_iter_, out.sample_stats_ = True, 0, {}
        out.verdict_ = Verdict((Reason("ok", "the network was given, not fitted."),))
        return out

    def _set(self, network: Network) -> None:
        """Take a network of the columns and hidden nodes as the fitted one."""
        self.network_ = network
        self.layout_ = Layout.of(network.names, self.codec_)
        self.units_ = np.array([np.zeros(len(network.names)), np.ones(len(network.names))])
        for node, warp in zip(self.layout_.continuous, self.codec_.warps, strict=True):
            self.units_[:, node] = warp.shift, warp.scale

    @property
    def dag_(self) -> DAG:
        """The graph."""
        check_is_fitted(self)
        return self.network_.dag

    @property
    def edges_(self) -> list[tuple[str, str]]:
        """The edges (parent, child)."""
        return self.dag_.edges

    def in_units(self) -> Network:
        """The network in the units of the data: of real columns as they are, of positive ones of
        their logarithm, of those between bounds and on circles of the logit of the place."""
        check_is_fitted(self)
        return self.network_.rescaled(*self.units_)

    def table(self, node: Any) -> dict[str, list[Any]]:
        """The conditional of a node, a row for each configuration of its discrete parents.

        Args:
            node: name.

        Returns:
            column -> values, as a frame takes them: the states of the parents, then, of a discrete
            node, the probability of each of its states as "P(state)"; of a continuous one
            "intercept", the coefficient of each continuous parent as "x parent", and "deviation",
            the standard deviation.

        Raises:
            InputError: if there is no such node.
        """
        check_is_fitted(self)
        network = self.in_units()
        number = network.number(node)
        conditional, parents = network.conditionals[number], network.discrete_parents(number)
        shape = tuple(network.sizes[parent] for parent in parents)
        places = np.indices(shape).reshape(len(shape), math.prod(shape))
        out: dict[str, list[Any]] = {
            network.names[parent]: [network.states[parent][k] for k in place]
            for parent, place in zip(parents, places, strict=True)
        }
        if isinstance(conditional, Table):
            rows = conditional.probs.reshape(-1, network.sizes[number])
            states = network.states[number]
            return out | {f"P({s})": p.tolist() for s, p in zip(states, rows.T, strict=True)}
        continuous = [f"x {network.names[parent]}" for parent in network.continuous_parents(number)]
        gaussian = network.linear(number)
        slopes = gaussian.coefficients.reshape(math.prod(shape), len(continuous))
        out["intercept"] = gaussian.intercept.ravel().tolist()
        out |= {name: b.tolist() for name, b in zip(continuous, slopes.T, strict=True)}
        return out | {"deviation": np.sqrt(gaussian.variance).ravel().tolist()}

    def node_log_density(self, X: Any) -> Floats:
        """(n, N) log p(x_i | its parents) of each node, in nats and in the units of the data; NaN
        where the node or a parent is not known. Rounded values stand in the middle of their cells.
        Of a row without gaps the sum over the nodes is its log density.

        Args:
            X: rows as in `fit`.
        """
        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        out = node_log_prob(self.network_, self.layout_.spread(self._encode(data, draw=None)))
        out[:, self.layout_.continuous] += self.codec_.log_slopes(data)
        return out

    def surprises(self, X: Any) -> dict[str, Floats]:
        """Column -> (n,) the probability, given what the column depends on directly, of a value as
        unlikely as the row's or less; NaN where it or one of these is not known.

        Args:
            X: rows as in `fit`.
        """
        check_is_fitted(self)
        rows = self.layout_.spread(self._encode(self._dataset(X, reset=False), draw=None))
        tails = np.exp(node_log_tail(self.network_, rows))
        return {self.network_.names[node]: tails[:, node] for node in self.layout_.columns}

    @property
    def _engine(self) -> Posterior:
        return posterior_of(self.network_)

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        nodes = self.layout_.spread(rows.data)
        if self.posterior_ is not None:
            return draws.predictive(self.network_, self._parameters(), nodes)
        density = self._engine.density(nodes)
        if not self.layout_.conditioned:
            return density
        before = self._engine.density(self.layout_.evidence)
        values = density.values - before.values
        if before.stderr is None:
            return replace(density, values=values)
        own = np.zeros(len(values)) if density.stderr is None else density.stderr
        return replace(before, values=values, stderr=np.hypot(own, before.stderr))

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        if self.posterior_ is None:
            return {}
        chains, each = next(iter(self.posterior_.values())).shape[:2]
        return diagnostics(density, min(draws.DRAWS, chains * each))

    def _parameters(self) -> dict[str, Floats]:
        """The draws of the parameters in the coordinates of the codec."""
        assert self.posterior_ is not None
        sites = draws.dims(self.network_)["dims"]
        in_units = {site: self.posterior_[draws.stored(site)] for site in sites}
        shift, scale = self.units_
        return draws.rescaled(self.network_, in_units, -shift / scale, 1 / scale)

    def _log_prob_draws(self, data: Encoded) -> Floats:
        """(draws, n) log densities under draws of the parameters."""
        rows = self.layout_.spread(data)
        return draws.log_prob_draws(self.network_, self._parameters(), rows)

    def _sample_draws(self, kept: Ints, n: int, rng: np.random.Generator) -> Encoded:
        """n rows under each of some draws of the parameters, one draw after another."""
        parameters, known = self._parameters(), self.layout_.evidence
        return self.layout_.gathered(
            draws.sample_each(self.network_, parameters, known.repeated(n), kept, rng)
        )

    def _distribution(self, backend: Literal["numpyro", "pyro"], context: Floats | None) -> Any:
        from ..distributions.columns import Columns
        from .distribution import distribution

        columns = Columns.of(self.codec_, type(self).__name__)
        parameters = None if self.posterior_ is None else self._parameters()
        return distribution(self.network_, self.layout_, parameters, columns, backend)

    def _prior(self) -> Prior | None:
        if self._assumed is None:
            return None
        return self._assumed.rescaled(*self.units_).named(draws.stored)

    def _posterior_dims(self) -> dict[str, dict[str, list[Any]]]:
        names = draws.dims(self.network_)
        axes = {draws.stored(k): [*map(draws.stored, v)] for k, v in names["dims"].items()}
        return {"dims": axes, "coords": {draws.stored(k): v for k, v in names["coords"].items()}}

    @property
    def _plugged_in(self) -> bool:
        return self.posterior_ is not None

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        known = self.layout_.evidence if given is None else self.layout_.spread(given)
        if self.posterior_ is None:
            return self.layout_.gathered(self._engine.draw(known.repeated(n), rng))
        parameters = self._parameters()
        return self.layout_.gathered(draws.sample(self.network_, parameters, known, n, rng))

    def _conditioned(self, row: Encoded, free: Sequence[str]) -> Self:
        return self._over(self.layout_.spread(row), free)

    def _marginal(self, columns: Sequence[str]) -> Self:
        return self._over(self.layout_.evidence, columns)

    def _over(self, evidence: NodeRows, names: Sequence[str]) -> Self:
        """This estimator over some of its columns, given the values of others; the nodes that
        neither depends on are left out."""
        check_possible(self._engine.log_prob(evidence))
        out, network = self._selected(names), self.network_
        asked = [node for node, name in enumerate(network.names) if name in names]
        known = np.flatnonzero(evidence.known[0]).tolist()
        kept = sorted(network.dag.ancestors([*asked, *known]))
        out.posterior_, out.sample_stats_, out._assumed = None, {}, None
        out.network_, out.units_ = network.restricted(kept), self.units_[:, kept]
        evidence = NodeRows(evidence.codes[:, kept], evidence.x[:, kept])
        out.layout_ = Layout.of(out.network_.names, out.codec_, evidence)
        return out

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded:
        # Of fits with a posterior too, gaps are those of the network at the means.
        data, known = rows.data, self.layout_.spread(rows.data)
        if rng is not None:
            filled = self.layout_.gathered(self._engine.draw(known, rng))
        else:
            filled = self.layout_.gathered(self._likeliest(known))
        x = np.where(np.isnan(data.x), filled.x, data.x)
        return Encoded(x, np.where(data.codes == -1, filled.codes, data.codes), data.log_det)

    def _likeliest(self, known: NodeRows) -> NodeRows:
        """Rows with the gaps of columns filled by means and likeliest states."""
        out = NodeRows(known.codes.copy(), known.x.copy())
        gaps = ~known.known
        columns = [v for v in self.layout_.columns.tolist() if gaps[:, v].any()]
        some = np.flatnonzero(gaps[:, columns].any(axis=1))
        found = self._engine.beliefs(known.take(some), columns)
        log_z = np.zeros(len(known))
        log_z[some] = found.log_z
        check_possible(log_z)
        for node, probs in found.probs.items():
            out.codes[some, node] = probs.argmax(axis=1)
        for node, means in found.means.items():
            out.x[some, node] = means
        return NodeRows(np.where(gaps, out.codes, known.codes), np.where(gaps, out.x, known.x))

    def _state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        body, arrays = saved.written(self.network_)
        evidence = self.layout_.evidence
        arrays |= {"evidence.codes": evidence.codes, "evidence.x": evidence.x}
        arrays["units"] = self.units_
        if self._assumed is not None:
            arrays |= {_PRIOR + name: array for name, array in self._assumed.arrays().items()}
        ended, stats = self._ended()
        return body | ended, arrays | stats

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        evidence = NodeRows(arrays["evidence.codes"], arrays["evidence.x"])
        self.network_, self.units_ = saved.read(state, arrays), arrays["units"]
        self.layout_ = Layout.of(self.network_.names, self.codec_, evidence)
        self._restore_ended(state, arrays)
        prior = {k.removeprefix(_PRIOR): a for k, a in arrays.items() if k.startswith(_PRIOR)}
        network = self.network_
        self._assumed = None
        if prior:
            self._assumed = ConjugatePrior.of_arrays(network.dag, network.sizes, prior)
