"""What a running fit is told, and where it reports: the one object handed to a family's `_fit`, and
to the engines of a user's pair."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoints
from .data.codec import Encoded
from .data.schema import Schema
from .progress import Clock, Progress
from .rows import Rows
from .verdict import Reason, warning


class Running:
    """What any running fit is told: its seed, its time, where its state is kept and who watches."""

    seed: int
    clock: Clock
    checkpoints: Checkpoints | None
    judging: float
    progress: Callable[[Progress], None] | None
    trace: list[dict[str, Any]]
    interrupted: bool
    within: bool

    def deadline(self) -> float | None:
        """Seconds that the fit has left, never negative, 0 once it is interrupted; None where there
        is no budget."""
        if self.interrupted:
            return 0.0
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

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Within it an interrupt ends what is done, and the fit goes on with what there is by then:
        `interrupted` says so from then on."""
        try:
            yield
        except KeyboardInterrupt:
            if self.within:
                raise
            self.interrupted = True

    def interrupt_reasons(self, uses: Collection[str]) -> list[Reason]:
        """What is said of a fit that was interrupted; `uses` are those of its family's
        capabilities."""
        if not self.interrupted:
            return []
        what = f"the fit was interrupted after {self.clock.seconds():.3g} s"
        if self.trace:
            what += f" (step {self.trace[-1]['step']})"
        again = "Fit again, which begins from the start"
        if "checkpoint_dir" in uses:
            again += "; with a checkpoint_dir an interrupted fit goes on from its last evaluation"
            if self.checkpoints is not None:
                again = "Fit again with this checkpoint_dir to go on from the last evaluation"
        if "budget" in uses and self.clock.budget is None:
            again += "; or give a budget"
        return warning(f"{what}: this is the best it came to.", f"{again}.")


@dataclass
class EngineFit(Running):
    """The surroundings of a fit that has no rows of its own: that of a user's model and data.

    Attributes:
        seed: the only source of randomness.
        clock: time since the fit began, and the budget.
        checkpoints: where to keep the state of a long fit, or None.
        judging: seconds of the budget that are kept for the verdict.
        progress: called with each record.
        interrupted: whether the user ended it before its end.
        within: whether it is a part of another fit, which is what an interrupt means.
    """

    seed: int
    clock: Clock = field(default_factory=Clock)
    checkpoints: Checkpoints | None = None
    judging: float = 0.0
    progress: Callable[[Progress], None] | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    within: bool = False


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
        interrupted: whether the user ended it before its end.
        within: whether it is a part of another fit, which is what an interrupt means.
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
    interrupted: bool = False
    within: bool = False
