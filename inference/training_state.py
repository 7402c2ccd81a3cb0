"""Where a training is, and what a checkpoint holds of it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..checkpoint import Checkpoints
from .learner import Array, Learner, Outcome
from .plateau import Plateau


@dataclass
class Place:
    """All that a checkpoint holds besides arrays."""

    step: int = 0
    epoch: int = 0
    scale: float = 1.0
    evaluated: list[int] = field(default_factory=list)  # steps of the evaluations in `recent`
    evaluations: int = 0
    checks: int = 0
    last: int = 0  # epochs, where a plateau has brought the end forward
    plateau: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)


class Resumed(ABC):
    """A training that goes on from its latest checkpoint.

    Attributes:
        place: where it is.
        good, best: the learner's state at the last evaluation that was finite, and at the best.
        recent: values of the last evaluations that the stopping test compares.
    """

    def __init__(
        self,
        learner: Learner,
        plateau: Plateau | None,
        checkpoints: Checkpoints | None,
        every: float,
    ) -> None:
        self.learner, self.plateau, self.checkpoints = learner, plateau, checkpoints
        self.every, self.saved = every, time.perf_counter()  # seconds between two checkpoints
        self.place, self.recent = Place(), list[Array]()
        self.good = self.best = learner.state()
        self.resume()
        self.mark()

    def resume(self) -> None:
        """Take up the state of the latest checkpoint, if there is one."""
        latest = self.checkpoints.latest() if self.checkpoints else None
        if latest is None:
            return
        _, arrays, meta = latest
        self.place = Place(**{**meta, "outcome": Outcome(**meta["outcome"])})
        parts: dict[str, dict[str, Array]] = {"good": {}, "best": {}, "loop": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = array
        self.good, self.best, self.recent = parts["good"], parts["best"], [*parts["loop"]["recent"]]
        self.learner.load(self.good)
        if self.plateau is not None:
            self.plateau.load(self.place.plateau)

    def mark(self) -> None:
        """Note where the training is at its last good state: what checkpoints hold of it."""
        if self.plateau is not None:
            self.place.plateau = self.plateau.state()
        self.marked = replace(self.place, outcome=replace(self.place.outcome))

    @abstractmethod
    def seconds(self) -> float:
        """Used so far."""

    def save(self, *, at_once: bool = False) -> None:
        """Write a checkpoint, if the last one is long enough ago."""
        now = time.perf_counter()
        if self.checkpoints is None or (now - self.saved < self.every and not at_once):
            return
        self.saved = now
        arrays = {"loop/recent": np.asarray(self.recent)}
        arrays |= {f"good/{k}": v for k, v in self.good.items()}
        arrays |= {f"best/{k}": v for k, v in self.best.items()}
        meta = asdict(self.marked) | {"seconds": self.seconds()}
        self.checkpoints.save(self.marked.step, arrays, meta)
