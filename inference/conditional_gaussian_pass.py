"""Rows of evidence on a conditional linear Gaussian network, passed through it.

Continuous nodes are integrated out first (a strong order of elimination): each component leaves a
table of log densities over its discrete parents, in each row. These tables, the tables of discrete
nodes and the likelihoods of virtual evidence are summed over what is discrete. Rows that have
tables over the same variables are taken together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from operator import itemgetter

import numpy as np

from ..arrays import Floats, Ints, Mask
from .component_posterior import ComponentPosterior, Conditionals
from .elimination import Plan, Scope
from .exact import Cost
from .gaussian_components import Component, Structure, components, kinds
from .log_sum_product import LogSum, elimination_plan
from .mixed_evidence import Rows


@dataclass(frozen=True, eq=False)
class Group:
    """Rows whose tables are over the same variables.

    Attributes:
        rows: their numbers.
        nodes: the discrete nodes that play a part.
        given: those whose states are given.
        leaders: for each scope over which there are log densities, the leaders of the components.
        plan: of the elimination, its scopes those of `nodes`, of virtual evidence, of `leaders`,
            and `extra`; those of `nodes` without what is given.
        extra: variables whose joint distribution is asked for besides.
    """

    rows: Ints
    nodes: Scope
    given: frozenset[int]
    virtual: Scope
    leaders: dict[Scope, list[int]]
    extra: Scope
    plan: Plan


@dataclass(frozen=True, eq=False)
class Layout:
    """What is done for rows, before any number is computed: the components of the continuous nodes
    of all rows, and the groups of rows."""

    components: list[Component]
    groups: list[Group]


@dataclass(frozen=True)
class Question:
    """What is asked of rows.

    Attributes:
        known: continuous nodes whose values follow without evidence: their families play no part.
        virtual: discrete nodes with virtual evidence.
        targets: nodes that are asked for besides the probability of the evidence.
        linked: nodes whose joint distribution is asked for.
    """

    known: frozenset[int]
    virtual: Scope
    targets: frozenset[int]
    linked: Scope


def lay_out(structure: Structure, given: Mask, seen: Mask, question: Question) -> Layout:
    """Find the components and the groups of rows.

    Args:
        given: (n, V) whether the state of a discrete node is given.
        seen: (n, V) whether the value of a continuous node is.
    """
    n, V = given.shape
    needed = given | seen
    needed[:, list(question.targets)] = True
    for node in reversed(structure.continuous):
        for parent in structure.continuous_parents[node]:
            needed[:, parent] |= needed[:, node]
    known = list(question.known)
    needed[:, known] = False
    continuous = np.array([size == 0 for size in structure.sizes])
    open_ = ~seen & continuous
    open_[:, known] = False
    joint = [v for v in question.linked if continuous[v]]
    found = list(components(structure, open_, given, needed & continuous, joint))
    scopes: dict[Scope, int] = {}
    scope_of = np.full((n, V), -1)
    for component in found:
        if component.free:
            number = scopes.setdefault(component.free, len(scopes))
            scope_of[component.rows, component.leader] = number
    extra = _joint(structure, found, question.linked, given)
    return Layout(found, _groups(structure, given, scope_of, list(scopes), question, extra))


def _joint(
    structure: Structure, found: list[Component], linked: Collection[int], given: Mask
) -> Scope:
    """The discrete variables of a joint distribution: those asked for, and those that it is a
    mixture over."""
    over = {v for v in linked if structure.sizes[v] and not given[:, v].all()}
    for component in found:
        if not set(linked).isdisjoint(component.open):
            over.update(component.free)
    return tuple(sorted(over))


def _groups(
    structure: Structure,
    given: Mask,
    scope_of: Ints,
    scopes: list[Scope],
    question: Question,
    extra: Scope,
) -> list[Group]:
    V = len(structure.sizes)
    virtual = question.virtual
    out = []
    for kind, where in kinds(np.hstack([scope_of, given])):
        leaders: dict[Scope, list[int]] = {}
        for leader in np.flatnonzero(kind[:V] >= 0):
            leaders.setdefault(scopes[kind[leader]], []).append(int(leader))
        fixed = frozenset(np.flatnonzero(kind[V:]).tolist())
        wanted = structure.dag.ancestors(fixed.union(question.targets, virtual, *leaders))
        nodes = tuple(v for v in structure.discrete if v in wanted)
        tables = [tuple(v for v in (*structure.dag.parents[i], i) if v not in fixed) for i in nodes]
        tables += [(v,) for v in virtual] + list(leaders) + ([extra] if extra else [])
        plan = elimination_plan(structure.sizes, tuple(tables))
        out.append(Group(where, nodes, fixed, virtual, leaders, extra, plan))
    return out


def layout_cost(structure: Structure, layout: Layout, linked: int = 0) -> Cost:
    """What a layout takes, with the joint distribution of so many nodes; the cells of a component
    are those of one matrix for each configuration."""
    cells, numbers = 0, 0
    largest: tuple[Scope, int] = ((), 0)
    for component in layout.components:
        n, d = len(component.rows), len(component.nodes)
        u = prod(structure.shape(component.free))
        Q = min(prod(structure.shape(component.scope)), n * u)
        cells += Q * d * d
        gathered = d * d if component.free != component.scope else 0
        f = d + len(component.constants)
        numbers += 8 * Q * d * (f + 1) + n * u * (4 * f + 4 + gathered)
        largest = max(largest, ((*component.free, *component.open), Q * d * d), key=itemgetter(1))
    for group in layout.groups:
        cells += group.plan.total
        numbers += 3 * len(group.rows) * group.plan.total
        numbers += 3 * len(group.rows) * group.plan.cells(group.extra) * linked * (linked + 1)
        clique = group.plan.largest
        largest = max(largest, (clique, group.plan.cells(clique)), key=itemgetter(1))
    return Cost(cells, 8 * numbers, *largest)


class Pass:
    """Rows passed through a network: log Z, and what follows from it.

    Args:
        conditionals: by node: a table's logarithm, or (intercept, coefficients, variance).
    """

    def __init__(
        self, structure: Structure, conditionals: Conditionals, rows: Rows, layout: Layout
    ) -> None:
        self.structure, self.rows, self.layout = structure, rows, layout
        self.components = [
            ComponentPosterior.of(structure, conditionals, component, rows)
            for component in layout.components
        ]
        self.log_z = np.zeros(len(rows))
        self._pairs = np.empty(sum(solved.given.log_density.size for solved in self.components))
        self._start = np.zeros(rows.codes.shape, np.intp)  # of each component in `_pairs`
        first = 0
        for solved in self.components:
            component, log_density = solved.component, solved.given.log_density
            starts = first + log_density.shape[1] * np.arange(len(log_density))
            self._start[component.rows, component.leader] = starts
            self._pairs[first : first + log_density.size] = log_density.reshape(-1)
            first += log_density.size
            if not component.free:
                self.log_z[component.rows] += log_density[:, 0]
        self.sums = [self._sum(group, conditionals) for group in layout.groups]
        for group, total in zip(layout.groups, self.sums, strict=True):
            self.log_z[group.rows] += total.log_z

    def _sum(self, group: Group, conditionals: Conditionals) -> LogSum:
        """Sum the tables of a group over what is discrete."""
        codes, sizes = self.rows.codes[group.rows], self.structure.sizes
        tables: list[Floats] = []
        for node in group.nodes:
            scope = (*self.structure.dag.parents[node], node)
            fixed = [a for a, v in enumerate(scope) if v in group.given]
            free = [a for a, v in enumerate(scope) if v not in group.given]
            table = conditionals[node].transpose(*fixed, *free)
            at = tuple(codes[:, scope[a]] for a in fixed)
            tables.append(table[at] if fixed else table[None])
        for v in group.virtual:
            log = self.rows.log_likelihoods[v]
            tables.append(log[group.rows] if len(log) == len(self.rows) else log)
        for scope, leaders in group.leaders.items():
            pairs = sum(self._pairs[self._places(group, leader, scope)] for leader in leaders)
            tables.append(np.reshape(pairs, (len(group.rows), *(sizes[v] for v in scope))))
        if group.extra:
            tables.append(np.zeros((1, *(sizes[v] for v in group.extra))))
        return LogSum(group.plan, tables)

    def _places(self, group: Group, leader: int, scope: Scope) -> Ints:
        """(n, u) where the log densities of a group's rows are in the long array."""
        u = prod(self.structure.shape(scope))
        places: Ints = self._start[group.rows, leader][:, None] + np.arange(u)
        return places

    def weights(self) -> Weights:
        """The probabilities of what is discrete given the evidence; 0 where that has none."""
        pairs = np.ones(len(self._pairs))
        tables = []
        for group, total in zip(self.layout.groups, self.sums, strict=True):
            found = total.probabilities()
            tables.append(found)
            first = len(group.nodes) + len(group.virtual)
            for p, (scope, leaders) in zip(found[first:], group.leaders.items(), strict=False):
                for leader in leaders:
                    places = self._places(group, leader, scope)
                    pairs[places] = p.reshape(len(p), -1)
        of_component, first = [], 0
        for solved in self.components:
            shape = solved.given.log_density.shape
            of_component.append(pairs[first : first + prod(shape)].reshape(shape))
            first += prod(shape)
        return Weights(tables, of_component)


@dataclass(frozen=True, eq=False)
class Weights:
    """Probabilities of discrete variables given the evidence.

    Attributes:
        tables: for each group, those of the variables of each scope of its plan.
        components: for each component (n, u), of each row's configurations.
    """

    tables: list[list[Floats]]
    components: list[Floats]
