"""Which engine answers for a network and what is known, and the answers.

Of the nodes only those matter that are known or asked for and their ancestors; the others are
barren and pruned. Networks of discrete nodes go to `inference.exact`, those with continuous ones to
`inference.conditional_gaussian`. Both are exact: probabilities, densities, means and variances.
Draws come from the same elimination; nodes below all that is known are drawn from their
conditionals.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from ...errors import InputError
from ...family_density import Density
from ...inference.conditional_gaussian import ConditionalGaussian
from ...inference.conditional_gaussian_answers import Mixture
from ...inference.exact import Cost, Exact
from ...inference.posterior_sampling import sample_posterior
from . import weighted
from .conditionals import Table
from .flow_factors import entered, exact_for, factors
from .layout import NodeRows
from .network import Network
from .node_density import direct_log_prob, drawn

Evidence = Mapping[int, Any]
Nodes = tuple[int, ...]

_ALONE = 200  # rows of one pattern of gaps from which on they are worked on by themselves


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Posterior marginals of n rows.

    Attributes:
        log_z: (n,) log probability or density of what is known; -inf where it is impossible.
        probs: of discrete nodes, (n, k); NaN where what is known is impossible.
        means, variances: of continuous nodes, (n,), likewise.
    """

    log_z: Floats
    probs: dict[int, Floats]
    means: dict[int, Floats]
    variances: dict[int, Floats]


