"""What a Bayesian network answers once it is there: densities, samples, conditionals, gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Floats
from ...artifact import Arrays, fingerprint
from ...data import Codec, Encoded
from ...density_estimator import DensityEstimator
from ...family_density import Density
from ...inference.dag import DAG
from ...rows import Rows
from ...verdict import Reason, Verdict
from . import saved
from .conditionals import Table
from .given import codec_of, schema_of
from .layout import Layout, NodeRows
from .network import Network
from .node_density import direct_log_prob, drawn


class FittedNetwork(DensityEstimator):
    """A network with its columns; `BayesianNetwork` fits it.

    Attributes:
        network_: the graph, the conditionals in the coordinates of the codec, the states.
        units_: (2, N) shift and scale of each node: what the codec subtracts, then divides by.
    """

    codec_: Codec
    network_: Network
    layout_: Layout
    units_: Floats

    @classmethod
    def of(cls, network: Network, **settings: Any) -> Self:
        """An estimator of a network that is given, as if it had been fitted.

        Args:
            network: discrete nodes become columns whose levels are the states; continuous ones real
                columns in the units of their conditionals.
            settings: of the estimator.
        """
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
        return self.network_.dag

    @property
    def edges_(self) -> list[tuple[str, str]]:
        """The edges (parent, child)."""
        return self.network_.dag.edges

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
        slopes = conditional.coefficients.reshape(math.prod(shape), len(continuous))
        out["intercept"] = conditional.intercept.ravel().tolist()
        out |= {name: b.tolist() for name, b in zip(continuous, slopes.T, strict=True)}
        return out | {"deviation": np.sqrt(conditional.variance).ravel().tolist()}

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        return Density(direct_log_prob(self.network_, self.layout_.spread(rows.data)))

    def _sample(
        self, n: int, rng: np.random.Generator, given: Encoded | None, context: Floats | None
    ) -> Encoded:
        rows = NodeRows.unknown(n, self.layout_.nodes)
        return self.layout_.gathered(drawn(self.network_, rows, rng))

    def _state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        body, arrays = saved.written(self.network_)
        evidence = self.layout_.evidence
        arrays |= {"evidence.codes": evidence.codes, "evidence.x": evidence.x}
        arrays["units"] = self.units_
        return body, arrays

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        evidence = NodeRows(arrays["evidence.codes"], arrays["evidence.x"])
        self.network_, self.units_ = saved.read(state, arrays), arrays["units"]
        self.layout_ = Layout.of(self.network_.names, self.codec_, evidence)
