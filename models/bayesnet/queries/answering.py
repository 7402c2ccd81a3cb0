"""What users ask of a Bayesian network by name: queries, most probable states, cost, its graph."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ....arrays import Floats
from ....data import Codec, Schema
from ....errors import InputError
from ....inference.exact import Cost
from .. import formats
from ..draws import DRAWS, networks
from ..formats import graphs
from ..layout import Layout
from ..network import Network
from .answers import Answer
from .asked import LEVELS, Asked
from .discrete import How
from .explanation import MostProbable

if TYPE_CHECKING:
    import networkx


class Answering:
    """A fitted network that answers queries.

    Evidence is given as node -> state or value (in the units of the data), `ppgen.Likelihood`
    (virtual evidence) or `ppgen.Distribution` (soft evidence); or many rows at once, as columns or
    a frame, with gaps where a row knows nothing of a node. `do` sets nodes from outside, node ->
    state or value: edges into them do not count.
    """

    network_: Network
    schema_: Schema
    codec_: Codec
    layout_: Layout
    units_: Floats
    posterior_: dict[str, Floats] | None

    @abstractmethod
    def _parameters(self) -> dict[str, Floats]:
        """Draws of the parameters in the coordinates of the codec."""

    def query(
        self,
        target: Any,
        given: Any = None,
        *,
        do: Mapping[Any, Any] | None = None,
        quantiles: Sequence[float] = LEVELS,
        credible: float | None = None,
        **how: Any,
    ) -> Answer:
        """The posterior of a node, or of several jointly, given evidence.

        Args:
            target: a name, or several.
            given: evidence.
            do: what nodes are set to.
            quantiles: levels, of continuous targets.
            credible: probability of a band over draws of the parameters, such as 0.9, of a fit that
                has a posterior.
            how: `method`, which is "exact", "cutset" (exact, in less memory), "sampling"
                (likelihood weighting, with standard errors), "gibbs" (the same by Gibbs sampling of
                discrete nodes, for rare evidence) or "loopy" (approximate); `memory` that may be
                taken, such as "8GB"; `draws` and `random_state` of sampling.

        Raises:
            InputError: for an unknown node or state, a node that is given twice, evidence that is
                impossible, or more memory than may be taken; the largest clique is named.
        """
        asked = self._asked
        draws: Iterable[Network] = ()
        if credible is not None:
            if self.posterior_ is None:
                raise InputError(
                    f"credible={credible} asks for draws of the parameters, and this fit has none. "
                    'Fit with engine="conjugate" or "nuts".'
                )
            draws = networks(self.network_, self._parameters(), DRAWS)
        return asked.query(target, given, do, How.of(how), quantiles, draws, credible)

    def marginals(
        self, given: Any = None, *, do: Mapping[Any, Any] | None = None, **how: Any
    ) -> dict[str, Answer]:
        """The posterior of every node that is not given, one by one: name -> answer.

        Args:
            given, do, how: as in `query`.
        """
        return self._asked.marginals(given, do, How.of(how))

    def most_probable(
        self,
        given: Any = None,
        target: Any = None,
        *,
        do: Mapping[Any, Any] | None = None,
        memory: str | int | None = None,
    ) -> MostProbable:
        """The most probable states given evidence: of all nodes together (MPE), or of some with the
        others summed out (MAP).

        Args:
            given: evidence; no `Distribution`.
            target: a name or several; None is all, of a network of discrete nodes.
            do: what nodes are set to.
            memory: that may be taken, such as "8GB".
        """
        return self._asked.most_probable(given, target, do, How.of({"memory": memory}))

    def cost(
        self,
        target: Any = None,
        given: Any = None,
        *,
        do: Mapping[Any, Any] | None = None,
        memory: str | int | None = None,
    ) -> Cost:
        """What exact inference takes for one row, known before anything is allocated: cells, bytes,
        and the largest clique. InputError, naming it, if that is more than `memory`.

        Args:
            target: None is all nodes that are not given.
            given, do, memory: as in `query`.
        """
        return self._asked.cost(target, given, do, How.of({"memory": memory}))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the network, in the units of the data, as .json, .net, .bif, .xml, .uai or .dot,
        also packed (.gz). `ppgen.read_network` reads it.

        Raises:
            InputError: for another ending, a node that the format does not have, or a continuous
                column that is linear in its logarithm or logit only, which no format says.
        """
        network = self.network_
        for warp in self.codec_.warps:
            if not warp.linear:
                raise InputError(
                    f"the column {warp.column.name!r} is {warp.column.kind}: the network is linear "
                    "in a function of it, which no format says. Save the fit, or override the "
                    "column as real and fit again."
                )
        formats.write(network.rescaled(*self.units_), path)

    def to_networkx(self) -> networkx.DiGraph[Any]:
        """The graph, nodes by name with their `states` (None of a continuous one), for networkx."""
        return graphs.to_networkx(self.network_)

    def to_dot(self) -> str:
        """The graph in the language of Graphviz."""
        return graphs.to_dot(self.network_)

    @property
    def _asked(self) -> Asked:
        check_is_fitted(self)
        warps = dict(zip(self.layout_.continuous.tolist(), self.codec_.warps, strict=True))
        rows, beforehand = self.layout_.evidence, dict[int, Any]()
        for node in np.flatnonzero(rows.known[0]).tolist():
            discrete = rows.codes[0, node] >= 0
            beforehand[node] = int(rows.codes[0, node]) if discrete else float(rows.x[0, node])
        constants = (*self.codec_.constants, *self.codec_.empties)
        reading = self.schema_.reading
        return Asked(self.network_, warps, beforehand, constants, reading)