class Posterior:
    """Exact answers of a network.

    Args:
        network: any.
        memory: bytes that may be taken; None is most of what the machine has free.
    """

    def __init__(self, network: Network, memory: int | None = None) -> None:
        self.network, self.memory = network, memory
        self._part = lru_cache(maxsize=64)(self._new_part)

    def log_prob(self, rows: NodeRows) -> Floats:
        """(n,) log densities of what is known of each row, the rest summed out."""
        return self.density(rows).values

    def density(self, rows: NodeRows) -> Density:
        """The same with what it claims: estimates where an unknown value decides on a flow."""
        out = direct_log_prob(self.network, rows)
        stderr = np.zeros(len(rows))
        for here in self._patterns(rows, np.flatnonzero(np.isnan(out))):
            evidence = _evidence(rows.take(here))
            if exact_for(self.network, evidence, evidence):
                out[here] = self.log_z(evidence)
            else:
                out[here], stderr[here] = weighted.log_prob(self.network, evidence)
        if not stderr.any():
            return Density(out)
        method = f"likelihood weighting, {weighted.DRAWS} draws"
        return Density(out, stderr, kind="estimate", method=method)

    def log_z(self, evidence: Evidence) -> Floats:
        """() or (n,) log probability or density of evidence, hard or virtual."""
        if not evidence:
            return np.zeros(())
        part, inside, constant = self._entered(evidence)
        return np.asarray(part.engine.log_z(part.conditionals, inside) + constant)

    def beliefs(self, rows: NodeRows, targets: Collection[int]) -> Beliefs:
        """Posterior marginals of some nodes given what is known of each row."""
        n, sizes = len(rows), self.network.sizes
        probs = {v: np.empty((n, sizes[v])) for v in targets if sizes[v]}
        means, variances = ({v: np.empty(n) for v in targets if not sizes[v]} for _ in range(2))
        log_z = np.empty(n)
        for here in self._patterns(rows, np.arange(n)):
            evidence = _evidence(rows.take(here))
            if exact_for(self.network, [*evidence, *targets], evidence):
                found = self.marginals(evidence, targets)
            else:
                found = Beliefs(*weighted.marginals(self.network, evidence, targets))
            log_z[here] = found.log_z
            for whole, some in (
                (probs, found.probs),
                (means, found.means),
                (variances, found.variances),
            ):
                for v in whole:
                    whole[v][here] = some[v]
        return Beliefs(log_z, probs, means, variances)

    def marginals(self, evidence: Evidence, targets: Collection[int]) -> Beliefs:
        """The same given evidence, hard or virtual; without the axis of rows where it has none."""
        part, inside, constant = self._entered(evidence, targets)
        number = {v: part.nodes.index(v) for v in targets}
        if isinstance(part.engine, Exact):
            discrete = part.engine.marginals(part.conditionals, inside)
            probs = {v: discrete.probs[i] for v, i in number.items()}
            return Beliefs(discrete.log_z, probs, {}, {})
        found = part.engine.marginals(part.conditionals, inside, list(number.values()))
        answers = found.probs, found.means, found.variances
        of = [{v: each[i] for v, i in number.items() if i in each} for each in answers]
        return Beliefs(found.log_z + constant, *of)

    def joint(self, evidence: Evidence, targets: Sequence[int]) -> tuple[Floats, Floats]:
        """log Z, and the joint posterior of discrete nodes, (k_1, ..., k_m) or (n, k_1, ..., k_m),
        NaN where Z is 0."""
        part, inside, constant = self._entered(evidence, targets)
        places = [part.nodes.index(v) for v in targets]
        if isinstance(part.engine, Exact):
            log_z, probs = part.engine.log_z_and_joint(part.conditionals, places, inside)
            return np.asarray(log_z), np.asarray(probs)
        if len(targets) == 1:
            found = part.engine.marginals(part.conditionals, inside, places)
            return found.log_z + constant, found.probs[places[0]]
        mixture = self.mixture(evidence, targets)
        return mixture.log_z, mixture.weights.sum(axis=-1)

    def mixture(self, evidence: Evidence, targets: Sequence[int]) -> Mixture:
        """The joint posterior of some nodes of a network with continuous ones: of the discrete
        targets, in order, an axis each, then an axis of the components there are given these."""
        part, inside, constant = self._entered(evidence, targets)
        assert isinstance(part.engine, ConditionalGaussian)
        places = [part.nodes.index(v) for v in targets]
        found = part.engine.mixture(part.conditionals, places, inside)
        discrete = [p for p in places if self.network.sizes[part.nodes[p]]]
        first = [found.scope.index(p) for p in discrete]
        rest = [axis for axis in range(len(found.scope)) if axis not in first]
        n = found.weights.ndim - len(found.scope)  # an axis of rows, or none
        components = math.prod(found.weights.shape[n + axis] for axis in rest)

        def ordered(array: Floats, more: int) -> Floats:
            axes = [*range(n), *(n + a for a in (*first, *rest))]
            array = array.transpose(*axes, *range(array.ndim - more, array.ndim))
            kept, tail = array.shape[: n + len(first)], array.shape[array.ndim - more :]
            return array.reshape(*kept, components, *tail)

        return Mixture(
            found.log_z + constant,
            tuple(part.nodes[p] for p in discrete),
            tuple(part.nodes[p] for p in found.nodes),
            ordered(found.weights, 0),
            ordered(found.means, 1),
            ordered(found.covariances, 2),
        )

    def cost(self, observed: Collection[int], targets: Collection[int]) -> Cost:
        """What one row takes in which some nodes are observed."""
        sizes = self.network.sizes
        evidence = {v: 0 if sizes[v] else 0.0 for v in observed}
        cut = factors(self.network, evidence)
        part = self._part(self._needed([*observed, *targets]), cut)
        cost = part.engine.cost([part.nodes.index(v) for v in observed])
        return replace(cost, clique=tuple(part.nodes[v] for v in cost.clique))

    def like(self, network: Network) -> Posterior:
        """The posterior of a network that differs in its numbers only, by the same plans."""
        other = Posterior(network, self.memory)

        def part(nodes: Nodes, cut: Nodes) -> _Part:
            return _Part.of(network.cut(cut), nodes, self.memory, self._part(nodes, cut).engine)

        other._part = lru_cache(maxsize=64)(part)
        return other

    def draw(self, rows: NodeRows, rng: np.random.Generator) -> NodeRows:
        """Rows with what is not known drawn given what is.

        Raises:
            InputError: if what is known of a row is impossible.
        """
        # Not of the draws: rounding takes them off the functions that nodes without noise are.
        check_possible(direct_log_prob(self.network, rows))
        out = NodeRows(rows.codes.copy(), rows.x.copy())
        for here in self._patterns(rows, np.arange(len(rows))):
            some = out.take(here)
            above = self.network.dag.ancestors(np.flatnonzero(some.known.any(axis=0)).tolist())
            if (~some.known[:, sorted(above)]).any():
                self._draw_above(some, tuple(sorted(above)), rng)
            some = drawn(self.network, some, rng)
            out.codes[here], out.x[here] = some.codes, some.x
        return out

    def _draw_above(self, rows: NodeRows, nodes: Nodes, rng: np.random.Generator) -> None:
        """Draw the gaps of some nodes, which have all their ancestors, in place."""
        known = _evidence(rows)
        if not exact_for(self.network, nodes, known):
            check_possible(weighted.fill(self.network, rows, known, nodes, rng))
            return
        first = rows.take(slice(1))
        alike = len(rows) > 1 and rows.agree(first)
        # Rows of which the same is known are draws of one.
        part, evidence, _ = self._entered(_evidence(first) if alike else known, nodes)
        if alike:
            evidence = {node: value[0] for node, value in evidence.items()}
        draws = len(rows) if alike else 1
        if isinstance(part.engine, Exact):
            seed = int(rng.integers(1 << 62))
            found = sample_posterior(part.engine, part.conditionals, evidence, draws, seed=seed)
            check_possible(np.atleast_1d(found.log_z))
            codes: NDArray[np.integer] = found.states if alike else found.states[:, 0]
            x = np.full(codes.shape, np.nan)
        else:
            codes, x = part.engine.sample(part.conditionals, evidence, draws, rng)
            codes, x = (codes, x) if alike else (codes[0], x[0])
        gaps = ~rows.known[:, nodes]
        rows.codes[:, nodes] = np.where(gaps, codes, rows.codes[:, nodes])
        rows.x[:, nodes] = np.where(gaps, x, rows.x[:, nodes])

    def _entered(
        self, evidence: Evidence, targets: Collection[int] = ()
    ) -> tuple[_Part, dict[int, Any], Any]:
        """The part of the network that matters, evidence by its numbers, and what is to be added to
        log Z: flows are entered as `flow_factors` says."""
        cut = factors(self.network, evidence)
        part = self._part(self._needed([*evidence, *targets]), cut)
        evidence, constant = entered(self.network, part.nodes, evidence)
        return part, part.inside(evidence), constant

    def _needed(self, nodes: Collection[int]) -> Nodes:
        return tuple(sorted(self.network.dag.ancestors(nodes)))

    def _new_part(self, nodes: Nodes, cut: Nodes) -> _Part:
        return _Part.of(self.network.cut(cut), nodes, self.memory)

    def _patterns(self, rows: NodeRows, among: Ints) -> Iterator[Ints]:
        return _patterns(rows, among, 1 if self.network.flows else _ALONE)


