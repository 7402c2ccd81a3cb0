"""The most probable states of nodes, as an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ....arrays import Floats, Ints
from ..labelled import Labelled
from .answers import lined
from .evidence import Given, impossible

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class MostProbable:
    """The most probable states of some nodes together.

    Attributes:
        states: node -> label, or a label for each of n rows of evidence (None where it is
            impossible).
        log_prob: () or (n,) natural log of the probability of these states and the evidence.
        log_evidence: () or (n,) of the evidence.
        given: the evidence as text.
        index: the labels of the rows of evidence, where a frame of pandas has such.
    """

    states: Mapping[str, Any]
    log_prob: Floats
    log_evidence: Floats
    given: str = ""
    index: Any = None

    @classmethod
    def of(
        cls,
        nodes: Labelled,
        targets: Sequence[int] | None,
        states: Ints,
        log_prob: Floats,
        log_z: Floats,
        given: Given,
    ) -> Self:
        """That of state numbers (k,) or (n, k); targets None are all nodes, of which those that
        are given in every row are left out."""
        numbers = range(len(nodes.names)) if targets is None else targets
        labels: dict[str, Any] = {}
        for node, column in zip(numbers, np.moveaxis(states, -1, 0), strict=True):
            if targets is None and _known(given, node):
                continue
            of = (*nodes.states[node], None)
            labels[nodes.names[node]] = (
                of[int(column)] if column.ndim == 0 else [of[k] for k in column.tolist()]
            )
        return cls(labels, np.asarray(log_prob), np.asarray(log_z), given.shown, given.index)

    @property
    def prob(self) -> Any:
        """The probability of the states given the evidence, a float or (n,)."""
        with np.errstate(invalid="ignore"):
            prob = np.exp(self.log_prob - self.log_evidence)
        return float(prob) if prob.ndim == 0 else prob

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns as a frame takes them: the nodes, and "probability" given the evidence."""
        if self.log_prob.ndim == 0:
            return {**{name: [s] for name, s in self.states.items()}, "probability": [self.prob]}
        return {**self.states, "probability": self.prob.tolist()}

    def to_frame(self) -> pandas.DataFrame:
        """`to_dict` as a frame of pandas, with the labels of the rows of evidence."""
        import pandas

        return pandas.DataFrame(self.to_dict(), index=self.index)

    def __str__(self) -> str:
        given = f" given {self.given}" if self.given else ""
        if self.log_prob.ndim:
            title = f"most probable{given}, {len(self.log_prob):,} rows of evidence"
            said = [str(reason) for reason in impossible(self.log_evidence)]
            return "\n".join([title, *lined(self.to_dict(), cut=True), *said])
        width = max(map(len, self.states), default=0)
        lines = [f"  {name:{width}}  {state}" for name, state in self.states.items()]
        return "\n".join([f"most probable{given}  (probability {self.prob:.6g})", *lines])

    __repr__ = __str__


def _known(given: Given, node: int) -> bool:
    """Whether the state of a discrete node is given in every row."""
    return node in given.hard and bool((np.asarray(given.evidence[node]) >= 0).all())
