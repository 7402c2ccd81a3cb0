"""Queries of a Bayesian network: which engine answers, and the answer.

Discrete targets are answered jointly; continuous ones given each combination of states of the
discrete targets, with mean, standard deviation and quantiles in the units of the data. Exact are
probabilities, and of continuous nodes all of these: their posterior is a mixture of Gaussians
(moments of a node whose map to the model's coordinates is not linear are taken by quadrature).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....data.reading import Reading
from ....errors import InputError
from ....inference.exact import Cost
from .. import weighted
from ..flow_factors import exact_for
from ..network import Network
from ..posterior import Posterior
from .answers import Answer
from .discrete import How, States
from .engines import (
    by_tables,
    discrete_of,
    done_of,
    exact,
    exact_marginals,
    limited_posterior,
)
from .evidence import Given, check_possible, read_do, read_given, read_targets
from .explanation import MostProbable
from .results import Result
from .sampled import estimated
from .soft import with_soft
from .units import Units

LEVELS = (0.05, 0.5, 0.95)  # of quantiles


@dataclass(frozen=True, eq=False)
class Asked:
    """A network that is asked.

    Attributes:
        network: in the coordinates of the model.
        units: how continuous nodes are mapped there.
        beforehand: evidence that goes into every answer.
        constants: columns that did not vary in the rows that were fitted, and are no nodes.
        reading: how the rows that were fitted write their numbers.
    """

    network: Network
    units: Units
    beforehand: Mapping[int, Any]
    constants: Collection[str]
    reading: Reading

    def query(
        self,
        target: Any,
        given: Any,
        do: Any,
        how: How,
        levels: Sequence[float] = LEVELS,
        networks: Iterable[Network] = (),
        credible: float | None = None,
    ) -> Answer:
        """The answer, with its credible band over networks that are draws of the parameters."""
        if not all(0 < level < 1 for level in levels):
            raise InputError(f"quantiles at {list(levels)} asked for; levels lie between 0 and 1.")
        evidence, network, targets = self.read(target, given, do)
        found = self._found(network, evidence, targets, how, levels)
        answer = Answer.of(network, targets, found, how.method, evidence)
        if credible is None:
            return answer
        done = (one.do(evidence.done) if evidence.done else one for one in networks)
        return self._banded(answer, network, evidence, targets, done, credible)

    def read(self, target: Any, given: Any, do: Any) -> tuple[Given, Network, tuple[int, ...]]:
        """Evidence, the network after interventions, and the numbers of the targets."""
        self._check_varying(target, given, do)
        given, do = self._numbers(given), self._numbers(do)
        found = read_given(self.network, given, self.units)
        for node in self.beforehand:
            if node in found.nodes:
                raise InputError(
                    f"{self.network.names[node]!r} was conditioned on already; leave it out."
                )
        done = read_do(self.network, do, found, self.units)
        targets = read_targets(self.network, target, found)
        for node in targets:
            if node in done or node in self.beforehand:
                raise InputError(f"{self.network.names[node]!r} is asked for, and it is set.")
        shown = ", ".join(f"do({name} = {value})" for name, value in (do or {}).items())
        network = done_of(self.network, tuple(done.items()))
        log_det = found.log_det
        if self.beforehand:  # the evidence is given besides
            log_det = log_det - self._before(network)
        found = replace(
            found,
            evidence={**found.evidence, **self.beforehand},
            done=done,
            shown=", ".join(filter(None, (found.shown, shown))),
            log_det=log_det,
        )
        return found, network, targets

    def _numbers(self, given: Any) -> Any:
        """What is given of nodes, texts as numbers where a node has such."""
        if not isinstance(given, Mapping):
            return given
        states = dict(zip(self.network.names, self.network.states, strict=True))
        text = {name for name, held in states.items() if any(isinstance(s, str) for s in held)}
        numeric = states.keys() - text
        return {
            name: self.reading.number(str(name), value) if str(name) in numeric else value
            for name, value in given.items()
        }

    def _before(self, network: Network) -> Any:
        """The log density of what was given beforehand."""
        if exact_for(network, self.beforehand, self.beforehand):
            return limited_posterior(network, None).log_z(self.beforehand)
        row = {node: np.array([value]) for node, value in self.beforehand.items()}
        return weighted.log_prob(network, row)[0][0]

    def _check_varying(self, target: Any, given: Any, do: Any) -> None:
        """Raise InputError if a column is named that did not vary."""
        asked = [target] if isinstance(target, str) else target or ()
        for names in (asked, *({} if x is None else x for x in (given, do))):
            for name in self.constants:
                if name in names:
                    raise InputError(
                        f"{name!r} did not vary in the rows that were fitted and is no node; leave "
                        "it out."
                    )

    def marginals(self, given: Any, do: Any, how: How) -> dict[str, Answer]:
        """The answer for each node that is not given, one by one."""
        evidence, network, _ = self.read(None, given, do)
        left_out = {*evidence.hard, *evidence.done, *self.beforehand}
        asked = [v for v in range(len(network.names)) if v not in left_out]
        answer = self._engine(network, evidence, how, LEVELS)
        hard = with_soft(network, evidence, lambda e, v: answer(e, (v,)).probs)
        found: dict[int, Result] = {}
        if how.method == "exact":
            discrete = [v for v in asked if network.sizes[v]]
            posterior = limited_posterior(network, how.memory)
            found = exact_marginals(posterior, hard, evidence.rows, discrete)
        found |= {v: answer(hard, (v,)) for v in asked if v not in found}
        return {
            network.names[v]: Answer.of(network, (v,), found[v], how.method, evidence)
            for v in asked
        }

    def most_probable(self, given: Any, target: Any, do: Any, how: How) -> MostProbable:
        """The most probable states of all nodes together, or of targets."""
        evidence, network, targets = self.read(target, given, do)
        if evidence.soft:
            raise InputError(
                "the most probable states are asked given a Distribution; give a Likelihood."
            )
        if network.continuous:
            found = self._states(network, evidence, targets, how)
        else:
            engine = discrete_of(network, tuple(range(len(network.names))), how.memory)
            found = engine.most_probable(evidence.evidence, targets or None)
        check_possible(found.log_z, evidence)
        return MostProbable.of(
            network, targets or None, found.states, found.log_prob, found.log_z, evidence
        )

    def _states(self, network: Network, given: Given, targets: tuple[int, ...], how: How) -> States:
        """The most probable states of discrete targets, of a network with continuous nodes."""
        if not targets or any(not network.sizes[v] for v in targets):
            raise InputError(
                "this network has continuous nodes, whose densities do not compare with "
                "probabilities; name discrete targets."
            )
        found = self._found(network, given, targets, replace(how, method="exact"), ())
        flat = found.probs.reshape(*found.log_z.shape, -1)
        best = np.where(np.isnan(flat), -1.0, flat).argmax(axis=-1)
        states = np.stack(np.unravel_index(best, [network.sizes[v] for v in targets]), axis=-1)
        top = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
        states = np.where(np.isneginf(found.log_z)[..., None], -1, states)
        with np.errstate(divide="ignore"):
            return States(states, np.log(top) + found.log_z, found.log_z)

    def cost(self, target: Any, given: Any, do: Any, how: How) -> Cost:
        """What one row of exact inference takes."""
        evidence, network, targets = self.read(target, given, do)
        asked = targets or tuple(v for v in range(len(network.names)) if v not in evidence.hard)
        cost = limited_posterior(network, how.memory).cost(evidence.hard, asked)
        return replace(cost, names=tuple(network.names[v] for v in cost.clique))

    def _found(
        self,
        network: Network,
        given: Given,
        targets: tuple[int, ...],
        how: How,
        levels: Sequence[float],
        posterior: Posterior | None = None,
    ) -> Result:
        """What is found of targets; `posterior` is the one to ask if the network has one."""
        answer = self._engine(network, given, how, levels, posterior)
        return answer(with_soft(network, given, lambda e, v: answer(e, (v,)).probs), targets)

    def _engine(
        self,
        network: Network,
        given: Given,
        how: How,
        levels: Sequence[float] = (),
        posterior: Posterior | None = None,
    ) -> Callable[[dict[int, Any], tuple[int, ...]], Result]:
        """What answers, given hard and virtual evidence and targets."""

        def answer(evidence: dict[int, Any], asked: tuple[int, ...]) -> Result:
            if how.method == "exact":
                engine = posterior or limited_posterior(network, how.memory)
                return exact(engine, evidence, given.rows, asked, self.units, levels)
            if how.method == "sampling":
                return estimated(network, evidence, asked, how, self.units, levels)
            return by_tables(network, evidence, asked, how)

        return answer

    def _banded(
        self,
        answer: Answer,
        network: Network,
        given: Given,
        targets: tuple[int, ...],
        networks: Iterable[Network],
        credible: float,
    ) -> Answer:
        """An answer with the ends of its band, which holds a share of those of the draws."""
        if not 0 < credible < 1:
            raise InputError(f"credible={credible} given; expected a probability such as 0.9.")
        plans = limited_posterior(network, None)
        each = [self._found(one, given, targets, How(), (), plans.like(one)) for one in networks]
        ends = ((1 - credible) / 2, (1 + credible) / 2)
        low, high = np.quantile([found.probs for found in each], ends, axis=0)
        continuous = {}
        for node in each[0].continuous:
            means = [found.continuous[node].mean for found in each]
            bottom, top = np.quantile(means, ends, axis=0)
            name = network.names[node]
            continuous[name] = replace(answer.continuous[name], low=bottom, high=top)
        bands = {"low": low, "high": high} if answer.targets else {}
        return replace(answer, continuous=continuous, credible=credible, **bands)