@lru_cache(maxsize=8)
def posterior_of(network: Network) -> Posterior:
    """The posterior of a network, with the plans that it has made so far."""
    return Posterior(network)


@dataclass(frozen=True, eq=False)
class _Part:
    """Some nodes of a network with all their ancestors, and the engine for them."""

    nodes: tuple[int, ...]
    engine: Exact | ConditionalGaussian
    conditionals: list[Any]

    @classmethod
    def of(
        cls,
        network: Network,
        nodes: tuple[int, ...],
        memory: int | None,
        engine: Exact | ConditionalGaussian | None = None,
    ) -> _Part:
        """Those of a network, with an engine that was made for them or a new one."""
        network = network.restricted(nodes)
        parents, each = network.dag.parents, network.conditionals
        if network.continuous:
            numbers = network.numbers()
            if engine is None:
                names = network.names
                engine = ConditionalGaussian(network.sizes, parents, memory=memory, names=names)
            return cls(nodes, engine, numbers)
        scopes = [(*parents[v], v) for v in range(len(nodes))]
        tables = [c.probs for c in each if isinstance(c, Table)]
        if engine is None:
            engine = Exact(network.sizes, scopes, memory=memory, names=network.names)
        return cls(nodes, engine, tables)

    def inside(self, evidence: Evidence) -> dict[int, Any]:
        """Evidence by the numbers that the nodes have here."""
        return {self.nodes.index(v): value for v, value in evidence.items()}


def check_possible(log_z: Floats) -> None:
    """Raise InputError, naming the first row, if what is known of a row is impossible: if one of
    the log probabilities (n,) is -inf."""
    if np.isneginf(log_z).any():
        row = int(np.argmax(np.isneginf(log_z)))
        raise InputError(
            f"what is given in row {row} (counted from 0) has probability 0 under the network, and "
            "nothing follows from it. Correct or leave out some of it."
        )


def _evidence(rows: NodeRows) -> dict[int, Any]:
    """What is known of rows, as engines take it."""
    out: dict[int, Any] = {}
    for node in np.flatnonzero(rows.known.any(axis=0)).tolist():
        codes = rows.codes[:, node]
        out[node] = codes if (codes >= 0).any() else rows.x[:, node]
    return out


def _patterns(rows: NodeRows, among: Ints, alone: int) -> Iterator[Ints]:
    """Numbers of rows to be worked on together: those of patterns of gaps that many rows have,
    each alone, and all others."""
    if not len(among):
        return
    packed = np.packbits(rows.known[among], axis=1)
    _, which, counts = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    many = counts >= min(alone, len(among))
    if len(counts) > 1:
        which = np.where(many[which.reshape(-1)], which.reshape(-1), -1)
    for group in np.unique(which):
        yield among[which.reshape(-1) == group]
