"""What `gradient.train` trains, the rows that it is given, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Data = Sequence[Any]  # arrays or tensors (n, ...) with the same rows, or None in their place


def n_rows(data: Data) -> int:
    return next(len(a) for a in data if a is not None)


def take(data: Data, rows: Any) -> list[Any]:
    """The same rows of each array; None stays None."""
    return [None if a is None else a[rows] for a in data]


@dataclass(frozen=True)
class Feed:
    """Data of which batches are not simply the rows of each array.

    Attributes:
        data: arrays or tensors.
        n_total: rows of all the data.
        take: gives a batch, of the data and row numbers.
        first: a pair is set up by a batch of so many rows.
    """

    data: Data
    n_total: int
    take: Callable[[Data, Any], list[Any]] = take
    first: int = 2


def as_feed(data: Data | Feed) -> Feed:
    """Data as they are fed to a learner: arrays with the same rows, or what says otherwise."""
    return data if isinstance(data, Feed) else Feed(data, n_rows(data))


@dataclass(frozen=True)
class HeldOut:
    """Held-out rows, and how they are scored.

    Attributes:
        log_density: gives the log density (m,) of each row of a block of `data`.
        data: the rows, as those to train on.
        block: rows scored at a time.
    """

    log_density: Callable[..., Any]
    data: Data
    block: int = 8192

    def blocks(self) -> Iterator[tuple[int, list[Any]]]:
        """The number of its first row, and the block."""
        for start in range(0, n_rows(self.data), self.block):
            yield start, take(self.data, slice(start, start + self.block))


class Learner(Protocol):
    """What is trained: any loss over batches (`torch_learner`, `jax_learner`), players against each
    other (`adversarial`) or the ELBO of a pair (`svi_pyro`, `svi_numpyro`).

    Attributes:
        compiled: whether the first step compiles those that follow.
        most: steps that `run` is given at once, at most.
        together: whether other processes take each step with this one.
        share: of the schedule that is used, of the steps or of the time, whichever is further; set
            before each `run`. Only what a learner draws or weighs may depend on it.
    """

    compiled: bool
    most: int = 1
    together: bool = False
    share: float = 0.0

    def measured(self) -> dict[str, float]:
        """Means of what was measured in training since this was last asked, by name."""
        return {}

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
        why: "stopped" (early, by the test), "max_epochs", "budget", "interrupted" or "diverged".
        steps, epochs: how many were taken, whichever weights were kept.
        rollbacks: how often it went back.
        best, best_step: the best held-out mean log density, and where; with a `Plateau` minus the
            best recent mean loss, and where the kept weights come from.
        train_loss: mean loss of the epoch that the kept weights come from.
        first_loss, last_loss: mean losses of the first and of the last epoch.
        plateau_step: where a plateau of the losses was found; 0 where none was.
        improvement, improvement_stderr: paired, from an evaluation at about three quarters of the
            steps to the last one.
        compiling: seconds of a budget that went into compiling steps and evaluations.
    """

    why: str = "max_epochs"
    steps: int = 0
    epochs: float = 0.0
    rollbacks: int = 0
    best: float = -math.inf
    best_step: int = 0
    train_loss: float = math.nan
    first_loss: float = math.nan
    last_loss: float = math.nan
    plateau_step: int = 0
    improvement: float = math.nan
    improvement_stderr: float = math.nan
    compiling: float = 0.0
