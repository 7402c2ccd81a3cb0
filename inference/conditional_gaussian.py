"""Exact inference in conditional linear Gaussian networks.

Discrete nodes have discrete parents u and tables; a continuous node has discrete parents u and
continuous ones z, and

    x | u, z ~ Normal(b0[u] + b[u] . z, s2[u]).

Given evidence e, with m[u] and C[u] the mean and covariance of continuous nodes given e and a
configuration u of the discrete variables U that they depend on,

    log Z = log p(e),     p(x | e) = sum_u P(U = u | e) Normal(x; m[u], C[u]).

Exact are log Z (a density in the values given, times a probability of the states given), the
probabilities of discrete nodes, and the means and variances of continuous ones, whose posteriors
are mixtures that `mixture` gives whole. Purely discrete and purely Gaussian networks are special
cases.

A node with variance 0 is a function of its parents. What evidence would make certain has no density
and is refused.

Reference: Lauritzen, "Propagation of probabilities, means and variances in mixed graphical
association models", 1992, https://doi.org/10.1080/01621459.1992.10476265.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Floats, Ints
from ..data.memory_limit import amount, memory_budget
from ..errors import InputError
from .component_posterior import Conditionals
from .conditional_gaussian_answers import (
    Marginals,
    Mixture,
    Statistics,
    add_statistics,
    draw,
    empty_statistics,
    marginals,
    mixture,
)
from .conditional_gaussian_pass import Layout, Pass, Question, lay_out, layout_cost
from .dag import DAG
from .exact import Cost
from .gaussian_components import Structure
from .gaussian_conditioning import INFINITE
from .mixed_evidence import Rows, as_rows

_BLOCK = 1 << 27  # bytes that rows that are worked on together take
_KEPT = 1 << 21  # cells of rows whose layout is kept

Conditional = Floats | tuple[Floats, Floats, Floats]
Evidence = Mapping[int, Any]


class ConditionalGaussian:
    """Exact inference in a conditional linear Gaussian network.

    The conditionals that methods take are, by node: of a discrete one its table (r_1, ..., r_q, k);
    of a continuous one (intercept (r_1, ..., r_q), coefficients (r_1, ..., r_q, m), variance
    (r_1, ..., r_q)), with an axis for each discrete parent in the order of `parents`, and m the
    number of its continuous parents in that order.

    Evidence is, by node: of a discrete one a state or states (n,), -1 where not observed, or
    likelihoods of its states (k,) or (n, k); of a continuous one a value or values (n,), NaN where
    not observed.

    Args:
        sizes: number of states of each node; 0 for a continuous one.
        parents: of each node.
        memory: bytes that may be taken; default: most of what the machine has free.
        names: of the nodes, for errors.

    Raises:
        InputError: if a discrete node has a continuous parent, or the graph a cycle. Each method:
            if evidence does not fit, has no density, or asks for more than `memory`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        parents: Sequence[Sequence[int]],
        *,
        memory: int | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        names = [str(v) for v in range(len(sizes))] if names is None else names
        dag = DAG(tuple(names), tuple(tuple(map(int, p)) for p in parents))
        self.structure = Structure(tuple(map(int, sizes)), dag)
        self.memory = memory
        self._kept_layout = lru_cache(maxsize=16)(self._new_layout)  # as EM asks the same again

    def cost(self, observed: Collection[int] = ()) -> Cost:
        """What one row takes in which these nodes are observed and all others asked for."""
        sizes = self.structure.sizes
        evidence = {v: 0 if sizes[v] else 0.0 for v in observed}
        rows = as_rows(sizes, self.structure.dag.names, evidence)
        return layout_cost(self.structure, self._laid_out(rows, frozenset()))

    def log_z(self, conditionals: Sequence[Conditional], evidence: Evidence) -> Floats:
        """() or (n,) log density of the evidence, -inf where it has the probability 0."""
        rows, log_conditionals, known = self._prepared(conditionals, evidence)
        out = np.empty(len(rows))
        for where, part, layout in self._blocks(rows, known, targets=()):
            out[where] = self._passed(log_conditionals, part, layout).log_z
        return _squeezed(out, rows)

    def marginals(
        self,
        conditionals: Sequence[Conditional],
        evidence: Evidence,
        nodes: Collection[int] | None = None,
    ) -> Marginals:
        """log Z and the marginals of nodes (default: of all).

        Nodes that together ask for more memory than there is are answered one after the other.
        """
        rows, log_conditionals, known = self._prepared(conditionals, evidence)
        targets = list(range(len(self.structure.sizes))) if nodes is None else list(nodes)
        log_z = np.empty(len(rows))
        found: dict[str, dict[int, Floats]] = {"probs": {}, "means": {}, "variances": {}}
        for where, part in self._marginals(log_conditionals, rows, known, targets):
            log_z[where] = part.log_z
            for name, answers in found.items():
                for node, values in getattr(part, name).items():
                    if len(where) == len(rows):
                        answers[node] = values
                        continue
                    if node not in answers:
                        answers[node] = np.empty((len(rows), *values.shape[1:]))
                    answers[node][where] = values
        joined = {
            name: {node: _squeezed(answers[node], rows) for node in sorted(answers)}
            for name, answers in found.items()
        }
        return Marginals(_squeezed(log_z, rows), **joined)

    def _marginals(
        self, conditionals: Conditionals, rows: Rows, known: frozenset[int], targets: list[int]
    ) -> Iterator[tuple[Ints, Marginals]]:
        try:
            blocks = list(self._blocks(rows, known, targets))
        except _TooLarge:
            if len(targets) < 2:
                raise
            half = len(targets) // 2
            yield from self._marginals(conditionals, rows, known, targets[:half])
            yield from self._marginals(conditionals, rows, known, targets[half:])
            return
        for where, part, layout in blocks:
            yield where, marginals(self._passed(conditionals, part, layout), targets)

    def statistics(
        self,
        conditionals: Sequence[Conditional],
        evidence: Evidence,
        weights: Floats | None = None,
        shift: Floats | None = None,
    ) -> Statistics:
        """Expected sufficient statistics of every family, summed over rows.

        Args:
            weights: (n,) of the rows; default: 1 each.
            shift: (V,) points that continuous nodes are measured from; default: 0. Ones near the
                data keep differences of second moments exact.

        Returns:
            log Z of each row, counts and moments; rows of probability 0 add nothing to these.
        """
        rows, log_conditionals, known = self._prepared(conditionals, evidence)
        w = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
        origin = np.zeros(len(self.structure.sizes)) if shift is None else np.asarray(shift)
        total = empty_statistics(self.structure, len(rows))
        for where, part, layout in self._blocks(rows, known):
            passed = self._passed(log_conditionals, part, layout)
            add_statistics(total, passed, w[where], origin)
            total.log_z[where] = passed.log_z
        return total

    def mixture(
        self, conditionals: Sequence[Conditional], nodes: Sequence[int], evidence: Evidence
    ) -> Mixture:
        """The joint posterior of some nodes, whole.

        Raises:
            InputError: if rows differ in which nodes are observed.
        """
        rows, log_conditionals, known = self._prepared(conditionals, evidence)
        if (rows.given != rows.given[:1]).any() or (rows.seen != rows.seen[:1]).any():
            raise InputError(
                "the rows of evidence differ in which nodes they observe, and so in what their "
                "mixtures are over; ask for one such pattern at a time."
            )
        parts = [
            mixture(self._passed(log_conditionals, part, layout), nodes)
            for _, part, layout in self._blocks(rows, known, nodes, nodes)
        ]
        first = parts[0]
        joined = {
            name: _squeezed(np.concatenate([getattr(part, name) for part in parts]), rows)
            for name in ("log_z", "weights", "means", "covariances")
        }
        return Mixture(scope=first.scope, nodes=first.nodes, **joined)

    def sample(
        self,
        conditionals: Sequence[Conditional],
        evidence: Evidence,
        draws: int,
        rng: np.random.Generator,
    ) -> tuple[Ints, Floats]:
        """Exact draws of all nodes given the evidence.

        Returns:
            states and values, each (draws, n, V), or (draws, V) where the evidence has no axis of
            rows; -1 and NaN where a node is of the other kind. What is observed is as given.

        Raises:
            InputError: if the evidence of a row has the probability 0.
        """
        rows, log_conditionals, known = self._prepared(conditionals, evidence)
        shape = (draws, len(rows), len(self.structure.sizes))
        codes, values = np.empty(shape, np.intp), np.empty(shape)
        for where, part, layout in self._blocks(rows, known):
            passed = self._passed(log_conditionals, part, layout)
            if np.isneginf(passed.log_z).any():
                row = where[np.isneginf(passed.log_z)][0]
                raise InputError(
                    f"the evidence of row {row} has the probability 0; nothing can be drawn."
                )
            codes[:, where], values[:, where] = draw(passed, draws, rng)
        return (codes, values) if rows.batched else (codes[:, 0], values[:, 0])

    def _prepared(
        self, conditionals: Sequence[Conditional], evidence: Evidence
    ) -> tuple[Rows, Conditionals, frozenset[int]]:
        """Evidence as rows, logarithms of tables, and the nodes whose values are known without
        evidence: those without noise whose parents are known, as interventions make them."""
        structure, names = self.structure, self.structure.dag.names
        rows = as_rows(structure.sizes, names, evidence)
        prepared: dict[int, Any] = {}
        with np.errstate(divide="ignore"):
            for node in structure.discrete:
                prepared[node] = np.log(conditionals[node])
        known: set[int] = set()
        for node in structure.continuous:
            intercept, coefficients, variance = (np.asarray(part) for part in conditionals[node])
            if not (variance >= 0).all():
                raise InputError(
                    f"{names[node]!r} has a variance that is negative or not a number."
                )
            prepared[node] = intercept, coefficients, variance
            parents = structure.dag.parents[node]
            if variance.ndim == 0 and variance == 0 and known.issuperset(parents):
                known.add(node)
                if not np.isnan(rows.values[:, node]).all():
                    raise InputError(
                        f"{names[node]!r} is set to a value, so that evidence on it has no "
                        "density; leave that evidence out."
                    )
                rows.values[:, node] = intercept + rows.values[:, list(parents)] @ coefficients
        return rows, prepared, frozenset(known)

    def _blocks(
        self,
        rows: Rows,
        known: frozenset[int],
        targets: Collection[int] | None = None,
        linked: Collection[int] = (),
    ) -> Iterator[tuple[Ints, Rows, Layout]]:
        """The rows in blocks that fit in memory: their numbers, themselves, and their layout."""
        waiting = [np.arange(len(rows))]
        while waiting:
            where = waiting.pop()
            part = rows.take(where)
            layout = self._laid_out(part, known, targets, linked)
            cost = layout_cost(self.structure, layout, len(linked))
            few = cost.bytes <= min(_BLOCK, self.memory or _BLOCK)
            if few or (len(where) == 1 and self._allowed(cost)):
                yield where, part, layout
            else:
                waiting += [where[len(where) // 2 :], where[: len(where) // 2]]

    def _laid_out(
        self,
        rows: Rows,
        known: frozenset[int],
        targets: Collection[int] | None = None,
        linked: Collection[int] = (),
    ) -> Layout:
        asked = range(len(self.structure.sizes)) if targets is None else targets
        virtual = tuple(sorted(rows.log_likelihoods))
        question = Question(known, virtual, frozenset(asked), tuple(linked))
        given, seen = (np.packbits(mask, axis=1).tobytes() for mask in (rows.given, rows.seen))
        layout = self._kept_layout if rows.codes.size <= _KEPT else self._new_layout
        return layout(given, seen, question)

    def _new_layout(self, given: bytes, seen: bytes, question: Question) -> Layout:
        n_bytes = -(-len(self.structure.sizes) // 8)
        masks = [np.frombuffer(packed, np.uint8).reshape(-1, n_bytes) for packed in (given, seen)]
        wide = [np.unpackbits(mask, axis=1, count=len(self.structure.sizes)) for mask in masks]
        return lay_out(self.structure, wide[0] == 1, wide[1] == 1, question)

    def _allowed(self, cost: Cost) -> bool:
        """Raise InputError if more memory is asked for than there is."""
        budget = memory_budget() if self.memory is None else self.memory
        if cost.bytes > budget:
            shown = ", ".join(repr(self.structure.dag.names[v]) for v in cost.clique)
            raise _TooLarge(
                f"exact inference takes {amount(cost.bytes)}; {amount(budget)} may be used. "
                f"The largest clique has {cost.n_cells:,} cells: {shown}. Observe "
                'some of these, use method="sampling", or allow more memory.'
            )
        return True

    def _passed(self, conditionals: Conditionals, rows: Rows, layout: Layout) -> Pass:
        passed = Pass(self.structure, conditionals, rows, layout)
        if (passed.log_z > INFINITE / 2).any():
            row = int(np.argmax(passed.log_z > INFINITE / 2))
            certain = {
                node
                for solved in passed.components
                if row in solved.component.rows and solved.solved.singular.any()
                for node in solved.component.nodes
                if node not in solved.component.open
            }
            shown = ", ".join(repr(self.structure.dag.names[v]) for v in sorted(certain))
            raise InputError(
                f"the values given of {shown} have no density: a node without noise (variance 0) "
                "is a function of its parents, and certain given the rest of the evidence. Leave "
                "such a node out."
            )
        return passed


class _TooLarge(InputError):
    """More memory is asked for than there is."""


def _squeezed(answer: Floats, rows: Rows) -> Floats:
    """An answer without the axis of rows where the evidence has none."""
    return answer if rows.batched else np.asarray(answer[0])
