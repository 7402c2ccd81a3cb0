"""The training of nets, the same for every family that has some.

A family gives a learner (its loss over batches, and what it measures on held-out rows) and its own
reasons; here stand the batch that fits in memory, the call of the training loop, the record in the
units of the data, and the share of a budget that is kept for looking at rows afterwards. `trained`
says what an estimator keeps of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...arrays import Array, Floats
from ...checkpoint import Checkpoints
from ...data.memory_limit import memory_budget
from ...errors import InputError
from ...fitting import Fit
from ...inference.gradient import finish, train
from ...inference.learner import Outcome
from ...inference.schedule import Schedule
from ...verdict import Reason
from .held_out import Subset
from .record import DataUnits
from .sizes import TIMED
from .timing import took
from .verdicts import (
    FEW_HELD,
    FEW_STEPS,
    batch_reasons,
    compiled,
    diverged,
    few_held,
    likelier,
    progress_reasons,
    short,
    too_few,
)

if TYPE_CHECKING:
    from .device import Machine
    from .processes import Processes

T = TypeVar("T")
Judged = tuple[Floats, Floats | None]  # of held-out rows: what is trained, and a bound or None
Judge = Callable[[Array], Judged]

_BYTES = 2000  # that a step may take for a value of its batch
_LARGE = 1 << 20  # values of a batch from which a compiled step is tried out beforehand
COMPARED = 2000  # rows on either side that overfitting is looked for on
_PROBE, _PROBED = 100, 1 << 16  # rows that are timed, and values of them
_LEAST, _SHARE = 24, 0.15  # rows looked at at least, and share of a budget that it takes at most
EVALUATED = 0.05  # share of a budget that an evaluation of held-out rows takes at most
_TIMING = 0.01  # share of a budget that the timing of rows takes, about
_STEP = 0.05  # share of the time of a training that a step takes at most
_WIDE = 1 << 16  # values of a batch from which on its step is timed beforehand


@dataclass(frozen=True)
class Training:
    """How a training ended.

    Attributes:
        outcome: of the loop.
        schedule: of the loop, its batch as many rows as fitted in memory.
        device: what computed.
        reasons: what is to be said of it whatever the loss is.
    """

    outcome: Outcome
    schedule: Schedule
    device: str
    reasons: list[Reason]

    @property
    def batch_size(self) -> int:
        """Rows a step."""
        return self.schedule.batch_size

    def chosen(self) -> dict[str, Any]:
        """Settings that may be left open, as they were."""
        loop = self.schedule
        found = {"batch_size": loop.batch_size, "learning_rate": loop.learning_rate}
        epochs = {} if loop.max_epochs >= TIMED else {"max_epochs": loop.max_epochs}
        return {**found, **epochs, "device": self.device}

    @property
    def failed(self) -> bool:
        """Whether the nets are of no use."""
        return any(reason.status == "failed" for reason in self.reasons)


@dataclass
class Trainer:
    """Trains the nets of one fit.

    Attributes:
        fit: what the fit is told, and where it reports.
        seen: rows trained on.
        unseen: held-out rows, or None.
        settings: of the loop.
        record: what brings the record into the units of the data; None reports what is measured.
        after: seconds of a budget kept for what follows the training.
        machine: what computes.
        evaluated: the held-out rows that are evaluated in training.
        few: independent held-out rows below which they are too few to judge the nets by.
        least: rows that a step takes at least; others are a multiple of it.
        chosen: whether held-out rows have also chosen what is trained.
        taken: steps that what is trained took before.
        little: steps below which a budget was too short to learn much.
    """

    fit: Fit
    seen: Subset
    unseen: Subset | None
    settings: Schedule
    record: DataUnits | None = None
    after: float = 0.0
    machine: Machine | None = None
    few: int = FEW_HELD
    least: int = 1
    chosen: bool = False
    taken: int = 0
    little: int = FEW_STEPS

    def __post_init__(self) -> None:
        self.evaluated = self.unseen
        self._timed: tuple[Any, float] = (None, 0.0)  # what was timed last, and seconds of a row

    def train(self, learner: Any, judge: Judge | None = None) -> Training:
        """Train a learner (see `inference.learner`), and leave it at its best evaluation.

        Args:
            judge: makes of what `learner.evaluate` gives of the held-out rows the objective of
                each, and its bound; None takes it for the objective.
        """
        fit, n, processes = self.fit, len(self.seen), self._processes
        checkpoints = fit.checkpoints
        if processes is not None:
            self._check_same(processes)
            learner.processes = processes
            if checkpoints is not None and processes.rank:
                checkpoints = _ReadOnly(checkpoints.folder, checkpoints.fingerprint)
        asked = min(self.settings.batch_size, n)
        fits = self._fitting(learner, asked)
        size = self._timely(learner, fits)
        settings = replace(self.settings, batch_size=size)
        loop = train(
            learner,
            n,
            settings,
            seed=fit.seed,
            validation=None if self.evaluated is None else lambda: self.evaluate(learner, judge),
            units=None if self.evaluated is None else self.evaluated.units(),
            checkpoints=checkpoints,
            deadline=self._left,
        )
        before = fit.clock.seconds()
        outcome = finish(loop, fit.report if self.record is None else self.record.report)
        fit.interrupted |= outcome.why == "interrupted"
        reasons = [*batch_reasons(asked, fits, size), *diverged(outcome, settings)]
        reasons += compiled(outcome, self.fit.clock.budget)
        if outcome.why == "budget":
            reasons += short(self.taken + outcome.steps, fit.clock, before, self.little)
        if self.unseen is not None:
            reasons += few_held(len(np.unique(self.unseen.units())), self.few)
        device = "cpu" if self.machine is None else str(self.machine.device)
        return Training(outcome, settings, device, reasons)

    def _fitting(self, learner: Any, asked: int) -> int:
        """The largest batch that fits. Where a trial is dear, as a step is compiled anew for it or
        there is a budget, it is made where memory may be short."""
        learner.most, values = self.settings.chunk, asked * self.seen.x.shape[1]
        if learner.compiled and values <= _LARGE:
            return asked
        on_cpu = self.machine is None or self.machine.device.type == "cpu"
        if self.fit.clock.budget is not None and on_cpu and _BYTES * values < memory_budget():
            return asked
        from .batches import shrinking

        size = shrinking(lambda size: learner.probe(np.arange(size)), asked, "training")[1]
        return size if self._processes is None else self._processes.least(size)

    def _timely(self, learner: Any, size: int) -> int:
        """How many of so many rows a step takes, that there may be some steps in the time left."""
        left = self._left()
        if left is None or learner.compiled or size * self.seen.x.shape[1] <= _WIDE:
            return size
        timely = self.settled("batch", lambda: self._in_time(learner, size, left))
        size = min(size, timely)
        return size if self._processes is None else self._processes.least(size)

    def _in_time(self, learner: Any, size: int, left: float) -> int:
        """The same of wide rows: steps of few are timed, then of more as long as they are short."""
        n, most = min(size, self.least), _STEP * max(left, 0.0)
        seconds = took(partial(learner.probe, np.arange(n)), 1)
        if seconds < 2 * most:  # the first may load and allocate
            seconds = took(partial(learner.probe, np.arange(n)), 1)
        while n < size and seconds < most / 4:
            n = min(size, 4 * n)
            seconds = took(partial(learner.probe, np.arange(n)), 1)
        if seconds > most or n < size:
            timely = int(n * most / max(seconds, 1e-9)) // self.least * self.least
            size = min(size, max(self.least, timely))
        return size

    def evaluate(self, learner: Any, judge: Judge | None = None) -> Floats:
        """(m,) the objective of each held-out row that is evaluated."""
        assert self.evaluated is not None
        values = self._agreed(learner.evaluate())
        objective, bounds = (values, None) if judge is None else judge(values)
        shares = 1.0 if self.evaluated.shares is None else self.evaluated.shares
        if bounds is not None and self.record is not None:
            self.record.bound = float(np.mean(bounds * shares))
        return np.asarray(objective * shares)

    def _left(self) -> float | None:
        left = self.fit.deadline()
        return None if left is None else self._agreed(left - self.after)

    @property
    def _processes(self) -> Processes | None:
        return None if self.machine is None else self.machine.processes

    def _agreed(self, value: T) -> T:
        """What the first of the processes says that train together."""
        return value if self._processes is None else self._processes.agreed(value)

    def _check_same(self, processes: Processes) -> None:
        units = int(np.bitwise_xor.reduce(self.seen.units()))
        mine = (self.fit.seed, len(self.seen), units, self.settings)
        if not processes.least(int(processes.agreed(mine) == mine)):  # all raise, none waits
            raise InputError(
                "the processes of this fit differ in seed, rows or settings; give each the same "
                "rows, and random_state=0 or another integer."
            )

    def looking(
        self, look: Callable[[Subset], Any], wanted: int, share: float | None = None
    ) -> tuple[int, float]:
        """How many of the rows wanted can be looked at once the nets are trained, and the seconds
        that it takes: of a budget at most this share, but for a few rows."""
        budget = self.fit.clock.budget
        if budget is None:
            return wanted, 0.0
        each = self._seconds_of_row(look)
        rows = int(min(wanted, _affordable(budget * (_SHARE if share is None else share), each)))
        return self._agreed((rows, each * rows))

    def evaluating(self, look: Callable[[Subset], Any]) -> Subset | None:
        """The held-out rows that are evaluated in training: of a budget, as many as take little of
        it.

        Args:
            look: takes about as long as an evaluation of as many rows.
        """
        budget = self.fit.clock.budget
        if budget is not None and self.unseen is not None:
            seconds = budget * EVALUATED
            rows = self.settled(
                "held-out", lambda: _affordable(seconds, self._seconds_of_row(look))
            )
            self.evaluated = self.unseen.thinned(rows, self.fit.rng())
        return self.evaluated

    def settled(self, name: str, count: Callable[[], float]) -> int:
        """A number of rows that times decide. A fit that goes on from checkpoints, which are of
        steps and evaluations of so many, takes that of before."""
        kept = None if self.fit.checkpoints is None else self.fit.checkpoints.part(name)
        state = None if kept is None else kept.latest()
        known = self._agreed(0 if state is None else state[0])
        if known:
            return known
        found = self._agreed(int(count()))
        if kept is not None and not (self._processes and self._processes.rank):
            kept.save(found, {}, {})
        return found

    def _seconds_of_row(self, look: Callable[[Subset], Any]) -> float:
        if self._timed[0] is look:
            return self._timed[1]
        size = max(1, min(_PROBE, _PROBED // max(self.seen.x.shape[1], 1)))
        one, probe = (self.seen.only(self.seen.numbers[:n]) for n in (1, size))
        each = max(took(lambda: look(one)), 1e-9)
        if len(probe) > 1 and each * size <= _TIMING * (self.fit.clock.budget or math.inf):
            each = max(took(lambda: look(probe)), 1e-9) / len(probe)
        self._timed = look, each
        return each

    def judge_density(
        self,
        training: Training,
        log_prob: Callable[[Array, Floats | None], Floats],
        smaller: str,
        rows: int = COMPARED,
    ) -> list[Reason]:
        """What the course of a training in nats a row says, and whether rows trained on are
        likelier than held-out ones.

        Args:
            log_prob: (m,) log densities of stored rows and their context.
            smaller: how the net is made smaller, as in "a smaller hidden".
            rows: how many are compared on either side, at most.
        """
        if training.failed:
            return training.reasons
        reasons = [*training.reasons, *progress_reasons(training.outcome, self.settings)]
        if self.fit.interrupted:
            return reasons
        if self.unseen is None:
            plain = "" if self.fit.schema.image_shape else ", or use gaussian or kde"
            advice = f"Give validation rows{plain}."
            return [*reasons, *too_few(len(self.seen), advice)]
        rng = self.fit.rng()
        some = [part.thinned(rows, rng) for part in (self.seen, self.unseen)]
        with self.fit.heeding():
            seen, unseen = ((log_prob(*part.values()), part.units()) for part in some)
            columns = self.seen.x.shape[1]
            reasons += likelier(seen, unseen, columns, smaller, chosen=self.chosen)
        return reasons


def _affordable(seconds: float, each: float) -> float:
    """Rows that take so many seconds, or twice that if they are few."""
    return max(1.0, seconds / each, min(_LEAST, 2 * seconds / each))


class _ReadOnly(Checkpoints):
    """The state of a fit that another process writes."""

    def save(self, step: int, arrays: Any, meta: Any) -> None:
        pass

    def clear(self) -> None:
        pass
