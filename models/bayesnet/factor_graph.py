"""The factor graph that users meet: an undirected model that answers queries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...data.memory_limit import bytes_of
from ...errors import InputError
from ...inference.exact import Cost
from ...inference.posterior_sampling import sample_posterior
from . import formats
from .factors import Factors, factors_of
from .formats import uai
from .formats.source import decoded, read_bytes
from .network import Network
from .queries.answers import Answer
from .queries.discrete import Discrete, How, Method
from .queries.evidence import Given, check_possible, read_given, read_targets
from .queries.explanation import MostProbable
from .queries.results import Result
from .queries.soft import with_soft


@dataclass(frozen=True, eq=False, repr=False)
class FactorGraph(Factors):
    """An undirected model of discrete variables: a product of tables, divided by its sum Z.

    Its methods take evidence as node -> state, or a `Likelihood` or `Distribution` of its states,
    or columns of many rows; `method` is "exact", "cutset" (exact, in less memory), "sampling"
    (Gibbs, with standard errors) or "loopy" (approximate); `memory` is what may be taken, such as
    "8GB".

    Attributes:
        evidence: what is observed beforehand, variable -> state, beside what a query is given.
    """

    evidence: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Factors | Network, evidence: Mapping[str, Any] | None = None) -> Self:
        """The factor graph of a model: of a network, a table for each node."""
        if isinstance(model, Network):
            model = factors_of(model)
        return cls(model.names, model.states, model.scopes, model.tables, dict(evidence or {}))

    @classmethod
    def from_uai(
        cls, path: str | os.PathLike[str], evidence: str | os.PathLike[str] | None = None
    ) -> Self:
        """The model of a UAI file of either kind, with its evidence.

        Args:
            path: of the model; variables are called "0", "1", ..., with states 0, 1, ...
            evidence: of a file of evidence, or None.

        Raises:
            InputError: if something is wrong in a file: with line and column.
        """
        model = uai.read_factors(decoded(Path(path).name, read_bytes(path)))
        observed: dict[int, int] = {}
        if evidence is not None:
            source = decoded(Path(evidence).name, read_bytes(evidence))
            observed = uai.read_evidence(source, model.sizes)
        return cls.of(model, {str(variable): state for variable, state in observed.items()})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """The model of a file of any format; of a network, a table for each node."""
        return cls.of(formats.read(path))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the model as .uai, which loses names, or .json. Evidence is not written."""
        formats.write(self, path)

    def __repr__(self) -> str:
        entries = sum(table.size for table in self.tables)
        observed = f", {len(self.evidence)} observed" if self.evidence else ""
        return (
            f"{type(self).__name__}({len(self.names)} variables, {len(self.tables)} tables, "
            f"{entries:,} entries{observed})"
        )

    def log_z(
        self, given: Any = None, *, method: Method = "exact", memory: str | int | None = None
    ) -> Any:
        """Natural log of the sum of the product of all tables over what is not observed, a float or
        (n,) of n rows of evidence; log10 Z is that over log(10)."""
        how = How(method, bytes_of(memory))
        log_z = self._engine(how).log_z(self._given(given, soft=False).evidence, how)
        return float(log_z) if np.ndim(log_z) == 0 else log_z

    def marginals(
        self,
        given: Any = None,
        *,
        method: Method = "exact",
        memory: str | int | None = None,
        draws: int = 10_000,
        random_state: int = 0,
    ) -> dict[str, Answer]:
        """The posterior of every variable, one by one, those observed included: name -> answer.

        Raises:
            InputError: if the evidence is impossible.
        """
        how = How(method, bytes_of(memory), draws, random_state)
        asked = self._given(given)
        engine = self._engine(how)
        evidence = with_soft(self, asked, lambda e, v: engine.marginals(e, how).probs[v])
        found = engine.marginals(evidence, how)
        answers = {}
        for variable, name in enumerate(self.names):
            stderr = None if found.stderr is None else found.stderr[variable]
            result = Result(found.log_z, found.probs[variable], {}, stderr, found.reasons)
            answers[name] = Answer.of(self, [variable], result, how.method, asked)
        return answers

    def query(
        self,
        target: Any,
        given: Any = None,
        *,
        do: Any = None,
        method: Method = "exact",
        memory: str | int | None = None,
        draws: int = 10_000,
        random_state: int = 0,
    ) -> Answer:
        """The posterior of a variable, or of several jointly.

        Args:
            target: a name, or several.
            given: evidence.
            do: of networks; a model without directions has no interventions.
            method, memory: see the class.
            draws, random_state: of sampling.

        Raises:
            InputError: for an unknown variable or state, a target that is given, or evidence that
                is impossible.
        """
        if do is not None:
            raise InputError(
                "do sets nodes of a directed network from outside; a factor graph has none. "
                "Give what is known instead."
            )
        how = How(method, bytes_of(memory), draws, random_state)
        asked = self._given(given)
        targets = read_targets(self, target, asked)
        engine = self._engine(how)
        evidence = with_soft(self, asked, lambda e, v: engine.joint([v], e, how).probs)
        found = engine.joint(targets, evidence, how)
        return Answer.of(self, targets, found, how.method, asked)

    def most_probable(
        self, given: Any = None, target: Any = None, *, memory: str | int | None = None
    ) -> MostProbable:
        """The most probable states given the evidence: of all variables together (MPE), or of some
        with the others summed out (MAP).

        Args:
            given: evidence; no `Distribution`.
            target: a name or several; None is all.
            memory: see the class.

        Raises:
            InputError: for an unknown variable or state, or evidence that is impossible.
        """
        how = How(memory=bytes_of(memory))
        asked = self._given(given, soft=False)
        targets = None if target is None else read_targets(self, target, asked)
        found = self._engine(how).most_probable(asked.evidence, targets)
        check_possible(found.log_z, asked)
        return MostProbable.of(self, targets, found.states, found.log_prob, found.log_z, asked)

    def sample(
        self,
        n: int = 1,
        given: Any = None,
        *,
        random_state: int = 0,
        memory: str | int | None = None,
    ) -> dict[str, list[Any]]:
        """Independent draws of all variables given the evidence, exact: name -> n states, as a
        frame takes them.

        Args:
            n: how many.
            given: evidence, no table of rows.
            random_state: seed.
            memory: see the class.
        """
        asked = self._given(given, soft=False)
        if asked.rows is not None:
            raise InputError("rows of evidence were given; draws are given one row: node -> state.")
        engine = self._engine(How(memory=bytes_of(memory)))
        drawn = sample_posterior(engine.exact, self.tables, asked.evidence, n, seed=random_state)
        check_possible(drawn.log_z, asked)
        return {
            name: [states[state] for state in drawn.states[:, variable].tolist()]
            for variable, (name, states) in enumerate(zip(self.names, self.states, strict=True))
        }

    def cost(self, given: Any = None, *, memory: str | int | None = None) -> Cost:
        """What exact marginals take, known before anything is allocated: cells, bytes and the
        largest clique. InputError, naming it, if that is more than `memory`."""
        how = How(memory=bytes_of(memory))
        cost = self._engine(how).exact.cost(sorted(self._given(given).hard))
        return replace(cost, names=tuple(self.names[v] for v in cost.clique))

    def _given(self, given: Any, *, soft: bool = True) -> Given:
        """What is given, and what is observed beforehand."""
        found = read_given(self, given)
        own = read_given(self, self.evidence)
        for variable, state in own.evidence.items():
            if variable in found.nodes and not np.all(found.evidence.get(variable) == state):
                raise InputError(
                    f"{self.names[variable]!r} is observed beforehand as "
                    f"{self.states[variable][state]!r} and given otherwise; leave one out."
                )
        if found.soft and not soft:
            raise InputError("log Z given a Distribution is not defined; give a Likelihood.")
        evidence = {**found.evidence, **own.evidence}
        hard = found.hard | own.hard
        return Given(evidence, found.soft, found.rows, hard, found.shown)

    def _engine(self, how: How) -> Discrete:
        return _engine(self, how.memory)


@lru_cache(maxsize=8)
def _engine(model: Factors, memory: int | None) -> Discrete:
    """The engines of a model, with the plans that they have made."""
    return Discrete(model.sizes, model.scopes, model.tables, model.names, memory)
