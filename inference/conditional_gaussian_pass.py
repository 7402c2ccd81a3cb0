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
    """What is done for rows, before any number is computed.

    Attributes:
        start: (n, V) where the log densities of the component with this leader begin in the row's
            part of one long array; -1 if there is none.
        length: of that array.
    """

    components: list[Component]
    groups: list[Group]
    start: Ints
    length: int


def lay_out(
    structure: Structure,
    rows: Rows,
    known: Collection[int] = (),
    targets: Collection[int] | None = None,
    linked: Collection[int] = (),
) -> Layout:
    """Find the components and the groups of rows.

    Args:
        known: continuous nodes whose values follow without evidence: their families play no part.
        targets: nodes that are asked for besides the probability of the evidence; None: all.
        linked: nodes whose joint distribution is asked for.
    """
    V = len(structure.sizes)
    asked = set(range(V)) if targets is None else set(targets)
    observed = rows.observed
    needed = observed.copy()
    needed[:, list(asked)] = True
    for node in reversed(structure.continuous):
        for parent in structure.continuous_parents[node]:
            needed[:, parent] |= needed[:, node]
    needed[:, list(known)] = False
    continuous = np.zeros(V, bool)
    continuous[list(structure.continuous)] = True
    open_ = np.isnan(rows.values) & continuous
    open_[:, list(known)] = False
    given = rows.codes >= 0
    joint = [v for v in linked if continuous[v]]
    found = list(components(structure, open_, given, needed & continuous, joint))
    scopes: dict[Scope, int] = {}
    scope_of = np.full((len(rows), V), -1)
    start = np.full((len(rows), V), -1)
    length = 0
    for component in found:
        u = int(np.prod(structure.shape(component.free)))
        start[component.rows, component.leader] = length + u * np.arange(len(component.rows))
        length += u * len(component.rows)
        if component.free:
            scope_of[component.rows, component.leader] = scopes.setdefault(
                component.free, len(scopes)
            )
    extra = _joint(structure, found, linked, given)
    groups = _groups(structure, rows, scope_of, list(scopes), asked, extra)
    return Layout(found, groups, start, length)


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
    rows: Rows,
    scope_of: Ints,
    scopes: list[Scope],
    asked: set[int],
    extra: Scope,
) -> list[Group]:
    V = len(structure.sizes)
    virtual = tuple(sorted(rows.log_likelihoods))
    out = []
    for kind, where in kinds(np.hstack([scope_of, rows.codes >= 0])):
        leaders: dict[Scope, list[int]] = {}
        for leader in np.flatnonzero(kind[:V] >= 0):
            leaders.setdefault(scopes[kind[leader]], []).append(int(leader))
        given = frozenset(np.flatnonzero(kind[V:]).tolist())
        wanted = structure.dag.ancestors(given.union(asked, virtual, *leaders))
        nodes = tuple(v for v in structure.discrete if v in wanted)
        tables = [tuple(v for v in (*structure.dag.parents[i], i) if v not in given) for i in nodes]
        tables += [(v,) for v in virtual] + list(leaders) + ([extra] if extra else [])
        plan = elimination_plan(structure.sizes, tuple(tables))
        out.append(Group(where, nodes, given, virtual, leaders, extra, plan))
    return out


def layout_cost(structure: Structure, layout: Layout) -> Cost:
    """What a layout takes; cells of a component are those of one matrix for each configuration."""
    cells, numbers = 0, 0
    largest: tuple[Scope, int] = ((), 0)
    for component in layout.components:
        n, d = len(component.rows), len(component.nodes)
        u = prod(structure.shape(component.free))
        Q = min(prod(structure.shape(component.scope)), n * u)
        cells += Q * d * d
        gathered = d * d if component.free != component.scope else 0
        numbers += 8 * Q * d * (d + 1) + n * u * (4 * d + 4 + gathered)
        largest = max(largest, ((*component.free, *component.open), Q * d * d), key=itemgetter(1))
    for group in layout.groups:
        cells += group.plan.total
        numbers += 3 * len(group.rows) * group.plan.total
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
        self._pairs = np.empty(layout.length)
        for solved in self.components:
            component = solved.component
            log_density = solved.given.log_density
            if component.free:
                first = layout.start[component.rows[0], component.leader]
                self._pairs[first : first + log_density.size] = log_density.reshape(-1)
            else:
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
        u = int(np.prod(self.structure.shape(scope)))
        places: Ints = self.layout.start[group.rows, leader][:, None] + np.arange(u)
        return places

    def weights(self) -> Weights:
        """The probabilities of what is discrete given the evidence; 0 where that has none."""
        pairs = np.ones(self.layout.length)
        tables = []
        for group, total in zip(self.layout.groups, self.sums, strict=True):
            found = total.probabilities()
            tables.append(found)
            first = len(group.nodes) + len(group.virtual)
            for p, (scope, leaders) in zip(found[first:], group.leaders.items(), strict=False):
                for leader in leaders:
                    places = self._places(group, leader, scope)
                    pairs[places] = p.reshape(len(p), -1)
        of_component = []
        for solved in self.components:
            component, shape = solved.component, solved.given.log_density.shape
            first = self.layout.start[component.rows[0], component.leader]
            of_component.append(pairs[first : first + np.prod(shape)].reshape(shape))
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
