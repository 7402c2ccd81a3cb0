"""What a running fit is told, and where it reports: the one object handed to a family's `_fit`, and
to the engines of a user's pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoints
from .data.codec import Encoded
from .data.schema import Schema
from .progress import Clock, Progress
from .rows import Rows


class Running:
    """What any running fit is told: its seed, its time, where its state is kept and who watches."""

    seed: int
    clock: Clock
    checkpoints: Checkpoints | None
    judging: float
    progress: Callable[[Progress], None] | None
    trace: list[dict[str, Any]]

    def deadline(self) -> float | None:
        """Seconds that the fit has left, never negative; None where there is no budget."""
        left = self.clock.left()
        return None if left is None else max(0.0, left - self.judging)

    def rng(self) -> np.random.Generator:
        """A fresh generator from the fit's seed."""
        return np.random.default_rng(self.seed)

    def report(self, progress: Progress) -> None:
        """Keep a record for the trace and show it."""
        self.trace.append(asdict(progress))
        if self.progress is not None:
            self.progress(progress)


@dataclass
class EngineFit(Running):
    """The surroundings of a fit that has no rows of its own: that of a user's model and data.

    Attributes:
        seed: the only source of randomness.
        clock: time since the fit began, and the budget.
        checkpoints: where to keep the state of a long fit, or None.
        judging: seconds of the budget that are kept for the verdict.
        progress: called with each record.
    """

    seed: int
    clock: Clock = field(default_factory=Clock)
    checkpoints: Checkpoints | None = None
    judging: float = 0.0
    progress: Callable[[Progress], None] | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Fit(Running):
    """The surroundings of one fit to rows.

    Attributes:
        seed: the only source of randomness.
        schema: of the rows fitted.
        clock: time since the fit began, and the budget.
        validation: held-out rows the caller gave, with their `y` or labels, or None.
        checkpoints: where to keep the state of a long fit, or None.
        redraw: re-encodes the rows with their cells filled in anew for an epoch; None where
            nothing is rounded.
        units: gives a hash of each row's unit (`data.units`): copies of a row and rows of a
            named group have the same. Rows to hold out are chosen by it.
        validation_units: the same of the validation rows.
        held_out: set by a family that keeps rows from its training: (n,) which. The verdict judges
            the fit by them.
        judging: seconds of the budget that are kept for the verdict's look at held-out rows.
        progress: called with each record.
    """

    seed: int
    schema: Schema
    clock: Clock
    validation: Rows | None = None
    checkpoints: Checkpoints | None = None
    redraw: Callable[[int], Encoded] | None = None
    units: Callable[[], NDArray[np.uint64]] = lambda: np.empty(0, np.uint64)
    validation_units: Callable[[], NDArray[np.uint64]] = lambda: np.empty(0, np.uint64)
    held_out: NDArray[np.bool_] | None = None
    judging: float = 0.0
    progress: Callable[[Progress], None] | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)
