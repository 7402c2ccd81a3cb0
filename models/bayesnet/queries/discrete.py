"""What each way of inference answers of a product of tables over discrete nodes.

`exact` sums; `cutset` sums over the states of some nodes one after the other, which takes less
memory and more time, and is exact too; `gibbs` estimates by chains, with standard errors, as does
`sampling` of tables that are no network's; `loopy` approximates, without a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import product
from typing import Any, Literal, Self

import numpy as np

from ....arrays import Floats, Ints
from ....data.memory_limit import bytes_of
from ....errors import InputError, unknown
from ....inference.cutset import Cutset
from ....inference.evidence import enter
from ....inference.exact import Exact
from ....inference.gibbs import gibbs
from ....inference.gibbs_chains import ChainSettings
from ....inference.loopy import loopy
from ....inference.most_probable import most_probable
from ....verdict import Reason
from .results import Result

Method = Literal["exact", "cutset", "sampling", "gibbs", "loopy"]
METHODS: tuple[Method, ...] = ("exact", "cutset", "sampling", "gibbs", "loopy")


@dataclass(frozen=True)
class How:
    """How a query is answered.

    Attributes:
        method: of `METHODS`.
        memory: bytes that may be taken; None is most of what the machine has free.
        draws: of sampling.
        seed: of sampling.
    """

    method: Method = "exact"
    memory: int | None = None
    draws: int = 10_000
    seed: int = 0

    @classmethod
    def of(cls, how: Mapping[str, Any]) -> Self:
        """What users say: method, memory (such as "8GB"), draws, random_state; InputError for
        another name."""
        known = {"method": "method", "memory": "memory", "draws": "draws", "random_state": "seed"}
        for name in how:
            if name not in known:
                raise unknown("option of queries", name, known)
        given = {known[name]: value for name, value in how.items()}
        return cls(**given | {"memory": bytes_of(given.get("memory"))})

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown("method of inference", self.method, METHODS)


@dataclass(frozen=True)
class Found:
    """Marginals of all nodes.

    Attributes:
        log_z: () or (n,) natural log of Z; NaN where the method does not tell.
        probs: by node, (k,) or (n, k); NaN where Z is 0.
        stderr: of the same shapes, where they are estimates.
        reasons: what is to be said of it.
    """

    log_z: Floats
    probs: dict[int, Floats]
    stderr: dict[int, Floats] | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class States:
    """Most probable states (k,) or (n, k), -1 where the evidence is impossible, the log probability
    () or (n,) of them and the evidence, and log Z."""

    states: Ints
    log_prob: Floats
    log_z: Floats


class Discrete:
    """Tables over discrete nodes, and the engines for them."""

    def __init__(
        self,
        sizes: Sequence[int],
        scopes: Sequence[Sequence[int]],
        tables: Sequence[Floats],
        names: Sequence[str],
        memory: int | None,
    ) -> None:
        self.sizes, self.scopes, self.tables, self.names = sizes, scopes, tables, names
        self.memory = memory
        self._cutset = lru_cache(maxsize=8)(partial(Cutset, self.exact))

    @cached_property
    def exact(self) -> Exact:
        """The engine of exact sums, which keeps the plans that it has made."""
        return Exact(self.sizes, self.scopes, memory=self.memory, names=self.names)

    def log_z(self, evidence: Mapping[int, Any], how: How) -> Floats:
        """() or (n,) natural log of Z."""
        if how.method == "exact":
            return np.asarray(self.exact.log_z(self.tables, evidence))
        if how.method in ("sampling", "gibbs"):
            raise InputError(
                f'method="{how.method}" tells no log Z of tables; use "exact", "cutset" or "loopy".'
            )
        return self.marginals(evidence, how).log_z

    def marginals(self, evidence: Mapping[int, Any], how: How) -> Found:
        """log Z and the marginal of each node."""
        if how.method == "exact":
            exact = self.exact.marginals(self.tables, evidence)
            return Found(exact.log_z, dict(enumerate(exact.probs)))
        if how.method == "loopy":
            found = loopy(self.sizes, self.scopes, self.tables, evidence)
            return Found(found.log_z, dict(enumerate(found.probs)), None, tuple(found.reasons()))
        if how.method in ("sampling", "gibbs"):
            settings = ChainSettings(num_samples=max(10, how.draws // ChainSettings.num_chains))
            drawn = gibbs(self.sizes, self.scopes, self.tables, evidence, settings, seed=how.seed)
            log_z = np.full(drawn.rhat.shape, np.nan)
            probs, stderr = dict(enumerate(drawn.probs)), dict(enumerate(drawn.stderr))
            return Found(log_z, probs, stderr, tuple(drawn.reasons()))
        observed = enter(evidence, self.sizes, self.names).fixed
        cutset = self._cutset(tuple(observed))
        whole = cutset.marginals(self.tables, evidence)
        names = ", ".join(self.names[v] for v in cutset.variables) or "nothing"
        what = f"cutset conditioning on {names}: {cutset.assignments:,} assignments, exact."
        return Found(whole.log_z, dict(enumerate(whole.probs)), None, (Reason("ok", what),))

    def _chained(self, targets: Sequence[int], evidence: Mapping[int, Any], how: How) -> Result:
        """The joint marginal of some nodes by the chain rule: the last given each state of the
        others, times their probability."""
        *first, last = targets
        logs, conditionals = [], []
        for states in product(*(range(self.sizes[v]) for v in first)):
            found = self.marginals({**evidence, **dict(zip(first, states, strict=True))}, how)
            log_z = np.asarray(found.log_z)
            for v, state in zip(first, states, strict=True):
                if v in evidence:  # virtual: the state takes its place
                    with np.errstate(divide="ignore"):
                        log_z = log_z + np.log(np.asarray(evidence[v])[..., state])
            logs.append(log_z)
            conditionals.append(found.probs[last])
        log_z = np.logaddexp.reduce(logs, axis=0)
        with np.errstate(invalid="ignore"):
            weights = np.exp(np.stack(logs, -1) - log_z[..., None])
        parts = np.stack(conditionals, -2)
        probs = weights[..., None] * np.where(weights[..., None] > 0, parts, 0.0)
        shape = (*log_z.shape, *(self.sizes[v] for v in targets))
        return Result(log_z, probs.reshape(shape))

    def most_probable(self, evidence: Mapping[int, Any], targets: Sequence[int] | None) -> States:
        """The most probable states of some nodes, the others summed out; None is all nodes."""
        found = most_probable(self.exact, self.tables, evidence, targets)
        return States(found.states, found.log_prob, self.log_z(evidence, How()))

    def joint(self, targets: Sequence[int], evidence: Mapping[int, Any], how: How) -> Result:
        """log Z and the joint marginal of some nodes."""
        key = tuple(targets)
        if how.method == "exact":
            log_z, probs = self.exact.log_z_and_joint(self.tables, key, evidence)
            return Result(np.asarray(log_z), np.asarray(probs))
        if how.method == "cutset" and len(key) > 1:
            return self._chained(key, evidence, how)
        if len(key) > 1:
            raise InputError(
                f"method={how.method!r} gives marginals of one node at a time; "
                f"{len(key)} targets were asked for jointly. Ask for one, or use method='exact'."
            )
        found = self.marginals(evidence, how)
        stderr = None if found.stderr is None else found.stderr[key[0]]
        return Result(found.log_z, found.probs[key[0]], {}, stderr, found.reasons)
