"""Which tables of a model with discrete latent sites belong together, and their variables.

Sites that discrete sites couple are a group. The plates that all of them are in make it independent
units, which are summed side by side. In the other plates each entry of a discrete site is a
variable of its own, and the tables that depend on it are taken apart; an observed site that
depends on no such variable is multiplied over these plates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal, NamedTuple

from ..arrays import Floats
from ..errors import InputError
from .elimination import Plan, Scope
from .log_sum_product import elimination_plan

STEP = "_step"  # the plate of the steps of a scan


def unnamed(dim: int) -> str:
    """The plate of a dimension (negative) that is in none."""
    return f"_dim{-dim}"


Kind = Literal["discrete", "observed", "latent"]


class Variable(NamedTuple):
    """A discrete latent site; `step` of a scan, None elsewhere."""

    site: str
    step: int | None = None


@dataclass(frozen=True)
class Factor:
    """The log density of a site as a table.

    Attributes:
        site: its name.
        step: of the scan that it is in; None elsewhere.
        kind: "discrete" latent, "observed", or continuous "latent" that depends on a discrete site.
        variables: the discrete sites that it depends on, itself included.
        plates: that it is in, from the left.
        shape: of its table: the states of each variable, then the size of each plate.
    """

    site: str
    step: int | None
    kind: Kind
    variables: tuple[Variable, ...]
    plates: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def variable(self) -> Variable:
        """Itself."""
        return Variable(self.site, self.step)

    @property
    def sizes(self) -> dict[str, int]:
        """Of its plates."""
        return dict(zip(self.plates, self.shape[len(self.variables) :], strict=True))


class Entry(NamedTuple):
    """One table of a group: a factor at one entry of the plates that are taken apart."""

    factor: int
    at: dict[str, int]
    over: tuple[str, ...]  # the plates that it is multiplied over


@dataclass(frozen=True)
class Group:
    """Sites that discrete sites couple.

    Attributes:
        factors: all of the model.
        members: numbers of those of the group, in the order of the model.
        units: plate -> size, of the plates that all members are in.
    """

    factors: Sequence[Factor]
    members: tuple[int, ...]
    units: dict[str, int]

    @property
    def observed(self) -> tuple[str, ...]:
        """Its observed sites."""
        found = (self.factors[f] for f in self.members)
        return tuple(dict.fromkeys(f.site for f in found if f.kind == "observed"))

    @cached_property
    def discrete(self) -> bool:
        """Whether it has any discrete site."""
        return any(self.factors[f].variables for f in self.members)

    @property
    def coupled(self) -> bool:
        """Whether discrete sites couple its observations, and no plate makes units of them."""
        return self.discrete and not self.units

    @property
    def latents(self) -> tuple[str, ...]:
        """Its continuous latent sites."""
        found = (self.factors[f] for f in self.members)
        return tuple(dict.fromkeys(f.site for f in found if f.kind == "latent"))

    @property
    def unit_count(self) -> int:
        return math.prod(self.units.values())

    @cached_property
    def _home(self) -> dict[Variable, tuple[str, ...]]:
        """The plates of each discrete site."""
        return {f.variable: f.plates for f in self.factors if f.kind == "discrete"}

    @cached_property
    def entries(self) -> list[Entry]:
        """Its tables, in the order of the model."""
        out = []
        for number in self.members:
            factor = self.factors[number]
            apart = [
                p
                for p in factor.plates
                if p not in self.units and any(p in self._home[v] for v in factor.variables)
            ]
            over = tuple(p for p in factor.plates if p not in self.units and p not in apart)
            for index in product(*(range(factor.sizes[p]) for p in apart)):
                out.append(Entry(number, dict(zip(apart, index, strict=True)), over))
        return out

    @cached_property
    def own(self) -> dict[int, int]:
        """Variable -> the number of its own table, that of its site."""
        latent = (
            (i, e) for i, e in enumerate(self.entries) if self.factors[e.factor].kind == "discrete"
        )
        return {
            self.variables[self.factors[e.factor].variable, tuple(e.at.values())]: i
            for i, e in latent
        }

    @cached_property
    def variables(self) -> dict[tuple[Variable, tuple[int, ...]], int]:
        """(variable, where it is in the plates that are taken apart) -> its number."""
        out: dict[tuple[Variable, tuple[int, ...]], int] = {}
        for entry in self.entries:
            factor = self.factors[entry.factor]
            if factor.kind == "discrete":
                out[factor.variable, tuple(entry.at.values())] = len(out)
        return out

    def places(self, site: str) -> dict[str, int]:
        """Plate -> size, of the plates of a site; steps of a scan first."""
        found = [self.factors[f] for f in self.members if self.factors[f].site == site]
        steps = {} if found[0].step is None else {STEP: len(found)}
        return {**steps, **found[0].sizes}

    def place(self, entry: Entry) -> tuple[slice | int, ...]:
        """Where an entry is among the places of its site."""
        factor = self.factors[entry.factor]
        step = () if factor.step is None else (factor.step,)
        return (*step, *(entry.at.get(p, slice(None)) for p in factor.plates))

    @cached_property
    def plan(self) -> Plan:
        """How its variables are summed out."""
        sizes = [0] * len(self.variables)
        scopes = []
        for entry in self.entries:
            scope = self.scope(entry)
            scopes.append(scope)
            for v, k in zip(scope, self.factors[entry.factor].shape, strict=False):
                sizes[v] = k
        return elimination_plan(tuple(sizes), tuple(scopes))

    def scope(self, entry: Entry) -> Scope:
        """The numbers of the variables of a table."""
        return tuple(
            self.variables[v, tuple(entry.at[p] for p in self._home[v] if p in entry.at)]
            for v in self.factors[entry.factor].variables
        )

    def table(self, entry: Entry, tables: Sequence[Floats]) -> Floats:
        """(b * units, *states, *over) the table of an entry, of those of all factors."""
        factor, whole = self.factors[entry.factor], tables[entry.factor]
        first = 1 + len(factor.variables)
        axis = {plate: first + i for i, plate in enumerate(factor.plates)}
        order = [axis[p] for p in self.units] + list(range(1, first))
        order += [axis[p] for p in entry.at] + [axis[p] for p in entry.over]
        moved = whole.transpose(0, *order)
        at = (slice(None),) * (len(self.units) + first) + tuple(entry.at.values())
        part = moved[at]
        return part.reshape(-1, *part.shape[1 + len(self.units) :])

    def multiplied(self, entry: Entry, tables: Sequence[Floats]) -> Floats:
        """(b * units, *states) the same, multiplied over the plates that it is not taken apart
        in."""
        table = self.table(entry, tables)
        whole: Floats = table.sum(axis=tuple(range(table.ndim - len(entry.over), table.ndim)))
        return whole

    @property
    def cells(self) -> int:
        """Cells of all cliques of one draw."""
        return self.plan.total * self.unit_count


def groups_of(factors: Sequence[Factor]) -> list[Group]:
    """The groups of a model's factors, in its order.

    Raises:
        InputError: if a site depends on a discrete site of a plate that it is not in.
    """
    home = {f.variable: f for f in factors if f.kind == "discrete"}
    _check(factors, home)
    leader = list(range(len(factors)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    first: dict[object, int] = {}  # of each variable, and of each site
    for i, factor in enumerate(factors):
        for key in (*factor.variables, ("site", factor.site)):
            a, b = sorted((find(first.setdefault(key, i)), find(i)))
            leader[b] = a
    members: dict[int, list[int]] = {}
    for i in range(len(factors)):
        members.setdefault(find(i), []).append(i)
    groups = []
    for found in members.values():
        plates = [factors[i].sizes for i in found]
        units = {p: k for p, k in plates[0].items() if all(p in other for other in plates)}
        groups.append(Group(factors, tuple(found), units))
    return groups


def _check(factors: Sequence[Factor], home: dict[Variable, Factor]) -> None:
    for factor in factors:
        for v in factor.variables:
            lost = [p for p in home[v].plates if p not in factor.plates]
            if lost:
                raise InputError(
                    f"site {factor.site!r} depends on every entry of the discrete site {v.site!r}, "
                    f"which is in plate {lost[0]!r}, but is not in that plate itself; their joint "
                    "states are too many to sum. Put both in the plate, or the discrete site "
                    "outside it."
                )
