"""A contest of nets that may be the ones of a fit, decided on held-out rows within its budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ...arrays import Floats, Hashes
from ...checkpoint import Checkpoints
from ...errors import InputError
from ...inference.learner import Outcome
from ...inference.schedule import Schedule
from ...verdict import Reason
from .halving import Round, best
from .record import DataUnits
from .sizes import steps_of
from .trainer import Judge, Trainer, Training

_ROWS, _SECONDS, _STEPS = 50, 10.0, 1000  # held-out rows, and a fit, from which on nets compete
_LOOKS = 100  # steps between two evaluations


@dataclass(eq=False)
class Contender:
    """Nets that may be the ones.

    Attributes:
        label: what they are, in words.
        training: how they are trained.
        learner: what trains them.
        made_of: what their family needs of them.
        judge: see `Trainer.train`.
        outcome: of what they have been trained so far.
        spent: the share of the schedule that this was.
    """

    label: str
    training: Schedule
    learner: Any
    made_of: Any
    judge: Judge | None = None
    outcome: Outcome = field(default_factory=Outcome)
    spent: float = 0.0


def worthwhile(trainer: Trainer) -> bool:
    """Whether a fit has the time, and the held-out rows, to compare nets."""
    held, left = trainer.unseen, trainer.fit.deadline()
    if held is None or len(held) < _ROWS:
        return False
    if trainer.machine is not None and trainer.machine.processes is not None:
        return False
    schedule = trainer.settings
    if left is None:
        return schedule.max_epochs * steps_of(len(trainer.seen), schedule.batch_size) >= _STEPS
    return left >= _SECONDS


class Contest:
    """A contest.

    Args:
        trainer: of the fit. Nothing of the contest is kept in its trace.
        rounds: of successive halving.
    """

    def __init__(self, trainer: Trainer, rounds: Sequence[Round]) -> None:
        self.trainer, self.fit, self.rounds = trainer, trainer.fit, rounds

    def best(self, contenders: Sequence[Callable[[], Contender]]) -> tuple[Contender, Reason]:
        """The one to train to the end, the trainer's settings what is left of its schedule, and
        what is said.

        Args:
            contenders: makes of each, in order of preference.
        """
        self.trainer.chosen = True
        kept = None if self.fit.checkpoints is None else self.fit.checkpoints.part("contest")
        decided = None if kept is None else self._decided(kept, contenders)
        if decided is not None:
            return decided
        left, known = self._left(), dict[Contender, Floats]()

        def train(contender: Contender, share: float) -> Floats:
            with self.fit.heeding():
                if not self.fit.interrupted:
                    seconds = None if left is None else share * left
                    known[contender] = self._train(contender, share, seconds)
            return known.get(contender, np.full(1, np.nan))

        each = [make() for make in contenders]
        found, scores = best(each, train, self.rounds, self._units())
        if self.fit.interrupted:  # those that were not trained are out
            scores = {c: score for c, score in scores.items() if math.isfinite(score)}
            if not scores:
                raise KeyboardInterrupt
        said = self._said(found, scores)
        if kept is not None and not self.fit.interrupted:
            meta = {"label": found.label, "outcome": asdict(found.outcome), "spent": found.spent}
            meta["said"] = said
            kept.save(each.index(found), found.learner.state(), meta)
        self._from_now_on(found)
        return found, Reason("ok", said)

    def _decided(
        self, kept: Checkpoints, contenders: Sequence[Callable[[], Contender]]
    ) -> tuple[Contender, Reason] | None:
        """What was decided before the fit was killed."""
        state = kept.latest()
        if state is None:
            return None
        number, arrays, meta = state
        found = contenders[number]() if number < len(contenders) else None
        if found is None or "spent" not in meta or meta.get("label") != found.label:
            raise InputError(
                f"{kept.folder} holds a choice among nets that another version of ppgen made; give "
                "another checkpoint_dir or clear it."
            )
        found.learner.load(arrays)
        found.outcome, found.spent = Outcome(**meta["outcome"]), float(meta["spent"])
        self._from_now_on(found)
        return found, Reason("ok", meta["said"])

    def finished(self, contender: Contender) -> Training:
        """The training of the best to its end."""
        self.trainer.taken = contender.outcome.steps
        training = self.trainer.train(contender.learner, contender.judge)
        return replace(training, outcome=joined(contender.outcome, training.outcome))

    def _units(self) -> Hashes | None:
        held = self.trainer.evaluated
        return None if held is None else held.units()

    def _from_now_on(self, found: Contender) -> None:
        settings = found.training
        if self.fit.clock.budget is None:
            left = math.ceil((1 - found.spent) * settings.max_epochs)
            settings = replace(settings, max_epochs=left)
        self.trainer.settings = settings

    def _train(self, contender: Contender, share: float, seconds: float | None) -> Floats:
        """Train for a share of the schedule, or for some seconds: the scores of held-out rows."""
        trainer = copy(self.trainer)
        n, timed = len(trainer.seen), seconds is not None
        trainer.settings = slice_of(contender.training, n, share, timed=timed)
        trainer.fit = fit = replace(self.fit, checkpoints=None, trace=[])
        trainer.record = DataUnits(fit, trainer.seen, trainer.evaluated)
        if seconds is not None:
            trainer.after += max(0.0, (self._left() or 0.0) - seconds)
        outcome = trainer.train(contender.learner, contender.judge).outcome
        self.fit.interrupted |= fit.interrupted
        contender.outcome = joined(contender.outcome, outcome)
        contender.spent += share
        scores = trainer.evaluate(contender.learner, contender.judge)
        return np.full_like(scores, np.nan) if outcome.why == "diverged" else scores

    def _left(self) -> float | None:
        """Seconds until training ends."""
        left = self.fit.deadline()
        return None if left is None else max(0.0, left - self.trainer.after)

    def _said(self, found: Contender, scores: Mapping[Contender, float]) -> str:
        held = self.trainer.evaluated
        assert held is not None
        log_det = held.log_det[held.numbers]
        units = float(np.mean(log_det[np.isfinite(log_det)]))
        ranked = sorted(scores, key=lambda contender: -scores[contender])
        each = ", ".join(f"{c.label} {scores[c] + units:.2f}" for c in ranked)
        return (
            f"{found.label} was chosen of {len(scores)} on held-out rows, after a part of the "
            f"schedule each (nats: {each}; the fit is also stopped and judged on these rows)."
        )


def slice_of(schedule: Schedule, n: int, share: float, *, timed: bool) -> Schedule:
    """A share of a schedule for n rows, as one of its own; of a timed one the time is shared."""
    steps = steps_of(n, schedule.batch_size)
    if timed:
        every = min(steps, _LOOKS)
        return replace(
            schedule, epoch_steps=every, evaluate_every=math.ceil(_LOOKS / every), patience=0
        )
    part = max(1, math.ceil(share * schedule.max_epochs * steps / 4))
    return replace(schedule, epoch_steps=part, max_epochs=4, evaluate_every=1, patience=0)


def joined(first: Outcome, last: Outcome) -> Outcome:
    """The outcome of a training that went on where another one ended."""
    return replace(
        last,
        steps=first.steps + last.steps,
        epochs=first.epochs + last.epochs,
        best_step=first.steps + last.best_step if last.best_step else first.best_step,
        rollbacks=first.rollbacks + last.rollbacks,
    )
