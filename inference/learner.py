"""What `gradient.train` trains, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Learner(Protocol):
    """What is trained. `inference.svi` has two; a family may write its own."""

    compiled: bool  # whether each number of steps in `run` is compiled for itself

    def begin_epoch(self, epoch: int) -> None:
        """Before the first batch of each epoch, and again when resumed there: redraw data here."""

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        """One step for each row of `batches` (steps, batch_size); losses (steps,), nats a row."""

    def average(self, decay: float) -> None:
        """Move the averaged weights towards the current ones: a <- decay a + (1 - decay) w."""

    def state(self) -> dict[str, Array]:
        """A copy of everything the next step depends on, and the averaged weights."""

    def load(self, state: Mapping[str, Array]) -> None:
        """Go to a state that `state` gave."""


@dataclass
class Outcome:
    """How a fit ended: what `train` returns.

    Attributes:
        why: "stopped" (early, by the test), "max_epochs", "budget" or "diverged".
        steps, epochs: taken, whatever was kept.
        rollbacks: how often it went back.
        best, best_step: the best held-out mean log density, and where.
        train_loss: mean loss of the epoch that the kept weights come from.
        improvement, improvement_stderr: paired, from the evaluation kept that is nearest to three
            quarters of the steps to the last one.
    """

    why: str = "max_epochs"
    steps: int = 0
    epochs: float = 0.0
    rollbacks: int = 0
    best: float = -math.inf
    best_step: int = 0
    train_loss: float = math.nan
    improvement: float = math.nan
    improvement_stderr: float = math.nan
